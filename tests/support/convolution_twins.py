"""Random quantised convolutions as QONNX graphs, each with a plain ONNX twin.

The twin has Div, Round, Clip or Where in place of every quantiser and the levels
themselves in place of quantised weights, so that ONNX Runtime runs it. All numbers are
multiples of a power of two that float32 holds exactly, and so are their sums: what ONNX
Runtime gives is right in whatever order it adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto
from onnx_graphs import QONNX, OnnxGraph

from qdialect.data import Array

# Behind it float32 does not hold every integer.
_MOST = 1 << 24
# Channels behind which words are packed, and weights are of one bit or two.
_DEEP = 20
_ROUNDINGS = {"ROUND": "Round", "FLOOR": "Floor", "CEIL": "Ceil"}


@dataclass(frozen=True)
class Levels:
    """What a quantiser gives; one signed bit is bipolar, two narrow ones are ternary."""

    bits: int
    is_signed: bool
    is_narrow: bool = False

    @property
    def is_bipolar(self) -> bool:
        """Only -1 and +1."""
        return self.bits == 1 and self.is_signed

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the greatest level."""
        if self.is_bipolar:
            return -1, 1
        half = 1 << (self.bits - 1)
        low, high = (-half, half - 1) if self.is_signed else (0, 2 * half - 1)
        if not self.is_narrow:
            return low, high
        return (low + 1, high) if self.is_signed else (low, high - 1)

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> Array:
        """Random levels of a shape, all equally likely."""
        low, high = self.ends
        if self.is_bipolar:
            return rng.choice(self.ends, shape)
        return rng.integers(low, high + 1, shape)


BIPOLAR = Levels(1, True)
TERNARY = Levels(2, True, True)


@dataclass(frozen=True)
class Pooling:
    """A max pool; `pads` are before each axis, then behind each."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    is_before: bool


@dataclass(frozen=True)
class Activation:
    """A quantiser of sums.

    Attributes:
        levels: that it gives.
        scale: a power of two.
        zero: its zero point.
        rounding: as QONNX has it.
        slopes: whether sums are multiplied by powers of two of either sign before it,
            one a channel.
    """

    levels: Levels
    scale: float
    zero: int
    rounding: str
    slopes: bool


@dataclass(frozen=True)
class ConvolutionCase:
    """A convolution by its numbers, all drawn from `seed`; sequences are one an axis.

    Attributes:
        seed: of the shape, the parameters and the frames.
        transposed: whether it is a ConvTranspose.
        extents: of the input.
        channels: of the input.
        rows: channels of the result.
        groups: number of groups.
        kernel: taps.
        strides: distances of windows, or of elements where transposed.
        dilations: distances of taps.
        pads: before each axis, then behind each.
        inputs: levels that are read.
        zero: zero point of these.
        weights: levels of the weights.
        has_bias: whether an integer is added to each channel.
        pooling: a max pool behind the sums or the activation, if any.
        activation: a quantiser of the sums, if any.
    """

    seed: int
    transposed: bool
    extents: tuple[int, ...]
    channels: int
    rows: int
    groups: int
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    inputs: Levels
    zero: int
    weights: Levels
    has_bias: bool
    pooling: Pooling | None
    activation: Activation | None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one frame, channels first."""
        return (self.channels, *self.extents)

    def frames(self, count: int) -> Array:
        """Integers [count, ..], float32; some beyond the levels that are read."""
        rng = np.random.default_rng([self.seed, 1])
        low, high = self.inputs.ends
        shape = (count, *self.input_shape)
        frames = rng.integers(low - 2, high + 3, shape) - self.zero
        return frames.astype(np.float32)


def draw_case(seed: int) -> ConvolutionCase:
    """The case of a seed: legal, small, and often a padded bipolar map."""
    rng = np.random.default_rng(seed)
    rank = 1 if rng.random() < 0.3 else 2
    transposed = bool(rng.random() < 0.12)
    inputs = BIPOLAR if rng.random() < 0.35 else _draw_levels(rng)
    groups, depth, multiplier = _draw_groups(rng)
    kernel = _numbers(rng, rank, 1, 5)
    strides = _numbers(rng, rank, 1, 3)
    dilations = tuple(1 if rng.random() < 0.6 else 2 for _ in range(rank))
    pads = (0,) * (2 * rank)
    if rng.random() < 0.7:
        # Of three elements, windows may stand on padding alone.
        most = 3 if rng.random() < 0.15 else 0
        pads = tuple(int(rng.integers(0, max(k, most + 1))) for k in kernel + kernel)
    least = _least_extents(kernel, strides, dilations, pads, transposed=transposed)
    extents = tuple(int(rng.integers(n, n + 6)) for n in least)
    counts = _counts(extents, kernel, strides, dilations, pads, transposed=transposed)
    is_deep = depth > _DEEP
    weights = (BIPOLAR, TERNARY)[rng.integers(2)] if is_deep else _draw_levels(rng)
    power = 9 * max(1, depth) * max(map(abs, inputs.ends)) * max(map(abs, weights.ends))
    return ConvolutionCase(
        seed=seed,
        transposed=transposed,
        extents=extents,
        channels=groups * depth,
        rows=groups * multiplier,
        groups=groups,
        kernel=kernel,
        strides=strides,
        dilations=dilations,
        pads=pads,
        inputs=inputs,
        # A transposed convolution of a zero point has no integer form.
        zero=0 if transposed else _draw_zero(rng, inputs),
        weights=weights,
        has_bias=bool(rng.random() < 0.5),
        pooling=_draw_pooling(rng, counts) if rng.random() < 0.3 else None,
        activation=_draw_activation(rng, power) if rng.random() < 0.6 else None,
    )


