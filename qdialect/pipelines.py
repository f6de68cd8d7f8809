"""How each unit works through a vector: the specification of the hardware's timing.

A unit is a pipeline. In each cycle (*slot*) of a vector it may take an input beat, and
what it computes there may be an output beat, which it offers `latency` cycles later. It
waits in a slot whose beat is not there yet; it stands still as a whole while a beat that
it offers is not taken. The hardware units are tested against these figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import prod

import numpy as np
from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from qdialect import qflow
from qdialect.constants import constant_array, constant_data
from qdialect.data import TensorDataAttr
from qdialect.lane_conversion import LaneConversion
from qdialect.map_timing import map_pipeline
from qdialect.pipeline_stage import Pipeline
from qdialect.products import product_form
from qdialect.raster import Raster
from qdialect.streams import StreamType, stream_type
from qdialect.types import (
    element_of,
    shape_of,
    value_range,
)
from qdialect.window_store import (
    WindowReads,
    each_once,
    repeated_rows,
    sliding_pixels,
    store_interval,
    store_pixels,
    window_reads,
)
from qdialect.windows import Window, numbers
from qdialect.zero_blocks import ZeroBlocks

ADDERS_A_STAGE = 4
"""Most adders in a row between two registers of a tree."""

GROUP = 7
"""Products that one adder of a popcount's first level counts."""

MAX_UNREGISTERED_POPCOUNTS = 2
"""With more popcounts than these, their sum is registered before it is accumulated."""

MAX_DIRECT_WORDS = 64
"""Thresholds in a memory of more words than these are read through a register."""


@dataclass(frozen=True)
class Store:
    """A memory that pixels are written to in order, and windows read from.

    A pixel is written as soon as there is room. The beats of a window are read a cycle
    each, from the cycle after that in which its last pixel was written; they free what no
    later window reads once the last is read. A beat is offered a cycle after it is read,
    and the next is read when it is taken.

    Attributes:
        reads: what the windows need, and what they free.
        capacity: pixels that it holds.
        in_beats: beats of a pixel.
        out_beats: beats of a window.
    """

    reads: WindowReads
    capacity: int
    in_beats: int
    out_beats: int

    @property
    def out_beats_per_frame(self) -> int:
        """Beats that it gives a frame."""
        return len(self.reads.needs) * self.out_beats

    @property
    def cycles(self) -> int:
        """Cycles a frame when it is always fed and never blocked."""
        return store_interval(self.reads, self.capacity, self.in_beats, self.out_beats)


Stage = Pipeline | LaneConversion | Store


def sliding_store(window: Window, source: StreamType, taps: int) -> Store:
    """The line buffer of a window over a map, of which a tap is read a cycle.

    Args:
        window: what slides.
        source: the map.
        taps: beats of a window for each beat of a pixel.
    """
    extents, out_beats = source.tensor.get_shape()[1:-1], taps * source.beats
    capacity = sliding_pixels(window, extents, source.beats, out_beats)
    reads = window_reads(window, extents)
    return Store(reads, capacity, source.beats, out_beats)


def repeating_store(source: StreamType, times: int, out_beats: int) -> Store:
    """The memory of a unit that reads every row of a map several times.

    Args:
        source: the map.
        times: how often a row is read.
        out_beats: beats that a pixel gives each time.
    """
    reads = repeated_rows(tuple(source.tensor.get_shape()[1:-1]), times)
    capacity = store_pixels(reads, source.beats, out_beats)
    return Store(reads, capacity, source.beats, out_beats)


