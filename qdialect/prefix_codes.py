"""Prefix codes of at most 256 symbols: Huffman's, written down as lengths of code words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdialect.data import Array

# A decoder looks at as many bits at once.
MOST_BITS = 16
MOST_SYMBOLS = 256

# Lengths of the code words of symbol 0, 1, ..; 0 where a symbol does not occur. They
# say all: words of one length count up with the symbol, and follow the shorter ones
# (canonical code).
Lengths = bytes


def huffman_lengths(counts: Sequence[int]) -> Lengths:
    """Lengths of an optimal code of at most `MOST_BITS` bits a word.

    Args:
        counts: how often each symbol occurs.

    A lone symbol gets one bit; two or more fill the code: the sum of 2^-length is 1.

    Source: Huffman 1952; with bounded length, Larmore and Hirschberg 1990
    (package-merge), which without the bound gives the same cost.
    """
    used: list[tuple[int, tuple[int, ...]]] = [
        (count, (symbol,)) for symbol, count in enumerate(counts) if count
    ]
    used.sort()
    if not used:
        return b""
    lengths = [0] * (1 + max(symbols[0] for _, symbols in used))
    if len(used) == 1:
        lengths[used[0][1][0]] = 1
        return bytes(lengths)
    packages = used
    for _ in range(MOST_BITS - 1):
        pairs = zip(packages[::2], packages[1::2], strict=False)
        merged = [(a[0] + b[0], a[1] + b[1]) for a, b in pairs]
        packages = sorted(used + merged, key=lambda package: package[0])
    for _, symbols in packages[: 2 * len(used) - 2]:
        for symbol in symbols:
            lengths[symbol] += 1
    return bytes(lengths)


def fixed_lengths(width_bits: int) -> Lengths:
    """The code whose words are the symbols of `width_bits` bits themselves."""
    return bytes([width_bits]) * (1 << width_bits)


def fixed_width(lengths: Lengths) -> int | None:
    """The width of a code that `fixed_lengths` gives, or None of another one."""
    width = lengths[0] if lengths else 0
    return width if width and lengths == fixed_lengths(min(width, 8)) else None


def is_prefix_code(lengths: Lengths) -> bool:
    """Whether there is a code of these lengths (Kraft), which the decoders can read."""
    words = [length for length in lengths if length]
    return (
        bool(words)
        and len(lengths) <= MOST_SYMBOLS
        and max(words) <= MOST_BITS
        and sum(1 << (MOST_BITS - length) for length in words) <= 1 << MOST_BITS
    )


def canonical_order(lengths: Lengths) -> list[int]:
    """The symbols that occur, in the order of their code words."""
    used = [symbol for symbol, length in enumerate(lengths) if length]
    return sorted(used, key=lambda symbol: lengths[symbol])


def code_words(lengths: Lengths) -> Array:
    """The code word of each symbol, int64 [256]; its first bit is its most significant."""
    words = np.zeros(MOST_SYMBOLS, np.int64)
    word, last = 0, 0
    for symbol in canonical_order(lengths):
        word <<= lengths[symbol] - last
        last = lengths[symbol]
        words[symbol] = word
        word += 1
    return words


def word_lengths(lengths: Lengths) -> Array:
    """The length of the code word of each symbol, int64 [256]."""
    found = np.zeros(MOST_SYMBOLS, np.int64)
    found[: len(lengths)] = np.frombuffer(lengths, np.uint8)
    return found


def decoding_table(lengths: Lengths) -> tuple[Array, Array]:
    """What the next `MOST_BITS` bits begin with: symbol and length, 0 for no word."""
    symbols = np.zeros(1 << MOST_BITS, np.uint8)
    found = np.zeros(1 << MOST_BITS, np.int64)
    words = code_words(lengths)
    for symbol in canonical_order(lengths):
        spare = MOST_BITS - lengths[symbol]
        first = int(words[symbol]) << spare
        symbols[first : first + (1 << spare)] = symbol
        found[first : first + (1 << spare)] = lengths[symbol]
    return symbols, found
