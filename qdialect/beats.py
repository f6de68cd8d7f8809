"""When every beat passes every stream: an exact schedule of a function on streams.

Cycles are counted from the one in which the first beat is offered to the function. Each
unit tells, beat by beat, in which cycle it takes one and from which cycle on it offers
one; both follow from the cycles of its neighbours alone, so that no clock needs to tick:
the work is proportional to the beats, not to the cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue

from qdialect import qflow
from qdialect.lane_conversion import LaneConversion
from qdialect.pipelines import (
    Pipeline,
    fifo_capacity,
    fifo_latency,
    stages_of,
)
from qdialect.streams import stream_type
from qdialect.units import units


class DeadlockError(Exception):
    """A function in which some unit waits for ever."""


@dataclass
class Wire:
    """A stream between two units.

    Attributes:
        offers: per beat, the first cycle in which it is valid.
        takes: per beat, the cycle in which it is taken.
    """

    offers: list[int] = field(default_factory=list[int])
    takes: list[int] = field(default_factory=list[int])

    def earliest_take(self, index: int) -> int:
        """The first cycle in which beat `index` could be taken, after all before it."""
        if index == 0:
            return self.offers[0]
        return max(self.offers[index], self.takes[index - 1] + 1)


class _Actor(Protocol):
    """Something that takes and offers beats."""

    def progress(self) -> bool:
        """Work out every beat for which enough is known; whether there was any."""
        ...


@dataclass
class _PipelineActor:
    """A unit that stalls as a whole while a beat that it offers waits.

    Its own clock counts the cycles in which it does not stall; a stall lies between two
    ticks of it. `waiting` holds the tick at which each output beat is offered.
    """

    pipeline: Pipeline
    vectors: int
    source: Wire
    out: Wire
    tick: int = 0
    event: int = 0
    done_vectors: int = 0
    waiting: list[int] = field(default_factory=list[int])
    stalled: int = 0
    passed: int = 0
    offered_stall: int = 0

    def progress(self) -> bool:
        known = len(self.source.takes) + len(self.out.offers)
        while self._step():
            self._offer()
        self._offer()
        return len(self.source.takes) + len(self.out.offers) > known

    def _offer(self) -> None:
        """Offer every beat whose predecessor's fate is known."""
        offers, takes = self.out.offers, self.out.takes
        while (index := len(offers)) < len(self.waiting) and index <= len(takes):
            if index:
                self.offered_stall += takes[index - 1] - offers[index - 1]
            offers.append(self.waiting[index] + self.offered_stall)

    def _step(self) -> bool:
        """Do the next slot that takes or gives, unless something is not yet known."""
        if self.done_vectors == self.vectors:
            return False
        slot, takes, gives = self.pipeline.events[self.event]
        # `tick` is that of slot 0 of this vector, as if no beat had been late since.
        now = self.tick + slot
        if takes:
            index = len(self.source.takes)
            if index == len(self.source.offers):
                return False
            reached = self._reach(now, self.source.offers[index])
            if reached is None:
                return False
            self.source.takes.append(reached + self.stalled)
            self.tick += reached - now
            now = reached
        if gives:
            self.waiting.append(now + self.pipeline.latency)
        self.event += 1
        if self.event == len(self.pipeline.events):
            self.event = 0
            self.tick += self.pipeline.slots
            self.done_vectors += 1
        return True

    def _reach(self, tick: int, cycle: int) -> int | None:
        """The first tick from `tick` on that is not before `cycle`, or None.

        Counts in `stalled` the cycles lost to output beats before that tick; None where
        it is not known yet how long one of them waits.
        """
        while True:
            while self.passed < len(self.waiting) and self.waiting[self.passed] <= tick:
                if self.passed == len(self.out.takes):
                    return None
                offered = self.waiting[self.passed] + self.stalled
                self.stalled += self.out.takes[self.passed] - offered
                self.passed += 1
            if tick + self.stalled >= cycle:
                return tick
            tick = cycle - self.stalled
            if self.passed < len(self.waiting):
                tick = min(tick, self.waiting[self.passed])


