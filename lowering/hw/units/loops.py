"""Counters of nested loops: where in a map the present slot of a unit lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lowering.hw.builder import Signal, all_of, mux
from lowering.hw.memories import address_bits
from lowering.hw.stream import Counter, StreamBuilder, counter
from qdialect.map_timing import Span, merged


def position(
    m: StreamBuilder,
    name: str,
    extent: int,
    move: Signal,
    *,
    start: int = 0,
    restart: Signal | None = None,
) -> Counter:
    """Counts `start`, start + 1, ... extent - 1, 0, ... at clock edges with `move`.

    Args:
        m: the unit.
        name: of the register.
        extent: places of the axis.
        move: one bit.
        start: the place after reset.
        restart: one bit, never without `move`: the next place is `start` again.
    """
    if extent == 1 or (start == 0 and restart is None):
        return counter(m, name, extent, move)
    width = address_bits(extent)
    value = m.register(name, width, enable=move, reset=(m.rst, start))
    last = value.equals(extent - 1).named(f"{name}_last")
    following = value + m.constant(1, width)
    if extent != 1 << width:
        following = mux(last, m.constant(0, width), following)
    if restart is not None:
        following = mux(restart, m.constant(start, width), following)
    value.set_next(following)
    return Counter(value, last)


def lies_in(
    m: StreamBuilder,
    name: str,
    place: Counter,
    span: Span,
    move: Signal,
    *,
    start: int = 0,
    restart: Signal | None = None,
) -> Signal:
    """Whether a position lies in a span of its axis.

    Args:
        m: the unit.
        name: of the position.
        place: the position, as made by `position` with the same arguments.
        span: the places that are meant.
        move: one bit.
        start: the place after reset.
        restart: one bit, never without `move`: the next place is `start` again.
    """
    if span.is_whole:
        return m.constant(1, 1)
    first, final = span.places[0], span.places[-1]
    if first == final:
        return place.value.equals(first)
    conditions = [m.constant(1, 1)]
    if first > 0:
        conditions.append(place.value.compare("uge", first))
    if final + span.step < span.extent or (span.step == 1 and final + 1 < span.extent):
        conditions.append(place.value.compare("ule", final))
    if span.step > 1:
        conditions.append(_in_phase(m, name, place, span, move, start, restart))
    return _all(conditions)


def _in_phase(
    m: StreamBuilder,
    name: str,
    place: Counter,
    span: Span,
    move: Signal,
    start: int,
    restart: Signal | None,
) -> Signal:
    """Whether a position is a multiple of the span's step away from its first place."""
    step = span.step
    bits = address_bits(step)
    if step == 1 << bits:
        return place.value.bits(0, bits).equals(span.first % step)
    begins = -span.first % step
    starts = (start - span.first) % step
    phase = m.register(f"{name}_phase", bits, enable=move, reset=(m.rst, starts))
    ends = phase.equals(step - 1)
    following = mux(ends, m.constant(0, bits), phase + m.constant(1, bits))
    following = mux(place.last, m.constant(begins, bits), following)
    if restart is not None:
        following = mux(restart, m.constant(starts, bits), following)
    phase.set_next(following)
    return phase.equals(0)


def _all(conditions: Sequence[Signal]) -> Signal:
    """The and of one-bit conditions, constant ones left out."""
    open_ = [c for c in conditions if c.constant_value != 1]
    return all_of(*open_) if open_ else conditions[0]


class Nest(NamedTuple):
    """Loops inside each other, an axis each.

    Attributes:
        inside: whether the present slot lies in the span of every axis.
        lasts: for each axis whether it is at its last place.
    """

    inside: Signal
    lasts: list[Signal]

    @property
    def last(self) -> Signal:
        """Whether it is the last slot of all."""
        return all_of(*self.lasts)


def loop_nest(m: StreamBuilder, spans: Sequence[Span], step: Signal) -> Nest:
    """Counters of nested loops over all places of some axes.

    Args:
        m: the unit.
        spans: places along each axis, outermost first.
        step: one bit: the slot ends.
    """
    conditions = [m.constant(1, 1)]
    lasts: list[Signal] = []
    for number, span in reversed(list(enumerate(merged(spans)))):
        name = f"place{number}"
        place = position(m, name, span.extent, step)
        conditions.append(lies_in(m, name, place, span, step))
        lasts.append(place.last)
        step = (step & place.last).named(f"{name}_done") if number else step
    return Nest(_all(conditions), lasts)
