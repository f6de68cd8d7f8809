"""Products of levels, QLinear and Integer, against ONNX Runtime and on every target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx_graphs import OnnxGraph, by_onnx_runtime, interpreted
from pass_agreement import TO_INTEGER, apply
from simulators import needs_simulator
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx

RUNTIME = "com.microsoft"
CODES = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8}

seeds = st.integers(0, 1 << 30)


def model_of(graph: OnnxGraph, output: str, code: int) -> ModelProto:
    """The model, whose output has this element type."""
    model = graph.model(output)
    model.graph.output[0].type.tensor_type.elem_type = code
    model.opset_import.append(helper.make_opsetid(RUNTIME, 1))
    return model


@dataclass
class Operands:
    """Levels and parameters of a product, drawn at random."""

    rng: np.random.Generator
    x_type: str
    w_type: str
    by_row: bool

    @staticmethod
    def draw(seed: int) -> "Operands":
        rng = np.random.default_rng(seed)
        x_type, w_type = rng.choice(["int8", "uint8"], 2)
        # ONNX Runtime takes signed inputs with signed weights only.
        w_type = "int8" if x_type == "int8" else str(w_type)
        return Operands(rng, str(x_type), w_type, bool(rng.integers(2)))

    def levels(self, shape: Sequence[int], type_: str) -> Array:
        info = np.iinfo(type_)
        return self.rng.integers(info.min, info.max + 1, shape).astype(type_)

    def weights(self, graph: OnnxGraph, shape: Sequence[int]) -> str:
        levels = self.levels(shape, self.w_type)
        if self.w_type == "int8":
            # Some processors add two products of 8 bits in 16, where they saturate.
            levels = levels // 2
        return graph.constant(levels, self.w_type)

    def of_x(self, graph: OnnxGraph) -> tuple[str, str]:
        """A scale and a zero point of type x."""
        scale = self.rng.uniform(0.001, 0.1)
        zero = self.levels((), self.x_type)
        return graph.constant(scale), graph.constant(zero, self.x_type)

    def of_y(self, graph: OnnxGraph, depth: int) -> tuple[str, str]:
        """As `of_x`, so large that sums of `depth` products clamp now and then."""
        scale = self.rng.uniform(0.005, 0.1) * depth**0.5
        zero = self.levels((), self.x_type)
        return graph.constant(scale), graph.constant(zero, self.x_type)

    def of_w(self, graph: OnnxGraph, rows: int) -> tuple[str, str]:
        """Scale and zero point of the weights, for all or for each row."""
        shape = (rows,) if self.by_row else ()
        scale = self.rng.uniform(0.001, 0.1, shape)
        zero = self.levels(shape, self.w_type) // 4
        return graph.constant(scale), graph.constant(zero, self.w_type)

    def bias(self, graph: OnnxGraph, rows: int) -> str:
        return graph.constant(self.rng.integers(-9999, 9999, rows), np.int32)


def assert_equals_onnx_runtime(model: ModelProto, *data: Array) -> None:
    (found,), (expected,) = interpreted(model, *data), by_onnx_runtime(model, *data)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_matrix_products_equal_onnx_runtime(seed: int) -> None:
    draw = Operands.draw(seed)
    frames, depth, rows = (int(n) for n in draw.rng.integers(1, 20, 3))
    graph = OnnxGraph(opset=21)
    x = graph.input((frames, depth), dtype=CODES[draw.x_type])
    a, b = draw.of_x(graph), draw.of_w(graph, rows)
    weights, y = draw.weights(graph, (depth, rows)), draw.of_y(graph, depth)
    data = draw.levels((frames, depth), draw.x_type)
    bias = draw.bias(graph, rows)
    integer = graph.op("MatMulInteger", x, weights, a[1], b[1])
    linear = graph.op("QLinearMatMul", x, *a, weights, *b, *y)
    operands = (x, *a, weights, *b, bias)
    gemm = graph.op("QGemm", *operands, *y, domain=RUNTIME, alpha=0.75)
    reals = graph.op("QGemm", *operands, domain=RUNTIME)
    code = CODES[draw.x_type]
    for output, type_ in (
        (integer, TensorProto.INT32),
        (linear, code),
        (gemm, code),
        (reals, TensorProto.FLOAT),
    ):
        assert_equals_onnx_runtime(model_of(graph, output, type_), data)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_convolutions_equal_onnx_runtime(seed: int) -> None:
    draw = Operands.draw(seed)
    groups, depth, per_group, frames = (int(n) for n in draw.rng.integers(1, 4, 4))
    kernel = draw.rng.integers(1, 4, 2)
    window: dict[str, Any] = {
        "group": groups,
        "pads": draw.rng.integers(0, 3, 4).tolist(),
        "strides": draw.rng.integers(1, 3, 2).tolist(),
        "dilations": draw.rng.integers(1, 3, 2).tolist(),
    }
    shape = (frames, depth * groups, *(int(n) for n in draw.rng.integers(5, 9, 2)))
    rows = per_group * groups
    graph = OnnxGraph(opset=21)
    x = graph.input(shape, dtype=CODES[draw.x_type])
    a, b = draw.of_x(graph), draw.of_w(graph, rows)
    weights = draw.weights(graph, (rows, depth, *kernel))
    y = draw.of_y(graph, depth * int(kernel.prod()))
    bias = [draw.bias(graph, rows)] if draw.rng.integers(2) else []
    data = draw.levels(shape, draw.x_type)
    linear = graph.op("QLinearConv", x, *a, weights, *b, *y, *bias, **window)
    assert_equals_onnx_runtime(model_of(graph, linear, CODES[draw.x_type]), data)
    if not draw.by_row and draw.x_type == "uint8":
        integer = graph.op("ConvInteger", x, weights, a[1], b[1], **window)
        assert_equals_onnx_runtime(model_of(graph, integer, TensorProto.INT32), data)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_sums_with_a_bias_of_integers_equal_onnx_runtime(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = OnnxGraph(opset=21)
    x = graph.input((4, 6), dtype=TensorProto.UINT8)
    weights = graph.constant(rng.integers(-60, 60, (6, 5)), np.int8)
    sums = graph.op("MatMulInteger", x, weights, graph.constant(7, np.uint8))
    biased = graph.op("Add", sums, graph.constant(rng.integers(-99, 99, 5), np.int32))
    scaled = graph.op("Mul", graph.constant(rng.integers(1, 9), np.int32), biased)
    result = graph.op("Sub", scaled, graph.constant([[5]], np.int32))
    data = rng.integers(0, 256, (4, 6)).astype(np.uint8)
    assert_equals_onnx_runtime(model_of(graph, result, TensorProto.INT32), data)


def test_levels_lie_within_one_of_the_reference() -> None:
    """ONNX's own evaluator adds the zero point before it rounds: ties may differ."""
    differing = total = 0
    for seed in range(40):
        draw = Operands.draw(seed)
        graph = OnnxGraph(opset=21)
        x = graph.input((3, 4, 6, 6), dtype=CODES[draw.x_type])
        parts = (*draw.of_x(graph), draw.weights(graph, (5, 4, 3, 3)))
        parts = (*parts, *draw.of_w(graph, 5), *draw.of_y(graph, 36))
        output = graph.op("QLinearConv", x, *parts, draw.bias(graph, 5))
        model = model_of(graph, output, CODES[draw.x_type])
        data = draw.levels((3, 4, 6, 6), draw.x_type)
        (found,) = interpreted(model, data)
        (expected,) = ReferenceEvaluator(model).run(None, {"x": data})
        distance = np.abs(found.astype(int) - np.asarray(expected).astype(int))
        assert distance.max() <= 1
        differing, total = differing + int(distance.sum()), total + distance.size
    # Of 9,600 levels as measured; a tie of float32 numbers is rare.
    assert total == 9600
    assert differing <= 10


