"""Random convolutions and convolutional networks, as ONNX graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from onnx import ModelProto
from onnx_graphs import QONNX, OnnxGraph

from qdialect.data import Array


@dataclass(frozen=True)
class Shape:
    """A convolution or pool, by its numbers; sequences are one an axis.

    Attributes:
        extents: of the input.
        channels: of the input.
        rows: of the result.
        groups: number of groups.
        kernel: taps.
        strides: distances of windows.
        dilations: distances of taps.
        pads: before each axis, then behind each.
        seed: of the numbers in it.
    """

    extents: tuple[int, ...]
    channels: int
    rows: int
    groups: int
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    seed: int


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Legal ones, small; depthwise ones are as frequent as others."""
    rank = draw(st.integers(1, 2))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    depth = draw(st.integers(1, 3))
    multiplier = draw(st.integers(1, 3))

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    kernel, dilations, strides = numbers(1, 4), numbers(1, 2), numbers(1, 3)
    before = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    behind = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    extents = tuple(
        draw(st.integers(max(1, (k - 1) * d + 1 - a - b), 9))
        for k, d, a, b in zip(kernel, dilations, before, behind, strict=True)
    )
    return Shape(
        extents=extents,
        channels=groups * depth,
        rows=groups * multiplier,
        groups=groups,
        kernel=kernel,
        strides=strides,
        dilations=dilations,
        pads=(*before, *behind),
        seed=draw(st.integers(0, 1 << 16)),
    )


def conv_model(shape: Shape, *, transposed: bool = False) -> tuple[ModelProto, Array]:
    """A convolution with a bias on integer-valued numbers, and three frames for it."""
    rng = np.random.default_rng(shape.seed)
    graph = OnnxGraph()
    x = graph.input((3, shape.channels, *shape.extents))
    inner = (shape.channels, shape.rows // shape.groups)
    outer = (shape.rows, shape.channels // shape.groups)
    size = (*(inner if transposed else outer), *shape.kernel)
    weights = graph.constant(rng.integers(-8, 8, size))
    bias = graph.constant(rng.integers(-20, 20, shape.rows))
    node = graph.op(
        "ConvTranspose" if transposed else "Conv",
        x,
        weights,
        bias,
        group=shape.groups,
        strides=shape.strides,
        dilations=shape.dilations,
        pads=shape.pads,
    )
    frames = rng.integers(-100, 100, (3, shape.channels, *shape.extents))
    return graph.model(node), frames.astype(np.float32)


class MapNetwork:
    """Builds a quantised network of maps, node by node; keeps the shape by itself."""

    def __init__(self, seed: int, shape: tuple[int, ...]):
        self.rng = np.random.default_rng(seed)
        self.graph = OnnxGraph()
        self.shape = shape
        self.value = self.graph.input((1, *shape))
        self.input_shape = shape

    def quantise(
        self, bits: int, scale: float = 0.25, zero: int = 0, **how: int
    ) -> str:
        """A quantiser; one bit is bipolar."""
        if bits == 1:
            scale_name = self.graph.constant(scale)
            self.value = self.graph.op(
                "BipolarQuant", self.value, scale_name, domain=QONNX
            )
        else:
            self.value = self.graph.quant(self.value, scale, zero, bits, **how)
        return self.value

    def conv(self, rows: int, kernel: int, bits: int = 3, **how: Any) -> str:
        """A convolution with quantised weights, a scale for each row."""
        groups: int = how.get("group", 1)
        rank = len(self.shape) - 1
        size = (rows, self.shape[0] // groups, *[kernel] * rank)
        weights = self.graph.constant(self.rng.normal(0, 1, size))
        scales = self.rng.uniform(0.3, 0.6, (rows, *[1] * (rank + 1)))
        quantised = (
            self.graph.op(
                "BipolarQuant", weights, self.graph.constant(1.0), domain=QONNX
            )
            if bits == 1
            else self.graph.quant(weights, scales, 0, bits, narrow=1)
        )
        self.value = self.graph.op("Conv", self.value, quantised, **how)
        self.shape = (rows, *self.shape[1:])
        return self.value

    def batch_norm(self) -> str:
        """A batch normalisation; every other slope falls, and one is 0."""
        channels = self.shape[0]
        gamma = self.rng.uniform(0.3, 2, channels)
        gamma[::2] *= -1
        gamma[self.rng.integers(0, channels)] = 0
        parts = [
            gamma,
            self.rng.normal(0, 1, channels),
            self.rng.normal(0, 1, channels),
            self.rng.uniform(0.5, 2, channels),
        ]
        names = [self.graph.constant(part) for part in parts]
        self.value = self.graph.op("BatchNormalization", self.value, *names)
        return self.value

    def op(self, op_type: str, *others: str, **how: Any) -> str:
        """Any other node on the current value."""
        self.value = self.graph.op(op_type, self.value, *others, **how)
        return self.value

    def frames(self, count: int) -> Array:
        """Random inputs."""
        return self.rng.normal(0, 1, (count, *self.input_shape)).astype(np.float32)

    def bytes(self) -> bytes:
        """The model as in a file."""
        return self.graph.bytes(self.value)
