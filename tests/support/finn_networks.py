"""Convolutional networks in the dialects of FINN and QONNX, and QONNX's rewrites."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto
from onnx_graphs import QONNX, OnnxGraph

from qdialect.data import Array


@dataclass(frozen=True)
class FinnNetwork:
    """Two convolutions, the second perhaps depthwise, a pool and a classifier.

    Attributes:
        weights: data type of the weights, in FINN's terms.
        activations: data type between the layers.
        depthwise: whether the second convolution is.
        pad: elements around each map; zeros around -1 and +1, too.
        stride: of the first convolution.
        pooled: whether the classifier reads one element a channel, or (without
            padding and with strides of 1) the whole map.
        seed: of the numbers in it.
    """

    weights: str
    activations: str
    depthwise: bool = False
    pad: int = 1
    stride: int = 1
    pooled: bool = True
    seed: int = 0

    def model(self) -> ModelProto:
        """As FINN's front end leaves it: integers in floats, and thresholds."""
        rng = np.random.default_rng(self.seed)
        graph = OnnxGraph()
        x = graph.input((1, 3, 10, 10), annotation="INT4")
        x = self._conv(graph, rng, x, (6, 3, 3, 3), stride=self.stride)
        x = self._thresholds(graph, rng, x, 6, 30)
        if self.depthwise:
            x = self._conv(graph, rng, x, (6, 1, 3, 3), groups=6)
        else:
            x = self._conv(graph, rng, x, (6, 6, 2, 3))
        x = self._thresholds(graph, rng, x, 6, 6)
        inputs = 6
        if self.pooled:
            x = graph.op(
                "MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], pads=[0] * 4
            )
            x = graph.op("GlobalMaxPool", x)
        else:
            inputs *= 7 * 6
        x = graph.op("Reshape", x, graph.constant([1, inputs], np.int64))
        x = graph.op("MatMul", x, self._weights(graph, rng, (inputs, 5)))
        x = graph.op("Mul", x, graph.constant(0.125))
        return graph.model(graph.op("Add", x, graph.constant(rng.normal(size=5))))

    def frames(self, count: int) -> Array:
        """Inputs for it."""
        rng = np.random.default_rng(self.seed + 1)
        return rng.integers(-8, 8, (count, 3, 10, 10)).astype(np.float32)

    def _conv(
        self,
        graph: OnnxGraph,
        rng: np.random.Generator,
        x: str,
        shape: tuple[int, ...],
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> str:
        attributes: dict[str, Any] = {
            "kernel_shape": list(shape[2:]),
            "strides": [stride, stride],
            "pads": [self.pad] * 4,
            "dilations": [1, 1],
            "group": groups,
        }
        return graph.op("Conv", x, self._weights(graph, rng, shape), **attributes)

    def _weights(
        self, graph: OnnxGraph, rng: np.random.Generator, shape: tuple[int, ...]
    ) -> str:
        low, high = {
            "BIPOLAR": (0, 1), "TERNARY": (-1, 1), "INT3": (-4, 3), "UINT2": (0, 3),
        }[self.weights]  # fmt: skip
        values = rng.integers(low, high + 1, shape)
        values = 2 * values - 1 if self.weights == "BIPOLAR" else values
        return graph.constant(values, annotation=self.weights)

    def _thresholds(
        self,
        graph: OnnxGraph,
        rng: np.random.Generator,
        x: str,
        channels: int,
        spread: int,
    ) -> str:
        steps, scale, bias = {
            "BIPOLAR": (1, 2.0, -1.0), "TERNARY": (2, 1.0, -1.0),
            "UINT2": (3, 1.0, 0.0), "INT4": (15, 1.0, -8.0),
        }[self.activations]  # fmt: skip
        values = np.sort(rng.integers(-spread, spread, (channels, steps)), axis=1)
        return graph.op(
            "MultiThreshold", x, graph.constant(values), domain=QONNX,
            out_dtype=self.activations, out_scale=scale, out_bias=bias,
            data_layout="NCHW",
        )  # fmt: skip


def quantised_network(seed: int, *, bits: int, bipolar: bool = False) -> ModelProto:
    """As Brevitas exports to QONNX: quantisers with scales, batch norms, a bias."""
    rng = np.random.default_rng(seed)
    graph = OnnxGraph()

    def weights(*shape: int) -> str:
        values = graph.constant(rng.normal(0, 0.5, shape))
        if bipolar:
            return graph.op("BipolarQuant", values, graph.constant(0.25), domain=QONNX)
        scale = 2.0 ** rng.integers(-4, -2, (shape[0], *(1 for _ in shape[1:])))
        return graph.quant(values, scale, 0.0, bits, narrow=1)

    def activation(x: str, channels: int) -> str:
        parts = [rng.uniform(0.5, 2, channels), rng.normal(size=channels),
                 rng.normal(size=channels), rng.uniform(0.5, 2, channels)]  # fmt: skip
        x = graph.op("BatchNormalization", x, *map(graph.constant, parts))
        if bipolar:
            return graph.op("BipolarQuant", x, graph.constant(1.0), domain=QONNX)
        return graph.quant(graph.op("Relu", x), 0.25, 0.0, bits, signed=0)

    x = graph.quant(graph.input((1, 3, 8, 8)), 0.125, 0.0, 8)
    x = graph.op("Conv", x, weights(6, 3, 3, 3), kernel_shape=[3, 3], pads=[1] * 4,
                 strides=[1, 1], dilations=[1, 1], group=1)  # fmt: skip
    x = activation(x, 6)
    x = graph.op("Conv", x, weights(8, 6, 3, 3), graph.constant(rng.normal(size=8)),
                 kernel_shape=[3, 3], pads=[0] * 4, strides=[2, 2], dilations=[1, 1],
                 group=1)  # fmt: skip
    x = activation(x, 8)
    x = graph.op("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], pads=[0] * 4)
    x = graph.op("Flatten", x)
    matrix = graph.op("Transpose", weights(5, 32), perm=[1, 0])
    x = graph.op("MatMul", x, matrix)
    return graph.model(graph.op("Add", x, graph.constant(rng.normal(size=5))))


def rewritten(model: ModelProto, *names: str) -> ModelProto:
    """The model after transformations of QONNX, by the names of their classes."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.infer_datatypes import InferDataTypes
    from qonnx.transformation.infer_shapes import InferShapes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = ModelWrapper(model)
        for output in model.graph.output:
            output.type.tensor_type.elem_type = 1
        wrapped = wrapped.transform(InferShapes()).transform(InferDataTypes())
        for name in names:
            wrapped = wrapped.transform(_transformation(name)())
            wrapped = wrapped.transform(InferShapes()).transform(InferDataTypes())
        return wrapped.model


def _transformation(name: str) -> Callable[[], Any]:
    from qonnx.transformation.batchnorm_to_affine import BatchNormToAffine
    from qonnx.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
    from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
    from qonnx.transformation.extract_conv_bias import ExtractBiasFromConv
    from qonnx.transformation.extract_quant_scale_zeropt import (
        ExtractQuantScaleZeroPt,
    )
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul
    from qonnx.transformation.qonnx_to_qcdq import QuantToQCDQ

    known: Sequence[Callable[[], Any]] = (
        BatchNormToAffine,
        ConvertBipolarMatMulToXnorPopcount,
        ConvertToChannelsLastAndClean,
        ExtractBiasFromConv,
        ExtractQuantScaleZeroPt,
        FoldConstants,
        LowerConvsToMatMul,
        QuantToQCDQ,
    )
    return next(each for each in known if getattr(each, "__name__", "") == name)


def written_out() -> ModelProto:
    """A small binary network with all that FINN's dialect has, for lit tests.

    Thresholds to bits, Im2Col and XnorPopcountMatMul between transposes, what makes a
    dot product of the popcount, and annotations.
    """
    rng = np.random.default_rng(0)
    graph = OnnxGraph()
    x = graph.input((1, 2, 6, 6), annotation="INT4")
    first = graph.constant(rng.integers(-3, 4, (2, 1)), name="thresholds0")
    x = graph.op("MultiThreshold", x, first, domain=QONNX, out_dtype="BINARY",
                 name="bits0")  # fmt: skip
    x = graph.op("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.op(
        "Im2Col", x, domain=QONNX, kernel_size=[3, 3], stride=[1, 1],
        pad_amount=[0] * 4, input_shape="(1,6,6,2)", depthwise=0, dilations=[1, 1],
    )  # fmt: skip
    kernels = graph.constant(
        rng.integers(0, 2, (18, 4)), name="kernels", annotation="BINARY"
    )
    x = graph.op("XnorPopcountMatMul", x, kernels, domain=QONNX, name="conv1")
    x = graph.op("Add", graph.op("Mul", x, graph.constant([2])), graph.constant([-18]))
    x = graph.op("Transpose", x, perm=[0, 3, 1, 2])
    second = graph.constant(np.sort(rng.integers(-6, 6, (4, 3))), name="thresholds1")
    x = graph.op("MultiThreshold", x, second, domain=QONNX, out_dtype="UINT2",
                 name="levels1")  # fmt: skip
    x = graph.op("QuantAvgPool2d", x, domain=QONNX, kernel=2, stride=2, ibits=2,
                 obits=2, signed=0, name="pool2")  # fmt: skip
    x = graph.op("Flatten", x)
    dense = graph.constant(
        rng.integers(-1, 2, (16, 3)), name="dense", annotation="TERNARY"
    )
    return graph.model(graph.op("MatMul", x, dense, name="dense3"))
