"""What memories take, in LUTs and block RAMs; see `costs` for the units."""

from __future__ import annotations

from dataclasses import dataclass

from qdialect.products import LUTS_PER_DSP

LUTS_PER_BLOCK_RAM = 30
"""What a block RAM of 18 kbit counts for when foldings are compared: little, since the
weights are the same however they are folded, but not nothing."""

LUT_DEPTH_WORDS = 64
"""Words that a LUT stores of each bit of a memory."""

_BLOCKS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_MIN_BLOCK_BITS = 8192
# Yosys makes logic of a small ROM: close to 64 bits a LUT, unless the address is a
# counter, with which it mixes them.
_ROM_BITS_PER_LUT = 48
_COUNTED_ROM_BITS_PER_LUT = 15
_LUTS_PER_RAM_BIT = 4 / 3  # a RAM64M: 4 LUTs, 3 bits wide, 64 deep


@dataclass(frozen=True)
class Cost:
    """An estimate.

    Attributes:
        luts: 6-input look-up tables, memories in LUTs included.
        block_rams: block RAMs of 18 kbit.
        dsps: multipliers.
    """

    luts: float = 0.0
    block_rams: int = 0
    dsps: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.luts + other.luts,
            self.block_rams + other.block_rams,
            self.dsps + other.dsps,
        )

    @property
    def weight(self) -> float:
        """One number to compare foldings by."""
        rams = LUTS_PER_BLOCK_RAM * self.block_rams
        return self.luts + rams + LUTS_PER_DSP * self.dsps


def fits_luts(depth_words: int, word_bits: int) -> bool:
    """Whether a memory stands in LUTs rather than in block RAM."""
    bits = depth_words * word_bits
    return depth_words <= LUT_DEPTH_WORDS or bits <= _MIN_BLOCK_BITS


def rom_cost(depth_words: int, word_bits: int, *, counted: bool) -> Cost:
    """A memory of constants; one word costs nothing.

    Args:
        depth_words: words.
        word_bits: width of a word.
        counted: whether the words are read one after another.
    """
    if depth_words <= 1:
        return Cost()
    if not fits_luts(depth_words, word_bits):
        return _block_cost(depth_words, word_bits)
    bits_per_lut = _COUNTED_ROM_BITS_PER_LUT if counted else _ROM_BITS_PER_LUT
    return Cost(word_bits * max(0.5, depth_words / bits_per_lut))


def ram_cost(depth_words: int, word_bits: int) -> Cost:
    """A memory that is written and read; one word is a register, no LUT."""
    if depth_words <= 1:
        return Cost()
    if not fits_luts(depth_words, word_bits):
        return _block_cost(depth_words, word_bits)
    return Cost(word_bits * _LUTS_PER_RAM_BIT * -(-depth_words // LUT_DEPTH_WORDS))


def _block_cost(depth_words: int, word_bits: int) -> Cost:
    return Cost(
        0.0,
        min(
            -(-depth_words // depth) * -(-word_bits // width)
            for depth, width in _BLOCKS
        ),
    )