def network(zero_in: int, zero: int) -> bytes:
    """Convolutions in groups and depthwise, a pool, a product and integer logits."""
    rng = np.random.default_rng(2)
    graph = OnnxGraph()

    def of(scale: float, zero: int) -> tuple[str, str]:
        return graph.constant(scale), graph.constant(zero, np.uint8)

    def conv(
        x: str, shape: Sequence[int], x_is: tuple[str, str], y_is: tuple[str, str]
    ) -> str:
        rows = shape[0]
        weights = graph.constant(rng.integers(-127, 128, shape), np.int8)
        scale = graph.constant(rng.uniform(0.001, 0.01, rows))
        zeros = graph.constant(rng.integers(-3, 4, rows), np.int8)
        bias = graph.constant(rng.integers(-500, 500, rows), np.int32)
        window: dict[str, Any] = {
            "pads": [1, 1, 1, 1],
            "group": rows // shape[1] if shape[1] == 1 else 1,
        }
        return graph.op(
            "QLinearConv", x, *x_is, weights, scale, zeros, *y_is, bias, **window
        )

    x = graph.input((1, 3, 6, 6))
    inputs, hidden = of(0.02, zero_in), of(0.05, zero)
    maps = graph.op("QuantizeLinear", x, *inputs)
    maps = conv(maps, (4, 3, 3, 3), inputs, hidden)
    maps = conv(maps, (4, 1, 3, 3), hidden, hidden)
    maps = graph.op("MaxPool", maps, kernel_shape=[2, 2], strides=[2, 2])
    vector = graph.op("Flatten", maps)
    weights = graph.constant(rng.integers(-127, 128, (36, 5)), np.int8)
    result = of(0.3, 100)
    parts = graph.constant(0.004), graph.constant(0, np.int8)
    linear = graph.op("QLinearMatMul", vector, *hidden, weights, *parts, *result)
    sums = graph.op("MatMulInteger", vector, weights, hidden[1])
    sums = graph.op("Add", sums, graph.constant(rng.integers(-9, 9, 5), np.int32))
    logits = graph.op("Mul", graph.op("Cast", sums, to=TensorProto.FLOAT), parts[0])
    return graph.bytes(graph.op("DequantizeLinear", linear, *result), logits)


