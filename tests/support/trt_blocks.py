"""Residual blocks as TensorRT wants them: QDQ before layers and shortcuts, none behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, TensorProto
from onnx_graphs import OnnxGraph
from qdq_blocks import EXTENT, Grid

from qdialect.data import Array


@dataclass(frozen=True)
class TrtBlock:
    """`y = quantise(relu(join(layer(x), shortcut(x))))`, quantised nowhere between.

    Attributes:
        join: Add, Sub or Concat.
        source: the quantiser of the input.
        shortcut: that of the shortcut where it is no layer.
        result: that of the result.
        bias: of the layers: `float`, `int32` (dequantised), `norm` for a batch norm
            behind them, or `none`.
        projects: whether the shortcut is a layer of kernel 1.
        per_channel: whether weights have a scale for each channel.
        channels: of the input and of each branch.
        seed: of the weights.
    """

    join: str
    source: Grid
    shortcut: Grid
    result: Grid
    bias: str
    projects: bool
    per_channel: bool
    channels: int
    seed: int

    def append(self, graph: OnnxGraph, name: str) -> str:
        """Add the block to a graph, its levels in as `name`; the name of those out."""
        dtype = TensorProto.INT8 if self.source.signed else TensorProto.UINT8
        shape = ("n", self.channels, EXTENT, EXTENT)
        x = self.source.dequantised(graph, graph.input(shape, name=name, dtype=dtype))
        rng = np.random.default_rng(self.seed)
        real = self._layer(graph, x, 3, rng)
        if self.projects:
            skip = self._layer(graph, x, 1, rng)
        else:
            levels = self.shortcut.quantised(graph, x)
            skip = self.shortcut.dequantised(graph, levels)
        if self.join == "Concat":
            real = graph.op("Concat", real, skip, axis=1)
        else:
            real = graph.op(self.join, real, skip)
        return self.result.quantised(graph, graph.op("Relu", real))

    def _layer(
        self, graph: OnnxGraph, x: str, kernel: int, rng: np.random.Generator
    ) -> str:
        """A convolution whose results are about as great as its input."""
        count = self.channels
        shape = (count, count, kernel, kernel)
        weights = graph.constant(rng.integers(-127, 128, shape), np.int8)
        spread = rng.uniform(0.5, 1.5, count if self.per_channel else 1)
        scale = (spread / (73 * np.sqrt(kernel**2 * count))).astype(np.float32)
        matrix = self._dequantised(graph, weights, scale, np.int8)
        unit = scale * np.float32(self.source.scale)
        operands: list[str] = []
        match self.bias:
            case "float":
                bias = rng.normal(0, 40 * self.source.scale, count)
                operands.append(graph.constant(bias))
            case "int32":
                levels = graph.constant(rng.integers(-9999, 9999, count), np.int32)
                operands.append(self._dequantised(graph, levels, unit, np.int32))
            case _:
                pass
        pads = [kernel // 2] * 4
        real = graph.op("Conv", x, matrix, *operands, pads=pads)
        if self.bias != "norm":
            return real
        mean, beta = (rng.normal(0, 40 * self.source.scale, count) for _ in range(2))
        gamma = rng.choice([-1, 0, 1, 1, 1], count) * rng.uniform(0.5, 1.5, count)
        parameters = (gamma, beta, mean, rng.uniform(0.5, 2, count))
        constants = [graph.constant(array) for array in parameters]
        return graph.op("BatchNormalization", real, *constants)

    def _dequantised(
        self, graph: OnnxGraph, levels: str, scale: Array, dtype: type[np.signedinteger]
    ) -> str:
        if not self.per_channel:
            number, zero = graph.constant(scale[0]), graph.constant(0, dtype)
            return graph.op("DequantizeLinear", levels, number, zero)
        zero = graph.constant(np.zeros(len(scale)), dtype)
        return graph.op("DequantizeLinear", levels, graph.constant(scale), zero, axis=0)

    def frames(self, count: int) -> Array:
        """Levels [count, C, EXTENT, EXTENT] at random."""
        rng = np.random.default_rng(self.seed)
        low, high = (-128, 128) if self.source.signed else (0, 256)
        shape = (count, self.channels, EXTENT, EXTENT)
        return rng.integers(low, high, shape).astype(self.source.dtype)


def trt_model(blocks: Sequence[TrtBlock]) -> ModelProto:
    """The blocks side by side: inputs and outputs are theirs, in order."""
    graph = OnnxGraph()
    return graph.model(
        *(block.append(graph, f"x{i}") for i, block in enumerate(blocks))
    )


def draw_trt_block(seed: int) -> TrtBlock:
    """A block of any kind; the kinds of bias and shortcut take turns."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-4, 1)
    zero = int(rng.choice([0, 0, -40, 5]))
    power = bool(rng.integers(5) == 0)
    factor = 1.0 if power else rng.uniform(0.8, 1.2)
    return TrtBlock(
        join=str(rng.choice(["Add", "Add", "Add", "Sub"])),
        source=Grid(float(np.float32(scale)), zero, True),
        shortcut=Grid(float(np.float32(scale * factor)), zero, True),
        result=Grid(float(np.float32(scale * rng.uniform(1, 2))), 0, True),
        bias=["float", "norm", "int32", "none"][seed % 4],
        projects=seed % 3 == 2,
        per_channel=seed % 5 != 4,
        channels=int(rng.integers(2, 6)),
        seed=seed,
    )
