"""The arithmetic behind the matrix-vector and threshold units, on plain numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cores import random_levels
from xdsl.ir import Attribute

from lowering.hw.units.activation import Activation, SearchTables
from lowering.hw.units.encoding import DotProduct
from qdialect.products import Product
from qdialect.semantics import threshold_levels
from qdialect.types import BipolarType, TernaryType, signed, unsigned, value_range

INPUTS: list[Attribute] = [
    BipolarType(),
    TernaryType(),
    *map(unsigned, (1, 2, 4, 8)),
    *map(signed, (2, 3, 4, 8)),
]
WEIGHTS: list[Sequence[int]] = [
    *((-1, 1), (-1, 0, 1), (-1, 0), (0, 1), (0,), (1,), range(-2, 3), range(200)),
    *(range(-(1 << bits), 1 << bits) for bits in (1, 2, 3, 7)),
    *(range(1 - (1 << bits), 1 << bits, 2) for bits in (2, 3, 8)),
    *((-2, 2), (-8, 0, 8), (-6, -2, 2, 6), (-4, -1, 0, 2), (0, 4), (-16, 8, 64), (12,)),
]
FORCED = (None, *Product)


def _codes(dot: DotProduct, inputs: np.ndarray) -> np.ndarray:
    """The unsigned numbers u that stand for inputs."""
    if isinstance(dot.input_type, BipolarType):
        return (inputs > 0).astype(np.int64)
    codes = inputs.astype(np.int64) & ((1 << dot.input_bits) - 1)
    return codes ^ (1 << (dot.input_bits - 1) if dot.flips_input_top_bit else 0)


def _raw_sum(dot: DotProduct, weights: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The raw sum of one input vector for every row, as the elements compute it."""
    stored = dot.stored(weights)
    places = np.arange(dot.weight_bits)
    if dot.product is Product.MULTIPLY:
        bits = dot.weight_bits
        numbers = (stored << places).sum(axis=-1)
        if dot.weights_signed:
            numbers -= (numbers >> (bits - 1)) << bits
        return (numbers * codes).sum(axis=1)
    if dot.product is Product.SHIFT:
        index = (stored[..., :-2] << places[:-2]).sum(axis=-1)
        shifted = codes << np.array(dot.exponents)[index]
        most = (1 << (dot.input_bits + dot.exponents[-1])) - 1
        negated = np.where(stored[..., -1] == 1, most - shifted, shifted)
        return np.where(stored[..., -2] == 1, negated, 0).sum(axis=1)
    total = np.zeros(len(weights), np.int64)
    for plane in dot.planes:
        bits = codes >> plane.input_bit & 1
        match dot.product:
            case Product.XNOR:
                products = 1 ^ bits ^ stored[..., plane.weight_bit]
            case Product.GATED_XNOR:
                products = stored[..., 0] & (1 ^ bits ^ stored[..., 1])
            case _:
                products = bits & stored[..., plane.weight_bit]
        sign = -1 if plane.negative else 1
        total += sign * products.sum(axis=1) << plane.shift
    return total


@settings(deadline=None, max_examples=300)
@given(
    input_type=st.sampled_from(INPUTS),
    values=st.sampled_from(WEIGHTS),
    forced=st.sampled_from(FORCED),
    rows=st.integers(1, 4),
    columns=st.integers(1, 9),
    seed=st.integers(0, 1 << 32),
)
def test_dot_product(
    input_type: Attribute,
    values: Sequence[int],
    forced: Product | None,
    rows: int,
    columns: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.choice(values, (rows, columns)).astype(np.int64)
    dot = DotProduct(input_type, weights, forced)
    inputs = random_levels(rng, input_type, (columns,))
    raw = _raw_sum(dot, weights, _codes(dot, inputs))
    sums = weights @ inputs.astype(np.int64)
    np.testing.assert_array_equal(dot.scale * raw + dot.constants, sums)
    for total, (low, high) in zip(sums.tolist(), dot.sum_ranges, strict=True):
        assert low <= total <= high


@settings(deadline=None, max_examples=300)
@given(
    input_type=st.sampled_from(INPUTS),
    values=st.sampled_from(WEIGHTS),
    forced=st.sampled_from(FORCED),
    padding=st.integers(1, 4),
    seed=st.integers(0, 1 << 32),
)
def test_padding_adds_nothing(
    input_type: Attribute,
    values: Sequence[int],
    forced: Product | None,
    padding: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.choice(values, (3, 5)).astype(np.int64)
    dot = DotProduct(input_type, weights, forced)
    wide = np.pad(weights, ((0, 0), (0, padding)), constant_values=dot.padding_weight)
    codes = _codes(dot, random_levels(rng, input_type, (5 + padding,)))
    if dot.padding_needs_zero:
        codes[5:] = 0
    found = _raw_sum(dot, wide, codes)
    np.testing.assert_array_equal(found, _raw_sum(dot, weights, codes[:5]))


def _search(tables: SearchTables, channel: int, value: int) -> int:
    """The level of a value, by the comparisons that the hardware makes."""
    number = value + tables.biases[channel]
    assert 0 <= number < 1 << tables.number_bits
    if tables.searches[channel].falling:
        number = (1 << tables.number_bits) - 1 - number
    level = 0
    for step in range(tables.steps):
        word = tables.words(channel, step)[level]
        assert 0 <= word < 1 << tables.word_bits
        level = 2 * level + (number >= word)
    return level


@settings(deadline=None, max_examples=100)
@given(
    value_type=st.sampled_from([*map(signed, (1, 2, 6)), *map(unsigned, (1, 2, 6))]),
    count=st.integers(0, 9),
    margin=st.integers(0, 100),
    centred=st.booleans(),
    seed=st.integers(0, 1 << 32),
)
def test_search_finds_every_level(
    value_type: Attribute, count: int, margin: int, centred: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    low, high = value_range(value_type)
    thresholds = rng.integers(low - margin, high + 2 + margin, (4, count))
    thresholds = np.sort(thresholds, axis=1)
    falling = rng.integers(0, 2, 4)
    activation = Activation(thresholds, unsigned(4), 0, falling)
    if centred:
        tables = SearchTables.centred(activation, [(low, high)] * 4)
        assert all(
            tables.words(channel, 0) == [1 << (tables.number_bits - 1)]
            for channel in range(4)
        )
    else:
        tables = SearchTables.plain(activation, value_type)
    values = np.arange(low, high + 1)
    expected = threshold_levels(
        np.tile(values[:, None], (1, 4)), thresholds, falling, 0, 1, unsigned(4)
    )
    found = [[_search(tables, c, v) for c in range(4)] for v in values.tolist()]
    np.testing.assert_array_equal(found, expected)
