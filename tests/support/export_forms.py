"""Networks in the forms that Brevitas, QKeras, PyTorch and hls4ml leave them in.

Scales are powers of two or few, so that executors agree on every bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto
from onnx_graphs import QONNX, OnnxGraph

from qdialect.data import Array

BREVITAS = "onnx.brevitas"


def _numbers(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _weights(graph: OnnxGraph, *shape: int) -> str:
    """Real weights of a seed that their shape gives."""
    return graph.constant(_numbers(sum(shape)).normal(0, 0.5, shape))


def _frames(*shape: int) -> Array:
    values = _numbers(1).normal(0, 2, (5, *shape))
    # Ties of quantisers with these scales.
    return (np.round(values * 32) / 32).astype(np.float32)


@dataclass(frozen=True)
class Export:
    """A network and frames [5, ..] for it.

    Attributes:
        build: gives the name of its output.
        shape: of the input, without the frames.
        opset: of ONNX.
        batch: what the model has as its leading extent.
        custom: whether it holds ops of QONNX.
    """

    build: Callable[[OnnxGraph, str], str]
    shape: tuple[int, ...]
    opset: int = 13
    batch: int | str | None = 5
    custom: bool = True

    def model(self) -> ModelProto:
        graph = OnnxGraph(opset=self.opset)
        return graph.model(self.build(graph, graph.input((self.batch, *self.shape))))

    def frames(self) -> Array:
        return _frames(*self.shape)


def _linear(
    graph: OnnxGraph, x: str, scale: Array | float, bits: int, *, signed: bool
) -> str:
    """QuantizeLinear, Clip to fewer bits, DequantizeLinear."""
    dtype = np.int8 if signed else np.uint8
    low, high = (
        (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    )
    parts = [graph.constant(scale), graph.constant(0, dtype)]
    levels = graph.op("QuantizeLinear", x, *parts)
    bounds = [graph.constant(low, dtype), graph.constant(high, dtype)]
    return graph.op("DequantizeLinear", graph.op("Clip", levels, *bounds), *parts)


def _linear_weights(graph: OnnxGraph, *shape: int, bits: int) -> str:
    """Weights in int8 within fewer bits, with a scale for each output."""
    rng, most = _numbers(sum(shape)), (1 << bits - 1) - 1
    levels = graph.constant(rng.integers(-most, most + 1, shape), np.int8)
    bounds = [graph.constant(value, np.int8) for value in (-most, most)]
    clipped = graph.op("Clip", levels, *bounds)
    scale = graph.constant(2.0 ** rng.integers(-5, -2, shape[0]))
    zero = graph.constant(np.zeros(shape[0]), np.int8)
    return graph.op("DequantizeLinear", clipped, scale, zero, axis=0)


def brevitas_qcdq(graph: OnnxGraph, x: str) -> str:
    """Brevitas' export to standard operators: 4-bit activations, 3-bit weights."""
    x = _linear(graph, x, 0.125, 6, signed=True)
    x = graph.op("Conv", x, _linear_weights(graph, 4, 2, 3, 3, bits=3), pads=[1] * 4)
    x = _linear(graph, graph.op("Relu", x), 0.25, 4, signed=False)
    x = graph.op("Flatten", graph.op("MaxPool", x, kernel_shape=[3, 3], strides=[3, 3]))
    bias = graph.op(
        "DequantizeLinear",
        graph.constant([30, -7, 400], np.int32),
        graph.constant(2.0**-7),
        graph.constant(0, np.int32),
    )
    weights = _linear_weights(graph, 3, 16, bits=4)
    return graph.op("Gemm", x, weights, bias, transB=1)


def _brevitas_quant(graph: OnnxGraph, x: str, *parts: str, **attributes: Any) -> str:
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **attributes}
    return graph.op("Quant", x, *parts, domain=BREVITAS, **attributes)


