"""Counting the ones of a vector of products: the core of a binary dot product.

Seven products at a time become a 3-bit number: three of them are compressed to a 2-bit
number, whose bits are functions of 6 signals with XNOR products, one 6-input LUT each;
three others likewise; and a carry chain of 3 LUTs adds both and the seventh product.
The numbers are added by a tree of carry chains. Registers stand in front of the tree,
since the operands come late out of block RAM, every few levels in it, and at the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import ModuleBuilder, Signal, concat
from lowering.hw.units.adder_tree import Term, add, add_all, even_cuts, tree_levels
from qdialect.pipelines import GROUP
from qdialect.products import Product


@dataclass(frozen=True)
class Popcount:
    """A module that counts, in `lanes` pairs of bits, the products that are 1.

        count = #{i: product(activations[i], weights[i])}

    `weights` holds one bit a lane; for `GATED_XNOR` the bits `nonzero` of all lanes and
    above them the bits v.

    Attributes:
        lanes: number of pairs.
        product: the product of two bits.
    """

    lanes: int
    product: Product

    @property
    def weight_planes(self) -> int:
        """Bits of `weights` for each lane."""
        return 2 if self.product is Product.GATED_XNOR else 1

    @property
    def _levels(self) -> int:
        return tree_levels(-(-self.lanes // GROUP))

    @property
    def _registers_groups(self) -> bool:
        return self._levels > 1

    @property
    def latency_cycles(self) -> int:
        """Clock edges from the operands to the count."""
        return self._registers_groups + len(even_cuts(self._levels)) + 1

    def build(self, name: str) -> HWModuleOp:
        """The module, with inputs `advance`, `activations`, `weights`, output `count`."""
        m = ModuleBuilder(
            name,
            "Counts the products that are 1, seven at a time: three by a full adder,\n"
            "three by another, and the seventh as the carry into the sum of both.",
        )
        advance = m.input("advance", 1)
        activations = m.input("activations", self.lanes)
        weights = m.input("weights", self.lanes * self.weight_planes)
        groups = _count_groups(self._products(activations, weights))
        if self._registers_groups:
            groups = [g.registered(advance, f"group{i}") for i, g in enumerate(groups)]
        total = add_all(groups, even_cuts(self._levels), advance, "sum")
        m.output("count", total.registered(advance, "count").signal)
        return m.finish()

    def _products(self, activations: Signal, weights: Signal) -> Signal:
        match self.product:
            case Product.XNOR:
                result = ~(activations ^ weights)
            case Product.GATED_XNOR:
                nonzero, positive = weights.lanes(self.lanes)
                result = nonzero & ~(activations ^ positive)
            case Product.AND:
                result = activations & weights
            case Product.SHIFT | Product.MULTIPLY:
                raise AssertionError("a popcount has 1-bit products")
        return result.named("product")


def _count_groups(bits: Signal) -> list[Term]:
    """Numbers up to 7 whose sum is the number of ones in `bits`."""
    m = bits.builder
    groups, rest = divmod(bits.width, GROUP)
    terms: list[Term] = []
    if groups:
        slices = [bits.bits(i * groups, groups) for i in range(GROUP)]
        low = _compress(slices[0], slices[1], slices[2], "low")
        high = _compress(slices[3], slices[4], slices[5], "high")
        for i in range(groups):
            # A position below the sum, where 1 is added, makes a carry of the seventh.
            left = concat(
                m.constant(0, 1), low[1].bit(i), low[0].bit(i), m.constant(1, 1)
            )
            right = concat(
                m.constant(0, 1), high[1].bit(i), high[0].bit(i), slices[6].bit(i)
            )
            total = (left + right).kept(f"group{i}")
            terms.append(Term(total.bits(1, 3), 0, GROUP))
    if rest:
        first = GROUP * groups
        parts = [
            _count_triple(bits.bits(low, min(3, bits.width - low)))
            for low in range(first, bits.width, 3)
        ]
        terms.append(add(parts[0], parts[1], "rest") if parts[1:] else parts[0])
    return terms


def _compress(a: Signal, b: Signal, c: Signal, label: str) -> tuple[Signal, Signal]:
    """Lane by lane, the ones and the twos of the number of ones among three bits."""
    ones = (a ^ b ^ c).named(f"ones_{label}")
    twos = ((a & b) | (c & (a ^ b))).named(f"twos_{label}")
    return ones, twos


def _count_triple(bits: Signal) -> Term:
    """The number of ones among at most three bits."""
    if bits.width == 1:
        return Term(bits, 0, 1)
    if bits.width == 2:
        return Term(concat(bits.bit(0) & bits.bit(1), bits.bit(0) ^ bits.bit(1)), 0, 2)
    ones, twos = _compress(bits.bit(0), bits.bit(1), bits.bit(2), "rest")
    return Term(concat(twos, ones), 0, 3)
