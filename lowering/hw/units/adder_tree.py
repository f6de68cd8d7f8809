"""Adder trees at exact widths, with registers between their levels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lowering.hw.builder import Signal, concat
from qdialect.pipelines import ADDERS_A_STAGE


@dataclass(frozen=True)
class Term:
    """A number within [low, high]; in two's complement where `low` is negative."""

    signal: Signal
    low: int
    high: int

    def extended(self, width_bits: int) -> Signal:
        """The number in `width_bits` bits, modulo 2^width_bits."""
        return self.signal.resize(width_bits, signed=self.low < 0)

    def registered(self, enable: Signal, name: str) -> Term:
        """The same number one enabled clock edge later."""
        signal = self.signal.builder.registered(self.signal, name, enable=enable)
        return Term(signal, self.low, self.high)

    def shifted(self, distance: int) -> Term:
        """The number times 2^distance."""
        if distance == 0:
            return self
        zeros = self.signal.builder.constant(0, distance)
        shifted = concat(self.signal, zeros)
        return Term(shifted, self.low << distance, self.high << distance)


def number_bits(low: int, high: int) -> int:
    """Width of a number within [low, high]; two's complement where `low` is negative."""
    if low >= 0:
        return max(1, high.bit_length())
    return 1 + max((~low).bit_length(), max(high, 0).bit_length())


def add(left: Term, right: Term, name: str) -> Term:
    """The sum, on a wire of its own.

    Synthesis would merge a tree of adders into one large compressor, which takes 17 to
    40 % more LUTs than a carry chain for each adder; the wire keeps them apart.
    """
    low, high = left.low + right.low, left.high + right.high
    width = number_bits(low, high)
    total = left.extended(width) + right.extended(width)
    return Term(total.kept(name), low, high)


def subtract(left: Term, right: Term, name: str) -> Term:
    """The difference, on a wire of its own."""
    low, high = left.low - right.high, left.high - right.low
    width = number_bits(low, high)
    difference = left.extended(width) - right.extended(width)
    return Term(difference.kept(name), low, high)


def tree_levels(count: int) -> int:
    """Levels of a tree that adds `count` terms."""
    return (count - 1).bit_length()


def even_cuts(levels: int) -> set[int]:
    """Levels after which to register, so that no stage is longer than it must be.

    After the last level of the tree the caller registers.
    """
    stages = -(-levels // ADDERS_A_STAGE)
    return {levels * stage // stages for stage in range(1, stages)}


def add_all(
    terms: Sequence[Term], cuts: Collection[int], enable: Signal, name: str
) -> Term:
    """The sum of all terms by a balanced tree.

    Args:
        terms: at least one.
        cuts: levels after which every term is registered; level 1 is the first sums.
        enable: of the registers.
        name: prefix of the names of sums and registers.
    """
    level = 0
    row = list(terms)
    while len(row) > 1:
        level += 1
        # Narrow terms first, so that a term left over is a wide one.
        row.sort(key=lambda term: term.signal.width)
        label = f"{name}{level}"
        pairs = zip(row[::2], row[1::2], strict=False)
        sums = [add(a, b, f"{label}_{i}") for i, (a, b) in enumerate(pairs)]
        row = [*sums, *row[2 * len(sums) :]]
        if level in cuts:
            row = [t.registered(enable, f"{label}_{i}") for i, t in enumerate(row)]
    return row[0]
