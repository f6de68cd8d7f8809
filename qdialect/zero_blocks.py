"""Blocks of zeros in a matrix of weights, which a matrix-vector unit need not multiply.

A unit of PE rows and SIMD columns a cycle multiplies a block of PE x SIMD weights in each.
Some columns that lie side by side in the block go *together*: all of them, or as few as
one. Those of each beat of rows that hold a number other than 0 are executed, the first
ones that go together beside the first ones of the others, whatever blocks they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qdialect.data import Array

Counts = npt.NDArray[np.int32]
Reads = npt.NDArray[np.int64]


class SkipSchedule(NamedTuple):
    """What the steps of a pixel read.

    Attributes:
        together: lanes of a slice that come from the same slice of the vector.
        beats: for each beat of rows [steps, C], from which slice each of the C shares of
            lanes comes; SF, one more than there is, where none is left for it.
    """

    together: int
    beats: Sequence[Reads]

    @property
    def steps(self) -> list[int]:
        """Of each beat of rows."""
        return [len(reads) for reads in self.beats]


@dataclass(frozen=True, eq=False)
class ZeroBlocks:
    """Which blocks are zero, at any folding.

    Attributes:
        weights: [G * MH, MW].
        groups: G, the vectors of a pixel; each has MH rows, which begin a beat.
    """

    weights: Array
    groups: int = 1

    def schedule(self, pe: int, simd: int, together: int) -> SkipSchedule:
        """What is read; a step for each beat of rows at least, to begin and end a sum."""
        held = self._held(pe, simd, together)
        beats = [_compact(beat) for beat in held.reshape(-1, *held.shape[2:])]
        return SkipSchedule(together, beats)

    def steps(self, pe: int, simds: Sequence[int]) -> list[int]:
        """Steps of a pixel, for each SIMD; all columns of a block go together."""
        sums = self._by_beats(pe)
        found: list[int] = []
        for simd in simds:
            ends = sums[..., _ends(self._columns, simd)]
            executed = (ends[..., 1:] != ends[..., :-1]).sum(axis=-1)
            found.append(int(np.maximum(executed, 1).sum()))
        return found

    def lane_steps(self, pe: int, simds: Sequence[int]) -> list[int]:
        """Steps of a pixel, for each SIMD; each column goes alone."""
        held = np.diff(self._by_beats(pe), axis=-1) != 0
        held = held.reshape(-1, self._columns)
        found: list[int] = []
        for simd in simds:
            firsts = range(0, self._columns, simd)
            counts = np.zeros((len(held), simd), np.int32)
            for first in firsts:
                part = held[:, first : first + simd]
                counts[:, : part.shape[1]] += part
            found.append(int(np.maximum(counts.max(axis=1), 1).sum()))
        return found

    @property
    def _columns(self) -> int:
        return self.weights.shape[1]

    @cached_property
    def _sums(self) -> Counts:
        """[G, MH + 1, MW + 1]: numbers other than 0 above and to the left."""
        rows, columns = self.weights.shape
        found = self.weights.reshape(self.groups, rows // self.groups, columns) != 0
        sums = found.cumsum(axis=1, dtype=np.int32).cumsum(axis=2, dtype=np.int32)
        return np.pad(sums, ((0, 0), (1, 0), (1, 0)))

    def _by_beats(self, pe: int) -> Counts:
        """[G, NF, MW + 1]: numbers other than 0 to the left in each beat of rows."""
        sums = self._sums
        return np.diff(sums[:, _ends(sums.shape[1] - 1, pe)], axis=1)

    def _held(self, pe: int, simd: int, together: int) -> npt.NDArray[np.bool_]:
        """[G, NF, SF, C]: whether columns that go together hold a number but 0."""
        sums = self._by_beats(pe)
        slices = np.arange(-(-self._columns // simd))[:, None] * simd
        begins = np.arange(0, simd, together)
        ends = np.minimum(begins + together, simd)
        first, behind = (
            sums[..., np.minimum(slices + places, self._columns)]
            for places in (begins, ends)
        )
        return first != behind


def _ends(elements: int, lanes: int) -> npt.NDArray[np.int64]:
    """Where each beat of an axis ends, and 0 before them."""
    beats = -(-elements // lanes)
    return np.minimum(np.arange(beats + 1) * lanes, elements)


def _compact(held: npt.NDArray[np.bool_]) -> Reads:
    """The slices [SF, C] that hold something, moved together; [steps, C]."""
    slices = len(held)
    order = np.argsort(~held, axis=0, kind="stable")
    counts = held.sum(axis=0)
    steps = np.arange(max(1, int(counts.max())))[:, None]
    return np.where(steps < counts, order[: len(steps)], slices)
