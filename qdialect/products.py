"""How a unit multiplies its inputs by constant weights, and what each way takes.

Weights are first divided by the greatest power of two that divides all of them: a shift
of the sum. What the others allow, and the LUTs of a product of m bits of input with its
share of the adder tree (fitted to what `benchmarks/product_area.py` measures):

| weights             | product               | stored bits | LUTs                    |
| ------------------- | --------------------- | ----------- | ----------------------- |
| -1, +1              | XNOR                  | 1           | 1.5 m                   |
| odd, to 2^k - 1     | XNOR of k planes      | k           | 1.6 k m                 |
| -1, 0, +1           | gated XNOR            | 2           | 2 m                     |
| n bits              | AND of n planes       | n           | 1.5 m, or 1.6 n m       |
| 0, +-2^s            | shift and negate      | 2 + select  | see `_shift_luts`       |
| n bits              | multiplication        | n           | 0.6 (m + n) and a DSP   |

Source: Zhou et al. 2016, DoReFa-Net, arXiv:1606.06160, eq. 3 (planes, odd weights);
Zhou et al. 2017, INQ, arXiv:1702.03044 (weights 0 and powers of two, by shifts).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from qdialect.data import Array
from qdialect.types import integer_type_for, width_bits

LUTS_PER_DSP = 30
"""What a multiplier counts for beside LUTs: little, as devices have many that nothing
else of ours takes, but not nothing."""

_LUTS_PER_BIT_PRODUCT = 1.5
_LUTS_PER_PLANE_PRODUCT = 1.6
_LUTS_PER_GATED_PRODUCT = 2.0
_LUTS_PER_MULTIPLIED_BIT = 1.9
_LUTS_PER_ADDED_BIT = 0.6
# Narrower products than these are made of LUTs.
_MIN_FACTOR_BITS, _MIN_PRODUCT_BITS = 2, 9
# Factors of one multiplier, in two's complement.
_DSP_BITS = (25, 18)


class Product(Enum):
    """What a weight does to an input; see the table above."""

    XNOR = auto()
    GATED_XNOR = auto()
    AND = auto()
    SHIFT = auto()
    MULTIPLY = auto()

    @property
    def takes_numbers(self) -> bool:
        """Whether it takes whole inputs, and not one bit of them after the other."""
        return self in (Product.SHIFT, Product.MULTIPLY)


@dataclass(frozen=True)
class ProductForm:
    """One way to multiply by the weights of a unit.

    Attributes:
        product: what each weight does.
        weight_bits: what a weight takes in memory.
        popcounts: counts of which a sum is made; 0 for products of numbers.
        luts: of a product with its share of the adder tree.
        dsps: multipliers of it.
    """

    product: Product
    weight_bits: int
    popcounts: int
    luts: float
    dsps: int = 0

    @property
    def cost(self) -> float:
        """One number to choose by."""
        return self.luts + LUTS_PER_DSP * self.dsps


def common_shift(weights: Array) -> int:
    """The most places by which all weights can be shifted down without a loss."""
    bits = int(np.bitwise_or.reduce(weights, axis=None)) if weights.size else 0
    return (bits & -bits).bit_length() - 1 if bits else 0


def shift_exponents(weights: Array) -> tuple[int, ...]:
    """The s of all weights +-2^s; () where one is of no such form."""
    magnitudes = np.unique(np.abs(weights.astype(np.int64)))
    magnitudes = magnitudes[magnitudes != 0]
    if bool((magnitudes & (magnitudes - 1)).any()):
        return ()
    return tuple(int(magnitude).bit_length() - 1 for magnitude in magnitudes)


def product_forms(input_bits: int, weights: Array) -> list[ProductForm]:
    """The ways to multiply by weights, at least one; none of them is the best always.

    Args:
        input_bits: m.
        weights: all of a unit, at least one; in any shape.
    """
    levels = np.unique(weights).astype(np.int64)
    levels >>= common_shift(levels)
    low, high = int(levels[0]), int(levels[-1])
    if low < 0 and bool((levels & 1).all()):
        planes = max(-low, high).bit_length()
        if planes == 1:
            luts = input_bits * _LUTS_PER_BIT_PRODUCT
            return [ProductForm(Product.XNOR, 1, input_bits, luts)]
        forms = [_planes_form(Product.XNOR, input_bits, planes)]
    elif low == -1 and high <= 1:
        luts = input_bits * _LUTS_PER_GATED_PRODUCT
        return [ProductForm(Product.GATED_XNOR, 2, input_bits, luts)]
    else:
        forms = [_planes_form(Product.AND, input_bits, _number_bits(low, high))]
    if low < 0 and (exponents := shift_exponents(levels)):
        select_bits = (len(exponents) - 1).bit_length()
        luts = _shift_luts(input_bits, exponents)
        return [*forms, ProductForm(Product.SHIFT, 2 + select_bits, 0, luts)]
    return [*forms, _multiplied(input_bits, _number_bits(low, high))]


def product_form(input_bits: int, weights: Array) -> ProductForm:
    """The cheapest of `product_forms`, the first of several."""
    return min(product_forms(input_bits, weights), key=lambda form: form.cost)


def _number_bits(low: int, high: int) -> int:
    return width_bits(integer_type_for(low, high))


def _planes_form(product: Product, input_bits: int, planes: int) -> ProductForm:
    each = _LUTS_PER_BIT_PRODUCT if planes == 1 else _LUTS_PER_PLANE_PRODUCT
    count = planes * input_bits
    return ProductForm(product, planes, count, count * each)


def _shift_luts(input_bits: int, exponents: tuple[int, ...]) -> float:
    """A LUT selects of two shifts, gates and negates; of more some bits take two."""
    bits = input_bits + exponents[-1]
    return bits * (1.0 if len(exponents) <= 2 else 1.4) + bits + 1


def _multiplied(input_bits: int, weight_bits: int) -> ProductForm:
    narrow = min(input_bits, weight_bits) < _MIN_FACTOR_BITS
    if narrow or input_bits + weight_bits < _MIN_PRODUCT_BITS:
        luts = 2 + _LUTS_PER_MULTIPLIED_BIT * input_bits * weight_bits
        return ProductForm(Product.MULTIPLY, weight_bits, 0, luts)
    wide, narrow_bits = _DSP_BITS
    # An unsigned input takes a sign of 0 there.
    parts = -(-(input_bits + 1) // wide) * -(-weight_bits // narrow_bits)
    luts = _LUTS_PER_ADDED_BIT * (input_bits + weight_bits)
    return ProductForm(Product.MULTIPLY, weight_bits, 0, luts, parts)
