"""Residual blocks of int8 networks, as ONNX exporters write them: QDQ, any scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, TensorProto
from onnx_graphs import OnnxGraph

from qdialect.data import Array

# Rows and columns of a map.
EXTENT = 4


@dataclass(frozen=True)
class Grid:
    """A quantiser of 8 bits: `(level - zero_point) * scale`."""

    scale: float
    zero_point: int
    signed: bool

    @property
    def dtype(self) -> type[np.int8] | type[np.uint8]:
        """Type of a level."""
        return np.int8 if self.signed else np.uint8

    def parameters(self, graph: OnnxGraph) -> tuple[str, str]:
        """Scale and zero point as constants of a graph."""
        return (
            graph.constant(self.scale),
            graph.constant(self.zero_point, self.dtype),
        )

    def quantised(self, graph: OnnxGraph, real: str) -> str:
        """The levels of a real value."""
        return graph.op("QuantizeLinear", real, *self.parameters(graph))

    def dequantised(self, graph: OnnxGraph, levels: str) -> str:
        """The real value of levels."""
        return graph.op("DequantizeLinear", levels, *self.parameters(graph))


@dataclass(frozen=True)
class Block:
    """`y = relu(join(conv(x), skip(x)))`, its parts quantised on grids of their own.

    Attributes:
        join: Add, Sub or Concat.
        grids: of the input, of the branch with the convolution, of the result, of the
            skipping branch where it is `average`.
        channels: of the input and of each branch.
        relu: whether one stands before the last quantiser.
        average: whether both branches are averaged over 2 x 2 pixels before they join;
            quantised again on the skipping branch.
        seed: of the weights.
    """

    join: str
    grids: tuple[Grid, Grid, Grid, Grid]
    channels: int
    relu: bool
    average: bool
    seed: int

    def append(self, graph: OnnxGraph, name: str) -> str:
        """Add the block to a graph, its levels in as `name`; the name of those out."""
        source, branch, result, pooled = self.grids
        dtype = TensorProto.INT8 if source.signed else TensorProto.UINT8
        shape = ("n", self.channels, EXTENT, EXTENT)
        levels = graph.input(shape, name=name, dtype=dtype)
        skip = source.dequantised(graph, levels)
        real = self._convolution(graph, skip)
        real = branch.dequantised(graph, branch.quantised(graph, real))
        if self.average:
            real, skip = _halved(graph, real), _halved(graph, skip)
            skip = pooled.dequantised(graph, pooled.quantised(graph, skip))
        if self.join == "Concat":
            real = graph.op("Concat", real, skip, axis=1)
        else:
            real = graph.op(self.join, real, skip)
        if self.relu:
            real = graph.op("Relu", real)
        return result.quantised(graph, real)

    def _convolution(self, graph: OnnxGraph, x: str) -> str:
        """With scales a row that bring about the range of the branch."""
        rng = np.random.default_rng(self.seed)
        source, branch, *_ = self.grids
        count = self.channels
        weights = rng.integers(-127, 128, (count, count, 3, 3))
        typical = 5000 * np.sqrt(9 * count) * source.scale
        scale = (60 * branch.scale / typical * rng.uniform(0.5, 1.5, count)).astype(
            np.float32
        )
        bias = rng.integers(-9999, 10_000, count)
        matrix = graph.op(
            "DequantizeLinear",
            graph.constant(weights, np.int8),
            graph.constant(scale),
            graph.constant(np.zeros(count), np.int8),
            axis=0,
        )
        offset = graph.op(
            "DequantizeLinear",
            graph.constant(bias, np.int32),
            graph.constant(scale * np.float32(source.scale)),
            graph.constant(np.zeros(count), np.int32),
            axis=0,
        )
        return graph.op("Conv", x, matrix, offset, pads=[1, 1, 1, 1])

    def frames(self, count: int) -> Array:
        """Levels [count, C, EXTENT, EXTENT] at random."""
        rng = np.random.default_rng(self.seed)
        low, high = (-128, 128) if self.grids[0].signed else (0, 256)
        shape = (count, self.channels, EXTENT, EXTENT)
        return rng.integers(low, high, shape).astype(self.grids[0].dtype)


def _halved(graph: OnnxGraph, x: str) -> str:
    return graph.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])


def blocks_model(blocks: Sequence[Block]) -> ModelProto:
    """The blocks side by side: inputs and outputs are theirs, in order."""
    graph = OnnxGraph()
    return graph.model(
        *(block.append(graph, f"x{i}") for i, block in enumerate(blocks))
    )


def draw_grid(rng: np.random.Generator, scale: float) -> Grid:
    """Any zero point."""
    signed = bool(rng.integers(2))
    low, high = (-128, 128) if signed else (0, 256)
    zero = int(rng.choice([0, low, high - 1, int(rng.integers(low, high))]))
    return Grid(float(np.float32(scale)), max(zero, low), signed)


def draw_block(seed: int) -> Block:
    """A block of any kind; scales of branches differ by up to 2**6, seldom by 2**16."""
    rng = np.random.default_rng(seed)
    first = 10 ** rng.uniform(-4, 1)
    spread = 16 if rng.integers(6) == 0 else 6
    ratio = rng.choice(
        [1, 2.0 ** rng.integers(-3, 4), 2 ** rng.uniform(-spread, spread)]
    )
    second = first * ratio
    third = max(first, second) * rng.uniform(0.7, 2)
    pooled = first * rng.uniform(0.4, 1)
    return Block(
        join=str(rng.choice(["Add", "Add", "Sub", "Concat"])),
        grids=(
            draw_grid(rng, first),
            draw_grid(rng, second),
            draw_grid(rng, third),
            draw_grid(rng, pooled),
        ),
        channels=int(rng.integers(1, 5)),
        relu=bool(rng.integers(2)),
        average=bool(rng.integers(2)),
        seed=seed,
    )
