"""`outline-core`: levels inside, real numbers outside, same results."""

import numpy as np
import pytest
from pass_agreement import TO_INTEGER, apply, assert_same
from random_maps import MapNetwork
from random_networks import NetworkBuilder, random_frames, random_mlp
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import FuncOp
from xdsl.utils.exceptions import PassFailedException

from passes.lower_to_integer import LowerToIntegerPass
from passes.outline_core import OutlineCorePass
from qdialect.constants import constant
from qdialect.elementwise import MulOp
from qdialect.linear import MatMulOp
from qdialect.quantisers import QuantizeOp
from qdialect.types import F32, TernaryType, element_of, is_level, signed
from tools.onnx_import.frontend import import_onnx


@pytest.mark.parametrize("seed", range(5))
def test_the_core_works_on_levels_only(seed: int) -> None:
    module = random_mlp(seed)
    after = apply(module, *TO_INTEGER)
    functions = {f.sym_name.data: f for f in after.body.ops if isinstance(f, FuncOp)}
    assert set(functions) == {"main", "core"}
    core = functions["core"]
    values = [v for op in core.body.walk() for v in (*op.operands, *op.results)]
    assert all(is_level(element_of(v)) for v in values)
    main = functions["main"]
    assert not any(isinstance(op, MatMulOp) for op in main.walk())
    assert_same(module, after, [random_frames(module, 50, seed)])


def test_a_network_without_integer_layers_is_refused() -> None:
    builder = NetworkBuilder(3, 0)
    builder.relu()
    with pytest.raises(PassFailedException, match="no integer layer"):
        apply(builder.module(), OutlineCorePass())


def test_a_real_operation_between_layers_is_refused() -> None:
    builder = NetworkBuilder(4, 0)
    builder.quantise(signed(3), 0.5)
    builder.linear(4, TernaryType())
    other = constant(np.array(0.3, np.float32))
    builder.block.add_op(other)
    op = MulOp(builder.value, other, TensorType(F32, (1, 4)))
    builder.block.add_op(op)
    builder.value = op.out
    builder.quantise(signed(3), 0.5)
    builder.linear(3, TernaryType())
    # Without floor-thresholds the chain before the second layer is still real.
    with pytest.raises(PassFailedException, match="stands between integer layers"):
        apply(builder.module(), LowerToIntegerPass(), OutlineCorePass())


def test_the_refused_operation_is_one_of_the_network() -> None:
    """A rectified shortcut that is added without a quantiser."""
    network = MapNetwork(0, (2, 6, 6))
    network.quantise(3)
    network.conv(4, 3, pads=[1] * 4)
    network.batch_norm()
    shortcut = network.op("Relu")
    network.quantise(1)
    network.conv(4, 3, bits=1, pads=[1] * 4)
    network.batch_norm()
    network.op("Add", shortcut, name="shortcut")
    network.quantise(1)
    network.conv(2, 1, bits=1)
    module = import_onnx(network.bytes(), name="maps")
    message = r"qnn.add \(node 'shortcut'\) .* takes two tensors of real numbers"
    with pytest.raises(PassFailedException, match=message):
        apply(module, *TO_INTEGER)


def test_a_pool_of_real_numbers_is_named() -> None:
    network = MapNetwork(1, (2, 6, 6))
    network.quantise(3)
    network.conv(4, 3)
    network.op("Relu")
    network.op("AveragePool", kernel_shape=[2, 2], name="average")
    network.quantise(3)
    network.conv(2, 1)
    module = import_onnx(network.bytes(), name="maps")
    message = r"qnn.sum_pool \(node 'average'\) .* put a quantiser before it"
    with pytest.raises(PassFailedException, match=message):
        apply(module, *TO_INTEGER)


def gated(op_type: str, *, quantised: bool) -> MapNetwork:
    """A gate on a map."""
    network = MapNetwork(2, (2, 6, 6))
    network.quantise(3)
    network.conv(4, 3)
    map_ = network.quantise(3)
    network.op("Tanh")
    if quantised:
        network.quantise(3)
    network.op(op_type, map_, name="gate")
    network.quantise(3)
    network.conv(2, 1)
    return network


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (gated("Mul", quantised=False), r"qnn.mul .* takes two tensors of real number"),
        (gated("Div", quantised=True), r"qnn.div .* accepted are sums, differences"),
    ],
    ids=["real", "quotient"],
)
def test_a_gate_that_is_no_integer_is_named(network: MapNetwork, message: str) -> None:
    module = import_onnx(network.bytes(), name="maps")
    with pytest.raises(PassFailedException, match=message) as error:
        apply(module, *TO_INTEGER)
    assert "(node 'gate')" in str(error.value)


def test_input_quantisers_stay_outside() -> None:
    module = random_mlp(3)
    after = apply(module, *TO_INTEGER)
    main, core = (f for f in after.body.ops if isinstance(f, FuncOp))
    assert any(isinstance(op, QuantizeOp) for op in main.walk())
    assert not any(isinstance(op, QuantizeOp) for op in core.walk())
