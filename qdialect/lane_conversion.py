"""How a width converter stores elements: the chunks, and how many it must hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd


@dataclass(frozen=True)
class LaneConversion:
    """Beats of `in_lanes` elements become beats of `out_lanes`.

    The unit is a store of chunks of gcd(in_lanes, out_lanes) elements. It gives a beat
    while it holds one, and takes a beat if that fits in beside what stays. The last
    input beat of a vector counts for as many chunks as fill up the vector's last output
    beat, so that the next vector starts in a beat of its own.

    Attributes:
        elements: elements of a vector.
        in_lanes: elements of an input beat.
        out_lanes: elements of an output beat.
    """

    elements: int
    in_lanes: int
    out_lanes: int

    @property
    def in_beats(self) -> int:
        """Beats of an input vector."""
        return -(-self.elements // self.in_lanes)

    @property
    def out_beats(self) -> int:
        """Beats of an output vector."""
        return -(-self.elements // self.out_lanes)

    @property
    def is_wire(self) -> bool:
        """Whether every beat passes as it is, and there is no store."""
        return self.in_lanes == self.out_lanes or self.in_beats == self.out_beats == 1

    @property
    def in_chunks(self) -> int:
        """Chunks of an input beat."""
        return self.in_lanes // gcd(self.in_lanes, self.out_lanes)

    @property
    def out_chunks(self) -> int:
        """Chunks of an output beat."""
        return self.out_lanes // gcd(self.in_lanes, self.out_lanes)

    @property
    def last_chunks(self) -> int:
        """Chunks for which the last input beat of a vector counts."""
        return self.out_beats * self.out_chunks - (self.in_beats - 1) * self.in_chunks

    @cached_property
    def store_chunks(self) -> int:
        """The smallest store with which a vector takes max(in_beats, out_beats)."""
        size = max(self.in_chunks, self.last_chunks, self.out_chunks)
        while not self._reaches_rate(size):
            size += 1
        return size

    def counted_chunks(self, beat: int) -> int:
        """Chunks for which an input beat counts; `beat` is its place in the vector."""
        return self.last_chunks if beat == self.in_beats - 1 else self.in_chunks

    def _reaches_rate(self, store_chunks: int) -> bool:
        """Whether a vector takes no longer than it should, once the store is in use."""
        cycles_per_vector = max(self.in_beats, self.out_beats)
        warm_up, measured = 2, 4
        fill = beat = vectors = begin = 0
        # A store that is too small may come to a stop: there is a limit.
        for cycle in range(cycles_per_vector * (warm_up + measured + 2)):
            if fill >= self.out_chunks:
                fill -= self.out_chunks
            counted = self.counted_chunks(beat)
            if fill + counted <= store_chunks:
                fill += counted
                beat = (beat + 1) % self.in_beats
                vectors += beat == 0
                if vectors == warm_up and beat == 0:
                    begin = cycle
                if vectors == warm_up + measured:
                    return cycle - begin <= measured * cycles_per_vector
        return False
