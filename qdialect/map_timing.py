"""How the units that pad, cut, join and pool maps go through a frame; see `pipelines`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

import numpy as np
from xdsl.ir import Operation, SSAValue

from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.pipeline_stage import Pipeline
from qdialect.raster import Raster
from qdialect.streams import StreamType, stream_type
from qdialect.types import BipolarType
from qdialect.windows import Axis, Window, numbers

ADDER_LEVELS_A_STAGE = 4
"""Most adders in a row between two registers of a weighted sum."""

MAX_PRODUCT_BITS = 25
"""A product of operands with more bits, one's times the other's, has a stage more: the
registers of a multiplier."""


@dataclass(frozen=True)
class Span:
    """Places at a regular distance along an axis: `first`, `first + step`, ...

    Attributes:
        extent: places of the axis.
        first: the first place that is meant.
        step: distance of two.
        count: their number.
    """

    extent: int
    first: int
    step: int
    count: int

    @staticmethod
    def whole(extent: int) -> Span:
        """Every place of an axis."""
        return Span(extent, 0, 1, extent)

    @property
    def is_whole(self) -> bool:
        """Whether every place is meant."""
        return self.count == self.extent

    @property
    def places(self) -> range:
        """The places that are meant."""
        return range(
            self.first, self.first + (self.count - 1) * self.step + 1, self.step
        )


def merged(spans: Sequence[Span]) -> list[Span]:
    """The same places of a loop nest, outermost axis first, on as few axes as can be."""
    nest = [Span.whole(1)]
    for span in reversed(spans):
        inner = nest[0]
        if inner.extent == 1:
            nest[0] = span
        elif inner.is_whole and (span.step == 1 or span.count == 1):
            size = inner.extent
            nest[0] = Span(span.extent * size, span.first * size, 1, span.count * size)
        elif span.extent > 1:
            nest.insert(0, span)
    return nest


def slots_in(spans: Sequence[Span]) -> list[int]:
    """The slots of a loop nest, outermost axis first, that lie in every span."""
    slots = [0]
    for span in spans:
        slots = [slot * span.extent + place for slot in slots for place in span.places]
    return slots


def pad_spans(op: qflow.PadOp) -> list[Span]:
    """Where the beats of the input lie among those of the result."""
    source, out = stream_type(op.input), stream_type(op.out)
    extents = source.tensor.get_shape()[1:-1]
    padded = out.tensor.get_shape()[1:-1]
    befores = numbers(op.pads)[: len(extents)]
    spatial = [
        Span(total, before, step, extent)
        for total, before, step, extent in zip(
            padded, befores, op.distances, extents, strict=True
        )
    ]
    return [*spatial, Span.whole(source.beats)]


def slice_spans(op: qflow.SliceOp) -> list[Span]:
    """Where the beats of the result lie among those of the input."""
    source, out = stream_type(op.input), stream_type(op.out)
    *axes, last = [
        Span(*numbers_of_axis)
        for numbers_of_axis in zip(
            source.tensor.get_shape(),
            numbers(op.offsets),
            numbers(op.steps),
            out.tensor.get_shape(),
            strict=True,
        )
    ]
    first = last.first // source.lanes
    return [*axes, Span(source.beats, first, last.step, out.beats)]


def concat_chunks(op: qflow.ConcatOp) -> list[int]:
    """Beats that are taken from each operand in turn."""
    axis = op.axis.value.data
    outer = prod(stream_type(op.out).tensor.get_shape()[:axis])
    return [stream_type(value).beats_per_frame // outer for value in op.inputs]


def is_power_of_two(factor: int) -> bool:
    """Whether a product with `factor` is a shift, a change of sign aside; so is 0."""
    return abs(factor) & (abs(factor) - 1) == 0


def by_beats(channels: Array, lanes: int) -> Array:
    """Constants [.., C] of channels as [.., beats, lanes].

    A surplus lane of the last beat has those of the beat before.
    """
    count = channels.shape[-1]
    beats = -(-count // lanes)
    places = [i if i < count else i - lanes for i in range(beats * lanes)]
    return channels[..., places].reshape(*channels.shape[:-1], beats, lanes)


def signed_powers(factor: int) -> list[tuple[int, bool]]:
    """The fewest powers of two that add up to a factor: exponent, negative?

    >>> signed_powers(7)
    [(0, True), (3, False)]
    """
    found: list[tuple[int, bool]] = []
    rest, exponent = abs(factor), 0
    while rest:
        if rest & 1:
            # 3 ends in two ones: it is 4 - 1.
            digit = 2 - (rest & 3)
            found.append((exponent, (digit < 0) != (factor < 0)))
            rest -= digit
        rest, exponent = rest >> 1, exponent + 1
    return found


def sum_stages(factors: Array, bias: Array, lanes: int) -> tuple[bool, bool, int]:
    """Stages of a weighted sum: constants from memory?, products?, registered levels.

    Args:
        factors: [I, C].
        bias: [C].
        lanes: elements of a beat.
    """
    rows = np.concatenate([factors.astype(np.int64), bias.astype(np.int64)[None]])
    constants = by_beats(rows, lanes)
    varies = (constants != constants[:, :1]).any(axis=1)
    reads = bool(varies.any())
    shifts = all(map(is_power_of_two, factors.flatten().tolist()))
    multiplies = not shifts or bool(varies[:-1].any())
    terms = len(factors) + bool(bias.any())
    levels = (terms - 1).bit_length()
    return reads, multiplies, max(0, levels - 1) // ADDER_LEVELS_A_STAGE


def _sum_latency(op: qflow.AddOp) -> int:
    factors, bias = constant_array(op.factors), constant_array(op.bias)
    if factors is None or bias is None:
        # Nothing can be built of it; the longest there is.
        return 3 + max(0, len(op.inputs).bit_length() - 1) // ADDER_LEVELS_A_STAGE
    return 1 + sum(sum_stages(factors, bias, stream_type(op.out).lanes))


def product_stages(lhs: StreamType, rhs: StreamType) -> int:
    """Stages of an element-wise product."""
    signs = any(isinstance(s.tensor.element_type, BipolarType) for s in (lhs, rhs))
    small = lhs.element_bits * rhs.element_bits <= MAX_PRODUCT_BITS
    return 1 if signs or small else 2


def pool_window(window: Window, source: StreamType) -> Window:
    """The window of a pool, rows and columns; a lone one has its reach for stride."""
    extents = source.tensor.get_shape()[1:-1]
    axes = [
        replace(axis, stride=max(axis.stride, axis.reach))
        if axis.windows(extent) == 1
        else axis
        for axis, extent in zip(window, extents, strict=True)
    ]
    return (Axis(1), axes[0]) if len(axes) == 1 else tuple(axes)


def map_extents(source: StreamType) -> tuple[int, int]:
    """Rows and columns of a map; one row where it is 1-D."""
    *rows, columns = source.tensor.get_shape()[1:-1]
    return (rows[0] if rows else 1, columns)


def in_blocks(window: Window) -> bool:
    """Whether no pixel is part of two windows, nor lies between the taps of one."""
    return all(axis.kernel == axis.reach <= axis.stride for axis in window)


def pool_fits(window: Window, source: StreamType) -> bool:
    """Whether there is a unit for a pool: in blocks, or one after another in a raster.

    Without padding there always is.

    Args:
        window: what slides.
        source: the map.
    """
    window = pool_window(window, source)
    raster = Raster(window, map_extents(source))
    width = raster.width
    apart = (raster.counts[1] - 1) * raster.columns.stride < width
    return in_blocks(window) or (raster.fits and apart)


def _pool(op: qflow.PoolOp) -> Pipeline:
    source = stream_type(op.input)
    window, extents = pool_window(op.window, source), map_extents(source)
    pixels = source.vectors
    if in_blocks(window):
        rows, columns = (
            [
                min(n * axis.stride - axis.before + axis.kernel, extent) - 1
                for n in range(axis.windows(extent))
            ]
            for axis, extent in zip(window, extents, strict=True)
        )
        ends: Sequence[int] = [
            row * extents[1] + column for row in rows for column in columns
        ]
        slots, latency = pixels, 1
    else:
        raster = Raster(window, extents)
        ends, slots, latency = raster.ends, raster.slots, 2
    beats = source.beats
    gives = [end * beats + beat for end in ends for beat in range(beats)]
    return Pipeline(slots * beats, range(pixels * beats), gives, latency, 1)


def _beat_by_beat(operands: Sequence[SSAValue], latency: int) -> Pipeline:
    stream = stream_type(operands[0])
    beats = range(stream.beats)
    others = [beats] * (len(operands) - 1)
    return Pipeline(stream.beats, beats, beats, latency, stream.vectors, others)


def map_pipeline(op: Operation) -> Pipeline:
    """How a unit that pads, cuts, joins or pools works.

    Raises:
        TypeError: `op` is no such unit.
    """
    match op:
        case qflow.PoolOp():
            return _pool(op)
        case qflow.PadOp():
            slots = stream_type(op.out).beats_per_frame
            takes = slots_in(pad_spans(op))
            return Pipeline(slots, takes, range(slots), 1, 1, awaits=True)
        case qflow.SliceOp():
            slots = stream_type(op.input).beats_per_frame
            return Pipeline(slots, range(slots), slots_in(slice_spans(op)), 1, 1)
        case qflow.ConcatOp():
            chunks = concat_chunks(op)
            ends = list(accumulate(chunks))
            takes = [range(e - n, e) for n, e in zip(chunks, ends, strict=True)]
            repeats = stream_type(op.out).beats_per_frame // ends[-1]
            return Pipeline(
                ends[-1], takes[0], range(ends[-1]), 1, repeats, tuple(takes[1:])
            )
        case qflow.AddOp():
            return _beat_by_beat(op.inputs, _sum_latency(op))
        case qflow.AbsOp():
            return _beat_by_beat((op.input,), 1)
        case qflow.MulOp():
            latency = product_stages(stream_type(op.lhs), stream_type(op.rhs))
            return _beat_by_beat((op.lhs, op.rhs), latency)
        case _:
            raise TypeError(f"the timing of {op.name} is not known")
