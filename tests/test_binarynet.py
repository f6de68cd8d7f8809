"""BinaryNet: its sign, batch norm, bias and first layer, each as the paper has it.

Source: Courbariaux et al. 2016, arXiv:1602.02830, sections 1.1 and 1.6.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c_programs import run_in_c
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered_maps import core_of as map_core
from onnx_graphs import QONNX, OnnxGraph
from pass_agreement import TO_INTEGER, apply
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.activation import ThresholdOp
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.pooling import MaxPoolOp
from qdialect.types import BipolarType, element_of, is_level, unsigned
from tools.onnx_import.frontend import import_onnx

MODELS = Path(__file__).parent.parent / "models"
INPUTS, ROWS = 8, 6


def layer(bias: Array | None, norm: list[Array] | None) -> ModuleOp:
    """`sign(norm(x @ W.T + bias))` of a bipolar input, as a network."""
    graph = OnnxGraph()
    one = graph.constant(1.0)
    x = graph.op("BipolarQuant", graph.input((1, INPUTS)), one, domain=QONNX)
    # Of the first k inputs k - 4 are added, so that every sum occurs in every row.
    weights = graph.constant(np.ones((ROWS, INPUTS)))
    quantised = graph.op("BipolarQuant", weights, one, domain=QONNX)
    operands = [x, quantised] if bias is None else [x, quantised, graph.constant(bias)]
    value = graph.op("Gemm", *operands, transB=1)
    if norm is not None:
        names = [graph.constant(part) for part in norm]
        value = graph.op("BatchNormalization", value, *names, epsilon=0.0)
    value = graph.op("BipolarQuant", value, one, domain=QONNX)
    return import_onnx(graph.bytes(value), name="layer")


FRAMES = np.where(np.tri(INPUTS + 1, INPUTS, -1) > 0, 1, -1).astype(np.float32)
SUMS = FRAMES.sum(axis=1)


def core_ops(module: ModuleOp) -> list[Operation]:
    (core,) = [
        op
        for op in module.body.block.ops
        if isinstance(op, FuncOp) and op.sym_name.data == "core"
    ]
    return list(core.body.block.ops)


def assert_signs(module: ModuleOp, values: Array) -> None:
    """The network gives the signs of `values` [sums, rows], at each level and in C."""
    expected = np.where(values >= 0, 1, -1)
    np.testing.assert_array_equal(Interpreter(module).run([FRAMES])[0], expected)
    integer = apply(module, *TO_INTEGER)
    np.testing.assert_array_equal(Interpreter(integer).run([FRAMES])[0], expected)
    ops = core_ops(integer)
    assert [type(op) for op in ops if op.operands][:2] == [MatMulOp, ThresholdOp]
    levels = [FRAMES.astype(np.int64)]
    (found,) = run_in_c(apply(integer, BitpackPass()), levels)
    np.testing.assert_array_equal(found, expected)


def test_the_sign_of_zero_is_plus_one() -> None:
    """Sums of 8 signs are even; each of these is 0 for one bias, -0 among them."""
    bias = np.array([0.0, -0.0, 2, -2, 8, -8], np.float32)
    module = layer(bias, None)
    values = SUMS[:, None] + bias
    assert (values == 0).any(axis=0).all()
    assert_signs(module, values)


def test_a_bias_keeps_its_precision() -> None:
    """The float32 numbers next to an even integer, on both sides, are told apart."""
    up, down = np.float32(np.inf), np.float32(-np.inf)
    four = np.float32(4)
    bias = np.array(
        [
            np.nextafter(four, up),
            np.nextafter(four, down),
            np.nextafter(-four, up),
            np.nextafter(-four, down),
            np.float32(1e-30),
            np.float32(-1e-30),
        ],
        np.float32,
    )
    # In float32, as the model has it: 4 + the number above -4 is above 0.
    assert_signs(layer(bias, None), (SUMS[:, None] + bias).astype(np.float32))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1 << 20))
def test_batch_norm_becomes_thresholds(seed: int) -> None:
    """Gammas of both signs and 0; means that are sums, so that ties occur."""
    rng = np.random.default_rng(seed)
    gamma, beta = rng.normal(0, 1, (2, ROWS)).astype(np.float32)
    gamma[rng.integers(ROWS)] = 0
    beta[rng.integers(ROWS)] = 0
    mean = rng.choice(SUMS, ROWS).astype(np.float32)
    variance = rng.uniform(0.1, 4, ROWS).astype(np.float32)
    slope = gamma * (np.float32(1) / np.sqrt(variance))
    values = SUMS[:, None].astype(np.float32) * slope + (beta - mean * slope)
    assert_signs(layer(None, [gamma, beta, mean, variance]), values)


def test_the_first_layer_takes_8_bits() -> None:
    """Pixels are no signs: they stay 8-bit numbers, multiplied by signs."""
    module = apply(import_onnx(MODELS / "mnist_mlp_w1a1.onnx"), *TO_INTEGER)
    first, *others = [op for op in core_ops(module) if isinstance(op, MatMulOp)]
    assert element_of(first.input) == unsigned(8)
    assert len(others) == 2
    for op in others:
        assert element_of(op.input) == BipolarType()
    for op in (first, *others):
        assert element_of(op.weights) == BipolarType()


@pytest.mark.parametrize("name", ["mnist_mlp_w1a1", "digits_cnn_w1a1"])
def test_nothing_else_is_left_of_the_networks(name: str) -> None:
    module = apply(import_onnx(MODELS / f"{name}.onnx"), *TO_INTEGER)
    ops = core_ops(module) if "mlp" in name else map_core(module)
    assert all(is_level(element_of(value)) for op in ops for value in op.results)
    kept = {op.name for op in ops if op.operands and op.results}
    assert kept <= {
        kind.name for kind in (MatMulOp, ConvOp, ThresholdOp, MaxPoolOp)
    } | {"qnn.reshape"}