def brevitas_computed_scales(graph: OnnxGraph, x: str) -> str:
    """Scales, zero points and widths as subgraphs of constants, a bias with both."""
    zero, two = graph.constant(0.0), graph.constant(2.0)
    bits = graph.op("Add", graph.constant(3.0), graph.constant(1.0))
    # The greatest weight of each output, as the next power of two, over the levels.
    weights = _weights(graph, 6, 8)
    greatest = graph.op("ReduceMax", graph.op("Abs", weights), axes=[1], keepdims=1)
    greatest = graph.op("Max", greatest, graph.constant(2e-16))
    logarithm = graph.op("Div", graph.op("Log", greatest), graph.op("Log", two))
    power = graph.op("Pow", two, graph.op("Ceil", logarithm))
    steps = graph.op(
        "Sub", graph.op("Pow", two, graph.constant(3.0)), graph.constant(0.0)
    )
    scale = graph.op("Div", power, steps)
    quantised = _brevitas_quant(graph, weights, scale, zero, bits, narrow=1)
    scale_in = graph.op("Mul", graph.constant(0.25), graph.constant(0.5))
    x = _brevitas_quant(graph, x, scale_in, zero, graph.constant(5.0))
    product = graph.op("MatMul", x, graph.op("Transpose", quantised, perm=[1, 0]))
    row = graph.op("Reshape", scale, graph.constant([-1], np.int64))
    bias_scale = graph.op("Mul", scale_in, row)
    width = graph.op("Ceil", graph.op("Add", bits, graph.constant(11.5)))
    bias = _brevitas_quant(
        graph, graph.constant(_numbers(3).normal(size=6)), bias_scale, zero, width
    )
    x = graph.op("Relu", graph.op("Add", product, bias))
    return _brevitas_quant(graph, x, graph.constant(0.25), zero, bits, signed=0)


def brevitas_average_scale(graph: OnnxGraph, x: str) -> str:
    """A scale that is the mean of the weights' absolute values."""
    weights = _weights(graph, 4, 8)
    mean = graph.op("ReduceMean", graph.op("Abs", weights), keepdims=0)
    signs = graph.op("BipolarQuant", weights, mean, domain=BREVITAS)
    x = graph.quant(x, 0.5, 0.0, 3)
    x = graph.op("MatMul", x, graph.op("Transpose", signs))
    # The executor rounds a sum that is 0 to either side of it.
    x = graph.op("Add", x, graph.constant(0.03))
    return graph.op("BipolarQuant", x, graph.constant(1.0), domain=BREVITAS)


def qkeras(graph: OnnxGraph, x: str) -> str:
    """tf2onnx of QKeras: channels last outside, weights turned, bounds as Min."""
    x = graph.quant(x, 0.25, 0.0, 5)
    x = graph.op("Transpose", x, perm=[0, 3, 1, 2])
    kernel = graph.quant(_weights(graph, 3, 3, 2, 4), 0.125, 0.0, 3, narrow=1)
    kernel = graph.op("Transpose", kernel, perm=[3, 2, 0, 1])
    x = graph.op("Conv", x, kernel, auto_pad="SAME_UPPER", strides=[2, 2])
    bias = graph.op(
        "Reshape", _weights(graph, 4), graph.constant([1, -1, 1, 1], np.int64)
    )
    x = graph.op("Transpose", graph.op("Add", x, bias), perm=[0, 2, 3, 1])
    x = graph.op("Mul", x, graph.constant(_numbers(5).uniform(0.5, 2, 4)))
    x = graph.op("Sub", x, _weights(graph, 4))
    x = graph.op("Min", graph.op("Relu", x), graph.constant(6.0))
    x = graph.quant(x, 0.5, 0.0, 4, signed=0)
    x = graph.op("Reshape", x, graph.constant([-1, 36], np.int64))
    dense = graph.quant(_weights(graph, 36, 5), 0.25, 0.0, 4)
    x = graph.op("MatMul", x, dense)
    return graph.op("Add", x, graph.quant(_weights(graph, 5), 0.0625, 0.0, 8))


def _batch_norm(graph: OnnxGraph, x: str, channels: int, **attributes: Any) -> str:
    rng = _numbers(channels)
    parts = [rng.uniform(0.5, 2, channels), rng.normal(size=channels),
             rng.normal(size=channels), rng.uniform(0.5, 2, channels)]  # fmt: skip
    return graph.op("BatchNormalization", x, *map(graph.constant, parts), **attributes)


