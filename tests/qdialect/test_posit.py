"""Posits: every code, every border between two codes, against another program's.

That program is titanfp (Bill Zorn), by itself written in Python's integers. Its values
are compared, not the codes that it writes, since it rounds numbers, not strings.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import ldexp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from titanfp.arithmetic.posit import Interpreter, bits_to_digital, posit_ctx
from titanfp.titanic.gmpmath import mpfr, mpfr_to_digital
from xdsl.utils.exceptions import VerifyException

from qdialect.data import Array, RawBytes, TensorDataAttr
from qdialect.posit import (
    EXPONENT_SIZES,
    WIDTHS,
    PositType,
    dyadic,
    posit_codes,
    posit_values,
)

SMALL = [PositType.of(n, es) for n in range(2, 11) for es in EXPONENT_SIZES]
TABULATED = [PositType.of(n, es) for n in (8, 16) for es in (0, 1, 2)]

small = pytest.mark.parametrize("type_", SMALL, ids=str)
tabulated = pytest.mark.parametrize("type_", TABULATED, ids=str)


def their_value(code: int, type_: PositType) -> float:
    found = bits_to_digital(code, posit_ctx(type_.es, type_.n))
    if found.isnan:
        return float("nan")
    return ldexp(-found.c if found.negative else found.c, found.exp)


def their_rounding(number: float, type_: PositType) -> float:
    """The posit that is nearest to a float64 number but 0, by titanfp."""
    exact = mpfr_to_digital(mpfr(number, 53))
    context = posit_ctx(type_.es, type_.n)
    return float(Interpreter().round_to_context(exact, context))


@cache
def every_code(type_: PositType) -> Array:
    return np.arange(1 << type_.n)


@tabulated
def test_every_code_has_the_value_of_the_standard(type_: PositType) -> None:
    expected = [their_value(code, type_) for code in every_code(type_).tolist()]
    found = posit_values(every_code(type_), type_)
    np.testing.assert_array_equal(found, expected)
    assert np.flatnonzero(np.isnan(found)).tolist() == [type_.not_a_real]


@small
def test_every_code_of_any_small_type(type_: PositType) -> None:
    expected = [their_value(code, type_) for code in every_code(type_).tolist()]
    np.testing.assert_array_equal(posit_values(every_code(type_), type_), expected)


@pytest.mark.parametrize("type_", [*SMALL, *TABULATED], ids=str)
def test_every_code_comes_back(type_: PositType) -> None:
    codes = every_code(type_)
    np.testing.assert_array_equal(posit_codes(posit_values(codes, type_), type_), codes)


@pytest.mark.parametrize("type_", [*SMALL, *TABULATED], ids=str)
def test_borders_between_codes(type_: PositType) -> None:
    """A border is the posit of one more bit between two; on it, the even code wins."""
    below = every_code(type_)[1 : (1 << (type_.n - 1)) - 1]
    longer = PositType.of(type_.n + 1, type_.es)
    borders = posit_values(2 * below + 1, longer)
    negated = (1 << type_.n) - below
    for numbers, codes in (
        (borders, below + (below & 1)),
        (np.nextafter(borders, 0), below),
        (np.nextafter(borders, np.inf), below + 1),
        (-borders, negated - (below & 1)),
        (np.nextafter(-borders, 0), negated),
        (np.nextafter(-borders, -np.inf), negated - 1),
    ):
        np.testing.assert_array_equal(posit_codes(numbers, type_), codes)


@pytest.mark.parametrize("type_", [PositType.of(8, es) for es in range(4)], ids=str)
def test_borders_are_those_of_another_program(type_: PositType) -> None:
    below = every_code(type_)[1 : (1 << (type_.n - 1)) - 1]
    borders = posit_values(2 * below + 1, PositType.of(type_.n + 1, type_.es))
    numbers = np.concatenate(
        [borders, np.nextafter(borders, 0), np.nextafter(borders, np.inf), -borders]
    )
    expected = [their_rounding(number, type_) for number in numbers.tolist()]
    found = posit_values(posit_codes(numbers, type_), type_)
    np.testing.assert_array_equal(found, expected)


@given(
    n=st.integers(3, WIDTHS[-1]),
    es=st.sampled_from(EXPONENT_SIZES),
    number=st.one_of(
        st.floats(allow_nan=False, allow_infinity=False, width=32),
        st.floats(-16, 16),
        st.builds(ldexp, st.floats(1, 2), st.integers(-130, 130)),
    ).filter(bool),
)
def test_any_number_is_rounded_as_by_another_program(
    n: int, es: int, number: float
) -> None:
    type_ = PositType.of(n, es)
    found = posit_values(posit_codes(np.array([number]), type_), type_)
    assert found.tolist() == [their_rounding(number, type_)]


@given(n=st.integers(2, WIDTHS[-1]), es=st.sampled_from(EXPONENT_SIZES), data=st.data())
def test_any_code_has_the_value_of_another_program(
    n: int, es: int, data: st.DataObject
) -> None:
    type_ = PositType.of(n, es)
    code = data.draw(st.integers(0, (1 << n) - 1))
    found = posit_values(np.array([code]), type_)
    np.testing.assert_array_equal(found, [their_value(code, type_)])
    np.testing.assert_array_equal(posit_codes(found, type_), [code])


@pytest.mark.parametrize("type_", [*SMALL, PositType.of(32, 2)], ids=str)
def test_nothing_overflows_or_vanishes(type_: PositType) -> None:
    top = (1 << (type_.n - 1)) - 1
    bottom = (1 << type_.n) - 1
    numbers = np.array([1e300, -1e300, 5e-324, -5e-324, 0.0, -0.0, np.nan, -np.inf])
    nar = type_.not_a_real
    expected = [top, bottom - top + 1, 1, bottom, 0, 0, nar, nar]
    assert posit_codes(numbers, type_).tolist() == expected


@given(st.lists(st.integers(-(1 << 30), 1 << 30)), st.integers(-126, 97))
def test_dyadic(levels: list[int], power: int) -> None:
    values = np.ldexp(np.array(levels, np.float64), power)
    found, exponent = dyadic(values)
    exact = [Fraction(level) * Fraction(2) ** power for level in levels]
    assert [Fraction(n) * Fraction(2) ** exponent for n in found.tolist()] == exact
    assert not any(levels) or any(level % 2 for level in found.tolist())


def test_dyadic_of_63_bits_and_no_more() -> None:
    found, power = dyadic(np.array([2.0**61, -1.0]) / 2**70)
    assert (found.tolist(), power) == ([1 << 61, -1], -70)
    with pytest.raises(OverflowError, match="64 bits, at most 63"):
        dyadic(np.array([2.0**62, 1.0]))
    assert dyadic(np.array([2.0**-126])) == (np.array([1]), -126)
    with pytest.raises(OverflowError, match=r"multiples of 2\*\*-127, no float32"):
        dyadic(np.array([2.0**-127]))


@pytest.mark.parametrize("n", [2, 5, 8, 13, 16, 32])
def test_a_tensor_holds_codes_and_gives_values(n: int) -> None:
    type_ = PositType.of(n, 2)
    rng = np.random.default_rng(n)
    codes = rng.integers(0, 1 << n, 40, dtype=np.int64)
    codes[codes == type_.not_a_real] = 0
    data = TensorDataAttr.from_numpy(posit_values(codes, type_), type_)
    assert data.words() == codes.tolist()
    assert len(data.raw.data) == (40 * n + 7) // 8
    np.testing.assert_array_equal(data.to_numpy(), posit_values(codes, type_))


def test_a_tensor_takes_posits_only() -> None:
    type_ = PositType.of(8, 1)
    with pytest.raises(ValueError, match=r"0\.3 is not a value of !qnn\.posit<8,1>"):
        TensorDataAttr.from_numpy(np.array([0.5, 0.3]), type_)
    whole = TensorDataAttr.from_numpy(np.zeros(2), type_)
    with pytest.raises(VerifyException, match="code 0x80 is NaR"):
        TensorDataAttr(whole.type, RawBytes(b"\x00\x80"))
