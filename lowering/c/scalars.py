"""Integers in C: types of memory, types of computation, literals, expressions."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Attribute, Operation

from lowering.c.errors import refusal
from qdialect.types import BipolarType, is_level, is_real, is_signed, width_bits


@dataclass(frozen=True)
class CType:
    """One of the exact-width types of <stdint.h>."""

    width_bits: int
    signed: bool

    @property
    def name(self) -> str:
        """As C spells it."""
        return f"{'' if self.signed else 'u'}int{self.width_bits}_t"

    @property
    def short_name(self) -> str:
        """As our own names spell it: `i8`, `u64`."""
        return f"{'i' if self.signed else 'u'}{self.width_bits}"

    @property
    def size_bytes(self) -> int:
        """What `sizeof` gives."""
        return self.width_bits // 8

    def holds(self, low: int, high: int) -> bool:
        """Whether every value of [low, high] is one of the type."""
        if self.signed:
            half = 1 << (self.width_bits - 1)
            return -half <= low and high < half
        return low >= 0 and high < 1 << self.width_bits


INT32 = CType(32, True)
INT64 = CType(64, True)
_WIDTHS = (8, 16, 32, 64)


def word_ctype(word_bits: int) -> CType:
    """The type of a machine word in memory."""
    return CType(word_bits, False)


def arithmetic_ctype(word_bits: int) -> CType:
    """The type in which words are combined: none narrower than `int` may be."""
    return CType(max(32, word_bits), False)


def table_ctype(low: int, high: int) -> CType:
    """The narrowest type for constants of [low, high]; signed where it can be.

    Raises:
        OverflowError: 64 bits do not hold them.
    """
    for width in _WIDTHS:
        for signed in (True, False):
            if CType(width, signed).holds(low, high):
                return CType(width, signed)
    raise OverflowError(f"[{low}, {high}] needs more than 64 bits")


def element_ctype(op: Operation, element: Attribute) -> CType:
    """The natural type of an element: int8_t for bipolar, ternary and si1 to si8, ..

    Raises:
        CError: real elements, or wider ones than C has.
    """
    if is_real(element) or not is_level(element):
        raise refusal(
            op,
            f"elements are {element}, expected integer levels; run the pipeline bnn-c",
        )
    if isinstance(element, BipolarType):
        return CType(8, True)
    width = width_bits(element)
    if width > 64 or (width == 64 and not is_signed(element)):
        raise refusal(op, f"elements are {element}, expected at most si64 or ui63")
    fitting = next(w for w in _WIDTHS if w >= width)
    return CType(fitting, is_signed(element))


def compute_ctype(op: Operation, low: int, high: int) -> CType:
    """int32_t or int64_t, whichever is the first to hold [low, high].

    Raises:
        CError: neither does.
    """
    for ctype in (INT32, INT64):
        if ctype.holds(low, high):
            return ctype
    raise refusal(op, f"values in [{low}, {high}] need more than 64 bits")


def literal(value: int) -> str:
    """A decimal constant that stands for itself in any expression."""
    if value == -(1 << 63):
        return "(-9223372036854775807 - 1)"
    return f"({value})" if value < 0 else str(value)


@dataclass(frozen=True)
class Scalar:
    """A C expression of type int32_t or int64_t.

    Attributes:
        text: the expression; a name, a call or in parentheses.
        low: its least value.
        high: its greatest value.
        bit: for bipolar values, an expression of type uint32_t that is 1 for +1 and 0
            for -1.
    """

    text: str
    low: int
    high: int
    bit: str | None = None

    def ctype(self, op: Operation) -> CType:
        """The type it is computed in."""
        return compute_ctype(op, self.low, self.high)

    def as_type(self, op: Operation, wanted: CType) -> str:
        """The expression, converted where the type differs."""
        return self.text if self.ctype(op) == wanted else f"({wanted.name}){self.text}"
