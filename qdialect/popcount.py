"""A dot product of bit planes as a sum of popcounts: which ones, with what factors.

A value is a constant plus a factor for each of its planes that is set:

| type    | constant | factors of the planes       |
| ------- | -------- | --------------------------- |
| bipolar | -1       | 2                           |
| ternary | 0        | -1 (non-zero), 2 (positive) |
| uiN     | 0        | 1, 2, .., 2**(N-1)          |
| siN     | 0        | 1, 2, .., -2**(N-1)         |
| odd<N>  | 1 - 2**N | 2, 4, .., 2**N              |

Multiplied out, the product of two such values is a sum of `popcount(x_i & w_j)`. Where
both have signs only (bipolar, ternary) an exclusive or counts the products that are -1
with fewer popcounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from xdsl.ir import Attribute

from qdialect.packed import OddType, SignMagnitudeType
from qdialect.types import BipolarType, TernaryType, is_signed, width_bits


class Form(Enum):
    """The word whose bits are counted; x, w are planes, m masks, p positive bits."""

    AND = "x & w"
    XOR = "x ^ w"
    WEIGHT_MASK = "m_w & (p_w ^ x)"
    INPUT_MASK = "m_x & (p_x ^ w)"
    DIFFER = "m_x & m_w & (p_x ^ p_w)"


@dataclass(frozen=True)
class Term:
    """A factor times the popcount of a form, summed over the words of a vector.

    The planes are those of `Form.AND` and `Form.XOR`; the masked forms read both
    planes of a ternary operand: of weights the mask is `weight_plane`, and the positive
    bit the last plane. Beside a masked input `weight_plane` is one of signs.
    """

    factor: int
    form: Form
    input_plane: int = 0
    weight_plane: int = 0


@dataclass(frozen=True)
class PopcountSum:
    """A dot product over K elements.

        sum of terms + sum of f * popcount(w_j) over `of_weights`
        + sum of f * popcount(x_i) over `of_input` + constant * K

    Attributes:
        terms: popcounts for every pair of rows.
        of_weights: factor and plane; constant for a row of weights.
        of_input: factor and plane; constant for an input vector.
        constant: factor of K.
    """

    terms: tuple[Term, ...]
    of_weights: tuple[tuple[int, int], ...] = ()
    of_input: tuple[tuple[int, int], ...] = ()
    constant: int = 0


def plane_factors(element: Attribute) -> tuple[int, tuple[int, ...]]:
    """Constant and factors of the planes of an element type, as in the table above."""
    if isinstance(element, BipolarType):
        return -1, (2,)
    if isinstance(element, TernaryType):
        return 0, (-1, 2)
    if isinstance(element, OddType):
        bits = element.bits.data
        return 1 - (1 << bits), tuple(2 << bit for bit in range(bits))
    powers = [1 << bit for bit in range(width_bits(element))]
    if is_signed(element):
        powers[-1] = -powers[-1]
    return 0, tuple(powers)


def popcount_sum(input: Attribute, weight: Attribute) -> PopcountSum:
    """How a dot product of these element types is made of popcounts."""
    match input, weight:
        case BipolarType(), BipolarType():
            return PopcountSum((Term(-2, Form.XOR),), constant=1)
        case BipolarType(), TernaryType():
            return PopcountSum((Term(-2, Form.WEIGHT_MASK),), of_weights=((1, 0),))
        case TernaryType(), BipolarType():
            return PopcountSum((Term(-2, Form.INPUT_MASK),), of_input=((1, 0),))
        case BipolarType() | TernaryType(), OddType():
            return _product_of_signs(input, weight.bits.data)
        case BipolarType() | TernaryType(), SignMagnitudeType():
            return _product_of_magnitudes(input, weight.bits.data)
        case TernaryType(), TernaryType():
            return PopcountSum((Term(1, Form.AND), Term(-2, Form.DIFFER)))
        case _:
            return _product_of_planes(input, weight)


def _product_of_signs(input: Attribute, planes: int) -> PopcountSum:
    """A sum of products with planes of signs, each as one with bipolar weights."""
    single = popcount_sum(input, BipolarType())
    (term,), most = single.terms, (1 << planes) - 1
    return PopcountSum(
        tuple(
            Term(term.factor << plane, term.form, weight_plane=plane)
            for plane in range(planes)
        ),
        of_input=tuple((factor * most, plane) for factor, plane in single.of_input),
        constant=single.constant * most,
    )


def _product_of_magnitudes(input: Attribute, planes: int) -> PopcountSum:
    """A sum of products with planes of magnitudes, each as one with ternary weights."""
    single = popcount_sum(input, TernaryType())
    return PopcountSum(
        tuple(
            Term(term.factor << plane, term.form, weight_plane=plane)
            for plane in range(planes)
            for term in single.terms
        ),
        of_weights=tuple(
            (factor << plane, plane)
            for plane in range(planes)
            for factor, _ in single.of_weights
        ),
    )


def _product_of_planes(input: Attribute, weight: Attribute) -> PopcountSum:
    """(c + sum of c_i x_i) * (d + sum of d_j w_j), multiplied out."""
    c, c_planes = plane_factors(input)
    d, d_planes = plane_factors(weight)
    return PopcountSum(
        tuple(
            Term(c_i * d_j, Form.AND, i, j)
            for i, c_i in enumerate(c_planes)
            for j, d_j in enumerate(d_planes)
        ),
        of_weights=tuple((c * d_j, j) for j, d_j in enumerate(d_planes) if c),
        of_input=tuple((d * c_i, i) for i, c_i in enumerate(c_planes) if d),
        constant=c * d,
    )
