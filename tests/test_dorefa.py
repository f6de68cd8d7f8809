"""DoReFa networks (arXiv:1606.06160): k-bit weights and activations of any widths."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from c_programs import assert_c_agrees, run_in_c
from integer_cores import CoreBuilder, core_of, random_frames, random_levels
from map_cores import MapCore
from onnx import ModelProto
from onnx_graphs import OnnxGraph, interpreted
from pass_agreement import TO_INTEGER, apply
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, SSAValue

from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp
from qdialect.packed_maps import PackedConvOp
from qdialect.quantisers import DequantizeOp
from qdialect.types import (
    BipolarType,
    TernaryType,
    integer_type_for,
    signed,
    unsigned,
)
from qdialect.windows import Axis
from tools.onnx_import.frontend import import_onnx

BITS = range(1, 9)
COLUMNS, ROWS = 70, 5


def odd_levels(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> Array:
    """Levels of DoReFa weights: 2 q - (2^k - 1), both ends among them."""
    levels = 2 * random_levels(rng, unsigned(bits), shape).astype(np.int64)
    return levels - ((1 << bits) - 1)


class OddMaps(MapCore):
    """Cores of maps with odd weights."""

    bits = 2

    def weight(self, values: Array, element: Attribute) -> SSAValue:
        """A weight of the same shape."""
        return super().weight(odd_levels(self.rng, self.bits, values.shape), element)


def exported(weight_bits: int, input_bits: int) -> tuple[ModelProto, Array]:
    """A layer as it is exported, with a bias; and its weights in [0, 1]."""
    rng = np.random.default_rng(10 * weight_bits + input_bits)
    graph = OnnxGraph()
    x = graph.input((1, COLUMNS))
    inputs = graph.quant(
        x, np.float32(1 / ((1 << input_bits) - 1)), 0, input_bits, signed=0
    )
    real = np.tanh(rng.normal(0, 1, (COLUMNS, ROWS)))
    real = (real / (2 * np.abs(real).max()) + 0.5).astype(np.float32)
    scale = np.float32(1 / ((1 << weight_bits) - 1))
    quantised = graph.quant(graph.constant(real), scale, 0, weight_bits, signed=0)
    doubled = graph.op("Mul", quantised, graph.constant(2.0))
    weights = graph.op("Sub", doubled, graph.constant(1.0))
    bias = graph.constant(rng.normal(0, 1, ROWS))
    return graph.model(graph.op("Gemm", inputs, weights, bias)), real


@pytest.mark.parametrize("bits", BITS)
def test_exported_weights_become_odd_levels(bits: int) -> None:
    model, real = exported(bits, 2)
    module = import_onnx(model.SerializeToString(), name="dorefa")
    (weights,) = [
        array
        for op in module.walk()
        if isinstance(op, DequantizeOp)
        and (array := constant_array(op.input)) is not None
    ]
    most = (1 << bits) - 1
    np.testing.assert_array_equal(weights, 2 * np.rint(real.T * most) - most)


@pytest.mark.parametrize(
    ("weight_bits", "input_bits"), [(1, 1), (2, 3), (3, 2), (8, 8)]
)
def test_exported_layer_equals_the_float_network(
    weight_bits: int, input_bits: int
) -> None:
    model, real = exported(weight_bits, input_bits)
    x = np.random.default_rng(0).random((20, COLUMNS)).astype(np.float32)
    (found,) = interpreted(model, x)
    steps = [(1 << bits) - 1 for bits in (weight_bits, input_bits)]
    weights = 2 * np.rint(real.astype(np.float64) * steps[0]) / steps[0] - 1
    inputs = np.rint(x.astype(np.float64) * steps[1]) / steps[1]
    bias = next(
        np.frombuffer(tensor.raw_data, np.float32)
        for tensor in model.graph.initializer
        if list(tensor.dims) == [ROWS]
    )
    np.testing.assert_allclose(found, inputs @ weights + bias, rtol=1e-5, atol=1e-5)
    module = import_onnx(model.SerializeToString(), name="dorefa")
    lowered = apply(module, *TO_INTEGER)
    (result,) = Interpreter(lowered).run([x])
    np.testing.assert_array_equal(result, found)
    inner = random_frames(lowered, 10)
    assert_c_agrees(apply(lowered, BitpackPass()), inner)


def every_width(*, odd: bool) -> ModuleOp:
    """A core with the products of inputs and weights of every pair of widths."""
    builder = CoreBuilder(3)
    inputs = {bits: builder.argument(unsigned(bits), 1, COLUMNS) for bits in BITS}
    results: list[SSAValue] = []
    for input_bits, bits in product(BITS, BITS):
        shape = (ROWS, COLUMNS)
        if odd:
            levels = odd_levels(builder.rng, bits, shape)
        else:
            levels = random_levels(builder.rng, signed(bits), shape)
        element = integer_type_for(int(levels.min()), int(levels.max()))
        weights = builder.weight(levels, element)
        results.append(builder.matmul(inputs[input_bits], weights))
    return builder.module(*results)


@pytest.mark.parametrize("bits", [2, 5])
def test_odd_weights_of_convolutions_in_c(bits: int) -> None:
    """Padding of bipolar maps, whose words read as -1, among them."""
    builder = OddMaps(bits)
    builder.bits = bits
    same = (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))
    results = [
        builder.conv(builder.argument(x, 1, 5, 4, 70), 5, signed(bits + 1), same)
        for x in (BipolarType(), TernaryType(), unsigned(3), signed(2))
    ]
    module = builder.module(*results)
    packed = apply(module, BitpackPass(max_popcounts=10_000))
    assert sum(isinstance(op, PackedConvOp) for op in packed.walk()) == 4
    assert f"!qnn.odd<{bits}>" in str(packed)
    frames = random_frames(module, 5)
    expected = Interpreter(module).run(frames, "core")
    for found in (
        Interpreter(packed).run(frames, "core"),
        run_in_c(packed, frames, ("-O0",)),
    ):
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("odd", [True, False], ids=["odd", "two's complement"])
def test_every_pair_of_widths_in_c(*, odd: bool) -> None:
    module = every_width(odd=odd)
    frames = random_frames(module, 12)
    expected = Interpreter(module).run(frames, "core")
    for most, kind in ((0, MatMulOp), (10_000, PackedMatMulOp)):
        forced = apply(module, BitpackPass(max_popcounts=most))
        products = [op for op in core_of(forced).walk() if isinstance(op, kind)]
        assert len(products) == len(BITS) ** 2
        for a, b in zip(expected, run_in_c(forced, frames, ("-O0",)), strict=True):
            np.testing.assert_array_equal(a, b)
