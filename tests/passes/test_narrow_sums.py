"""`narrow-sums`: the same level for every combination of operands, with less."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_cores import ELEMENTS, CoreBuilder, random_frames
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import SSAValue

from lowering.interpreter.engine import Interpreter
from passes.narrow_sums import NarrowSumsPass
from passes.separating_factors import Integers, WeightedSum
from qdialect.elementwise import AddOp, MulOp, SubOp
from qdialect.ranges import bounds
from qdialect.rearranging import ConcatOp
from qdialect.types import integer_type_for, shape_of, unsigned


def reach_of(
    factors: Sequence[int], ranges: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """Least and greatest sum."""
    pairs = list(zip(factors, ranges, strict=True))
    ends = [sorted((f * low, f * high)) for f, (low, high) in pairs]
    return sum(low for low, _ in ends), sum(high for _, high in ends)


def levels(sum_: WeightedSum) -> Integers:
    """The count of reached thresholds for every combination of operands."""
    axes = [np.arange(low, high + 1) for low, high in sum_.ranges]
    operands = np.meshgrid(*axes, indexing="ij")
    total = sum(f * x for f, x in zip(sum_.factors, operands, strict=True))
    return np.searchsorted(sum_.thresholds, np.ravel(total), side="right")


@st.composite
def sums(draw: st.DrawFn) -> WeightedSum:
    """Two or three operands of a few bits, factors of up to 24, any thresholds."""
    count = draw(st.integers(2, 3))
    factor = st.integers(1, 1 << draw(st.sampled_from([3, 10, 24])))
    factors = [draw(factor) * draw(st.sampled_from([1, 1, -1])) for _ in range(count)]
    most = 40 if count == 2 else 9
    lows = [draw(st.integers(-most, most)) for _ in range(count)]
    ranges = [(low, low + draw(st.integers(0, most))) for low in lows]
    low, high = reach_of(factors, ranges)
    thresholds = draw(st.sets(st.integers(low - 3, high + 3), min_size=1, max_size=40))
    return WeightedSum(
        tuple(factors), tuple(ranges), np.array(sorted(thresholds), np.int64)
    )


@given(sums())
def test_levels_stay_the_same(sum_: WeightedSum) -> None:
    found = sum_.narrowed()
    if found is None:
        return
    factors, thresholds = found
    assert np.array_equal(np.sign(factors), np.sign(sum_.factors))
    assert bool((np.diff(thresholds) >= 0).all())
    assert np.abs(factors).max() < np.abs(sum_.factors).max()
    narrow = WeightedSum(factors, sum_.ranges, thresholds)
    np.testing.assert_array_equal(levels(narrow), levels(sum_))


def separable(sum_: WeightedSum, factors: tuple[int, ...]) -> bool:
    """Whether some thresholds give the same levels with other factors, by brute force."""
    axes = [range(low, high + 1) for low, high in sum_.ranges]
    totals = [
        sum(f * x for f, x in zip(factors, point, strict=True))
        for point in product(*axes)
    ]
    order = np.argsort(totals, kind="stable")
    ordered = levels(sum_)[order]
    equal = np.diff(np.array(totals)[order]) == 0
    steps = np.diff(ordered)
    return bool((steps >= 0).all()) and not bool((steps[equal] != 0).any())


def test_cheaper_factors_do_not_fit() -> None:
    """No smaller powers of two would do: they would cost less than what was taken."""
    rng = np.random.default_rng(0)
    found_count = 0
    for _ in range(60):
        factors = (int(rng.integers(100, 10_000)), int(rng.integers(100, 10_000)))
        ranges = ((0, int(rng.integers(1, 7))), (-3, int(rng.integers(-2, 5))))
        most = factors[0] * ranges[0][1] + factors[1] * max(ranges[1][1], 1)
        thresholds = np.unique(rng.integers(-3 * factors[1], most, 4))
        sum_ = WeightedSum(factors, ranges, thresholds)
        found = sum_.narrowed()
        if found is None:
            continue
        found_count += 1
        greatest = max(found[0])
        powers = [1 << k for k in range(greatest.bit_length()) if 1 << k < greatest]
        for pair in product(powers, repeat=2):
            assert not separable(sum_, pair), (sum_, found[0], pair)
    assert found_count > 40


@pytest.mark.parametrize(
    ("factors", "ranges"),
    [
        ((5287313, 13984811), ((-128, 127), (-128, 127))),
        ((13984811, -5287313), ((0, 255), (-128, 127))),
        ((3, 1 << 30), ((-128, 127), (-128, 127))),
    ],
)
def test_scales_of_8_bits(
    factors: tuple[int, int], ranges: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    """As in a residual network: every pair of levels, 255 thresholds."""
    low, high = reach_of(factors, ranges)
    thresholds = np.linspace(low * 0.8, high * 0.7, 255).astype(np.int64)
    sum_ = WeightedSum(factors, ranges, thresholds)
    found = sum_.narrowed()
    assert found is not None
    assert max(abs(factor) for factor in found[0]) < 1 << 10
    narrow = WeightedSum(found[0], ranges, found[1])
    np.testing.assert_array_equal(levels(narrow), levels(sum_))


@pytest.mark.parametrize(
    "sum_",
    [
        WeightedSum((1, 1), ((0, 3), (0, 3)), np.array([2])),
        # Every sum is told from the next.
        WeightedSum((4, 1), ((0, 3), (0, 3)), np.arange(1, 16)),
        # 2**33 combinations of thresholds and operands.
        WeightedSum((9999, 10_000), ((0, 1 << 20),) * 2, np.arange(1, 1 << 13)),
        # Sums beyond 63 bits.
        WeightedSum((1 << 60, 3), ((0, 255), (0, 255)), np.array([1])),
    ],
    ids=["ones", "tight", "many", "wide"],
)
def test_left_as_it_is(sum_: WeightedSum) -> None:
    assert sum_.narrowed() is None


def affine(builder: CoreBuilder, x: SSAValue) -> SSAValue:
    """`x`, or a product, sum or difference of it and a constant, or both."""
    rng = builder.rng
    if rng.random() < 0.7:
        factor = int(rng.choice([-3, 2, 1000, -(1 << 23) + 5]))
        x = builder.binary(MulOp, x, builder.constant(np.array(factor)))
    if rng.random() < 0.4:
        kind = (AddOp, SubOp)[rng.integers(2)]
        x = builder.binary(kind, x, builder.constant(np.array(rng.integers(-99, 99))))
    return x


def random_sums(seed: int) -> ModuleOp:
    """Thresholds, some of them falling, of sums or concatenations of affine operands."""
    builder = CoreBuilder(seed)
    rng = builder.rng
    channels = int(rng.integers(1, 4))
    elements = [ELEMENTS[rng.integers(8)] for _ in range(rng.integers(1, 4))]
    arguments = [builder.argument(element, 1, 3, channels) for element in elements]
    x, *others = [affine(builder, argument) for argument in arguments]
    if others and rng.random() < 0.4:
        axis = int(rng.integers(1, 3))
        parts = (x, *others)
        shape = [1, 3, channels]
        shape[axis] = sum(shape_of(part)[axis] for part in parts)
        ends = list(zip(*map(bounds, parts), strict=True))
        element = integer_type_for(min(-1, *ends[0]), max(ends[1]))
        x = builder.add(ConcatOp(parts, TensorType(element, shape), axis=axis))
    else:
        for other in others:
            x = builder.binary((AddOp, SubOp)[rng.integers(2)], x, other)
    axis = int(rng.integers(1, 3))
    levels = builder.threshold(x, unsigned(3), axis=axis)
    if rng.random() < 0.2:
        return builder.module(levels, x)
    return builder.module(levels)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_random_sums(first: int) -> None:
    changed = 0
    for seed in range(first, first + 50):
        module = random_sums(seed)
        frames = random_frames(module, 300, seed)
        after = apply(module, NarrowSumsPass())
        changed += str(after) != str(module)
        expected = Interpreter(module).run(frames, "core")
        found = Interpreter(after).run(frames, "core")
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=str(seed))
        again = apply(after, NarrowSumsPass())
        assert str(again) == str(after)
    assert changed > 10