@dataclass
class _FifoActor:
    """Storage; it takes a beat while it held fewer than `capacity` a cycle before."""

    capacity: int
    latency: int
    source: Wire
    out: Wire

    def progress(self) -> bool:
        done = False
        while (index := len(self.source.takes)) < len(self.source.offers):
            cycle = self.source.earliest_take(index)
            if index >= self.capacity:
                if index - self.capacity == len(self.out.takes):
                    return done
                cycle = max(cycle, self.out.takes[index - self.capacity] + 1)
            self.source.takes.append(cycle)
            self.out.offers.append(cycle + self.latency)
            done = True
        return done


@dataclass
class _ConverterActor:
    """A width converter; room that a beat leaves is taken in the same cycle."""

    conversion: LaneConversion
    source: Wire
    out: Wire
    place: int = 0
    taken_chunks: int = 0
    offered_chunks: int = 0

    def __post_init__(self) -> None:
        self.out_chunks = self.conversion.out_chunks
        self.store_chunks = self.conversion.store_chunks
        places = range(self.conversion.in_beats)
        self.counted_chunks = [self.conversion.counted_chunks(p) for p in places]

    def progress(self) -> bool:
        # A beat is offered as soon as it is complete: by the take just before.
        done = False
        while self._offer() or self._take():
            done = True
        return done

    def _take(self) -> bool:
        index = len(self.source.takes)
        if index == len(self.source.offers):
            return False
        cycle = self.source.earliest_take(index)
        filled = self.taken_chunks + self.counted_chunks[self.place]
        must_be_gone = -((self.store_chunks - filled) // self.out_chunks)
        if must_be_gone > 0:
            if must_be_gone > len(self.out.takes):
                return False
            cycle = max(cycle, self.out.takes[must_be_gone - 1])
        self.source.takes.append(cycle)
        self.taken_chunks = filled
        self.place = (self.place + 1) % len(self.counted_chunks)
        return True

    def _offer(self) -> bool:
        if self.offered_chunks + self.out_chunks > self.taken_chunks:
            return False
        self.out.offers.append(self.source.takes[-1] + 1)
        self.offered_chunks += self.out_chunks
        return True


@dataclass
class _ForkActor:
    """Offers a beat to every reader, and takes it when the last of them has.

    With one reader it is a wire.
    """

    source: Wire
    outs: Sequence[Wire]

    def progress(self) -> bool:
        done = False
        while (index := len(self.source.takes)) < len(self.source.offers):
            for out in self.outs:
                if len(out.offers) == index:
                    out.offers.append(self.source.earliest_take(index))
                    done = True
            if any(len(out.takes) == index for out in self.outs):
                return done
            self.source.takes.append(max(out.takes[index] for out in self.outs))
            done = True
        return done


@dataclass
class _Sink:
    """The reader of a result, always ready."""

    source: Wire

    def progress(self) -> bool:
        done = False
        while (index := len(self.source.takes)) < len(self.source.offers):
            self.source.takes.append(self.source.earliest_take(index))
            done = True
        return done


@dataclass(frozen=True)
class BeatTimes:
    """The schedule of some frames.

    Attributes:
        frames: their number.
        wires: of each stream.
        outputs: the wires of the results.
    """

    frames: int
    wires: Mapping[SSAValue, Wire]
    outputs: Sequence[Wire]

    def last_beats(self) -> list[int]:
        """For each frame, the cycle in which its last output beat is taken."""
        ends = [
            [wire.takes[i] for i in _frame_ends(wire, self.frames)]
            for wire in self.outputs
        ]
        return [max(cycles) for cycles in zip(*ends, strict=True)]


def _frame_ends(wire: Wire, frames: int) -> range:
    beats = len(wire.takes) // frames
    return range(beats - 1, len(wire.takes), beats)


def beat_times(
    function: FuncOp,
    frames: int,
    *,
    depths: Mapping[Operation, int] | None = None,
    frame_start: Callable[[int], int] | None = None,
) -> BeatTimes:
    """The schedule of `frames` frames from an idle start; the outputs are always taken.

    Args:
        function: a function on streams.
        frames: number of frames.
        depths: depths for some of its FIFOs, instead of their own.
        frame_start: the cycle in which a frame is offered; all at once where not given.

    Raises:
        DeadlockError: some unit waits for ever.
    """
    wires: dict[SSAValue, Wire] = {}
    block = function.body.block
    for argument in block.args:
        beats = stream_type(argument).beats_per_frame
        starts = [frame_start(n) if frame_start else 0 for n in range(frames)]
        wires[argument] = Wire([start for start in starts for _ in range(beats)])
    actors: list[tuple[_Actor, list[Wire]]] = []
    for op in units(function):
        for result in op.results:
            wires[result] = Wire()
        actors += _actors(op, frames, wires, depths or {})
    end = block.last_op
    assert isinstance(end, ReturnOp)
    outputs = [wires[value] for value in end.operands]
    _run(actors + [(_Sink(wire), [wire]) for wire in outputs])
    expected = [frames * stream_type(v).beats_per_frame for v in end.operands]
    if [len(wire.takes) for wire in outputs] != expected:
        raise DeadlockError("the units wait for each other")
    return BeatTimes(frames, wires, outputs)


def _run(actors: Sequence[tuple[_Actor, list[Wire]]]) -> None:
    """Let every actor go on until none can."""
    ends: dict[int, set[int]] = {}
    for number, (_, wires) in enumerate(actors):
        for wire in wires:
            ends.setdefault(id(wire), set()).add(number)
    neighbours = [
        sorted(set[int]().union(*(ends[id(wire)] for wire in wires)) - {number})
        for number, (_, wires) in enumerate(actors)
    ]
    pending = dict.fromkeys(range(len(actors)))
    while pending:
        number = next(iter(pending))
        del pending[number]
        if actors[number][0].progress():
            pending.update(dict.fromkeys(neighbours[number]))


def _actors(
    op: Operation,
    frames: int,
    wires: Mapping[SSAValue, Wire],
    depths: Mapping[Operation, int],
) -> list[tuple[_Actor, list[Wire]]]:
    """The actors of a unit, with the wires that each reads and writes."""
    source = wires[op.operands[0]]
    outs = [wires[result] for result in op.results]
    match op:
        case qflow.FifoOp():
            depth = depths.get(op, op.depth.value.data)
            actor: _Actor = _FifoActor(
                fifo_capacity(depth), fifo_latency(depth), source, outs[0]
            )
            return [(actor, [source, outs[0]])]
        case qflow.ForkOp():
            return [(_ForkActor(source, outs), [source, *outs])]
        case _:
            vectors = frames * stream_type(op.operands[0]).vectors
            return _chain(stages_of(op), vectors, source, outs[0])


def _chain(
    stages: Sequence[Pipeline | LaneConversion], vectors: int, source: Wire, out: Wire
) -> list[tuple[_Actor, list[Wire]]]:
    """The actors of the stages of a unit, one behind the other."""
    between = [Wire() for _ in stages[1:]]
    actors: list[tuple[_Actor, list[Wire]]] = []
    for stage, left, right in zip(
        stages, [source, *between], [*between, out], strict=True
    ):
        match stage:
            case Pipeline():
                actor: _Actor = _PipelineActor(stage, vectors, left, right)
            case LaneConversion() if stage.is_wire:
                actor = _ForkActor(left, [right])
            case LaneConversion():
                actor = _ConverterActor(stage, left, right)
        actors.append((actor, [left, right]))
    return actors
