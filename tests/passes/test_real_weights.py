"""Real weights: which layers have them, what takes their place, what is recorded."""

from __future__ import annotations

import numpy as np
import pytest
from pass_agreement import apply
from real_weight_networks import dense_network, map_network
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.func import Func
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException, VerifyException

from lowering.interpreter.engine import Interpreter
from passes.binarise_weights import BinariseWeightsPass
from passes.posit_weights import PositWeightsPass
from passes.quantize_weights import QuantizeWeightsPass
from passes.real_weights import Layer, real_weights
from passes.ternarise_weights import TernariseWeightsPass
from passes.weights_record import (
    WeightsRecord,
    add_record,
    lines_about,
    records,
    relative_errors,
)
from qdialect.constants import WeightOp, constant, constant_array
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.from_posit import FromPositOp
from qdialect.linear import MatMulOp
from qdialect.qnn import Qnn
from qdialect.quantisers import DequantizeOp
from qdialect.types import F32

EVERY_PASS = (
    BinariseWeightsPass(),
    TernariseWeightsPass(),
    TernariseWeightsPass(levels=5),
    QuantizeWeightsPass(),
    PositWeightsPass(),
)

every_pass = pytest.mark.parametrize("pass_", EVERY_PASS, ids=str)


def parsed(text: str) -> ModuleOp:
    context = Context()
    for dialect in (Builtin, Func, Qnn):
        context.load_dialect(dialect)
    module = Parser(context, text).parse_module()
    module.verify()
    return module


def layers_of(module: ModuleOp) -> list[Layer]:
    return [op for op in module.walk() if isinstance(op, MatMulOp | ConvOp)]


def symbols(module: ModuleOp) -> set[str]:
    return {op.sym_name.data for op in module.walk() if isinstance(op, WeightOp)}


def counted(layer: Layer) -> Array:
    """The numbers that a layer counts its weights as, in float64."""
    source = layer.weights.owner
    assert isinstance(source, DequantizeOp | FromPositOp)
    values = constant_array(source.input)
    assert values is not None
    if isinstance(source, FromPositOp):
        return values
    scale, zero = constant_array(source.scale), constant_array(source.zero_point)
    assert scale is not None
    assert zero is not None
    assert not zero.any()
    return values.astype(np.float64) * scale.astype(np.float64)


@every_pass
@pytest.mark.parametrize("module", [dense_network(0), map_network(0)])
def test_every_layer_is_replaced_and_recorded(
    pass_: ModulePass, module: ModuleOp
) -> None:
    before = real_weights(pass_, module)
    after = apply(module, pass_)
    assert real_weights(pass_, after) == []
    found = records(after)
    assert [record.layer for record in found] == [w.layer for w in before]
    for weights, record, layer in zip(before, found, layers_of(after), strict=True):
        assert record.by == str(pass_)
        assert record.count == weights.array.size
        change = counted(layer) - weights.array
        rms = np.sqrt(np.square(weights.array.astype(np.float64)).mean())
        assert record.rms_error == pytest.approx(
            np.sqrt(np.square(change).mean()) / rms, rel=1e-5
        )
        assert record.max_error == pytest.approx(np.abs(change).max() / rms, rel=1e-5)
    assert lines_about(pass_, after) == [str(record) for record in found]
    # The real numbers are gone.
    assert not any(
        op.value.type.element_type == F32 and len(op.value.shape) > 1
        for op in after.walk()
        if isinstance(op, WeightOp)
    )


@every_pass
def test_a_second_time_there_is_nothing_to_do(pass_: ModulePass) -> None:
    once = apply(dense_network(0), pass_)
    assert str(apply(once, pass_)) == str(once)


def test_layers_are_chosen_by_name() -> None:
    module = dense_network(0)
    chosen = apply(module, TernariseWeightsPass(layers=("fc1", "*3")))
    assert [record.layer for record in records(chosen)] == ["fc1", "fc3"]
    rest = apply(chosen, QuantizeWeightsPass())
    assert [record.layer for record in records(rest)] == ["fc1", "fc3", "fc2"]
    assert lines_about(QuantizeWeightsPass(), rest) == [str(records(rest)[-1])]


def test_a_name_of_no_layer_is_refused() -> None:
    with pytest.raises(
        PassFailedException,
        match=r"no layer 'conv\*' has real weights; those that have: fc1, fc2, fc3",
    ):
        apply(dense_network(0), BinariseWeightsPass(layers=("fc1", "conv*")))
    done = apply(dense_network(0), BinariseWeightsPass())
    with pytest.raises(PassFailedException, match="those that have: none"):
        apply(done, BinariseWeightsPass(layers=("fc1",)))


