"""Coded symbols come back as they were, in no more bits than theory allows."""

from __future__ import annotations

import heapq
from itertools import pairwise
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdialect.data import Array
from qdialect.prefix_codes import (
    MOST_BITS,
    canonical_order,
    code_words,
    fixed_lengths,
    fixed_width,
    huffman_lengths,
    is_prefix_code,
)
from qdialect.symbol_streams import (
    Coding,
    SymbolStream,
    coded_bits,
    decode_symbols,
    encode_symbols,
    entropy_bits,
)

CODINGS = st.builds(Coding, st.booleans(), st.integers(0, 8))


@st.composite
def symbol_lists(draw: st.DrawFn) -> tuple[Array, int]:
    """Symbols of a width, most of them often one and the same."""
    width = draw(st.integers(1, 8))
    count = draw(st.sampled_from((1, 2, 3, 17, 255, 1000)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    symbols = rng.integers(0, 1 << width, count)
    symbols[rng.random(count) < draw(st.floats(0, 1))] = draw(
        st.integers(0, (1 << width) - 1)
    )
    return symbols.astype(np.uint8), width


@settings(max_examples=150, deadline=None)
@given(symbol_lists(), CODINGS)
def test_symbols_come_back(found: tuple[Array, int], coding: Coding) -> None:
    symbols, width = found
    stream = encode_symbols(symbols, width, coding)
    np.testing.assert_array_equal(decode_symbols(stream, len(symbols)), symbols)
    assert stream.stored_bits == coded_bits(symbols, width, coding)
    assert encode_symbols(symbols, width, coding) == stream


COUNTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=256).filter(any)


@given(COUNTS)
def test_huffman_codes_are_full_and_optimal(counts: list[int]) -> None:
    lengths = huffman_lengths(counts)
    assert is_prefix_code(lengths)
    assert [s for s, c in enumerate(counts) if c] == sorted(canonical_order(lengths))
    used = [length for length in lengths if length]
    if len(used) > 1:
        # Kraft: no code word more would fit.
        assert sum(2.0**-length for length in used) == 1
    cost = sum(c * n for c, n in zip(counts, lengths, strict=False))
    assert cost == cost_by_merging(counts)
    total, entropy = sum(counts), 0.0
    for count in filter(None, counts):
        entropy -= count / total * log2(count / total)
    assert entropy - 1e-9 <= cost / total <= entropy + 1


def cost_by_merging(counts: list[int]) -> int:
    """Bits of Huffman's own construction: the two rarest become one, until one is left."""
    heap = [count for count in counts if count]
    if len(heap) == 1:
        return heap[0]
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    return cost


@given(COUNTS)
def test_no_word_begins_another(counts: list[int]) -> None:
    lengths = huffman_lengths(counts)
    words = code_words(lengths)
    texts = sorted(f"{words[s]:0{lengths[s]}b}" for s in canonical_order(lengths))
    assert not any(b.startswith(a) for a, b in pairwise(texts))


def test_words_of_rare_symbols_are_bounded() -> None:
    counts = [1, 1]
    while len(counts) < 40:
        counts.append(counts[-1] + counts[-2])
    lengths = huffman_lengths(counts)
    assert max(lengths) == MOST_BITS
    assert sum(2.0**-length for length in lengths) == 1


@pytest.mark.parametrize("width", range(1, 9))
def test_fixed_words_are_the_symbols(width: int) -> None:
    lengths = fixed_lengths(width)
    assert fixed_width(lengths) == width
    assert code_words(lengths)[: 1 << width].tolist() == list(range(1 << width))


def test_gaps_are_cut_by_fillers() -> None:
    symbols = np.zeros(100, np.uint8)
    symbols[50] = 7
    stream = encode_symbols(symbols, 3, Coding(False, 3))
    # Six fillers of eight zeros each and 7; six more and the last zero.
    entries = 6 + 1 + 6 + 1
    assert len(stream.raw) == ceil(entries * (3 + 3) / 8)


def test_entropy() -> None:
    assert entropy_bits(np.zeros(9, np.uint8)) == 0
    assert entropy_bits(np.arange(8, dtype=np.uint8)) == 3


def test_a_stream_that_ends_too_early_is_refused() -> None:
    whole = encode_symbols(np.arange(16, dtype=np.uint8), 4, Coding(True))
    cut = SymbolStream(whole.values, whole.gaps, whole.skipped, whole.raw[:-1])
    with pytest.raises(ValueError, match="expected 16"):
        decode_symbols(cut, 16)


def test_bits_that_are_no_word_are_refused() -> None:
    with pytest.raises(ValueError, match="no word of its code"):
        decode_symbols(SymbolStream(b"\x01", b"", 0, b"\xff"), 8)


def test_long_streams() -> None:
    """Of several blocks of bits."""
    rng = np.random.default_rng(0)
    symbols = rng.binomial(15, 0.5, 300_000).astype(np.uint8)
    for coding in (Coding(True), Coding(True, 3)):
        stream = encode_symbols(symbols, 4, coding)
        np.testing.assert_array_equal(decode_symbols(stream, len(symbols)), symbols)