def hls4ml(graph: OnnxGraph, x: str) -> str:
    """A separable convolution, batch norms, a global average pool, a dense layer."""
    x = graph.quant(x, 0.25, 0.0, 4)
    depthwise = graph.quant(_weights(graph, 3, 1, 3, 3), 0.25, 0.0, 3)
    x = graph.op("Conv", x, depthwise, group=3)
    x = _batch_norm(graph, x, 3, epsilon=1e-3)
    x = graph.quant(graph.op("Clip", x, graph.constant(-1.0), graph.constant(6.0)),
                    0.25, 0.0, 4)  # fmt: skip
    x = graph.op("Conv", x, graph.quant(_weights(graph, 5, 3, 1, 1), 0.25, 0.0, 2))
    x = graph.quant(graph.op("Relu", _batch_norm(graph, x, 5)), 0.25, 0.0, 6, signed=0)
    x = graph.op("Flatten", graph.op("GlobalAveragePool", x))
    x = graph.quant(x, 0.0625, 0.0, 8, signed=0)
    return graph.op("MatMul", x, graph.quant(_weights(graph, 5, 4), 0.25, 0.0, 4))


def tensorflow_pools(graph: OnnxGraph, x: str) -> str:
    """Global pools of Keras on channels-last maps, as reductions."""
    x = graph.op("Transpose", graph.quant(x, 0.25, 0.0, 4), perm=[0, 3, 1, 2])
    kernel = graph.quant(_weights(graph, 4, 2, 3, 3), 0.25, 0.0, 3)
    x = graph.op("Transpose", graph.op("Conv", x, kernel), perm=[0, 2, 3, 1])
    x = graph.quant(graph.op("Relu", x), 0.5, 0.0, 4, signed=0)
    mean = graph.op("ReduceMean", x, axes=[1, 2], keepdims=0)
    greatest = graph.op("ReduceMax", x, axes=[1, 2], keepdims=0)
    x = graph.quant(graph.op("Add", mean, greatest), 0.25, 0.0, 6, signed=0)
    return _dense(graph, x, 4, 3)


