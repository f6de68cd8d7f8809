"""How each unit works through a vector: the specification of the hardware's timing.

A unit is a pipeline. In each cycle (*slot*) of a vector it may take an input beat, and
what it computes there may be an output beat, which it offers `latency` cycles later. It
waits in a slot whose beat is not there yet; it stands still as a whole while a beat that
it offers is not taken. The hardware units are tested against these figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from xdsl.ir import Operation

from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.lane_conversion import LaneConversion
from qdialect.streams import StreamType, stream_type
from qdialect.types import (
    element_of,
    integer_type_for,
    shape_of,
    value_range,
    width_bits,
)

ADDERS_A_STAGE = 4
"""Most adders in a row between two registers of a tree."""

MAX_BIT_PRODUCTS = 25
"""Most bits of input times bits of weight of a product made of popcounts.

Larger ones are multiplied, since devices have multipliers for them. In LUTs alone
popcounts take fewer: 4.3 k against 4.8 k for 128 products of 4x4 bits, 2.8 k against
3.2 k for 16 of 6x6 (xc7)."""

GROUP = 7
"""Products that one adder of a popcount's first level counts."""

MAX_UNREGISTERED_POPCOUNTS = 2
"""With more popcounts than these, their sum is registered before it is accumulated."""

MAX_DIRECT_WORDS = 64
"""Thresholds in a memory of more words than these are read through a register."""


@dataclass(frozen=True)
class Pipeline:
    """What a unit does with a vector.

    Attributes:
        slots: cycles between two vectors when nothing is waited for.
        takes: the slot in which each input beat is taken.
        gives: the slot from which each output beat follows.
        latency: cycles from such a slot to the cycle in which the beat is offered.
    """

    slots: int
    takes: Sequence[int]
    gives: Sequence[int]
    latency: int

    @cached_property
    def events(self) -> list[tuple[int, bool, bool]]:
        """The slots in which something happens, and whether it takes and gives."""
        takes, gives = set(self.takes), set(self.gives)
        return [(s, s in takes, s in gives) for s in sorted(takes | gives)]


def stages_of(op: Operation) -> list[Pipeline | LaneConversion]:
    """How a unit works, stage by stage; not for FIFOs and forks.

    Raises:
        TypeError: `op` is no such unit.
    """
    source, out = stream_type(op.operands[0]), stream_type(op.results[0])
    match op:
        case qflow.MvuOp():
            fold = op.synapse_fold
            ends = range(fold - 1, fold * op.neuron_fold, fold)
            slots = fold * op.neuron_fold
            return [Pipeline(slots, range(fold), ends, _mvu_latency(op))]
        case qflow.ThresholdOp():
            steps = _search_steps(shape_of(op.thresholds)[1])
            return [_beat_by_beat(source, _search_latency(range(steps), out.beats))]
        case qflow.LookupOp():
            return [_beat_by_beat(source, 2)]
        case qflow.TopKOp():
            return _top_k_stages(source, out.elements)
        case qflow.DwcOp():
            return [LaneConversion(source.elements, source.lanes, out.lanes)]
        case _:
            raise TypeError(f"the timing of {op.name} is not known")


def _top_k_stages(source: StreamType, k: int) -> list[Pipeline | LaneConversion]:
    """A pick for each index, behind each other; then all k of them one by one."""
    pick = _levels(source.lanes) + 1
    beats = range(source.beats)
    picks = Pipeline(source.beats, beats, beats[-1:], k * pick)
    return [picks] if k == 1 else [picks, LaneConversion(k, k, 1)]


def _beat_by_beat(stream: StreamType, latency: int) -> Pipeline:
    beats = range(stream.beats)
    return Pipeline(stream.beats, beats, beats, latency)


def fifo_capacity(depth: int) -> int:
    """Beats that a FIFO of some depth holds: two registers are the least."""
    return max(2, depth)


def fifo_latency(depth: int) -> int:
    """Cycles from taking a beat to offering it; a memory has an output register."""
    return 1 if fifo_capacity(depth) == 2 else 2


def _mvu_latency(op: qflow.MvuOp) -> int:
    """Input register, products, accumulator; replay buffer and thresholds if any."""
    replayed = op.synapse_fold > 1 and op.neuron_fold > 1
    latency = 1 + replayed + _dot_latency(op) + 1
    if op.thresholds is None:
        return latency
    steps = _search_steps(shape_of(op.thresholds)[1])
    return latency + _search_latency(range(1, steps), op.neuron_fold)


def _search_steps(thresholds: int) -> int:
    return max(1, thresholds.bit_length())


def _search_latency(steps: range, rows: int) -> int:
    """A binary search, a comparison a stage; deep threshold memories take one more."""
    return sum(1 + (rows << step > MAX_DIRECT_WORDS) for step in steps)


def _dot_latency(op: qflow.MvuOp) -> int:
    """From activations and weights to the number that is accumulated."""
    weights = constant_array(op.weights)
    if weights is None:
        weights = np.array(value_range(element_of(op.weights)))
    falling = None if op.falling is None else constant_array(op.falling)
    input_bits = stream_type(op.input).element_bits
    popcounts = _popcounts(input_bits, weights)
    if falling is not None and op.thresholds is not None:
        turned = np.where(falling[:, None] != 0, -weights.astype(np.int64), weights)
        if _stored_bits(input_bits, turned) <= _stored_bits(input_bits, weights):
            popcounts = _popcounts(input_bits, turned)
    if popcounts is None:
        return 1 if op.simd == 1 else len(_cuts(0, _levels(op.simd))) + 2
    levels = _levels(-(-op.simd // GROUP))
    cuts = len(_cuts(0, levels)) + (levels > 1)
    return cuts + 1 + (popcounts > MAX_UNREGISTERED_POPCOUNTS)


def _number_bits(weights: Array) -> int:
    low, high = int(weights.min()), int(weights.max())
    return width_bits(integer_type_for(low, high))


def _is_sign(weights: Array) -> bool:
    return int(weights.min()) == -1 and int(weights.max()) <= 1


def _stored_bits(input_bits: int, weights: Array) -> int:
    """Bits of a weight in the unit's memory."""
    if _is_sign(weights):
        return 2 if bool((weights == 0).any()) else 1
    return _number_bits(weights)


def _popcounts(input_bits: int, weights: Array) -> int | None:
    """Popcounts that a product takes, or None where it is multiplied."""
    if _is_sign(weights):
        return input_bits
    bit_products = input_bits * _number_bits(weights)
    return bit_products if bit_products <= MAX_BIT_PRODUCTS else None


def _levels(terms: int) -> int:
    """Levels of a tree that adds so many terms."""
    return (terms - 1).bit_length()


def _cuts(first: int, levels: int) -> set[int]:
    """Levels of a tree after which there is a register."""
    stages = -(-(levels - first) // ADDERS_A_STAGE)
    return {first + (levels - first) * n // stages for n in range(1, max(stages, 1))}
