"""QuantizeLinear and DequantizeLinear, on frames and on constants."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import OnnxGraph, by_onnx_runtime, interpreted
from xdsl.dialects.builtin import ModuleOp

from qdialect.quantisers import DequantizeOp, QuantizeOp
from qdialect.semantics import Real
from qdialect.types import element_of
from tools.onnx_import.frontend import import_onnx


def probe() -> Real:
    """Four columns of multiples of 3/8 around zero: ties and clamps."""
    steps = np.arange(-40, 41, dtype=np.float32) * np.float32(3 / 8)
    return np.stack([np.roll(steps, index) for index in range(4)], axis=1)


def element_of_levels(module: ModuleOp) -> str:
    """The element type that the only dequantised levels of a module have."""
    (op,) = [op for op in module.walk() if isinstance(op, DequantizeOp)]
    return str(element_of(op.input))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("zero_point", [0, 3, 100])
@pytest.mark.parametrize("per_axis", [False, True])
def test_quantize_linear_equals_onnx_runtime(
    dtype: type[np.integer], zero_point: int, *, per_axis: bool
):
    graph = OnnxGraph()
    x = graph.input((81, 4))
    scale = graph.constant([0.25, 0.5, 0.05, 0.3] if per_axis else 0.25)
    zero = graph.constant([zero_point] * 4 if per_axis else zero_point, dtype)
    levels = graph.op("QuantizeLinear", x, scale, zero)
    reals = graph.op("DequantizeLinear", levels, scale, zero)
    model, data = graph.model(levels, reals), probe()
    for found, expected in zip(
        interpreted(model, data), by_onnx_runtime(model, data), strict=True
    ):
        assert np.array_equal(found, expected)


def test_quantize_linear_rounds_before_it_adds():
    """1/2 is rounded to 0, and 0.4999999 + 100 is not 100.5."""
    graph = OnnxGraph()
    x = graph.input((4, 2))
    scale, zero = graph.constant(1), graph.constant(101, np.uint8)
    model = graph.model(graph.op("QuantizeLinear", x, scale, zero))
    data = np.array(
        [[0.5, 1.5], [0.49999997, 2.5], [-0.5, -1.5], [3.5, 300]], np.float32
    )
    (found,), (expected,) = interpreted(model, data), by_onnx_runtime(model, data)
    assert np.array_equal(found, expected)
    assert found[0, 0] == 101


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_of_dequantize_linear_stay_levels(axis: int):
    rng = np.random.default_rng(1)
    graph = OnnxGraph()
    x = graph.input((5, 12))
    weights = graph.constant(rng.integers(-128, 128, (12, 6)), np.int8)
    count = (12, 6)[axis]
    scale = graph.constant(rng.uniform(0.1, 1, count))
    zero = graph.constant(np.zeros(count), np.int8)
    matrix = graph.op("DequantizeLinear", weights, scale, zero, axis=axis)
    bias = graph.op(
        "DequantizeLinear", graph.constant(rng.integers(-999, 999, 6), np.int32),
        graph.constant(0.01),
    )  # fmt: skip
    model = graph.model(graph.op("Gemm", x, matrix, bias))
    frames = rng.integers(-9, 9, (5, 12)).astype(np.float32)
    module = import_onnx(model.SerializeToString())
    assert element_of_levels(module) == "si8"
    (found,), (expected,) = interpreted(model, frames), by_onnx_runtime(model, frames)
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_weights_quantised_in_the_graph_are_levels():
    rng = np.random.default_rng(1)
    graph = OnnxGraph()
    x = graph.input((5, 12))
    weights, scale = graph.constant(rng.normal(size=(12, 6))), graph.constant(0.02)
    zero = graph.constant(7, np.uint8)
    levels = graph.op("QuantizeLinear", weights, scale, zero)
    model = graph.model(
        graph.op("MatMul", x, graph.op("DequantizeLinear", levels, scale, zero))
    )
    frames = rng.integers(-9, 9, (5, 12)).astype(np.float32)
    assert element_of_levels(import_onnx(model.SerializeToString())) == "ui8"
    (found,), (expected,) = interpreted(model, frames), by_onnx_runtime(model, frames)
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("zero_in", "zero_act"), [(0, 0), (128, 0), (128, 77)])
def test_network_of_quantize_and_dequantize_linear(zero_in: int, zero_act: int):
    rng = np.random.default_rng(5)
    graph = OnnxGraph()

    def levels(x: str, scale: float, zero_point: int) -> str:
        parameters = graph.constant(scale), graph.constant(zero_point, np.uint8)
        quantised = graph.op("QuantizeLinear", x, *parameters)
        return graph.op("DequantizeLinear", quantised, *parameters)

    def layer(x: str, columns: int, rows: int) -> str:
        weights = graph.constant(rng.integers(-127, 128, (columns, rows)), np.int8)
        scale = graph.constant(rng.uniform(0.001, 0.01, rows))
        zero = graph.constant(np.zeros(rows), np.int8)
        matrix = graph.op("DequantizeLinear", weights, scale, zero, axis=1)
        bias = graph.constant(rng.integers(-999, 999, rows), np.int32)
        bias = graph.op("DequantizeLinear", bias, graph.constant(0.001))
        return graph.op("Add", graph.op("MatMul", x, matrix), bias)

    x = levels(graph.input((64, 32)), 0.03, zero_in)
    hidden = levels(graph.op("Relu", layer(x, 32, 16)), 0.02, zero_act)
    model = graph.model(layer(hidden, 16, 10))
    frames = rng.normal(size=(64, 32)).astype(np.float32)
    (found,), (expected,) = interpreted(model, frames), by_onnx_runtime(model, frames)
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_levels_of_4_bits_keep_their_type():
    graph = OnnxGraph(opset=21)
    x = graph.input((2, 4))
    scale = graph.constant(0.5)
    graph.initialisers.append(
        helper.make_tensor("zero", TensorProto.INT4, [], [0]),
    )
    module = import_onnx(graph.bytes(graph.op("QuantizeLinear", x, scale, "zero")))
    (op,) = [op for op in module.walk() if isinstance(op, QuantizeOp)]
    assert str(element_of(op.out)) == "si4"