SHARED = """
qnn.weight @w = <tensor<2x2xf32>, [0.5, -1.0, 0.25, 3.0]>
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %a = qnn.load @w : tensor<2x2xf32>
  %b = qnn.load @w : tensor<2x2xf32>
  %y = qnn.matmul %x, %a : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("one")
  %z = qnn.matmul %y, %b : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("two")
  func.return %z : tensor<1x2xf32>
}
"""


def test_weights_of_two_layers_stay_shared() -> None:
    module = parsed(SHARED)
    assert symbols(apply(module, BinariseWeightsPass())) == {"w_bipolar"}
    one = apply(module, BinariseWeightsPass(layers=("one",)))
    assert symbols(one) == {"w", "w_bipolar"}
    assert len(real_weights(BinariseWeightsPass(), one)) == 1


ARRANGED = """
qnn.weight @w = <tensor<1x6xf32>, [0.5, -1.0, 0.25, 3.0, -2.0, 1.5]>
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x3xf32> {
  %w = qnn.load @w : tensor<1x6xf32>
  %s = qnn.constant <tensor<3xf32>, [2.0, 4.0, 0.5]>
  %r = qnn.reshape %w : tensor<1x6xf32> -> tensor<2x3xf32>
  %m = qnn.mul %r, %s : tensor<2x3xf32>, tensor<3xf32> -> tensor<2x3xf32>
  %t = qnn.transpose %m perm [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
  %z = qnn.matmul %x, %t : tensor<1x2xf32>, tensor<3x2xf32> -> tensor<1x3xf32>
  func.return %z : tensor<1x3xf32>
}
"""


def test_weights_that_are_arranged_and_scaled_count_as_they_arrive() -> None:
    module = parsed(ARRANGED)
    (weights,) = real_weights(BinariseWeightsPass(), module)
    assert weights.layer == "w"
    np.testing.assert_array_equal(weights.array, [[1, 6], [-4, -8], [0.125, 0.75]])
    after = apply(module, QuantizeWeightsPass(16))
    kinds = [op.name for op in after.walk() if op.name.startswith("qnn.")]
    assert kinds == [
        *("qnn.weight", "qnn.load", "qnn.constant", "qnn.constant"),
        *("qnn.dequantize", "qnn.matmul"),
    ]
    frames = np.eye(2, dtype=np.float32)
    (found,) = Interpreter(after).run([frames])
    np.testing.assert_allclose(found, weights.array.T, rtol=1e-4)


LEVELS = """
func.func @main(%x: tensor<1x2xf32>, %v: tensor<2x2xf32>) -> tensor<1x2xf32> {
  %w = qnn.constant <tensor<2x2xsi4>, [1, 2, 3, 4]>
  %s = qnn.constant <tensor<1xf32>, [1.0]>
  %d = qnn.dequantize %w, %s, %s
    : tensor<2x2xsi4>, tensor<1xf32>, tensor<1xf32> -> tensor<2x2xf32>
  %m = qnn.mul %d, %s : tensor<2x2xf32>, tensor<1xf32> -> tensor<2x2xf32>
  %y = qnn.matmul %x, %m : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %z = qnn.matmul %y, %v : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  func.return %z : tensor<1x2xf32>
}
"""


def test_levels_and_computed_weights_are_left_alone() -> None:
    assert real_weights(BinariseWeightsPass(), parsed(LEVELS)) == []


def test_a_network_without_real_weights_is_told_so() -> None:
    module = parsed(LEVELS)
    pass_ = TernariseWeightsPass()
    after = apply(module, pass_)
    assert str(after) == str(module)
    assert pass_.remarks(after) == [
        "no layer has weights that ternarise-weights replaces"
    ]


def test_errors_are_relative_to_the_weights() -> None:
    before = np.array([3.0, -4.0], np.float32)
    rms = np.sqrt(12.5)
    found = relative_errors(before, np.array([3.5, -4.0]))
    assert found == pytest.approx((0.5 / np.sqrt(2) / rms, 0.5 / rms), rel=1e-5)
    assert relative_errors(before, before) == (0, 0)
    assert relative_errors(np.zeros(2), np.zeros(2)) == (0, 0)
    assert relative_errors(np.zeros(2), np.ones(2)) == (np.inf, np.inf)


def test_a_record_in_words_and_back() -> None:
    record = WeightsRecord("fc", "a-pass{x=1}", "si4", 1000, 4321, 0.0123, 0.4)
    assert str(record) == (
        "weights of 'fc' as si4: 1,000 weights in 541 bytes, 4.32 bits each; error "
        "1.23 % rms, 40 % at most, of their rms"
    )
    module = ModuleOp([])
    add_record(module, record)
    add_record(module, record)
    assert records(parsed(str(module))) == [record, record]
    module.attributes["qnn.weight_schemes"] = constant(np.zeros(1, np.int64)).value
    with pytest.raises(VerifyException, match="expected what passes on real weights"):
        records(module)
