"""Quantisers of blocks, and levels of 2, 4 and 16 bits."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx_graphs import OnnxGraph, interpreted
from pass_agreement import TO_INTEGER, apply
from xdsl.utils.exceptions import PassFailedException

from lowering.c.engine import CEngine
from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from qdialect.quantisers import DequantizeOp, QuantizeOp
from qdialect.types import element_of, shape_of
from tools.onnx_import.frontend import import_onnx
from tools.onnx_import.tensors import INT2, UINT2

# The range of each type by its code.
TYPES: dict[int, tuple[int, int]] = {
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT4: (0, 15),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-32768, 32767),
    TensorProto.UINT16: (0, 65535),
}


def by_reference(model: ModelProto, data: Array) -> list[Array]:
    """What ONNX's own evaluator computes."""
    results = ReferenceEvaluator(model).run(None, {"x": data})
    return [np.asarray(result) for result in cast("list[Array]", results)]


def stored(graph: OnnxGraph, name: str, code: int, values: Array) -> str:
    """An initialiser of any integer type of ONNX."""
    flat = values.ravel().tolist()
    tensor = helper.make_tensor(name, code, values.shape, flat)
    graph.initialisers.append(tensor)
    return name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from(sorted(TYPES)))
def test_quantisers_of_blocks_equal_the_reference(seed: int, code: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, *(int(n) for n in rng.integers(1, 7, 2)))
    axis, block = int(rng.integers(1, 3)), int(rng.integers(1, 8))
    blocks = list(shape)
    blocks[axis] = -(-shape[axis] // block)
    # The reference wants the last block to be whole.
    shape = (*shape[:axis], blocks[axis] * block, *shape[axis + 1 :])
    low, high = TYPES[code]
    graph = OnnxGraph(opset=21)
    x = graph.input(shape)
    scale = graph.constant(np.exp2(rng.integers(-3, 3, blocks)))
    zero = stored(graph, "zero", code, rng.integers(low, high + 1, blocks))
    how: dict[str, Any] = {"axis": axis, "block_size": block}
    levels = graph.op("QuantizeLinear", x, scale, zero, **how)
    reals = graph.op("DequantizeLinear", levels, scale, zero, **how)
    model = graph.model(levels, reals)
    model.graph.output[0].type.tensor_type.elem_type = code
    spread = max(-low, high) / 4
    data = (rng.integers(-40, 41, shape) / 8 * spread).astype(np.float32)
    # It also adds the zero point to float32 numbers; up to 16 bits that is exact.
    for ours, theirs in zip(
        interpreted(model, data), by_reference(model, data), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs.astype(np.float64))


@pytest.mark.parametrize("code", [INT2, UINT2])
def test_levels_of_2_bits(code: int) -> None:
    """Four a byte, the first in the lowest bits, as ONNX stores them from IR 13 on."""
    graph = OnnxGraph(opset=21)
    x = graph.input((3, 5))
    values = np.array([0, 1, 2, 3, 3, 2, 1, 0, 1, 3])
    octets = np.array([0b11100100, 0b00011011, 0b00001101], np.uint8)
    weights = TensorProto(
        name="w", data_type=code, dims=[5, 2], raw_data=octets.tobytes()
    )
    graph.initialisers.append(weights)
    scale = graph.constant(0.5)
    matrix = graph.op("DequantizeLinear", "w", scale)
    sums = graph.op("MatMul", x, matrix)
    levels = graph.op("QuantizeLinear", sums, graph.constant(4), output_dtype=code)
    module = import_onnx(graph.bytes(levels), name="model.onnx")
    (quantise,) = [op for op in module.walk() if isinstance(op, QuantizeOp)]
    assert str(element_of(quantise.out)) == ("si2" if code == INT2 else "ui2")
    if code == INT2:
        values = np.where(values > 1, values - 4, values)
    data = np.arange(15, dtype=np.float32).reshape(3, 5) - 7
    limits = (-2, 1) if code == INT2 else (0, 3)
    expected = np.clip(np.round(data @ values.reshape(5, 2) / 8), *limits)
    (found,) = Interpreter(module).run([data])
    np.testing.assert_array_equal(found, expected)


def with_blocks(scales: Array) -> bytes:
    """A product whose 6 x 2 weights have scales [3, 2], of blocks of two."""
    rng = np.random.default_rng(5)
    graph = OnnxGraph(opset=21)
    step = graph.constant(0.125), graph.constant(0, np.int8)
    x = graph.op("QuantizeLinear", graph.input((1, 6)), *step)
    x = graph.op("DequantizeLinear", x, *step)
    weights = stored(graph, "w", TensorProto.INT4, rng.integers(-8, 8, (6, 2)))
    zero = stored(graph, "z", TensorProto.INT4, rng.integers(-8, 8, (3, 2)))
    scale = graph.constant(scales)
    matrix = graph.op("DequantizeLinear", weights, scale, zero, axis=0, block_size=2)
    sums = graph.op("Relu", graph.op("MatMul", x, matrix))
    levels = graph.op("QuantizeLinear", sums, graph.constant(0.75))
    return graph.bytes(graph.op("DequantizeLinear", levels, graph.constant(0.75)))


@pytest.mark.parametrize(
    "scales",
    [
        [[0.5, 0.25], [0.125, 0.25], [1, 2]],
        [[0.3, 0.7], [0.1, 0.2], [0.9, 0.123]],
    ],
    ids=["powers-of-two", "any"],
)
def test_weights_of_blocks_become_levels_of_a_row(scales: list[list[float]]) -> None:
    source = with_blocks(np.array(scales))
    module = import_onnx(source)
    module.verify()
    (weights,) = [
        op
        for op in module.walk()
        if isinstance(op, DequantizeOp) and shape_of(op.out) == (2, 6)
    ]
    assert shape_of(weights.scale) == (2, 1)
    integer = apply(module, *TO_INTEGER)
    data = np.random.default_rng(6).normal(size=(50, 6)).astype(np.float32) * 5
    expected = Interpreter(module).run([data])
    np.testing.assert_array_equal(Interpreter(integer).run([data]), expected)
    in_c = Interpreter(integer, core=CEngine(integer)).run([data])
    np.testing.assert_array_equal(in_c, expected)
    assert np.unique(expected[0]).size > 10


def test_blocks_whose_scales_share_no_grid_are_refused() -> None:
    scales = np.array([[1e-6, 1], [1e6, 1], [1, 1]])
    module = import_onnx(with_blocks(scales))
    with pytest.raises(
        PassFailedException, match="scale and zero point of the weights"
    ):
        apply(module, *TO_INTEGER)
