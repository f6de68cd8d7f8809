"""Small whole factors with which a weighted sum reaches the same thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from math import prod

import numpy as np
import numpy.typing as npt

from passes.simple_ratios import simple_ratios

Integers = npt.NDArray[np.int64]

# Thresholds times the combinations of all operands but the widest, in memory at once.
_MAX_EDGES = 1 << 24
# Of which this many are looked at in one go.
_CHUNK = 1 << 20
# Two operands of 8 bits never need factors above 2**9: no two of their pairs tell
# finer ratios apart.
_MAX_FACTOR = 1 << 16
_MAX_ROUNDS = 256
_MAX_SUM = 1 << 62


@dataclass(frozen=True)
class WeightedSum:
    """A weighted sum of integers, and the thresholds that it is compared with.

        n = sum over i of factors[i] * x[i]
        k = |{t : n >= thresholds[t]}|

    Attributes:
        factors: whole numbers, none of them 0.
        ranges: least and greatest value of each x.
        thresholds: [T], rising, each one once.
    """

    factors: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]
    thresholds: Integers

    def narrowed(self) -> tuple[tuple[int, ...], Integers] | None:
        """Cheaper factors and their thresholds that give the same k for all x.

        Factors in nearly the same ratio are tried, the cheapest first. Those that fit
        are proven: for each threshold the least sum of all x that must reach it is
        above the greatest of all that must not. Two x that violate that rule out
        further candidates.

        Returns:
            The factors, and [T] thresholds in the order of the old ones; or None where
            no cheaper ones are found, or the combinations of x are too many to look at.
        """
        return self._first_of(self._candidates()) if self._is_small else None

    def simplified(self) -> tuple[tuple[int, ...], Integers] | None:
        """As `narrowed`, for a sum of two: the least factor of the wider operand.

        Fewer candidates are tried: fractions ever closer to the ratio of the factors.
        Where the other operand has n values, no two sums change places between fractions
        of denominators below n, so that a factor below 2n always does.
        """
        extents = [high - low for low, high in self.ranges]
        wide = extents.index(max(extents))
        factor, other = abs(self.factors[wide]), abs(self.factors[1 - wide])
        most = min(2 * min(extents) + 2, factor - 1)
        pairs = [
            (own, times) if wide == 0 else (times, own)
            for times, own in takewhile(
                lambda ratio: ratio[1] <= most, simple_ratios(other, factor)
            )
        ]
        candidates = np.array(pairs, np.int64).reshape(-1, 2)
        return self._first_of(candidates) if self._is_small else None

    def _first_of(
        self, candidates: Integers
    ) -> tuple[tuple[int, ...], Integers] | None:
        """The first of some factors without their signs, [N, I], that fit."""
        edges = _Edges(self)
        for _ in range(_MAX_ROUNDS):
            if not len(candidates):
                return None
            found = edges.thresholds_for(candidates[0])
            if isinstance(found, _Violations):
                apart = candidates @ found.differences.T > 0
                candidates = candidates[apart.all(axis=1)]
                continue
            signed = candidates[0] * np.sign(self.factors)
            return tuple(int(factor) for factor in signed), found
        return None

    @property
    def _is_small(self) -> bool:
        greatest = sum(
            abs(factor) * max(abs(end) for end in ends)
            for factor, ends in zip(self.factors, self.ranges, strict=True)
        )
        if max(greatest, *(abs(int(t)) for t in self.thresholds)) > _MAX_SUM:
            return False
        extents = sorted(high - low + 1 for low, high in self.ranges)
        return prod(extents[:-1]) * len(self.thresholds) <= _MAX_EDGES

    def _candidates(self) -> Integers:
        """Factors without their signs, [N, I], that cost less than these, cheap first."""
        sizes = np.abs(np.array(self.factors, np.int64))
        greatest = int(sizes.max())
        steps = np.arange(1, min(greatest, _MAX_FACTOR))
        rounded = np.rint(np.outer(steps, sizes / greatest)).astype(np.int64)
        candidates = np.maximum(rounded, 1)
        cost = self._luts(candidates)
        order = np.argsort(cost, kind="stable")
        return candidates[order][cost[order] < self._luts(sizes[None])[0]]

    def _luts(self, sizes: Integers) -> npt.NDArray[np.float64]:
        """What the sum and its thresholds take in hardware, about, for [N, I] factors.

        A product is an adder for each digit but one of its factor, where digits may be
        negative; a sum is compared in a binary search.
        """
        extents = np.array([high - low for low, high in self.ranges], np.float64)
        adders = np.bitwise_count(sizes ^ 3 * sizes).astype(np.float64) - 1
        products = np.log2(sizes * extents + 1)
        sums = np.ceil(np.log2(sizes @ extents + 1))
        count = len(self.thresholds)
        compared = 1 + count.bit_length() / 2 + count / 48
        return (adders * products).sum(axis=1) + sums * compared


@dataclass(frozen=True)
class _Violations:
    """Two x a row, of which the first must have the greater sum and has not.

    Attributes:
        differences: [V, I], first minus second.
    """

    differences: Integers


class _Edges:
    """Where a sum reaches its thresholds: the least value of its widest operand.

    Operands with a negative factor are turned round, so that all factors are positive.
    """

    def __init__(self, sum_: WeightedSum):
        self._factors = np.abs(np.array(sum_.factors, np.int64))
        self._ranges = [
            ends if factor > 0 else (-ends[1], -ends[0])
            for factor, ends in zip(sum_.factors, sum_.ranges, strict=True)
        ]
        extents = [high - low for low, high in self._ranges]
        self._widest = extents.index(max(extents))
        self._thresholds = sum_.thresholds

    @cached_property
    def _others(self) -> Integers:
        """Every combination of the other operands, [M, I]; the widest is 0 there."""
        axes = [
            np.zeros(1, np.int64) if i == self._widest else np.arange(low, high + 1)
            for i, (low, high) in enumerate(self._ranges)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(
            -1, len(axes)
        )

    @cached_property
    def _first(self) -> Integers:
        """The least widest operand that reaches each threshold, [T, M].

        One above its range where none does.
        """
        low, high = self._ranges[self._widest]
        rest = self._others @ self._factors
        step = self._factors[self._widest]
        first = -((rest - self._thresholds[:, None]) // step)
        return np.clip(first, low, high + 1)

    def _chunks(self) -> Iterator[Integers]:
        rows = max(1, _CHUNK // len(self._others))
        for start in range(0, len(self._first), rows):
            yield self._first[start : start + rows]

    def thresholds_for(self, factors: Integers) -> Integers | _Violations:
        """The thresholds that other factors need, [T], or why they do not fit."""
        low, high = self._ranges[self._widest]
        step = factors[self._widest]
        rest = self._others @ factors
        never = 1 + sum(
            int(f) * end for f, (_, end) in zip(factors, self._ranges, strict=True)
        )
        found: list[Integers] = []
        for first in self._chunks():
            sums = rest + step * first
            reaching = np.where(first <= high, sums, never)
            missing = np.where(first > low, sums - step, -_MAX_SUM)
            above, below = reaching.argmin(axis=1), missing.argmax(axis=1)
            rows = np.arange(len(first))
            least, greatest = reaching[rows, above], missing[rows, below]
            (wrong,) = np.nonzero(least <= greatest)
            if wrong.size:
                differences = self._others[above[wrong]] - self._others[below[wrong]]
                edges = first[wrong, above[wrong]] - (first[wrong, below[wrong]] - 1)
                differences[:, self._widest] = edges
                return _Violations(np.unique(differences, axis=0))
            found.append(least)
        return np.concatenate(found)
