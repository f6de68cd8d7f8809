"""Posits: the element type, and the conversion between codes and real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import IntAttr
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

Codes = npt.NDArray[np.uint32]
Reals = npt.NDArray[np.float64]
_Integers = npt.NDArray[np.int64]

WIDTHS = range(2, 33)
EXPONENT_SIZES = range(5)

# Powers of two that are float32 numbers of full precision.
_SCALES = range(-126, 128)
# Bits of a float64 behind the leading one.
_FRACTION_BITS = 52


@irdl_attr_definition
class PositType(ParametrizedAttribute, TypeAttribute):
    """`!qnn.posit<n,es>`: n-bit posits with exponents of es bits, for stored weights.

    Behind the sign stands a run of equal bits, the regime, ended by the opposite bit;
    then es bits of exponent and the fraction, as far as n bits leave room for them, and
    zeros beyond. A run of r ones is a regime k = r - 1, one of r zeros k = -r, and

        value = (1 + fraction) * 2**(k * 2**es + exponent)

    Negative numbers are two's complement. Code 0 is 0; 1 followed by zeros is NaR, not
    a real number, which no tensor of weights may hold. n is from 2 to 32, es from 0 to
    4, so that every value is a float64 number.

    Source: Standard for Posit Arithmetic (2022), where es is 2; Gustafson and Yonemoto
    2017, "Beating Floating Point at its Own Game", for any es.
    """

    name = "qnn.posit"

    width: IntAttr
    exponent_size: IntAttr

    @classmethod
    def of(cls, n: int, es: int) -> PositType:
        """The type of n-bit posits with es bits of exponent."""
        return cls(IntAttr(n), IntAttr(es))

    @property
    def n(self) -> int:
        """Bits of a posit."""
        return self.width.data

    @property
    def es(self) -> int:
        """Bits of its exponent, where the regime leaves room for them."""
        return self.exponent_size.data

    @property
    def not_a_real(self) -> int:
        """The code of NaR."""
        return 1 << (self.n - 1)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            n = parser.parse_integer(allow_boolean=False, allow_negative=False)
            parser.parse_punctuation(",")
            es = parser.parse_integer(allow_boolean=False, allow_negative=False)
        return (IntAttr(n), IntAttr(es))

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.n},{self.es}")

    def verify(self) -> None:
        if self.n not in WIDTHS or self.es not in EXPONENT_SIZES:
            raise VerifyException(
                f"!qnn.posit<n,es>: n must be from {WIDTHS[0]} to {WIDTHS[-1]} and es "
                f"from {EXPONENT_SIZES[0]} to {EXPONENT_SIZES[-1]}, got <{self.n},"
                f"{self.es}>"
            )


def posit_values(codes: npt.NDArray[Any], type_: PositType) -> Reals:
    """The numbers that codes stand for, exactly; NaN for NaR.

    Args:
        codes: unsigned, below 2**n, any shape.
        type_: the posits.
    """
    n, es = type_.n, type_.es
    code: _Integers = codes.astype(np.int64)
    negative = code >> (n - 1) == 1
    body = np.where(negative, (1 << n) - code, code) & ((1 << (n - 1)) - 1)
    rising = body >> (n - 2) & 1 == 1
    # What is left of the run, counted down from the top, is the bit length of the rest.
    turned = np.where(rising, ~body & ((1 << (n - 1)) - 1), body)
    run = n - 1 - np.frexp(turned.astype(np.float64))[1].astype(np.int64)
    regime = np.where(rising, run - 1, -run)
    room = np.maximum(n - 2 - run, 0)
    rest = body & ((1 << room) - 1)
    fraction_bits = np.maximum(room - es, 0)
    exponent = (rest >> fraction_bits) << np.maximum(es - room, 0)
    significand = (1 << fraction_bits) + (rest & ((1 << fraction_bits) - 1))
    power = (regime << es) + exponent - fraction_bits
    # NumPy's ldexp takes a C int.
    size: Reals = np.ldexp(significand.astype(np.float64), power.astype(np.intc))
    values = np.where(negative, -size, size)
    values = np.where(code == 0, 0.0, values)
    return np.where(code == type_.not_a_real, np.nan, values)


def posit_codes(values: npt.NDArray[np.floating[Any]], type_: PositType) -> Codes:
    """The codes of the posits nearest to real numbers, by the rule of the standard.

    A number between two posits goes to the one below, in magnitude, if it is less than
    the posit of one more bit between them, and to the one of the even code if it is
    equal. That is rounding of the bit string: where a regime leaves no room for the
    fraction, the border is a geometric mean. Nothing but 0 becomes 0 and nothing
    becomes NaR but NaN and infinities: other numbers saturate at the least and the
    greatest posit.

    Args:
        values: float64 or narrower, any shape.
        type_: the posits.
    """
    n, es = type_.n, type_.es
    x: Reals = values.astype(np.float64)
    finite = np.isfinite(x)
    greatest = 2.0 ** ((n - 2) << es)
    size = np.clip(np.abs(np.where(finite, x, 0.0)), 1 / greatest, greatest)
    mantissa, power = np.frexp(size)
    # size = (1 + fraction * 2**-52) * 2**scale
    scale = power.astype(np.int64) - 1
    fraction = np.ldexp(mantissa, _FRACTION_BITS + 1).astype(np.int64)
    fraction -= 1 << _FRACTION_BITS
    regime = scale >> es
    # The greatest posit's regime has no room for the bit that ends it.
    run = np.where(regime >= 0, regime + 1, -regime)
    room = np.maximum(n - 2 - run, 0)
    leading = np.where(
        regime >= 0,
        ((1 << np.minimum(run, n - 1)) - 1) << np.maximum(n - 1 - run, 0),
        1 << room,
    )
    # Exponent and fraction, of which the first bits find room.
    rest = ((scale - (regime << es)) << _FRACTION_BITS) + fraction
    cut = es + _FRACTION_BITS - room
    body: npt.NDArray[Any] = leading + (rest >> cut)
    lost = rest & ((1 << cut) - 1)
    half = 1 << (cut - 1)
    body = body + ((lost > half) | ((lost == half) & (body & 1 == 1)))
    body = np.where(x < 0, (1 << n) - body, body)
    body = np.where(x == 0, 0, body)
    return np.where(finite, body, type_.not_a_real).astype(np.uint32)


def dyadic(values: Reals) -> tuple[_Integers, int]:
    """Integers, and the power of two that they are to be multiplied with.

    >>> dyadic(np.array([0.75, -2.0]))
    (array([ 3, -8]), -2)

    Args:
        values: finite, any shape.

    Returns:
        `levels` and `power` with `values == levels * 2**power`, power the greatest.

    Raises:
        OverflowError: a level needs more than 63 bits, or 2**power is no float32 number
            of full precision.
    """
    mantissa, power = np.frexp(values)
    significand = np.ldexp(mantissa, _FRACTION_BITS + 1).astype(np.int64)
    lowest = np.maximum(significand & -significand, 1)
    zeros = np.frexp(lowest.astype(np.float64))[1].astype(np.int64) - 1
    last = power.astype(np.int64) - (_FRACTION_BITS + 1) + zeros
    is_used = significand != 0
    if not is_used.any():
        return np.zeros(values.shape, np.int64), 0
    finest = int(last[is_used].min())
    span = int(power[is_used].max()) - finest
    if span > 62:
        raise OverflowError(
            f"between the greatest and the finest bit of these weights lie {span + 1} "
            "bits, at most 63"
        )
    if finest not in _SCALES:
        raise OverflowError(f"these weights are multiples of 2**{finest}, no float32")
    shifts = np.where(is_used, last - finest, 0)
    return (significand >> zeros) << shifts, finest
