"""A schedule of whole frames with FIFOs of any depth, for functions of many beats.

Nothing ever waits for room, so each unit's times follow from those of its inputs at once,
by a few operations on whole arrays. One thing is kept back: a sliding window reads a
window no sooner than its reader can be done with the one before, as it would were what is
between them finite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue

from qdialect import qflow
from qdialect.lane_conversion import LaneConversion
from qdialect.pipeline_stage import Pipeline
from qdialect.pipelines import Store, pixel_slots, stages_of
from qdialect.streams import stream_operands, stream_type
from qdialect.units import units

Times = npt.NDArray[np.int64]

_FIFO_LATENCY = 2
# Frames after which a unit that is always fed has settled.
_ROOM_FRAMES = 3


@dataclass(frozen=True)
class OpenSchedule:
    """The cycles in which beats pass.

    Attributes:
        offers: of each stream, when its beats are offered.
        takes: of each operand of each unit, by its index, when its beats are taken.
    """

    offers: Mapping[SSAValue, Times]
    takes: Mapping[tuple[Operation, int], Times]

    def waiting(self, fifo: qflow.FifoOp) -> int:
        """The most beats that a FIFO holds at once, those just passing included.

        A beat in front of a converter stays until the reader of that takes its elements.
        """
        arrivals = self.takes[fifo, 0]
        departures = self._departures(fifo.out)
        gone = np.searchsorted(departures, arrivals, side="left")
        return int((np.arange(1, len(arrivals) + 1) - gone).max())

    def _departures(self, stream: SSAValue) -> Times:
        """When each beat of a stream has left for good."""
        reader = next(iter(stream.uses))
        takes = self.takes[reader.operation, reader.index]
        if not isinstance(op := reader.operation, qflow.DwcOp):
            return takes
        stage = _conversion_of(op)
        vectors = len(takes) // stage.in_beats
        first = np.minimum(_begun(stage, vectors), vectors * stage.out_beats - 1)
        return np.maximum.accumulate(np.maximum(takes, self._departures(op.out)[first]))


def open_schedule(
    function: FuncOp, frames: int, interval: int, offered: Callable[[int], Times]
) -> OpenSchedule:
    """The schedule of some frames; the outputs are always taken.

    Args:
        function: a function on streams.
        frames: number of frames.
        interval: cycles a frame that the function is meant for.
        offered: from the number of its beats a frame, when those of an argument are
            offered.
    """
    offers, takes = dict[SSAValue, Times](), dict[tuple[Operation, int], Times]()
    schedule = OpenSchedule(offers, takes)
    for argument in function.body.block.args:
        offers[argument] = offered(stream_type(argument).beats_per_frame)
    for op in units(function):
        arrivals = [offers[value] for value in stream_operands(op)]
        taken, given = _unit(op, frames, interval, arrivals)
        for index, times in enumerate(taken):
            takes[op, index] = times
        for result in op.results:
            offers[result] = given
    end = function.body.block.last_op
    assert isinstance(end, ReturnOp)
    for index, value in enumerate(end.operands):
        takes[end, index] = _in_turn(offers[value])
    return schedule


def _in_turn(earliest: Times) -> Times:
    """The cycles of events of which at most one happens a cycle, in order."""
    steps = np.arange(len(earliest))
    return np.maximum.accumulate(earliest - steps) + steps


def _unit(
    op: Operation, frames: int, interval: int, sources: Sequence[Times]
) -> tuple[Sequence[Times], Times]:
    """When a unit takes the beats of its sources, and offers its own."""
    match op:
        case qflow.FifoOp() | qflow.ForkOp():
            takes = _in_turn(sources[0])
            latency = _FIFO_LATENCY if isinstance(op, qflow.FifoOp) else 0
            return [takes], takes + latency
        case _:
            pass
    first: Sequence[Times] | None = None
    current = sources
    for stage in stages_of(op):
        match stage:
            case Pipeline():
                reader = None
                if isinstance(op, qflow.SwuOp):
                    reader = _Reader(_reader_slots(op), window_room(op, interval))
                taken, given = _pipeline(stage, frames, current, reader)
            case LaneConversion():
                vectors = frames * stream_type(op.operands[0]).vectors
                taken, given = _conversion(stage, vectors, current[0])
            case Store():
                taken, given = _store(stage, frames, current[0], _reader_slots(op))
        first = first or taken
        current = [given]
    assert first is not None
    return first, current[0]


@dataclass(frozen=True)
class _Reader:
    """What reads whole windows.

    Attributes:
        slots: cycles that it takes for one.
        room: how many wait in front of it.
    """

    slots: int
    room: int


def _pipeline(
    stage: Pipeline, frames: int, sources: Sequence[Times], reader: _Reader | None
) -> tuple[Sequence[Times], Times]:
    repeats = frames * stage.repeats
    places, gives = _events(stage, repeats)
    arrivals = np.zeros(len(places), np.int64)
    taking: list[npt.NDArray[np.intp]] = []
    for index, times in enumerate(sources):
        chosen = np.array([index in takes for _, takes, _ in stage.events])
        taking.append(np.flatnonzero(np.tile(chosen, repeats)))
        arrivals[taking[-1]] = np.maximum(arrivals[taking[-1]], times)
    if reader is None or reader.slots == 1:
        cycles = np.maximum.accumulate(arrivals - places) + places
    else:
        cycles, _ = _blocked(arrivals, places, gives, reader)
    given = cycles[np.flatnonzero(gives)] + stage.latency
    return [cycles[events] for events in taking], given


def _events(stage: Pipeline, repeats: int) -> tuple[Times, npt.NDArray[np.bool_]]:
    """The slot of every event, counted from the first repeat on, and if it gives."""
    slots = np.array([slot for slot, _, _ in stage.events])
    places = (np.arange(repeats)[:, None] * stage.slots + slots).reshape(-1)
    return places, np.tile(np.array([given for _, _, given in stage.events]), repeats)


def _blocked(
    arrivals: Times, places: Times, gives: npt.NDArray[np.bool_], reader: _Reader
) -> tuple[Times, list[int]]:
    """The cycles of events, and when the reader begins with each beat that they give.

    All events wait while a beat that was given finds no room in front of the reader.
    """
    cycles: list[int] = []
    begins: list[int] = []
    cycle = before = room_from = begun = 0
    for arrival, place, given in zip(
        arrivals.tolist(), places.tolist(), gives.tolist(), strict=True
    ):
        cycle = max(arrival, cycle + place - before, room_from)
        before = place
        cycles.append(cycle)
        if given:
            if len(begins) >= reader.room:
                room_from = begins[len(begins) - reader.room]
            begun = max(begun + reader.slots, cycle + _FIFO_LATENCY)
            begins.append(begun)
    return np.array(cycles), begins


def window_room(op: qflow.SwuOp, interval: int) -> int:
    """Windows that must find room in front of their reader, for frames each `interval`.

    A unit that gives whole windows gives none while it takes the first rows of a frame,
    and takes no row while a window waits.
    """
    (stage,) = stages_of(op)
    slots = _reader_slots(op)
    if not isinstance(stage, Pipeline) or slots == 1:
        return 2
    places, gives = _events(stage, _ROOM_FRAMES * stage.repeats)
    windows = len(stage.gives)
    aim = max(interval, stage.slots, windows * slots)
    room = 2
    while room < windows:
        reader = _Reader(slots, room)
        _, begins = _blocked(np.zeros(len(places), np.int64), places, gives, reader)
        if begins[-1] - begins[-1 - windows] <= aim:
            break
        room += 1
    return room


def _conversion(
    stage: LaneConversion, vectors: int, source: Times
) -> tuple[Sequence[Times], Times]:
    if stage.is_wire:
        takes = _in_turn(source)
        return [takes], takes
    # A beat is taken when those that the ones before it fill have been given.
    begun = np.maximum(_begun(stage, vectors), np.arange(len(source)))
    takes = np.maximum.accumulate(source - begun) + begun
    complete = np.arange(1, vectors * stage.out_beats + 1) * stage.out_chunks
    completed_by = np.searchsorted(_filled(stage, vectors), complete, side="left")
    return [takes], _in_turn(takes[completed_by] + 1)


def _conversion_of(op: qflow.DwcOp) -> LaneConversion:
    (stage,) = stages_of(op)
    assert isinstance(stage, LaneConversion)
    return stage


def _filled(stage: LaneConversion, vectors: int) -> Times:
    """Chunks that have come in all with each input beat."""
    counted = [stage.counted_chunks(place) for place in range(stage.in_beats)]
    return np.cumsum(np.tile(np.array(counted, np.int64), vectors))


def _begun(stage: LaneConversion, vectors: int) -> Times:
    """The output beat that holds the first element of each input beat."""
    if stage.is_wire:
        return np.arange(vectors * stage.in_beats)
    before = np.concatenate([[0], _filled(stage, vectors)[:-1]])
    return before // stage.out_chunks


def _reader_slots(op: Operation) -> int:
    """Cycles a vector of the unit that reads a sliding window; 1 where none does."""
    reader: Operation = op
    while isinstance(reader, qflow.SwuOp | qflow.DwcOp | qflow.FifoOp):
        reader = next(iter(reader.results[0].uses)).operation
    if isinstance(op, qflow.SwuOp) and isinstance(reader, qflow.MvuOp):
        return pixel_slots(reader)
    return 1


def _store(
    stage: Store, frames: int, source: Times, reader_slots: int
) -> tuple[Sequence[Times], Times]:
    reads, beats = stage.reads, stage.out_beats
    before = np.arange(frames)[:, None] * reads.pixels
    needs = ((np.array(reads.needs) + before) * stage.in_beats).reshape(-1)
    frees = ((np.array(reads.frees) + before) * stage.in_beats).reshape(-1)
    needing = np.tile(np.array(reads.needs) > 0, frames)
    capacity = stage.capacity * stage.in_beats
    limited = np.arange(min(capacity, len(source)), len(source))
    freeing = np.searchsorted(frees, limited - capacity, side="right")
    places = np.arange(len(needs)) * max(beats, reader_slots)
    takes = _in_turn(source)
    while True:
        ready = np.zeros(len(needs), np.int64)
        ready[needing] = takes[needs[needing] - 1] + 1
        starts = np.maximum.accumulate(ready - places) + places
        earliest = source.copy()
        room = starts[freeing] + beats
        earliest[limited] = np.maximum(earliest[limited], room)
        # What is written later is read later: the times only grow, to where they fit.
        later = _in_turn(earliest)
        if np.array_equal(later, takes):
            given = (starts[:, None] + np.arange(1, beats + 1)).reshape(-1)
            return [takes], given
        takes = later
