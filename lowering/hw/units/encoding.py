"""How a matrix-vector unit computes its dot products with 1-bit logic.

An input x is taken as an unsigned number u of b bits, `x = scale * u + offset`:

| input    | u                     | scale | offset   |
| -------- | --------------------- | ----- | -------- |
| bipolar  | its bit               | 2     | -1       |
| unsigned | x                     | 1     | 0        |
| signed   | x, its top bit turned | 1     | -2^(b-1) |

and a weight as `w = g * v`, g the greatest power of two that divides all weights of the
unit, so that for a row

    sum(w * x) = scale * g * sum(v * u) + offset * sum(w)

and with u[k] the bits of u and `pop` a count of ones, the sum over u is, by the values
that the v take,

| v          | stored as               | sum(v * u)                                      |
| ---------- | ----------------------- | ----------------------------------------------- |
| odd        | q = (v + 2^n - 1) / 2   | sum_jk 2^(k+j) pop(u[k] xnor q[j])              |
|            |                         |   - (2^b - 1) sum(2^n - 1 - q)                  |
| -1, 0, +1  | nonzero, q = (v > 0)    | sum_k 2^k pop(nonzero and (u[k] xnor q)) - same |
| few bits   | bits v[j], two's compl. | sum_jk +-2^(k+j) pop(u[k] and v[j])             |
| 0, +-2^s   | index of s, nonzero, n  | sum(nonzero and (u * 2^s xor n)) - M #(v<0)     |
| many bits  | v                       | sum(v * u), by multipliers                      |

-1 and +1 are the odd weights of one bit, n = 1. M is 2^B - 1, B the bits of the widest
u * 2^s, and the sign n is repeated for each of them. `qdialect.products` chooses.

The sums over bits are the unit's *raw* sum; everything else in the equations is a
constant of the row, `sum(w * x) = scale * g * raw + constant`, which costs nothing since
the accumulator starts at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute

from lowering.hw.units.channel_order import ChannelOrder
from qdialect.products import (
    Product,
    ProductForm,
    common_shift,
    product_form,
    product_forms,
    shift_exponents,
)
from qdialect.types import BipolarType, is_signed, value_range, width_bits

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plane:
    """One popcount: input bit `input_bit` against weight bits, times +-2^shift."""

    input_bit: int
    weight_bit: int
    shift: int
    negative: bool = False


@dataclass(frozen=True, eq=False)
class DotProduct:
    """The coding of one unit's inputs and weights.

    Attributes:
        input_type: element type of the inputs.
        weights: [MH, MW].
        forced: the product to take where the weights allow it; None for the cheapest.
    """

    input_type: Attribute
    weights: Ints
    forced: Product | None = None

    @property
    def input_bits(self) -> int:
        """Width of an input in bits."""
        return width_bits(self.input_type)

    @property
    def flips_input_top_bit(self) -> bool:
        """Whether u is the input with its top bit turned round."""
        return is_signed(self.input_type)

    @property
    def _input_scale(self) -> int:
        return 2 if isinstance(self.input_type, BipolarType) else 1

    @property
    def scale(self) -> int:
        """`scale * g` of the equations above, a power of two."""
        return self._input_scale << self.weight_shift

    @cached_property
    def weight_shift(self) -> int:
        """The power of g."""
        return common_shift(self.weights)

    @property
    def _input_offset(self) -> int:
        if isinstance(self.input_type, BipolarType):
            return -1
        return -(1 << (self.input_bits - 1)) if self.flips_input_top_bit else 0

    @cached_property
    def _units(self) -> Ints:
        """The v of all weights."""
        return self.weights >> self.weight_shift

    @cached_property
    def form(self) -> ProductForm:
        """The product: the one that is forced where it is possible, or the cheapest."""
        forms = product_forms(self.input_bits, self.weights)
        forced = [form for form in forms if form.product is self.forced]
        return forced[0] if forced else product_form(self.input_bits, self.weights)

    @property
    def product(self) -> Product:
        """What each weight does."""
        return self.form.product

    @property
    def weight_bits(self) -> int:
        """Bits that a stored weight takes in the ROM."""
        return self.form.weight_bits

    @cached_property
    def weights_signed(self) -> bool:
        """Whether stored weights of AND and MULTIPLY are two's complement."""
        return int(self.weights.min()) < 0

    @cached_property
    def exponents(self) -> tuple[int, ...]:
        """The s of the v that are +-2^s, rising."""
        return shift_exponents(self._units)

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The popcounts whose weighted sum is the raw sum; none for numbers."""
        inputs = range(self.input_bits)
        top = self.weight_bits - 1
        match self.product:
            case Product.GATED_XNOR:
                return tuple(Plane(k, 0, k) for k in inputs)
            case Product.XNOR | Product.AND:
                is_signed_ = self.product is Product.AND and self.weights_signed
                return tuple(
                    Plane(k, j, k + j, negative=is_signed_ and j == top)
                    for j in range(top + 1)
                    for k in inputs
                )
            case Product.SHIFT | Product.MULTIPLY:
                return ()

    @property
    def padding_needs_zero(self) -> bool:
        """Whether a surplus column must see u = 0, as its weight cannot be 0."""
        return self.product is Product.XNOR

    @property
    def padding_weight(self) -> int:
        """The weight that contributes nothing to the raw sum where u = 0."""
        if self.product is not Product.XNOR:
            return 0
        return ((1 << self.weight_bits) - 1) << self.weight_shift

    def stored(self, weights: Ints) -> Ints:
        """Bits in the ROM for `weights`, one bit a plane, along a new last axis.

        Lowest bit first; for `GATED_XNOR` the bits are `nonzero`, q.
        """
        units = weights >> self.weight_shift
        match self.product:
            case Product.XNOR:
                units = self._odd_codes(units)
            case Product.GATED_XNOR:
                # A weight of 0 may store any q; 1 keeps padding like XNOR's.
                return np.stack([units != 0, units >= 0], -1).astype(np.int64)
            case Product.SHIFT:
                units = self._shift_codes(units)
            case Product.AND | Product.MULTIPLY:
                pass
        return (units[..., None] >> np.arange(self.weight_bits)) & 1

    def _odd_codes(self, units: Ints) -> Ints:
        """The q of odd v."""
        return (units + (1 << self.weight_bits) - 1) >> 1

    def _shift_codes(self, units: Ints) -> Ints:
        """Index of the exponent, bit of those that are not 0, and sign."""
        magnitudes = np.array([1 << s for s in self.exponents])
        index = np.searchsorted(magnitudes, np.abs(units))
        select_bits = self.weight_bits - 2
        nonzero = (units != 0).astype(np.int64) << select_bits
        negative = (units < 0).astype(np.int64) << (select_bits + 1)
        return index | nonzero | negative

    def words(self, order: ChannelOrder, simd: int) -> list[int]:
        """The weight ROM: for each beat of rows, the slices of all PEs.

        A PE's slice is `weight_bits` planes of SIMD bits, PE 0 and plane 0 in the low
        bits; where inputs are taken as numbers it is SIMD codes of `weight_bits` bits.

        Args:
            order: of the rows.
            simd: columns of a slice.
        """
        columns = self.weights.shape[1]
        groups, rows, pe = order.groups, order.vector_channels, order.lanes
        sf = -(-columns // simd)
        padded = np.full(
            (groups, order.vector_beats * pe, sf * simd), self.padding_weight, np.int64
        )
        padded[:, :rows, :columns] = self.weights.reshape(groups, rows, columns)
        bits = self.stored(padded.reshape(-1, pe, sf, simd)).transpose(0, 2, 1, 4, 3)
        if self.product.takes_numbers:
            bits = bits.swapaxes(-1, -2)
        flat = bits.reshape(order.beats * sf, -1).astype(np.uint8)
        packed = np.packbits(flat, axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]

    @cached_property
    def constants(self) -> list[int]:
        """Per row, the constant in `sum(w * x) = scale * g * raw + constant`."""
        totals: list[int] = self.weights.sum(axis=1).tolist()
        surplus = self._surplus()
        return [
            self._input_offset * total - self.scale * more
            for total, more in zip(totals, surplus, strict=True)
        ]

    def _surplus(self) -> list[int]:
        """Per row, by how much the raw sum exceeds sum(v * u)."""
        units = self._units
        most = (1 << self.input_bits) - 1
        match self.product:
            case Product.XNOR:
                each = (1 << self.weight_bits) - 1 - self._odd_codes(units)
            case Product.GATED_XNOR:
                each = units < 0
            case Product.SHIFT:
                most = (1 << (self.input_bits + self.exponents[-1])) - 1
                each = units < 0
            case Product.AND | Product.MULTIPLY:
                return [0] * len(units)
        counts: list[int] = each.sum(axis=1).tolist()
        return [most * count for count in counts]

    @cached_property
    def sum_ranges(self) -> list[tuple[int, int]]:
        """Per row, the least and greatest sum(w * x) that any input gives."""
        low, high = value_range(self.input_type)
        positive = np.maximum(self.weights, 0).sum(axis=1).tolist()
        negative = np.minimum(self.weights, 0).sum(axis=1).tolist()
        return [
            (p * low + n * high, p * high + n * low)
            for p, n in zip(positive, negative, strict=True)
        ]