def _numbers(
    rng: np.random.Generator, count: int, low: int, high: int
) -> tuple[int, ...]:
    return tuple(int(rng.integers(low, high + 1)) for _ in range(count))


def _draw_levels(rng: np.random.Generator) -> Levels:
    kind = rng.random()
    if kind < 0.25:
        return BIPOLAR
    if kind < 0.4:
        return TERNARY
    bits = int(rng.integers(2, 5 if rng.random() < 0.7 else 9))
    return Levels(bits, bool(rng.random() < 0.5), bool(rng.random() < 0.2))


def _draw_groups(rng: np.random.Generator) -> tuple[int, int, int]:
    """Groups, the channels that each reads, and those that it gives."""
    kind = rng.random()
    if kind < 0.05:
        return 1, int(rng.integers(_DEEP + 1, 71)), int(rng.integers(1, 7))
    if kind < 0.5:
        return 1, int(rng.integers(1, 7)), int(rng.integers(1, 7))
    if kind < 0.8:
        return int(rng.integers(2, 7)), 1, int(rng.choice([1, 1, 2, 3]))
    return int(rng.integers(2, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 4))


def _draw_zero(rng: np.random.Generator, inputs: Levels) -> int:
    """Mostly none; never where that would leave only bipolar levels."""
    if inputs.is_bipolar or inputs == TERNARY or rng.random() < 0.85:
        return 0
    return int(rng.integers(inputs.ends[0], inputs.ends[1] + 1))


def _draw_pooling(rng: np.random.Generator, counts: Sequence[int]) -> Pooling:
    kernel = tuple(int(rng.integers(1, min(3, n) + 1)) for n in counts)
    strides = kernel if rng.random() < 0.6 else _numbers(rng, len(kernel), 1, 3)
    pads = (0,) * (2 * len(kernel))
    if rng.random() < 0.3:
        pads = tuple(int(rng.integers(0, k)) for k in (*kernel, *kernel))
    return Pooling(kernel, strides, pads, bool(rng.random() < 0.5))


def _draw_activation(rng: np.random.Generator, power: int) -> Activation:
    """A quantiser whose steps sums of that mean square, about, are spread over."""
    levels = BIPOLAR if rng.random() < 0.35 else _draw_levels(rng)
    deviation = max(1.0, power**0.5)
    scale = 2.0 ** np.floor(np.log2(max(1.0, 2 * deviation / (1 << levels.bits))))
    zero = 0
    if not levels.is_bipolar and rng.random() < 0.2:
        zero = int(rng.integers(-2, 3))
    return Activation(
        levels=levels,
        scale=float(scale),
        zero=zero,
        rounding=str(rng.choice(list(_ROUNDINGS))),
        slopes=bool(rng.random() < 0.3),
    )


