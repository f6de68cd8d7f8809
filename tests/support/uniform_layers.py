"""Two layers with quantisers of any width, sign, rounding, scale and zero point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto
from onnx_graphs import OnnxGraph

from qdialect.data import Array

ROUNDINGS = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
# Bits of weights and activations.
WIDEST = 16


@dataclass(frozen=True)
class UniformLayers:
    """Quant, MatMul or Conv, Quant, MatMul, Quant, of widths that a seed gives."""

    seed: int

    def model(self) -> ModelProto:
        """The network on vectors of 6, or on maps [2, 5, 5]."""
        rng = np.random.default_rng(self.seed)
        graph = OnnxGraph()
        x = graph.input((1, *self.shape))
        x = self._activation(graph, rng, x, 1, first=True)
        if len(self.shape) == 3:
            weights = self._weights(graph, rng, (3, 2, 3, 2))
            x = graph.op("Conv", x, weights, pads=[1, 0, 1, 1])
            x = self._activation(graph, rng, x, 3)
            x = graph.op("Reshape", x, graph.constant([1, -1], np.int64))
            inputs = 75
        else:
            x = graph.op("MatMul", x, self._weights(graph, rng, (6, 5), axis=1))
            x = self._activation(graph, rng, x, 5)
            inputs = 5
        x = graph.op("MatMul", x, self._weights(graph, rng, (inputs, 4), axis=1))
        return graph.model(self._activation(graph, rng, x, 4, last=True))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the input."""
        return (2, 5, 5) if self.seed % 3 == 0 else (6,)

    def frames(self, count: int) -> Array:
        """Inputs with ties of the first quantiser."""
        rng = np.random.default_rng(self.seed)
        values = rng.normal(0, 3, (count, *self.shape)) * rng.choice([0.2, 1, 30])
        return (np.round(values * 16) / 16).astype(np.float32)

    def _weights(
        self,
        graph: OnnxGraph,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        *,
        axis: int = 0,
    ) -> str:
        bits = int(rng.integers(1, WIDEST + 1))
        values = graph.constant(rng.normal(0, 1, shape))
        per_channel = [n if i == axis else 1 for i, n in enumerate(shape)]
        scale = 2.0 ** rng.integers(-2, 1, per_channel if rng.random() < 0.5 else ())
        return graph.quant(
            values, scale * 2.0 ** (2 - bits), 0.0, bits, **_attributes(rng, bits)
        )

    def _activation(
        self,
        graph: OnnxGraph,
        rng: np.random.Generator,
        x: str,
        channels: int,
        *,
        first: bool = False,
        last: bool = False,
    ) -> str:
        # Thresholds are as many as levels: few wide ones keep this quick.
        bits = int(rng.integers(1, (WIDEST if rng.random() < 0.15 else 8) + 1))
        on_map = len(self.shape) == 3 and channels == 3
        shape = (1, channels, 1, 1) if on_map else (channels,)
        if not first and rng.random() < 0.5:
            gamma = rng.normal(0, 1, shape)
            x = graph.op("Mul", x, graph.constant(gamma))
            x = graph.op("Add", x, graph.constant(rng.normal(0, 1, shape)))
        if not first and rng.random() < 0.3:
            x = graph.op("Relu", x)
        # A product has one grid, so scales between layers are in whole ratios.
        scale: Any = 2.0 ** rng.integers(-4, 1)
        if not first and rng.random() < 0.4:
            scale = scale * 2.0 ** rng.integers(0, 3, shape)
        if last and rng.random() < 0.5:
            scale = scale * rng.uniform(0.5, 2, shape)
        zero = int(rng.integers(0, 1 << bits) // 2) if rng.random() < 0.3 else 0
        return graph.quant(x, scale, zero, bits, **_attributes(rng, bits))


def _attributes(rng: np.random.Generator, bits: int) -> dict[str, Any]:
    signed = int(rng.random() < 0.6)
    return {
        "signed": signed,
        "narrow": int(bits > 1 and rng.random() < 0.4),
        "rounding_mode": str(rng.choice(ROUNDINGS)),
    }
