"""Cycles of a function on streams: interval, latency, and the FIFO depths it needs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from qdialect import qflow
from qdialect.beats import DeadlockError, beat_times
from qdialect.lane_conversion import LaneConversion
from qdialect.open_schedule import open_schedule, window_room
from qdialect.pipelines import stages_of
from qdialect.streams import stream_operands, stream_type
from qdialect.units import units

MIN_FIFO_DEPTH = 2
"""Less than this cannot pass a beat a cycle without a path from `ready` to `ready`."""

_SETTLING_FRAMES = 4
_OPEN_FRAMES = 3
_MEASURED_FRAMES = 2
# A depth is accepted after so many times the frames of a trial.
_LONGER = 4
_MAX_DOUBLINGS = 8
# The most beats of schedules that are worked out exactly: of a few, of one, of many.
_MAX_CHECKED_BEATS = 150_000
_MAX_TIMED_BEATS = 500_000
_MAX_TRIED_BEATS = 20_000
# What an open schedule leaves out, in beats: latencies that depend on depths.
_MARGIN = 1


def unit_cycles(op: Operation) -> int:
    """Cycles a frame of one unit when it is never starved or blocked."""
    if isinstance(op, qflow.FifoOp | qflow.ForkOp):
        return stream_type(op.operands[0]).beats_per_frame
    vectors = stream_type(op.operands[0]).vectors
    return max(
        stage.cycles
        if not isinstance(stage, LaneConversion)
        else vectors * max(stage.in_beats, stage.out_beats)
        for stage in stages_of(op)
    )


def _beats(function: FuncOp) -> int:
    """Beats of all streams together a frame."""
    return sum(
        stream_type(result).beats_per_frame
        for op in units(function)
        for result in op.results
    )


def bottleneck_cycles(function: FuncOp) -> int:
    """Cycles a frame of the slowest unit: the least interval that FIFOs can give."""
    edges = [*function.body.block.args]
    return max(
        *(stream_type(value).beats_per_frame for value in edges),
        *(unit_cycles(op) for op in units(function)),
    )


def frame_interval(function: FuncOp) -> int:
    """Cycles between two frames in steady state, as the function stands.

    The input is always there and the output always taken. With FIFOs of `fifo_depths`
    this is the `bottleneck_cycles`, and is taken to be so where the schedule has too many
    beats to work it out. Where frames differ it is their mean, rounded up.

    Raises:
        DeadlockError: some unit waits for ever.
    """
    frames = _LONGER * _frames(function, {})
    if _beats(function) * frames > _MAX_CHECKED_BEATS:
        return bottleneck_cycles(function)
    ends = beat_times(function, frames).last_beats()
    half = frames // 2
    return -(-(ends[-1] - ends[half - 1]) // (frames - half))


class FrameTimes(NamedTuple):
    """Cycles of one frame from idle, to its last output beat.

    A unit that gave its result in the cycle in which it takes its input would have 0.

    Attributes:
        latency: from the cycle in which the frame's first input beat is taken.
        drain: from that of its last one.
    """

    latency: int
    drain: int


def frame_times(function: FuncOp) -> FrameTimes:
    """What a frame takes from idle, its input always there.

    Of a function of many beats the schedule is that of FIFOs of any depth.

    Raises:
        DeadlockError: some unit waits for ever.
    """
    arguments = function.body.block.args
    if _beats(function) <= _MAX_TIMED_BEATS:
        exact = beat_times(function, 1)
        (end,) = exact.last_beats()
        taken = [exact.wires[argument].takes for argument in arguments]
        first = min((takes[0] for takes in taken), default=0)
        last = max((takes[-1] for takes in taken), default=0)
        return FrameTimes(end - first, end - last)
    return _open_times(function)


def _open_times(function: FuncOp) -> FrameTimes:
    """The same with FIFOs of any depth."""
    arguments = function.body.block.args
    schedule = open_schedule(
        function,
        1,
        bottleneck_cycles(function),
        lambda beats: np.zeros(beats, np.int64),
    )
    returned = function.body.block.last_op
    assert returned is not None
    indices = range(len(returned.operands))
    end = max(int(schedule.takes[returned, index][-1]) for index in indices)
    uses = [next(iter(argument.uses)) for argument in arguments]
    taken = [schedule.takes[use.operation, use.index] for use in uses]
    first = min((int(takes[0]) for takes in taken), default=0)
    last = max((int(takes[-1]) for takes in taken), default=0)
    return FrameTimes(end - first, end - last)


def frame_latency(function: FuncOp) -> int:
    """Cycles from a frame's first input beat to its last output beat, from idle."""
    return frame_times(function).latency


def busy(function: FuncOp) -> dict[Operation, float]:
    """For each unit, the share of the interval in which it works on a frame."""
    interval = frame_interval(function)
    return {op: unit_cycles(op) / interval for op in units(function)}