def _least_extents(
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    *,
    transposed: bool,
) -> list[int]:
    """The least extents that leave an element of the result."""
    rank = len(kernel)
    found: list[int] = []
    for i in range(rank):
        padding, reach = pads[i] + pads[rank + i], (kernel[i] - 1) * dilations[i] + 1
        if transposed:
            found.append(1 + max(0, -(-(1 + padding - reach) // strides[i])))
        else:
            found.append(max(1, reach - padding))
    return found


def _counts(
    extents: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    *,
    transposed: bool,
) -> list[int]:
    """Extents of the result."""
    rank = len(kernel)
    found: list[int] = []
    for i, extent in enumerate(extents):
        padding, reach = pads[i] + pads[rank + i], (kernel[i] - 1) * dilations[i] + 1
        if transposed:
            found.append((extent - 1) * strides[i] + reach - padding)
        else:
            found.append((extent + padding - reach) // strides[i] + 1)
    return found


class TwinGraph:
    """Two graphs with tensors of the same names: QONNX, and plain ONNX."""

    def __init__(self) -> None:
        self.quantised = OnnxGraph()
        self.plain = OnnxGraph()
        self.outputs: list[str] = []

    def append(self, case: ConvolutionCase) -> None:
        """The convolution with an input and an output of its own."""
        rng = np.random.default_rng([case.seed, 2])
        name = f"case{case.seed}"
        x = self._input((None, *case.input_shape), f"{name}_x")
        x = self._quantise(x, case.inputs, 1.0, case.zero, "ROUND", f"{name}_read")
        x = self._product(rng, case, x, name)
        before, behind = case.pooling, case.pooling
        if case.pooling is not None and case.pooling.is_before:
            behind = None
        else:
            before = None
        x = self._pool(x, before, f"{name}_pool")
        if case.activation is not None:
            x = self._activation(rng, case, x, case.activation, name)
        self.outputs.append(self._pool(x, behind, f"{name}_pool"))

    def models(self) -> tuple[ModelProto, ModelProto]:
        """The QONNX model and its twin."""
        return self.quantised.model(*self.outputs), self.plain.model(*self.outputs)

    def _input(self, shape: Sequence[int | None], name: str) -> str:
        for graph in (self.quantised, self.plain):
            graph.input(shape, name=name)
        return name

    def _constant(self, values: npt.ArrayLike, name: str) -> str:
        for graph in (self.quantised, self.plain):
            graph.constant(values, name=name)
        return name

    def _op(self, op_type: str, *inputs: str, name: str, **attributes: Any) -> str:
        self.quantised.op(op_type, *inputs, name=name, **attributes)
        return self.plain.op(op_type, *inputs, name=name, **attributes)

    def _product(
        self, rng: np.random.Generator, case: ConvolutionCase, x: str, name: str
    ) -> str:
        inner = (case.channels, case.rows // case.groups)
        outer = (case.rows, case.channels // case.groups)
        size = (*(inner if case.transposed else outer), *case.kernel)
        levels = case.weights.draw(rng, size)
        bound = prod(size[1:]) * int(np.abs(levels).max())
        assert bound * max(abs(end - case.zero) for end in case.inputs.ends) < _MOST
        weights = self._weights(levels, case.weights, f"{name}_weights")
        bias = [self._bias(rng, case, name)] if case.has_bias else []
        return self._op(
            "ConvTranspose" if case.transposed else "Conv",
            x,
            weights,
            *bias,
            name=name,
            group=case.groups,
            strides=case.strides,
            dilations=case.dilations,
            pads=case.pads,
        )

    def _weights(self, values: Array, levels: Levels, name: str) -> str:
        """The same levels in both graphs, in QONNX behind a quantiser of a constant."""
        self.plain.constant(values, name=f"{name}_quant_out")
        raw = self.quantised.constant(values, name=name)
        if levels.is_bipolar:
            one = self.quantised.constant(1.0)
            return self.quantised.op(
                "BipolarQuant", raw, one, name=f"{name}_quant", domain=QONNX
            )
        return self.quantised.quant(
            raw,
            1.0,
            0,
            levels.bits,
            signed=int(levels.is_signed),
            narrow=int(levels.is_narrow),
            name=f"{name}_quant",
        )

    def _bias(self, rng: np.random.Generator, case: ConvolutionCase, name: str) -> str:
        return self._constant(rng.integers(-20, 21, case.rows), f"{name}_bias")

    def _activation(
        self,
        rng: np.random.Generator,
        case: ConvolutionCase,
        x: str,
        activation: Activation,
        name: str,
    ) -> str:
        if activation.slopes:
            column = (case.rows, *(1 for _ in case.kernel))
            powers = 2.0 ** rng.integers(-1, 2, column)
            slopes = self._constant(rng.choice([-1, 1], column) * powers, f"{name}_mul")
            x = self._op("Mul", x, slopes, name=f"{name}_scaled")
        return self._quantise(
            x,
            activation.levels,
            activation.scale,
            activation.zero,
            activation.rounding,
            f"{name}_quant",
        )

    def _quantise(
        self, x: str, levels: Levels, scale: float, zero: int, rounding: str, name: str
    ) -> str:
        """A quantiser, and what it means in ONNX."""
        plain = self.plain
        if levels.is_bipolar:
            step = self.quantised.constant(scale)
            self.quantised.op("BipolarQuant", x, step, name=name, domain=QONNX)
            at_least = plain.op("GreaterOrEqual", x, plain.constant(0.0))
            ends = [plain.constant(scale), plain.constant(-scale)]
            return plain.op("Where", at_least, *ends, name=name)
        self.quantised.quant(
            x,
            scale,
            zero,
            levels.bits,
            signed=int(levels.is_signed),
            narrow=int(levels.is_narrow),
            rounding_mode=rounding,
            name=name,
        )
        shift = plain.constant(float(zero))
        x = plain.op("Div", x, plain.constant(scale))
        x = plain.op(_ROUNDINGS[rounding], plain.op("Add", x, shift))
        low, high = (plain.constant(float(end)) for end in levels.ends)
        x = plain.op("Sub", plain.op("Clip", x, low, high), shift)
        return plain.op("Mul", x, plain.constant(scale), name=name)

    def _pool(self, x: str, pooling: Pooling | None, name: str) -> str:
        if pooling is None:
            return x
        return self._op(
            "MaxPool",
            x,
            name=name,
            kernel_shape=pooling.kernel,
            strides=pooling.strides,
            pads=pooling.pads,
        )
