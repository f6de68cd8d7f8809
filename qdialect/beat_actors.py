"""Units as they take and offer beats, one by one; see `beats` for the whole function.

Each actor tells, from the beats of its wires that are known, further ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from qdialect.lane_conversion import LaneConversion
from qdialect.pipeline_stage import Pipeline
from qdialect.pipelines import Store


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


class Actor(Protocol):
    """Something that takes and offers beats."""

    def progress(self) -> bool:
        """Work out every beat for which enough is known; whether there was any."""
        ...


@dataclass
class PipelineActor:
    """A unit that stalls as a whole while a beat that it offers waits.

    Its own clock counts the cycles in which it does not stall; a stall lies between two
    ticks of it. `waiting` holds the tick at which each output beat is offered.
    """

    pipeline: Pipeline
    repeats: int
    sources: Sequence[Wire]
    out: Wire
    tick: int = 0
    event: int = 0
    done_repeats: int = 0
    waiting: list[int] = field(default_factory=list[int])
    stalled: int = 0
    passed: int = 0
    offered_stall: int = 0

    def progress(self) -> bool:
        known = self._known()
        while self._step():
            self._offer()
        self._offer()
        return self._known() > known

    def _known(self) -> int:
        return sum(len(wire.takes) for wire in self.sources) + len(self.out.offers)

    def _offer(self) -> None:
        """Offer every beat whose predecessor's fate is known."""
        offers, takes = self.out.offers, self.out.takes
        while (index := len(offers)) < len(self.waiting) and index <= len(takes):
            if index:
                self.offered_stall += takes[index - 1] - offers[index - 1]
            offers.append(self.waiting[index] + self.offered_stall)

    def _step(self) -> bool:
        """Do the next slot that takes or gives, unless something is not yet known."""
        if self.done_repeats == self.repeats:
            return False
        slot, takes, gives = self.pipeline.events[self.event]
        # `tick` is that of slot 0 of this repeat, as if no beat had been late since.
        now = self.tick + slot
        awaited = (0,) if self.pipeline.awaits and slot == 0 else ()
        if waits := takes or awaited:
            wires = [self.sources[i] for i in waits]
            if any(len(wire.takes) == len(wire.offers) for wire in wires):
                return False
            offered = max(wire.offers[len(wire.takes)] for wire in wires)
            reached = self._reach(now, offered)
            if reached is None:
                return False
            for i in takes:
                self.sources[i].takes.append(reached + self.stalled)
            self.tick += reached - now
            now = reached
        if gives:
            self.waiting.append(now + self.pipeline.latency)
        self.event += 1
        if self.event == len(self.pipeline.events):
            self.event = 0
            self.tick += self.pipeline.slots
            self.done_repeats += 1
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
class FifoActor:
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
class ConverterActor:
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
class StoreActor:
    """A memory between beats that come and windows that leave; see `Store`."""

    store: Store
    frames: int
    source: Wire
    out: Wire
    window: int = 0
    beat: int = 0
    freed: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Beats freed in all, and the cycle from which on."""
    freeing: int = 0
    last_read: int = -1

    def progress(self) -> bool:
        done = False
        while self._write() | self._read():
            done = True
        return done

    def _write(self) -> bool:
        """Write as many beats as can be told."""
        source, freed = self.source, self.freed
        capacity = self.store.capacity * self.store.in_beats
        first = index = len(source.takes)
        while index < len(source.offers):
            cycle = source.earliest_take(index)
            if index >= capacity:
                while self.freeing < len(freed) and (
                    freed[self.freeing][0] + capacity <= index
                ):
                    self.freeing += 1
                if self.freeing == len(freed):
                    break
                cycle = max(cycle, freed[self.freeing][1])
            source.takes.append(cycle)
            index += 1
        return index > first

    def _read(self) -> bool:
        """Read the rest of a window, as far as can be told."""
        store, out = self.store, self.out
        frame, window = divmod(self.window, len(store.reads.needs))
        if frame == self.frames:
            return False
        cycle = self.last_read + 1
        before = frame * store.reads.pixels
        if self.beat == 0 and (need := store.reads.needs[window]):
            index = (before + need) * store.in_beats - 1
            if index >= len(self.source.takes):
                return False
            cycle = max(cycle, self.source.takes[index] + 1)
        index = len(out.offers)
        if index:
            # The beat before stands where this one goes.
            if index > len(out.takes):
                return False
            cycle = max(cycle, out.takes[index - 1])
        self.last_read = cycle
        out.offers.append(cycle + 1)
        self.beat += 1
        if self.beat == store.out_beats:
            self.beat = 0
            self.window += 1
            freed = (before + store.reads.frees[window]) * store.in_beats
            self.freed.append((freed, cycle + 1))
        return True


@dataclass
class ForkActor:
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
class Sink:
    """The reader of a result, always ready."""

    source: Wire

    def progress(self) -> bool:
        done = False
        while (index := len(self.source.takes)) < len(self.source.offers):
            self.source.takes.append(self.source.earliest_take(index))
            done = True
        return done