def assert_targets_agree(module: ModuleOp, frames: Array) -> None:
    """The integer level and C, plain and packed, give what the network gives."""
    expected = Interpreter(module).run([frames])
    integer = apply(module, *TO_INTEGER)
    packed = apply(integer, BitpackPass())
    for found in (
        Interpreter(integer).run([frames]),
        Interpreter(integer, core=CEngine(integer)).run([frames]),
        Interpreter(packed, core=CEngine(packed)).run([frames]),
    ):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("zero_in", "zero"), [(0, 0), (128, 7)])
def test_a_network_of_levels_on_its_targets(zero_in: int, zero: int) -> None:
    module = import_onnx(network(zero_in, zero))
    module.verify()
    rng = np.random.default_rng(3)
    assert_targets_agree(module, rng.normal(size=(20, 3, 6, 6)).astype(np.float32))


@needs_simulator
@pytest.mark.slow
def test_a_network_of_levels_as_a_circuit() -> None:
    module = import_onnx(network(128, 7))
    frames = np.random.default_rng(3).normal(size=(4, 3, 6, 6)).astype(np.float32)
    circuit = apply(
        module,
        *TO_INTEGER,
        ConvertToQflowPass(),
        FoldPass(),
        InsertFifosPass(),
        ConvertQflowToHwPass(),
    )
    expected = Interpreter(module).run([frames])
    found = Interpreter(circuit, core=RtlEngine(circuit)).run([frames])
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
