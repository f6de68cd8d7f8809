"""Multi-threshold activation: what it computes, and the tables of its binary search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute

from qdialect.types import is_signed, value_range, width_bits

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Activation:
    """Counts the thresholds that a value reaches.

        count = #{t: value >= thresholds[channel, t]}
        out   = offset + count, or offset + T - count where the channel is falling

    A bipolar result is -1 at level 0 and +1 at level 1.

    Attributes:
        thresholds: [C, T], each row sorted.
        output_type: element type of the result.
        offset: level of a count of 0.
        falling: [C] of 0 and 1, or None where every channel rises.
    """

    thresholds: Ints
    output_type: Attribute
    offset: int = 0
    falling: Ints | None = None

    @property
    def output_bits(self) -> int:
        """Width of a result in bits."""
        return width_bits(self.output_type)

    @property
    def steps(self) -> int:
        """Comparisons of the binary search; also the bits of a count."""
        return max(1, int(self.thresholds.shape[1]).bit_length())

    @property
    def falling_channels(self) -> list[bool]:
        """Per channel, whether it falls."""
        if self.falling is None:
            return [False] * self.thresholds.shape[0]
        return [bool(f) for f in self.falling.tolist()]


@dataclass(frozen=True)
class ChannelSearch:
    """The comparisons of one channel.

    The level is the number of thresholds that hold: `value >= t` where the channel
    rises, `value < t` where it falls.

    Attributes:
        low: least value that occurs.
        high: greatest value that occurs.
        thresholds: 2^steps - 1 of them within [low, high + 1], those that hold first in
            front: ascending where the channel rises, descending where it falls.
        falling: whether it falls.
    """

    low: int
    high: int
    thresholds: tuple[int, ...]
    falling: bool

    @staticmethod
    def of(
        thresholds: Sequence[int],
        value_range: tuple[int, int],
        steps: int,
        falling: bool,
    ) -> ChannelSearch:
        """The search of a channel with these sorted thresholds.

        Thresholds outside of the values that occur move to the end of their range, and
        thresholds that never hold fill up the count to 2^steps - 1.
        """
        low, high = value_range
        clamped = [min(max(t, low), high + 1) for t in thresholds]
        never = low if falling else high + 1
        ordered = clamped[::-1] if falling else clamped
        filler = [never] * ((1 << steps) - 1 - len(clamped))
        return ChannelSearch(low, high, (*ordered, *filler), falling)

    @property
    def middle(self) -> int:
        """The threshold of the first comparison."""
        return self.thresholds[len(self.thresholds) // 2]

    def word(self, threshold: int, bias: int, number_bits: int) -> int:
        """`threshold` as the comparator sees it; see `SearchTables`."""
        biased = threshold + bias
        return (1 << number_bits) - biased if self.falling else biased

    def fits(self, bias: int, number_bits: int) -> bool:
        """Whether all values and thresholds are numbers of `number_bits` bits."""
        numbers = (self.low + bias, self.high + bias)
        words = (self.word(t, bias, number_bits) for t in self.thresholds)
        return all(0 <= n < 1 << number_bits for n in (*numbers, *words))


@dataclass(frozen=True)
class SearchTables:
    """The thresholds of all channels, as the steps of a binary search read them.

    The comparator sees `v = value + bias`, an unsigned number of `number_bits` bits, or
    its complement where the channel falls, and asks `v >= word`. Step k knows the k top
    bits of the level, its *prefix*, so it has 2^k words to choose from.

    Attributes:
        steps: comparisons.
        searches: per channel.
        biases: per channel.
        number_bits: width of v.
        word_bits: width of a word, one more than v's where no v reaches some word.
    """

    steps: int
    searches: tuple[ChannelSearch, ...]
    biases: tuple[int, ...]
    number_bits: int
    word_bits: int

    @staticmethod
    def plain(activation: Activation, value_type: Attribute) -> SearchTables:
        """Tables for values of `value_type`: v is the value, its sign bit turned."""
        width = width_bits(value_type)
        bias = 1 << (width - 1) if is_signed(value_type) else 0
        bounds = [value_range(value_type)] * activation.thresholds.shape[0]
        searches = _searches(activation, bounds)
        fits = all(search.fits(bias, width) for search in searches)
        biases = (bias,) * len(searches)
        return SearchTables(
            activation.steps, searches, biases, width, width if fits else width + 1
        )

    @staticmethod
    def centred(
        activation: Activation, ranges: Sequence[tuple[int, int]]
    ) -> SearchTables:
        """Tables for values within `ranges`, with step 0 in the top bit of v.

        The bias of each channel moves its first threshold to 2^(number_bits - 1).
        """
        searches = _searches(activation, ranges)
        for width in count(1):
            half = 1 << (width - 1)
            biases = tuple(half - search.middle for search in searches)
            if all(s.fits(b, width) for s, b in zip(searches, biases, strict=True)):
                return SearchTables(activation.steps, searches, biases, width, width)
        raise AssertionError("some width holds every value")

    def words(self, channel: int, step: int) -> list[int]:
        """The words of one channel at one step, by prefix."""
        search = self.searches[channel]
        stride = 1 << (self.steps - step)
        return [
            search.word(threshold, self.biases[channel], self.number_bits)
            for threshold in search.thresholds[stride // 2 - 1 :: stride]
        ]


def _searches(
    activation: Activation, ranges: Sequence[tuple[int, int]]
) -> tuple[ChannelSearch, ...]:
    rows: list[list[int]] = activation.thresholds.tolist()
    return tuple(
        ChannelSearch.of(row, bounds, activation.steps, falling)
        for row, bounds, falling in zip(
            rows, ranges, activation.falling_channels, strict=True
        )
    )
