"""Symbols as a stream of bits: Huffman code, relative index, both, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qdialect.data import Array
from qdialect.prefix_codes import (
    MOST_BITS,
    MOST_SYMBOLS,
    Lengths,
    code_words,
    decoding_table,
    fixed_lengths,
    fixed_width,
    huffman_lengths,
    word_lengths,
)

# Bit positions that a decoder looks at together.
_BLOCK_BITS = 1 << 18


@dataclass(frozen=True)
class Coding:
    """How symbols are written.

    Attributes:
        huffman: each in a Huffman code, its own for gaps; else in words of one width.
        gap_bits: width of the gaps of a relative index, where only symbols other than
            the most frequent one are written; 0 where all are.

    Source: Han et al. 2016, Deep Compression, arXiv:1510.00149, sections 2 and 4.
    """

    huffman: bool
    gap_bits: int = 0

    @property
    def name(self) -> str:
        """As options spell it."""
        if not self.gap_bits:
            return "huffman" if self.huffman else "raw"
        return "relative-huffman" if self.huffman else "relative"


@dataclass(frozen=True)
class SymbolStream:
    """Coded symbols.

    The stream is a sequence of entries: a symbol, or with a relative index a gap and a
    symbol, where the gap is the number of `skipped` symbols before it. A gap that is
    too long is cut by entries of `skipped` itself (fillers). The last symbol is always
    written. Bits fill bytes from the most significant one on.

    Attributes:
        values: code of the symbols.
        gaps: code of the gaps; empty where every symbol is written.
        skipped: the symbol that is left out, 0 where there are no gaps.
        raw: the bits.
    """

    values: Lengths
    gaps: Lengths
    skipped: int
    raw: bytes

    @property
    def stored_bits(self) -> int:
        """Bits of the stream and of the codes, a byte a symbol of a Huffman code."""
        codes = (self.values, self.gaps)
        return 8 * len(self.raw) + sum(map(_code_bits, codes))


def encode_symbols(symbols: Array, width_bits: int, coding: Coding) -> SymbolStream:
    """The stream of symbols, uint8 in one dimension, of `width_bits` bits each."""
    skipped = _most_frequent(symbols) if coding.gap_bits else 0
    gaps, values = _entries(symbols, coding.gap_bits, skipped)
    value_code = _code(values, width_bits, coding)
    gap_code = _code(gaps, coding.gap_bits, coding) if coding.gap_bits else b""
    parts = [(gaps, gap_code)] if coding.gap_bits else []
    parts.append((values, value_code))
    words = np.stack([code_words(code)[part] for part, code in parts], axis=1)
    lengths = np.stack([word_lengths(code)[part] for part, code in parts], axis=1)
    raw = _bits(words.ravel(), lengths.ravel())
    return SymbolStream(value_code, gap_code, skipped, raw)


def decode_symbols(stream: SymbolStream, count: int) -> Array:
    """The first `count` symbols of a stream, uint8 in one dimension.

    Raises:
        ValueError: it ends before, or bits are no word of its code.
    """
    gaps, values = [np.zeros(0, np.uint8)], [np.zeros(0, np.uint8)]
    for block_gaps, block_values in _decoded_blocks(stream):
        gaps.append(block_gaps)
        values.append(block_values)
    symbols = np.concatenate(values)
    if stream.gaps:
        places = np.cumsum(np.concatenate(gaps).astype(np.int64) + 1) - 1
        written = symbols[places < count]
        places = places[places < count]
        if count and (not places.size or places[-1] != count - 1):
            raise ValueError(f"the stream ends before symbol {count - 1}")
        found = np.full(count, stream.skipped, np.uint8)
        found[places] = written
        return found
    if len(symbols) < count:
        raise ValueError(f"the stream has {len(symbols)} symbols, expected {count}")
    return symbols[:count]


def coded_bits(symbols: Array, width_bits: int, coding: Coding) -> int:
    """`stored_bits` of the stream, without making it."""
    skipped = _most_frequent(symbols) if coding.gap_bits else 0
    gaps, values = _entries(symbols, coding.gap_bits, skipped)
    parts = [(values, width_bits)]
    if coding.gap_bits:
        parts.append((gaps, coding.gap_bits))
    stream, codes = 0, 0
    for part, width in parts:
        code = _code(part, width, coding)
        stream += int(_counts(part) @ word_lengths(code))
        codes += _code_bits(code)
    return -(-stream // 8) * 8 + codes


def entropy_bits(symbols: Array) -> float:
    """Shannon's entropy of the distribution of symbols, bits a symbol."""
    counts = _counts(symbols)
    shares = counts[counts > 0] / max(1, symbols.size)
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _counts(symbols: Array) -> Array:
    return np.bincount(symbols, minlength=MOST_SYMBOLS)


