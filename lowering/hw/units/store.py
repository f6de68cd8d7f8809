"""A memory that beats are written to in order, and from which windows are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import Signal, all_of, any_of, concat, mux
from lowering.hw.memories import Ram, address_bits, fits_lut
from lowering.hw.stream import BuiltUnit, Counter, StreamBuilder, between, counter
from qdialect.memory_costs import ram_cost
from qdialect.pipelines import Store

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Loop:
    """A loop of the order in which words are read.

    Attributes:
        count: of its rounds.
        step: words from where one round begins to where the next does.
    """

    count: int
    step: int


@dataclass(frozen=True)
class ReadOrder:
    """The words that are read in a frame, as nested loops.

    Attributes:
        window: the loops within a window, innermost first.
        windows: the loops of windows, innermost first.
        start: the first word, counted from the first that is written in the frame; words
            before that or behind the last are read, but not used.
    """

    window: tuple[Loop, ...]
    windows: tuple[Loop, ...]
    start: int = 0

    @property
    def loops(self) -> tuple[Loop, ...]:
        """All loops, innermost first."""
        return (*self.window, *self.windows)

    def steps(self, frame_words: int) -> list[int]:
        """For each loop, words from the last read of a round to the first of the next.

        One more for the last read of a frame and the first of the next.
        """
        found: list[int] = []
        passed = 0
        for loop in (*self.loops, Loop(1, frame_words)):
            found.append(loop.step - passed)
            passed += (loop.count - 1) * loop.step
        return found


@dataclass(frozen=True)
class StoreUnit:
    """A unit that gives the words of a store in some order.

    Attributes:
        store: its size and timing.
        order: of the words.
        word_bits: width of a beat.
        comment: what a reader of the module is told.
    """

    store: Store
    order: ReadOrder
    word_bits: int
    comment: str

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        m = StreamBuilder(name, self.word_bits, self.comment)
        writer = StoreWriter(m, self.store, self.order)
        return BuiltUnit([writer.finish(m.constant(1, 1))], m.images)


class StoreWriter:
    """Writes a unit that follows `pipelines.Store`.

    Two counters keep the sides apart: `lead` is how many more words are written than the
    window needs, and the window is read while it is not negative; `overfill` is how many
    are stored beyond the capacity, and words are written while it is negative. A window's
    last read changes both by a constant, which depends on the border that it is at.

    Attributes:
        m: the unit.
        read: whether a word is read.
        counters: of the loops of the order.
    """

    def __init__(self, m: StreamBuilder, store: Store, order: ReadOrder) -> None:
        self.m, self.store, self.order = m, store, order
        reset = (m.rst, 0)
        words = store.in_beats
        needs = words * np.array(store.reads.needs, np.int64)
        frees = words * np.array(store.reads.frees, np.int64)
        frame, capacity = words * store.reads.pixels, words * store.capacity
        freed = np.concatenate([[0], frees[:-1]])
        needed = np.concatenate([needs[1:], [frame + needs[0]]])
        low = -int(max(needs[0], (needed - needs).max()))
        high = capacity + max(0, int((freed - needs).max()))
        lead = _Level(m, "lead", -int(needs[0]), low, high)
        low = -capacity + min(0, int((needs - frees).min()))
        overfill = _Level(m, "overfill", -capacity, low, 0)
        self._out_valid = m.register("out_valid", 1, reset=reset)
        free = ~self._out_valid | m.out_ready
        self.read = (~lead.negative & free).named("read")
        self._write = (m.in_valid & overfill.negative).named("write")
        self._in_ready = overfill.negative
        self._out_valid.set_next(~lead.negative | ~free)
        self.counters = self._count()
        ends = all_of(self.read, *self._lasts[: len(order.window)]).named("window_ends")
        windows = self.counters[len(order.window) :]
        shape = [loop.count for loop in order.windows[::-1]]
        places = [c.value for c in windows[::-1]]
        for level, change in ((lead, needs - needed), (overfill, freed - frees)):
            amount = selected(m, change.reshape(shape), places, level.width)
            level.count(self._write, amount & ends.replicate(level.width))

    def _count(self) -> list[Counter]:
        """A counter for each loop."""
        found: list[Counter] = []
        self._lasts: list[Signal] = []
        enable = self.read
        for i, loop in enumerate(self.order.loops):
            found.append(counter(self.m, f"loop{i}", loop.count, enable))
            self._lasts.append(found[-1].last)
            enable = enable & found[-1].last
        return found

    def finish(self, inside: Signal) -> HWModuleOp:
        """The module; where `inside` is 0, zeros leave instead of what is read."""
        m, width = self.m, self.m.in_data.width
        depth = memory_words(self.store.capacity * self.store.in_beats, width)
        if depth == 1:
            word: Signal = m.registered(m.in_data, "word", enable=self._write)
        else:
            memory = Ram.create(m, "memory", depth, width)
            place = counter(m, "write_address", depth, self._write)
            memory.write(self._write, place.value, m.in_data)
            word = memory.read(self._read_address(depth))
        blank = None if inside.constant_value == 1 else (self.read & ~inside, 0)
        data = m.registered(word, "out_data", enable=self.read, reset=blank)
        return m.finish_stream(self._in_ready, data, self._out_valid)

    def _read_address(self, depth: int) -> Signal:
        m, bits = self.m, address_bits(depth)
        steps = self.order.steps(self.store.in_beats * self.store.reads.pixels)
        steps = [step % depth for step in steps]
        start = self.order.start % depth
        address = m.register(
            "read_address", bits, enable=self.read, reset=(m.rst, start)
        )
        following = address + self._step(steps, bits)
        if depth != 1 << bits:
            # What is beyond the end goes on at the beginning.
            back = self._step([step - depth for step in steps], bits + 1)
            beyond = address.zero_extend(bits + 1) + back
            following = mux(beyond.bit(-1), following, beyond.bits(0, bits))
        address.set_next(following)
        return address

    def _step(self, steps: Sequence[int], bits: int) -> Signal:
        """The step after this read: that of the innermost loop that goes on."""
        m = self.m
        step = m.constant(steps[-1], bits)
        for number, last in reversed(list(zip(steps[:-1], self._lasts, strict=True))):
            step = mux(last, step, m.constant(number, bits))
        return step


def memory_words(words: int, word_bits: int) -> int:
    """Words of a memory that holds so many: a power of two where it costs no more.

    Its addresses then need no other way back to the beginning.
    """
    bits = address_bits(words)
    rounded = 1 << bits
    if words == 1 or fits_lut(words, word_bits) != fits_lut(rounded, word_bits):
        return words
    more = ram_cost(rounded, word_bits).weight - ram_cost(words, word_bits).weight
    return rounded if more <= 2 * bits else words


class _Level:
    """A counter of words that are written and of those that a window is done with."""

    def __init__(
        self, m: StreamBuilder, name: str, start: int, low: int, high: int
    ) -> None:
        self.width = max(-low - 1, high).bit_length() + 1
        self._value = m.register(name, self.width, reset=(m.rst, start))

    @property
    def negative(self) -> Signal:
        """Whether it is below 0."""
        return self._value.bit(-1)

    def count(self, up: Signal, change: Signal) -> None:
        """Add one bit and a number at each edge."""
        # One adder, with `up` as the carry into it.
        one = self._value.builder.constant(1, 1)
        total = concat(self._value, one) + concat(change, up)
        self._value.set_next(total.bits(1, self.width))


def selected(
    m: StreamBuilder, table: Ints, places: Sequence[Signal], bits: int
) -> Signal:
    """The entry of a table at these places, in which most of its slices are equal.

    Args:
        m: the unit.
        table: with an axis for each place.
        places: counters.
        bits: width of an entry.
    """
    if not places or (table == table.flat[0]).all():
        return m.constant(int(table.flat[0]), bits)
    place, inner = places[0], places[1:]
    slices, kinds, counts = np.unique(
        table.reshape(len(table), -1), axis=0, return_inverse=True, return_counts=True
    )
    usual = int(counts.argmax())
    shape = table.shape[1:]
    found = selected(m, slices[usual].reshape(shape), inner, bits)
    for kind in range(len(slices)):
        if kind != usual:
            where = _is_one_of(place, np.flatnonzero(kinds.reshape(-1) == kind))
            other = selected(m, slices[kind].reshape(shape), inner, bits)
            found = mux(where, other, found)
    return found


def _is_one_of(place: Signal, values: npt.NDArray[np.intp]) -> Signal:
    """Whether a counter stands at one of some values, in rising order."""
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return any_of(*(between(place, int(run[0]), int(run[-1])) for run in runs))