def spelt_out_batch_norm(graph: OnnxGraph, x: str) -> str:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, of constants."""
    x = graph.quant(x, 0.25, 0.0, 4)
    x = graph.op("MatMul", x, graph.quant(_weights(graph, 6, 7), 0.25, 0.0, 3))
    x = graph.op("Sub", x, _weights(graph, 7))
    variance = graph.constant(_numbers(2).uniform(0.5, 2, 7))
    deviation = graph.op("Sqrt", graph.op("Add", variance, graph.constant(1e-3)))
    x = graph.op("Mul", graph.op("Div", x, deviation), _weights(graph, 1, 7))
    return graph.quant(graph.op("Add", x, _weights(graph, 1, 1, 7)), 0.25, 0.0, 5)


def _dense(graph: OnnxGraph, x: str, inputs: int, outputs: int) -> str:
    weights = graph.quant(_weights(graph, inputs, outputs), 0.25, 0.0, 4)
    return graph.op("MatMul", x, weights)


def pytorch_view(graph: OnnxGraph, x: str) -> str:
    """`x.view(x.size(0), -1)`: a shape taken apart and put together."""
    x = graph.quant(x, 0.25, 0.0, 4)
    axes = graph.constant([0], np.int64)
    old = graph.opset < 13
    first = graph.op(
        "Gather", graph.op("Shape", x), graph.constant(0, np.int64), axis=0
    )
    if old:
        first = graph.op("Unsqueeze", first, axes=[0])
    else:
        first = graph.op("Unsqueeze", first, axes)
    shape = graph.op("Concat", first, graph.constant([-1], np.int64), axis=0)
    return _dense(graph, graph.op("Reshape", x, shape), 24, 3)


def pytorch_expand(graph: OnnxGraph, x: str) -> str:
    """`y.expand(..)` of a constant: ConstantOfShape, Equal, Where, Expand, Tile."""
    x = graph.quant(x, 0.25, 0.0, 4)
    wanted = graph.constant([1, -1, 6], np.int64)
    ones = graph.op("ConstantOfShape", graph.op("Shape", wanted))
    ones = graph.op("Add", graph.op("Cast", ones, to=TensorProto.INT64),
                    graph.constant(1, np.int64))  # fmt: skip
    minus = graph.op("Mul", ones, graph.constant(-1, np.int64))
    shape = graph.op("Where", graph.op("Equal", wanted, minus), ones, wanted)
    row = graph.op("Expand", graph.constant([[[0.25]]]), shape)
    columns = graph.op("Range", *(graph.constant(n, np.int64) for n in (0, 4, 1)))
    columns = graph.op("Cast", columns, to=TensorProto.FLOAT)
    columns = graph.op("Reshape", columns, graph.constant([1, 4, 1], np.int64))
    tiled = graph.op("Tile", row, graph.constant([1, 4, 1], np.int64))
    shift = graph.op("Mul", columns, tiled)
    whole = graph.op("Expand", x, graph.constant([1, 4, 1], np.int64))
    whole = graph.op("Tile", whole, graph.constant([1, 1, 1], np.int64))
    return graph.quant(graph.op("Add", whole, shift), 0.5, 0.0, 4)


def picked_channels(graph: OnnxGraph, x: str) -> str:
    """Gather on computed values: one index, a list, and one that goes back."""
    x = graph.quant(x, 0.25, 0.0, 4)
    one = graph.op("Gather", x, graph.constant(-2, np.int64), axis=1)
    even = graph.op("Gather", x, graph.constant([0, 2, 4], np.int64), axis=1)
    mixed = graph.op("Gather", x, graph.constant([3, 1, 1, 2], np.int64), axis=2)
    one = graph.op("Unsqueeze", one, graph.constant([1], np.int64))
    x = graph.op("Concat", one, even, axis=1)
    x = graph.op("Concat", graph.op("Flatten", x), graph.op("Flatten", mixed), axis=1)
    return _dense(graph, x, 36, 4)


def cast_chain(graph: OnnxGraph, x: str) -> str:
    """Integers through casts that keep them, Identity and Dropout."""
    parts = [graph.constant(0.25), graph.constant(0, np.int8)]
    x = graph.op("QuantizeLinear", x, *parts)
    x = graph.op("Cast", x, to=TensorProto.INT32)
    x = graph.op("Cast", graph.op("Identity", x), to=TensorProto.INT64)
    x = graph.op("Cast", x, to=TensorProto.FLOAT)
    x = graph.op("Cast", graph.op("Dropout", x), to=TensorProto.FLOAT)
    weights = graph.op("Cast", graph.constant(_numbers(4).integers(-3, 4, (6, 5)), np.int8),
                       to=TensorProto.INT32)  # fmt: skip
    x = graph.op("MatMul", x, graph.op("Cast", weights, to=TensorProto.FLOAT))
    return graph.op("Identity", graph.op("Clip", x, *map(graph.constant, (-90, 90))))


def activation(name: str, **attributes: Any) -> Callable[[OnnxGraph, str], str]:
    """A product, an activation and a quantiser."""

    def build(graph: OnnxGraph, x: str) -> str:
        x = _dense(graph, graph.quant(x, 0.25, 0.0, 4), 6, 5)
        match name:
            case "PRelu":
                slopes = graph.constant([0.25, -0.5, 0.0, 1.5, 0.125])
                x = graph.op("PRelu", x, slopes)
            case "SiLU":
                x = graph.op("Mul", x, graph.op("Sigmoid", x))
            case "HardSwish of HardSigmoid":
                gate = graph.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)
                x = graph.op("Mul", gate, x)
            case _:
                x = graph.op(name, x, **attributes)
        return graph.quant(x, 0.1875, 0.0, 5)

    return build


EXPORTS: dict[str, Export] = {
    "brevitas-qcdq": Export(brevitas_qcdq, (2, 6, 6), custom=False),
    "brevitas-computed-scales": Export(brevitas_computed_scales, (8,)),
    "brevitas-average-scale": Export(brevitas_average_scale, (8,)),
    "qkeras": Export(qkeras, (6, 6, 2), batch="unk__0"),
    "tensorflow-pools": Export(tensorflow_pools, (6, 6, 2), batch="unk__1"),
    "hls4ml": Export(hls4ml, (3, 8, 8)),
    "spelt-out-batch-norm": Export(spelt_out_batch_norm, (6,), batch=1),
    "pytorch-view-9": Export(pytorch_view, (4, 6), opset=9),
    "pytorch-view": Export(pytorch_view, (4, 6), batch="batch"),
    "pytorch-expand": Export(pytorch_expand, (4, 6)),
    "picked-channels": Export(picked_channels, (5, 4)),
    "cast-chain": Export(cast_chain, (6,), custom=False),
    "prelu": Export(activation("PRelu"), (6,)),
    "hard-swish": Export(activation("HardSwish"), (6,), opset=14),
    "hard-swish-spelt-out": Export(activation("HardSwish of HardSigmoid"), (6,)),
    "silu": Export(activation("SiLU"), (6,)),
    "elu": Export(activation("Elu", alpha=0.75), (6,)),
    "softplus": Export(activation("Softplus"), (6,)),
    "gelu": Export(activation("Gelu"), (6,), opset=20),
}

__all__ = ["BREVITAS", "EXPORTS", "QONNX", "Export"]