def _most_frequent(symbols: Array) -> int:
    return int(_counts(symbols).argmax())


def _code(symbols: Array, width_bits: int, coding: Coding) -> Lengths:
    if coding.huffman:
        return huffman_lengths([int(count) for count in _counts(symbols)])
    return fixed_lengths(width_bits)


def _code_bits(code: Lengths) -> int:
    return 0 if fixed_width(code) is not None else 8 * len(code)


def _entries(symbols: Array, gap_bits: int, skipped: int) -> tuple[Array, Array]:
    """Gaps and values of the entries, fillers among them; all gaps 0 without gaps."""
    if not gap_bits or not symbols.size:
        return np.zeros(len(symbols), np.uint8), symbols
    is_written = symbols != skipped
    is_written[-1] = True
    places = np.flatnonzero(is_written)
    distances = np.diff(places, prepend=-1) - 1
    most = 1 << gap_bits
    ends = np.cumsum(distances // most + 1) - 1
    gaps = np.full(int(ends[-1]) + 1, most - 1, np.uint8)
    values = np.full(len(gaps), skipped, np.uint8)
    gaps[ends] = distances % most
    values[ends] = symbols[places]
    return gaps, values


def _bits(words: Array, lengths: Array) -> bytes:
    """Code words one after another, in whole bytes."""
    ends = np.cumsum(lengths)
    bits = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    starts = ends - lengths
    for place in range(int(lengths.max()) if len(lengths) else 0):
        longer = lengths > place
        shift = lengths[longer] - 1 - place
        bits[starts[longer] + place] = words[longer] >> shift & 1
    return np.packbits(bits).tobytes()


def _decoded_blocks(stream: SymbolStream) -> Iterator[tuple[Array, Array]]:
    """Gaps and values of the entries, those that begin in one block of bits at a time.

    What the bits from each place on mean is looked up for all places at once; then the
    way from entry to entry is followed. Zeros behind the end are words of every code.

    Raises:
        ValueError: bits are no word of their code.
    """
    value_symbols, value_lengths = decoding_table(stream.values)
    gap_symbols, gap_lengths = value_symbols, value_lengths
    if stream.gaps:
        gap_symbols, gap_lengths = decoding_table(stream.gaps)
    margin_bytes = 2 * (MOST_BITS // 8) + 2
    octets = np.frombuffer(stream.raw + bytes(margin_bytes), np.uint8)
    start, end = 0, 8 * len(stream.raw)
    while start < end:
        first = start // 8
        block = octets[first : first + _BLOCK_BITS // 8 + margin_bytes]
        windows = _windows(np.unpackbits(block))
        places = np.arange(min(_BLOCK_BITS, end - 8 * first))
        skips = np.zeros(len(places), np.int64)
        if stream.gaps:
            skips = gap_lengths[windows[places]]
        lengths = value_lengths[windows[places + skips]]
        way = _way(places + skips + lengths, start - 8 * first)
        if not lengths[way].all() or (stream.gaps and not skips[way].all()):
            raise ValueError("bits of the stream are no word of its code")
        values = value_symbols[windows[way + skips[way]]]
        yield gap_symbols[windows[way]], values
        start = 8 * first + int(way[-1] + skips[way[-1]] + lengths[way[-1]])


def _way(following: Array, start: int) -> Array:
    """The places from `start` on, each the one that follows the last."""
    ahead: list[int] = following.tolist()
    found, place, last = [start], ahead[start], start
    while last < place < len(ahead):
        found.append(place)
        last, place = place, ahead[place]
    return np.array(found)


def _windows(bits: Array) -> Array:
    """The `MOST_BITS` bits from each place on, as numbers; zeros follow the last."""
    found, width = bits.astype(np.int64), 1
    while width < MOST_BITS:
        later = np.append(found[width:], np.zeros(width, np.int64))
        found, width = found << width | later, 2 * width
    return found
