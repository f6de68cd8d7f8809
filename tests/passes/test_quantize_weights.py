"""`quantize-weights`: as a QONNX Quant of the weights, whose scale it chooses."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs import OnnxGraph
from pass_agreement import apply, assert_same
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from passes.quantize_weights import QuantizeWeightsPass
from passes.real_weights import real_weights
from qdialect.constants import constant_array
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.quantisers import DequantizeOp
from tools.onnx_import.frontend import import_onnx

SHAPE = (4, 3, 2, 2)


def network(weights: Array, scale: Array | None = None, bits: int = 0) -> ModuleOp:
    """A convolution with weights as they are, or behind a Quant of a scale."""
    graph = OnnxGraph()
    x = graph.quant(graph.input((1, 3, 3, 3)), 0.5, 0, 4)
    w = graph.constant(weights)
    if scale is not None:
        w = graph.quant(w, scale, 0, bits, narrow=1)
    return import_onnx(graph.bytes(graph.op("Conv", x, w)), name="conv.onnx")


def scale_of(module: ModuleOp) -> Array:
    (conv,) = (op for op in module.walk() if isinstance(op, ConvOp))
    assert isinstance(conv.weights.owner, DequantizeOp)
    scale = constant_array(conv.weights.owner.scale)
    assert scale is not None
    return scale


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 16, 24])
@pytest.mark.parametrize("per_tensor", [False, True])
@pytest.mark.parametrize("power_of_two", [False, True])
def test_equals_a_quant_of_the_same_scale(
    bits: int, per_tensor: bool, power_of_two: bool
) -> None:
    rng = np.random.default_rng(bits)
    weights = rng.normal(0, rng.uniform(0.1, 4, (4, 1, 1, 1)), SHAPE).astype(np.float32)
    pass_ = QuantizeWeightsPass(bits, per_tensor, power_of_two)
    after = apply(network(weights), pass_)
    assert real_weights(pass_, after) == []
    scale = scale_of(after)
    axes = (0, 1, 2, 3) if per_tensor else (1, 2, 3)
    greatest = np.abs(weights).max(axis=axes, keepdims=True).reshape(scale.shape)
    top = np.float32(2 ** (bits - 1) - 1)
    if power_of_two:
        assert (np.frexp(scale)[0] == 0.5).all()
        assert (scale * top >= greatest * (1 - 2**-22)).all()
        assert (scale * top < greatest * (2 + 2**-22)).all()
    else:
        np.testing.assert_array_equal(scale, greatest / top)
    frames = rng.integers(-5, 5, (20, 3, 3, 3)).astype(np.float32)
    assert_same(network(weights, scale, bits), after, [frames])


def test_a_channel_of_zeros_has_levels_of_zero() -> None:
    weights = np.zeros(SHAPE, np.float32)
    weights[1] = 1.0
    after = apply(network(weights), QuantizeWeightsPass())
    assert np.isfinite(scale_of(after)).all()
    frames = np.ones((1, 3, 3, 3), np.float32)
    assert_same(network(weights, scale_of(after), 8), after, [frames])


@pytest.mark.parametrize("bits", [1, 25])
def test_a_width_that_there_is_not(bits: int) -> None:
    with pytest.raises(PassFailedException, match="bits must be from 2 to 24"):
        apply(network(np.ones(SHAPE)), QuantizeWeightsPass(bits))
