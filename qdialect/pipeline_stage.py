"""One stage of a unit that works in fixed slots; see `pipelines` for the units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Pipeline:
    """What a unit does with a vector, or with a whole frame.

    Attributes:
        slots: cycles between two vectors when nothing is waited for.
        takes: the slot in which each input beat is taken.
        gives: the slot from which each output beat follows.
        latency: cycles from such a slot to the cycle in which the beat is offered.
        repeats: how many times it does so in a frame.
        other_takes: for each further operand, the slots of its beats.
        awaits: whether slot 0 waits until the first beat is offered, taken or not.
    """

    slots: int
    takes: Sequence[int]
    gives: Sequence[int]
    latency: int
    repeats: int
    other_takes: Sequence[Sequence[int]] = ()
    awaits: bool = False

    @property
    def cycles(self) -> int:
        """Cycles a frame when nothing is waited for."""
        return self.slots * self.repeats

    @property
    def out_beats_per_frame(self) -> int:
        """Beats that it gives a frame."""
        return len(self.gives) * self.repeats

    @cached_property
    def events(self) -> list[tuple[int, tuple[int, ...], bool]]:
        """The slots in which something happens: the operands taken from; if it gives."""
        taken = [set(slots) for slots in (self.takes, *self.other_takes)]
        gives = set(self.gives)
        return [
            (s, tuple(i for i, slots in enumerate(taken) if s in slots), s in gives)
            for s in sorted(gives.union(*taken))
        ]