def fifo_depths(function: FuncOp) -> dict[Operation, int]:
    """Depths for the FIFOs of `function` with which its slowest unit never waits.

    First the beats of every frame are offered evenly, a frame in the cycles that the
    slowest unit takes; the most beats that then wait in each FIFO are enough for it. Then
    each FIFO in turn, the largest first, is made as shallow as it can be with the frames
    still passing at that rate and the input always there, which is tried out beat by
    beat, unless the function has too many of them. Where streams join, it stays deep
    enough for an input of any pauses.

    Raises:
        DeadlockError: some unit waits for ever, whatever the depths.
    """
    interval = bottleneck_cycles(function)
    least = _joining_depths(function, interval)
    enough = {
        op: max(depth, least.get(op, 0))
        for op, depth in _paced_depths(function, interval).items()
    }
    beats = _beats(function) * _frames(function, enough)
    if beats > _MAX_CHECKED_BEATS:
        return enough
    for _ in range(_MAX_DOUBLINGS):
        if _keeps_rate(function, interval, enough, times=1):
            break
        enough = _deepened(function, enough)
    else:
        raise DeadlockError(f"no FIFOs let a frame pass every {interval} cycles")
    if beats > _MAX_TRIED_BEATS:
        return enough
    # Should a trial have been too short, longer ones follow.
    for times in (1, _LONGER):
        depths = _shallowest(function, interval, enough, least, times)
        if _keeps_rate(function, interval, depths, times=_LONGER):
            return depths
    return enough


def _deepened(
    function: FuncOp, depths: Mapping[Operation, int]
) -> dict[Operation, int]:
    """Those FIFOs twice as deep that are full at times."""
    schedule = beat_times(function, _frames(function, depths), depths=depths)
    deeper = dict(depths)
    for op in depths:
        wire = schedule.wires[op.operands[0]]
        if any(a > b for a, b in zip(wire.takes, wire.offers, strict=True)):
            deeper[op] *= 2
    return deeper


def _shallowest(
    function: FuncOp,
    interval: int,
    enough: Mapping[Operation, int],
    least: Mapping[Operation, int],
    times: int,
) -> dict[Operation, int]:
    """Each FIFO in turn as shallow as it can be, the largest first."""
    depths = dict(enough)
    bits = {op: stream_type(op.operands[0]).beat_bits for op in depths}
    for op in sorted(depths, key=lambda op: -depths[op] * bits[op]):
        low, high = least.get(op, MIN_FIFO_DEPTH), depths[op]
        while low < high:
            middle = (low + high) // 2
            trial = {**depths, op: middle}
            if _keeps_rate(function, interval, trial, times=times):
                high = middle
            else:
                low = middle + 1
        depths[op] = high
    return depths


def _frames(function: FuncOp, depths: Mapping[Operation, int]) -> int:
    """Frames after which the schedule has settled, some more to measure included."""
    stored = sum(
        depths.get(op, op.depth.value.data) / stream_type(op.input).beats_per_frame
        for op in units(function)
        if isinstance(op, qflow.FifoOp)
    )
    return _SETTLING_FRAMES + _MEASURED_FRAMES + ceil(stored)


def _keeps_rate(
    function: FuncOp, interval: int, depths: Mapping[Operation, int], *, times: int
) -> bool:
    """Whether frames leave every `interval` cycles once the schedule has settled.

    Args:
        function: a function on streams.
        interval: cycles a frame.
        depths: of its FIFOs.
        times: how many times longer than usual to look.
    """
    frames = times * _frames(function, depths)
    try:
        ends = beat_times(function, frames, depths=depths).last_beats()
    except DeadlockError:
        return False
    settled = ends[-times * _MEASURED_FRAMES - 1 :]
    return all(b - a == interval for a, b in pairwise(settled))


def _paced_depths(function: FuncOp, interval: int) -> dict[Operation, int]:
    """The most beats that wait in each FIFO when beats come in evenly."""
    fifos = [op for op in units(function) if isinstance(op, qflow.FifoOp)]
    # Those on their way at once, and as many more as it takes to settle.
    frames = _OPEN_FRAMES + _open_times(function).latency // interval
    schedule = open_schedule(
        function,
        frames,
        interval,
        lambda beats: (
            np.arange(frames)[:, None] * interval + np.arange(beats) * interval // beats
        ).reshape(-1),
    )
    return {op: _depth(op, schedule.waiting(op) + _MARGIN, interval) for op in fifos}


def _joining_depths(function: FuncOp, interval: int) -> dict[Operation, int]:
    """The beats that wait at joining units when every beat comes in alone.

    A pipeline stalls as a whole, also where there is nothing in it but the beat that it
    offers: with pauses in the input it may hold one beat, where it holds many without.
    What a branch has to hold until the other gives its first beat then has no place but
    its FIFO; with less the units would wait for each other.
    """
    fifos: list[qflow.FifoOp] = []
    for op in units(function):
        streams = stream_operands(op)
        for value in streams if len(streams) > 1 else ():
            while isinstance(source := value.owner, qflow.DwcOp):
                value = source.input
            if isinstance(source, qflow.FifoOp):
                fifos.append(source)
    if not fifos:
        return {}
    schedule = open_schedule(
        function,
        _OPEN_FRAMES,
        interval,
        lambda beats: np.arange(_OPEN_FRAMES * beats) * interval,
    )
    return {op: max(MIN_FIFO_DEPTH, schedule.waiting(op) + _MARGIN) for op in fifos}


def _depth(op: qflow.FifoOp, waiting: int, interval: int) -> int:
    """The depth for a FIFO in which so many beats would wait.

    Behind a sliding window that gives taps it is a vector at the most: what more there is
    waits in the unit's store, where a pixel stands once, not once a window. Behind one
    that gives whole windows it is as many as that unit needs room for.
    """
    source = op.input.owner
    while isinstance(source, qflow.DwcOp):
        source = source.input.owner
    if isinstance(source, qflow.SwuOp) and source.is_parallel:
        room = window_room(source, interval)
        waiting = room if room == MIN_FIFO_DEPTH else room + _MARGIN
    elif isinstance(source, qflow.SwuOp):
        waiting = min(waiting, stream_type(op.out).beats + _MARGIN)
    return max(MIN_FIFO_DEPTH, waiting)
