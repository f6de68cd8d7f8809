"""Dot products of numbers too wide for counting bits: multipliers and an adder tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import ModuleBuilder, Signal
from lowering.hw.units.adder_tree import (
    Term,
    add_all,
    even_cuts,
    number_bits,
    tree_levels,
)


@dataclass(frozen=True)
class MultiplierTree:
    """A module that adds up `lanes` products of an unsigned number and a weight.

        total = sum over i of activations[i] * weights[i]

    Attributes:
        lanes: number of products.
        activation_bits: width of an activation, unsigned.
        weight_bits: width of a weight.
        weights_signed: whether weights are two's complement.
    """

    lanes: int
    activation_bits: int
    weight_bits: int
    weights_signed: bool

    @property
    def _product_range(self) -> tuple[int, int]:
        most = (1 << self.activation_bits) - 1
        if not self.weights_signed:
            return (0, most * ((1 << self.weight_bits) - 1))
        half = 1 << (self.weight_bits - 1)
        return (-most * half, most * (half - 1))

    @property
    def total_range(self) -> tuple[int, int]:
        """Least and greatest total."""
        low, high = self._product_range
        return (self.lanes * low, self.lanes * high)

    @property
    def latency_cycles(self) -> int:
        """Clock edges from the operands to the total."""
        return products_latency(self.lanes)

    def build(self, name: str) -> HWModuleOp:
        """The module, with inputs `advance`, `activations`, `weights`, output `total`."""
        m = ModuleBuilder(name, "Adds up products.")
        advance = m.input("advance", 1)
        activations = m.input("activations", self.lanes * self.activation_bits)
        weights = m.input("weights", self.lanes * self.weight_bits)
        low, high = self._product_range
        width = number_bits(low, high)
        products: list[Term] = []
        pairs = zip(
            activations.lanes(self.activation_bits),
            weights.lanes(self.weight_bits),
            strict=True,
        )
        for i, (activation, weight) in enumerate(pairs):
            extended = weight.resize(width, signed=self.weights_signed)
            product = Term(activation.zero_extend(width) * extended, low, high)
            products.append(product.registered(advance, f"product{i}"))
        m.output("total", add_products(products, advance).signal)
        return m.finish()


def products_latency(lanes: int) -> int:
    """Clock edges through registered products and their sum."""
    return 1 if lanes == 1 else len(even_cuts(tree_levels(lanes))) + 2


def add_products(products: Sequence[Term], advance: Signal) -> Term:
    """The registered sum of products, which are registered."""
    if len(products) == 1:
        return products[0]
    cuts = even_cuts(tree_levels(len(products)))
    return add_all(products, cuts, advance, "sum").registered(advance, "total")