def stages_of(op: Operation) -> list[Stage]:
    """How a unit works, stage by stage; not for FIFOs and forks.

    Raises:
        TypeError: `op` is no such unit.
    """
    source, out = stream_type(op.operands[0]), stream_type(op.results[0])
    match op:
        case qflow.MvuOp() if op.skips_zeros:
            return _zero_skip_stages(op)
        case qflow.MvuOp():
            fold = op.synapse_fold
            ends = range(fold - 1, fold * op.neuron_fold, fold)
            slots = fold * op.neuron_fold
            replayed = op.synapse_fold > 1 and op.neuron_fold > 1
            beats = op.neuron_fold * op.group_count
            latency = replayed + _product_latency(op, op.simd, beats)
            return [Pipeline(slots, range(fold), ends, latency, source.vectors)]
        case qflow.VvuOp():
            taps = prod(numbers(op.kernel))
            latency = _product_latency(op, 1, out.beats)
            rows = out.vectors * out.beats
            return [
                sliding_store(op.window, source, taps),
                Pipeline(taps, range(taps), (taps - 1,), latency, rows),
            ]
        case qflow.ThresholdOp():
            steps = _search_steps(shape_of(op.thresholds)[1])
            return [_beat_by_beat(source, _search_latency(range(steps), out.beats))]
        case qflow.LookupOp():
            return [_beat_by_beat(source, 2)]
        case qflow.TopKOp():
            return _top_k_stages(source, out.elements)
        case qflow.DwcOp():
            return [LaneConversion(source.elements, source.lanes, out.lanes)]
        case qflow.ReshapeOp():
            return [LaneConversion(source.elements, source.lanes, source.lanes)]
        case qflow.UpsampleOp():
            *rows, columns = numbers(op.factors)
            return [repeating_store(source, prod(rows), columns * source.beats)]
        case qflow.DepthToSpaceOp():
            block = op.block.value.data
            return [repeating_store(source, block, source.beats // block)]
        case qflow.SwuOp() if not op.is_parallel:
            return [sliding_store(op.window, source, prod(numbers(op.kernel)))]
        case qflow.SwuOp():
            return [raster_pipeline(op.window, source, latency=1)]
        case _:
            return [map_pipeline(op)]


BUFFERED_PIXELS = 2
"""Pixels in front of products that leave zeros out: one that is read, one that comes."""


def executed_steps(op: qflow.MvuOp) -> Sequence[int]:
    """The cycles that a unit that skips zeros takes for each beat of rows of a pixel.

    Raises:
        VerifyException: its weights are no constant.
    """
    weights = constant_data(op.weights)
    if weights is None:
        raise VerifyException(f"{op.name}: the weights are no constant of the module")
    return _steps(weights, op.group_count, op.pe, op.simd, op.skip_lanes)


@lru_cache(maxsize=64)
def _steps(
    weights: TensorDataAttr, groups: int, pe: int, simd: int, together: int
) -> Sequence[int]:
    return ZeroBlocks(weights.to_numpy(), groups).schedule(pe, simd, together).steps


def pixel_slots(op: qflow.MvuOp) -> int:
    """Cycles a pixel of a unit that is never starved or blocked."""
    in_beats = op.synapse_fold * op.group_count
    if op.skips_zeros:
        return max(in_beats, sum(executed_steps(op)))
    return in_beats * op.neuron_fold


def _zero_skip_stages(op: qflow.MvuOp) -> list[Stage]:
    """A memory of pixels, each read once in an order of its own; and the products."""
    source, beats = stream_type(op.input), op.neuron_fold * op.group_count
    ends = [*accumulate(executed_steps(op))]
    slots, pixels = ends[-1], source.vectors // op.group_count
    latency = _product_latency(op, op.simd, beats)
    in_beats = op.synapse_fold * op.group_count
    return [
        Store(each_once(pixels), BUFFERED_PIXELS, in_beats, slots),
        Pipeline(slots, range(slots), [end - 1 for end in ends], latency, pixels),
    ]


def raster_pipeline(window: Window, source: StreamType, latency: int) -> Pipeline:
    """A unit past which the pixels of a map go, and that gives each window once.

    A window is given with its last pixel; if that is padding, as many pixels later, and
    behind the last pixel of a frame come cycles without one for the windows still due.

    Args:
        window: what slides; see `qflow.parallel_fits`.
        source: the map.
        latency: cycles from that pixel to the cycle in which the window is offered.
    """
    raster, beats = Raster(window, tuple(source.tensor.get_shape()[1:-1])), source.beats
    gives = [end * beats + beat for end in raster.ends for beat in range(beats)]
    takes = range(raster.pixels * beats)
    return Pipeline(raster.slots * beats, takes, gives, latency, 1)


def _top_k_stages(source: StreamType, k: int) -> list[Stage]:
    """A pick for each index, behind each other; then all k of them one by one."""
    pick = _levels(source.lanes) + 1
    beats = range(source.beats)
    picks = Pipeline(source.beats, beats, beats[-1:], k * pick, source.vectors)
    return [picks] if k == 1 else [picks, LaneConversion(k, k, 1)]


def _beat_by_beat(stream: StreamType, latency: int) -> Pipeline:
    beats = range(stream.beats)
    return Pipeline(stream.beats, beats, beats, latency, stream.vectors)


def fifo_capacity(depth: int) -> int:
    """Beats that a FIFO of some depth holds: two registers are the least."""
    return max(2, depth)


def fifo_latency(depth: int) -> int:
    """Cycles from taking a beat to offering it; a memory has an output register."""
    return 1 if fifo_capacity(depth) == 2 else 2


def _product_latency(op: qflow.MvuOp | qflow.VvuOp, simd: int, beats: int) -> int:
    """Input register, products, accumulator, and thresholds if any.

    Args:
        op: the unit.
        simd: products of a row at once.
        beats: of a pixel of the result.
    """
    latency = 1 + _dot_latency(op, simd) + 1
    if op.thresholds is None:
        return latency
    steps = _search_steps(shape_of(op.thresholds)[1])
    return latency + _search_latency(range(1, steps), beats)


def _search_steps(thresholds: int) -> int:
    return max(1, thresholds.bit_length())


def _search_latency(steps: range, rows: int) -> int:
    """A binary search, a comparison a stage; deep threshold memories take one more."""
    return sum(1 + (rows << step > MAX_DIRECT_WORDS) for step in steps)


def _dot_latency(op: qflow.MvuOp | qflow.VvuOp, simd: int) -> int:
    """From activations and weights to the number that is accumulated."""
    weights = constant_array(op.weights)
    if weights is None:
        weights = np.array(value_range(element_of(op.weights)))
    falling = None if op.falling is None else constant_array(op.falling)
    input_bits = stream_type(op.input).element_bits
    form = product_form(input_bits, weights)
    if falling is not None and op.thresholds is not None:
        turned = np.where(falling[:, None] != 0, -weights.astype(np.int64), weights)
        negated = product_form(input_bits, turned)
        if negated.weight_bits <= form.weight_bits:
            form = negated
    if form.product.takes_numbers:
        return 1 if simd == 1 else len(_cuts(0, _levels(simd))) + 2
    levels = _levels(-(-simd // GROUP))
    cuts = len(_cuts(0, levels)) + (levels > 1)
    return cuts + 1 + (form.popcounts > MAX_UNREGISTERED_POPCOUNTS)


def _levels(terms: int) -> int:
    """Levels of a tree that adds so many terms."""
    return (terms - 1).bit_length()


def _cuts(first: int, levels: int) -> set[int]:
    """Levels of a tree after which there is a register."""
    stages = -(-(levels - first) // ADDERS_A_STAGE)
    return {first + (levels - first) * n // stages for n in range(1, max(stages, 1))}
