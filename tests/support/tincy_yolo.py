"""Tincy YOLO: an object detector of mixed widths, with generated parameters.

Source: Preusser et al. 2018, "Inference of Quantized Neural Networks on Heterogeneous
All-Programmable Devices", arXiv:1806.08085: Tiny YOLO of Pascal VOC with ReLUs, a first
convolution of stride 2 in the place of the first pool, bipolar weights and 3-bit
activations in the body, 8 bits in the first and last layer.

What it detects is noise, but its size, types and value ranges are those of the trained
network. Also a command that writes it:

    python tests/support/tincy_yolo.py tincy_yolo.onnx
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from onnx import ModelProto
from onnx_graphs import QONNX, OnnxGraph

from qdialect.data import Array

EXTENT = 416
# 13 x 13 cells of 5 boxes: 4 coordinates, 1 objectness, 20 classes.
ROWS = 125
ACTIVATION_BITS = 3
_STEP = 0.3
_PIXEL_STEP = 2.0**-8
_MOST = 2**ACTIVATION_BITS - 1


class Layer(NamedTuple):
    """A 3 x 3 convolution and what follows it.

    Attributes:
        channels: of its result.
        stride: of the convolution.
        pool: stride of the 2 x 2 max pool behind it; 0 where there is none.
    """

    channels: int
    stride: int = 1
    pool: int = 0


BODY = (
    Layer(16, stride=2),
    Layer(64, pool=2),
    Layer(64, pool=2),
    Layer(128, pool=2),
    Layer(256, pool=2),
    Layer(512, pool=1),
    Layer(512),
    Layer(512),
)


def _moments() -> tuple[float, float]:
    """Mean and variance of the level of a standard normal number, in its units."""
    normal = np.random.default_rng(0).standard_normal(1 << 16)
    level = np.clip(np.rint(np.maximum(normal, 0) / _STEP), 0, _MOST) * _STEP
    return float(level.mean()), float(level.var())


@dataclass
class _Network:
    rng: np.random.Generator
    extent: int
    graph: OnnxGraph = field(default_factory=OnnxGraph)
    value: str = ""
    channels: int = 3
    mean: float = 0.5
    variance: float = 1 / 12

    def build(self, divisor: int) -> None:
        self.value = self.graph.input((1, 3, self.extent, self.extent), name="image")
        self.value = self.graph.quant(
            self.value, _PIXEL_STEP, 0, 8, signed=0, name="image_quant"
        )
        for index, layer in enumerate(BODY):
            self._layer(f"conv{index + 1}", layer, layer.channels // divisor, index > 0)
        weights, scale = self._bytes("conv9", (ROWS, self.channels, 1, 1))
        deviation = (self.channels * self.variance * scale**2) ** 0.5
        bias = self.graph.constant(self.rng.normal(0, deviation, ROWS))
        self.value = self.graph.op("Conv", self.value, weights, bias, name="conv9")

    def _layer(self, name: str, layer: Layer, rows: int, is_binary: bool) -> None:
        shape = (rows, self.channels, 3, 3)
        if is_binary:
            real = self.rng.uniform(-1, 1, shape)
            one = self.graph.constant(1.0)
            weights = self.graph.op(
                "BipolarQuant",
                self.graph.constant(real),
                one,
                name=f"{name}_weights",
                domain=QONNX,
            )
            sums, scale = np.sign(real).sum(axis=(1, 2, 3)), 1.0
        else:
            weights, scale = self._bytes(name, shape)
            sums = np.zeros(rows)
        self.value = self.graph.op(
            "Conv",
            self.value,
            weights,
            name=name,
            pads=[1, 1, 1, 1],
            strides=[layer.stride] * 2,
        )
        deviation = (9 * self.channels * self.variance) ** 0.5 * scale
        self._norm(name, rows, self.mean * sums, deviation)
        self.value = self.graph.op("Relu", self.value, name=f"{name}_relu")
        self.value = self.graph.quant(
            self.value, _STEP, 0, ACTIVATION_BITS, signed=0, name=f"{name}_quant"
        )
        if layer.pool:
            # At stride 1 the map keeps its extents: it is padded behind its ends.
            pads = [0, 0, 1, 1] if layer.pool == 1 else [0, 0, 0, 0]
            self.value = self.graph.op(
                "MaxPool",
                self.value,
                name=f"{name}_pool",
                kernel_shape=[2, 2],
                strides=[layer.pool] * 2,
                pads=pads,
            )
        self.channels = rows
        self.mean, self.variance = _moments()

    def _bytes(self, name: str, shape: tuple[int, ...]) -> tuple[str, float]:
        """Weights of 8 bits with a scale a row; and their root mean square."""
        real = self.rng.normal(0, 1, shape)
        real -= real.mean(axis=(1, 2, 3), keepdims=True)
        scale = np.abs(real).max(axis=(1, 2, 3), keepdims=True) / 127
        weights = self.graph.quant(
            self.graph.constant(real), scale, 0, 8, narrow=1, name=f"{name}_weights"
        )
        return weights, 1.0

    def _norm(self, name: str, rows: int, mean: Array, deviation: float) -> None:
        rng = self.rng
        gamma = rng.uniform(0.8, 1.2, rows) * rng.choice([-1, 1, 1, 1], rows)
        parameters = (
            gamma,
            rng.normal(0, 0.1, rows),
            mean + deviation * rng.normal(0, 0.1, rows),
            deviation**2 * rng.uniform(0.8, 1.2, rows),
        )
        names = [self.graph.constant(parameter) for parameter in parameters]
        self.value = self.graph.op(
            "BatchNormalization", self.value, *names, name=f"{name}_norm"
        )


def tincy_yolo(*, extent: int = EXTENT, divisor: int = 1, seed: int = 0) -> ModelProto:
    """The model: image [1, 3, extent, extent] in [0, 1) to boxes [1, 125, cells, cells].

    Args:
        extent: of the image, a multiple of 32.
        divisor: of the channels of every layer but the last.
        seed: of the parameters.
    """
    network = _Network(np.random.default_rng(seed), extent)
    network.build(divisor)
    return network.graph.model(network.value)


def random_images(count: int, extent: int = EXTENT, seed: int = 0) -> Array:
    """Images [count, 3, extent, extent] of independent pixels in [0, 1), float32."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3, extent, extent))
    return (pixels * _PIXEL_STEP).astype(np.float32)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(tincy_yolo().SerializeToString())
