"""Data-width converter: the same vectors in beats of another number of lanes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

from lowering.hw.builder import Register, Signal, any_of, mux, pack
from lowering.hw.memories import address_bits
from lowering.hw.stream import BuiltUnit, StreamBuilder, counter
from qdialect.lane_conversion import LaneConversion


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

    @cached_property
    def _conversion(self) -> LaneConversion:
        return LaneConversion(self.elements, self.in_lanes, self.out_lanes)

    @property
    def cycles_per_vector(self) -> int:
        """Cycles between two vectors when the unit is never starved or blocked."""
        return max(self._conversion.in_beats, self._conversion.out_beats)

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a vector's first beat to giving its first one."""
        if self._conversion.is_wire:
            return 0
        return min(-(-self.out_lanes // self.in_lanes), self._conversion.in_beats)

    @property
    def _bases(self) -> list[int]:
        """Every place in the store where an input beat can go."""
        plan = self._conversion
        bases: set[int] = set()
        period = min(plan.in_beats, plan.out_chunks)
        for beat in {*range(period), plan.in_beats - 1}:
            highest = plan.store_chunks - plan.counted_chunks(beat)
            first = beat * plan.in_chunks % plan.out_chunks
            bases.update(range(first, highest + 1, plan.out_chunks))
        return sorted(bases)

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        m = StreamBuilder(
            name,
            self.in_lanes * self.element_bits,
            f"Width converter: vectors of {self.elements} elements, "
            f"from {self.in_lanes} to {self.out_lanes} a beat.",
        )
        plan = self._conversion
        if plan.is_wire:
            data = m.in_data.resize(self.out_lanes * self.element_bits, signed=False)
            return BuiltUnit([m.finish_stream(m.out_ready, data, m.in_valid)], m.images)
        fill_bits = address_bits(plan.store_chunks + 1)
        fill = m.register("fill", fill_bits, reset=(m.rst, 0))
        out_valid = fill.compare("uge", plan.out_chunks).named("out_filled")
        give = (out_valid & m.out_ready).named("give")
        left = mux(give, fill - m.constant(plan.out_chunks, fill_bits), fill)
        left = left.named("left")
        last_beat = self._last_beat(m)
        counted = mux(
            last_beat,
            m.constant(plan.last_chunks, fill_bits),
            m.constant(plan.in_chunks, fill_bits),
        )
        in_ready = mux(
            last_beat,
            left.compare("ule", plan.store_chunks - plan.last_chunks),
            left.compare("ule", plan.store_chunks - plan.in_chunks),
        )
        take = (m.in_valid & in_ready).named("take")
        fill.set_next(mux(take, left + counted, left))
        if isinstance(last_beat, Register):
            beat = counter(m, "beat", plan.in_beats, take)
            following = beat.value.equals(plan.in_beats - 2)
            last_beat.set_next(mux(take, following, last_beat))
        out_data = pack(self._store(m, give, take, left)[: plan.out_chunks])
        return BuiltUnit([m.finish_stream(in_ready, out_data, out_valid)], m.images)

    def _last_beat(self, m: StreamBuilder) -> Signal:
        """Whether the next input beat is a vector's last, where that matters."""
        plan = self._conversion
        if plan.in_beats == 1 or plan.last_chunks == plan.in_chunks:
            return m.constant(1, 1)
        return m.register("last_beat", 1, reset=(m.rst, 0))

    def _store(
        self, m: StreamBuilder, give: Signal, take: Signal, left: Signal
    ) -> list[Signal]:
        """The chunks, lowest first."""
        plan = self._conversion
        width = self.element_bits * gcd(self.in_lanes, self.out_lanes)
        incoming = m.in_data.lanes(width)
        bases = self._bases
        goes_to = {
            base: take & left.equals(base) if len(bases) > 1 else take for base in bases
        }
        # From the top down, since a chunk may move down into one below it.
        chunks: dict[int, Signal] = {}
        for place in reversed(range(plan.store_chunks)):
            loads = [
                (goes_to[base], incoming[place - base])
                for base in bases
                if 0 <= place - base < plan.in_chunks
            ]
            if place + plan.out_chunks in chunks:
                loads.append((give, chunks[place + plan.out_chunks]))
            if not loads:
                continue  # holds padding only
            value = loads[-1][1]
            for condition, chunk in reversed(loads[:-1]):
                value = mux(condition, chunk, value)
            enable = any_of(*(condition for condition, _ in loads))
            chunks[place] = m.registered(value, f"chunk{place}", enable=enable)
        padding = m.constant(0, width)
        return [chunks.get(place, padding) for place in range(plan.store_chunks)]
