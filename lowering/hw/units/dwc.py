"""Data-width converter: the same vectors in beats of another number of lanes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

from lowering.hw.builder import Register, Signal, any_of, mux, pack
from lowering.hw.memories import address_bits
from lowering.hw.stream import BuiltUnit, StreamBuilder, counter


@dataclass(frozen=True)
class Dwc:
    """Turns beats of `in_lanes` elements into beats of `out_lanes`.

    Any ratio is possible. Padding at the end of a vector is dropped and inserted as the
    lanes need, so a vector of n elements takes max(ceil(n / in_lanes),
    ceil(n / out_lanes)) cycles.

    The unit is a store of *chunks* of gcd(in_lanes, out_lanes) elements, from whose
    bottom the output beat is taken. An input beat goes on top of what will be left; the
    last one of a vector counts for as many chunks as fill up the vector's last output
    beat, so that the next vector starts in a beat of its own.

    Attributes:
        element_bits: width of an element.
        elements: elements of a vector.
        in_lanes: elements of an input beat, at most `elements`.
        out_lanes: elements of an output beat, at most `elements`.
    """

    element_bits: int
    elements: int
    in_lanes: int
    out_lanes: int

    def __post_init__(self) -> None:
        lanes = (self.in_lanes, self.out_lanes)
        if not all(1 <= count <= self.elements for count in lanes):
            raise ValueError(
                f"width converter of {self.elements} elements: lanes must be in "
                f"[1, {self.elements}], got {self.in_lanes} and {self.out_lanes}"
            )

    @property
    def in_beats(self) -> int:
        """Beats of an input vector."""
        return -(-self.elements // self.in_lanes)

    @property
    def out_beats(self) -> int:
        """Beats of an output vector."""
        return -(-self.elements // self.out_lanes)

    @property
    def cycles_per_vector(self) -> int:
        """Cycles between two vectors when the unit is never starved or blocked."""
        return max(self.in_beats, self.out_beats)

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a vector's first beat to giving its first one."""
        if self._is_wire:
            return 0
        return min(-(-self.out_lanes // self.in_lanes), self.in_beats)

    @property
    def _is_wire(self) -> bool:
        return self.in_lanes == self.out_lanes or self.in_beats == self.out_beats == 1

    @property
    def _in_chunks(self) -> int:
        return self.in_lanes // gcd(self.in_lanes, self.out_lanes)

    @property
    def _out_chunks(self) -> int:
        return self.out_lanes // gcd(self.in_lanes, self.out_lanes)

    @property
    def _last_chunks(self) -> int:
        """Chunks for which the last input beat of a vector counts."""
        return self.out_beats * self._out_chunks - (self.in_beats - 1) * self._in_chunks

    def _counted_chunks(self, beat: int) -> int:
        return self._last_chunks if beat == self.in_beats - 1 else self._in_chunks

    @cached_property
    def _store_chunks(self) -> int:
        """The smallest store with which the unit reaches its rate."""
        size = max(self._in_chunks, self._last_chunks, self._out_chunks)
        while not self._reaches_rate(size):
            size += 1
        return size

    def _reaches_rate(self, store_chunks: int) -> bool:
        """Whether, never starved or blocked, it keeps up with `cycles_per_vector`."""
        warm_up, measured = 2, 4
        fill = beat = vectors = begin = 0
        for cycle in range(self.cycles_per_vector * (warm_up + measured + 2)):
            if fill >= self._out_chunks:
                fill -= self._out_chunks
            counted = self._counted_chunks(beat)
            if fill + counted <= store_chunks:
                fill += counted
                beat = (beat + 1) % self.in_beats
                vectors += beat == 0
                if vectors == warm_up and beat == 0:
                    begin = cycle
                if vectors == warm_up + measured:
                    return cycle - begin <= measured * self.cycles_per_vector
        return False

    @property
    def _bases(self) -> list[int]:
        """Every place in the store where an input beat can go."""
        bases: set[int] = set()
        period = min(self.in_beats, self._out_chunks)
        for beat in {*range(period), self.in_beats - 1}:
            highest = self._store_chunks - self._counted_chunks(beat)
            first = beat * self._in_chunks % self._out_chunks
            bases.update(range(first, highest + 1, self._out_chunks))
        return sorted(bases)

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        m = StreamBuilder(
            name,
            self.in_lanes * self.element_bits,
            f"Width converter: vectors of {self.elements} elements, "
            f"from {self.in_lanes} to {self.out_lanes} a beat.",
        )
        if self._is_wire:
            data = m.in_data.resize(self.out_lanes * self.element_bits, signed=False)
            return BuiltUnit([m.finish_stream(m.out_ready, data, m.in_valid)], m.images)
        fill_bits = address_bits(self._store_chunks + 1)
        fill = m.register("fill", fill_bits, reset=(m.rst, 0))
        out_valid = fill.compare("uge", self._out_chunks).named("out_filled")
        give = (out_valid & m.out_ready).named("give")
        left = mux(give, fill - m.constant(self._out_chunks, fill_bits), fill)
        left = left.named("left")
        last_beat = self._last_beat(m)
        counted = mux(
            last_beat,
            m.constant(self._last_chunks, fill_bits),
            m.constant(self._in_chunks, fill_bits),
        )
        in_ready = mux(
            last_beat,
            left.compare("ule", self._store_chunks - self._last_chunks),
            left.compare("ule", self._store_chunks - self._in_chunks),
        )
        take = (m.in_valid & in_ready).named("take")
        fill.set_next(mux(take, left + counted, left))
        if isinstance(last_beat, Register):
            beat = counter(m, "beat", self.in_beats, take)
            following = beat.value.equals(self.in_beats - 2)
            last_beat.set_next(mux(take, following, last_beat))
        out_data = pack(self._store(m, give, take, left)[: self._out_chunks])
        return BuiltUnit([m.finish_stream(in_ready, out_data, out_valid)], m.images)

    def _last_beat(self, m: StreamBuilder) -> Signal:
        """Whether the next input beat is a vector's last, where that matters."""
        if self.in_beats == 1 or self._last_chunks == self._in_chunks:
            return m.constant(1, 1)
        return m.register("last_beat", 1, reset=(m.rst, 0))

    def _store(
        self, m: StreamBuilder, give: Signal, take: Signal, left: Signal
    ) -> list[Signal]:
        """The chunks, lowest first."""
        width = self.element_bits * gcd(self.in_lanes, self.out_lanes)
        incoming = m.in_data.lanes(width)
        bases = self._bases
        goes_to = {
            base: take & left.equals(base) if len(bases) > 1 else take for base in bases
        }
        # From the top down, since a chunk may move down into one below it.
        chunks: dict[int, Signal] = {}
        for place in reversed(range(self._store_chunks)):
            loads = [
                (goes_to[base], incoming[place - base])
                for base in bases
                if 0 <= place - base < self._in_chunks
            ]
            if place + self._out_chunks in chunks:
                loads.append((give, chunks[place + self._out_chunks]))
            if not loads:
                continue  # holds padding only
            value = loads[-1][1]
            for condition, chunk in reversed(loads[:-1]):
                value = mux(condition, chunk, value)
            enable = any_of(*(condition for condition, _ in loads))
            chunks[place] = m.registered(value, f"chunk{place}", enable=enable)
        padding = m.constant(0, width)
        return [chunks.get(place, padding) for place in range(self._store_chunks)]
