"""How a matrix-vector unit computes its dot products with 1-bit logic.

An input x is taken as an unsigned number u of b bits, `x = scale * u + offset`:

| input    | u                     | scale | offset   |
| -------- | --------------------- | ----- | -------- |
| bipolar  | its bit               | 2     | -1       |
| unsigned | x                     | 1     | 0        |
| signed   | x, its top bit turned | 1     | -2^(b-1) |

so that for a row of weights w

    sum(w * x) = scale * sum(w * u) + offset * sum(w)

and with u[k] the bits of u and `pop` a count of ones, the sum over u is, by the values
that the weights take,

| weights     | stored as               | sum(w * u)                                     |
| ----------- | ----------------------- | ---------------------------------------------- |
| -1, +1      | v = (w > 0)             | sum_k 2^k pop(u[k] xnor v) - (2^b - 1) #(w<0)  |
| -1, 0, +1   | nonzero, v = (w > 0)    | sum_k 2^k pop(nonzero and (u[k] xnor v)) - same |
| few bits    | bits v[j], two's compl. | sum_jk +-2^(k+j) pop(u[k] and v[j])            |
| many bits   | w                       | sum(w * u), by multipliers                     |

The sums over bits are the unit's *raw* sum; everything else in the equations is a
constant of the row, `sum(w * x) = scale * raw + constant`, which costs nothing since the
accumulator starts at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute

from lowering.hw.units.channel_order import ChannelOrder
from qdialect.pipelines import MAX_BIT_PRODUCTS
from qdialect.types import BipolarType, is_signed, value_range, width_bits

Ints = npt.NDArray[np.int64]


class Product(Enum):
    """What a weight does to an input bit; see the table above."""

    XNOR = auto()
    GATED_XNOR = auto()
    AND = auto()
    MULTIPLY = auto()


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
    """

    input_type: Attribute
    weights: Ints

    @property
    def input_bits(self) -> int:
        """Width of an input in bits."""
        return width_bits(self.input_type)

    @property
    def flips_input_top_bit(self) -> bool:
        """Whether u is the input with its top bit turned round."""
        return is_signed(self.input_type)

    @property
    def scale(self) -> int:
        """`scale` of the equations above."""
        return 2 if isinstance(self.input_type, BipolarType) else 1

    @property
    def _input_offset(self) -> int:
        if isinstance(self.input_type, BipolarType):
            return -1
        return -(1 << (self.input_bits - 1)) if self.flips_input_top_bit else 0

    @cached_property
    def _weight_range(self) -> tuple[int, int]:
        return int(self.weights.min()), int(self.weights.max())

    @cached_property
    def product(self) -> Product:
        """The cheapest product that all weights allow."""
        low, high = self._weight_range
        if low >= -1 and high <= 1 and low < 0:
            has_zero = bool((self.weights == 0).any())
            return Product.GATED_XNOR if has_zero else Product.XNOR
        if self.input_bits * self.weight_number_bits <= MAX_BIT_PRODUCTS:
            return Product.AND
        return Product.MULTIPLY

    @cached_property
    def weights_signed(self) -> bool:
        """Whether stored k-bit weights are two's complement."""
        return self._weight_range[0] < 0

    @cached_property
    def weight_number_bits(self) -> int:
        """Bits of a weight as a number."""
        low, high = self._weight_range
        if low >= 0:
            return max(1, high.bit_length())
        return 1 + max((-low - 1).bit_length(), max(high, 0).bit_length())

    @property
    def weight_bits(self) -> int:
        """Bits that a stored weight takes in the ROM."""
        match self.product:
            case Product.XNOR:
                return 1
            case Product.GATED_XNOR:
                return 2
            case Product.AND | Product.MULTIPLY:
                return self.weight_number_bits

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The popcounts whose weighted sum is the raw sum; none for `MULTIPLY`."""
        inputs = range(self.input_bits)
        match self.product:
            case Product.XNOR | Product.GATED_XNOR:
                return tuple(Plane(k, 0, k) for k in inputs)
            case Product.AND:
                top = self.weight_number_bits - 1
                return tuple(
                    Plane(k, j, k + j, negative=self.weights_signed and j == top)
                    for j in range(top + 1)
                    for k in inputs
                )
            case Product.MULTIPLY:
                return ()

    @property
    def padding_needs_zero(self) -> bool:
        """Whether a surplus column must see u = 0, as its weight cannot be 0."""
        return self.product is Product.XNOR

    @property
    def padding_weight(self) -> int:
        """The weight that contributes nothing to the raw sum where u = 0."""
        return 1 if self.product is Product.XNOR else 0

    def stored(self, weights: Ints) -> Ints:
        """Bits in the ROM for `weights`, one bit a plane, along a new last axis.

        For `GATED_XNOR` the bits are `nonzero`, `v`; for numbers, lowest bit first.
        """
        match self.product:
            case Product.XNOR:
                return (weights > 0).astype(np.int64)[..., None]
            case Product.GATED_XNOR:
                # A weight of 0 may store any v; 1 keeps padding like XNOR's.
                return np.stack([weights != 0, weights >= 0], -1).astype(np.int64)
            case Product.AND | Product.MULTIPLY:
                return (weights[..., None] >> np.arange(self.weight_number_bits)) & 1

    def words(self, order: ChannelOrder, simd: int) -> list[int]:
        """The weight ROM: for each beat of rows, the slices of all PEs.

        A PE's slice is `weight_bits` planes of SIMD bits, PE 0 and plane 0 in the low
        bits; where weights are multiplied it is SIMD numbers of `weight_bits` bits.

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
        if self.product is Product.MULTIPLY:
            bits = bits.swapaxes(-1, -2)
        flat = bits.reshape(order.beats * sf, -1).astype(np.uint8)
        packed = np.packbits(flat, axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]

    @cached_property
    def constants(self) -> list[int]:
        """Per row, the constant in `sum(w * x) = scale * raw + constant`."""
        full = (1 << self.input_bits) - 1
        totals = self.weights.sum(axis=1).tolist()
        negatives = (self.weights < 0).sum(axis=1).tolist()
        if self.product in (Product.AND, Product.MULTIPLY):
            negatives = [0] * len(totals)
        return [
            self._input_offset * total - self.scale * full * negative
            for total, negative in zip(totals, negatives, strict=True)
        ]

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
