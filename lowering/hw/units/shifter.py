"""Dot products with weights that are 0 or +-2^s: shifts and an adder tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import ModuleBuilder, Signal, concat, mux
from lowering.hw.units.adder_tree import Term
from lowering.hw.units.multiplier import add_products, products_latency


@dataclass(frozen=True)
class ShiftTree:
    """A module that adds up `lanes` unsigned numbers, shifted as their weights say.

        total = sum over i of t[i]
        t[i] = 0, or u = activations[i] * 2^s, or 2^B - 1 - u

    The last is what a negative weight makes of u, which takes a XOR and no carry: the
    2^B - 1 are constants of the row. A stored weight is the index of s among the
    exponents, above it a bit that is 0 for 0, and above that the sign.

    Attributes:
        lanes: number of products.
        activation_bits: width of an activation.
        exponents: the s, rising.
    """

    lanes: int
    activation_bits: int
    exponents: Sequence[int]

    @property
    def term_bits(self) -> int:
        """B: width of a shifted number."""
        return self.activation_bits + self.exponents[-1]

    @property
    def select_bits(self) -> int:
        """Width of the index of an exponent."""
        return (len(self.exponents) - 1).bit_length()

    @property
    def weight_bits(self) -> int:
        """Width of a stored weight."""
        return self.select_bits + 2

    @property
    def total_range(self) -> tuple[int, int]:
        """Least and greatest total."""
        return (0, self.lanes * ((1 << self.term_bits) - 1))

    @property
    def latency_cycles(self) -> int:
        """Clock edges from the operands to the total."""
        return products_latency(self.lanes)

    def build(self, name: str) -> HWModuleOp:
        """The module, with inputs `advance`, `activations`, `weights`, output `total`."""
        m = ModuleBuilder(name, "Adds up shifted numbers.")
        advance = m.input("advance", 1)
        activations = m.input("activations", self.lanes * self.activation_bits)
        weights = m.input("weights", self.lanes * self.weight_bits)
        most = (1 << self.term_bits) - 1
        pairs = zip(
            activations.lanes(self.activation_bits),
            weights.lanes(self.weight_bits),
            strict=True,
        )
        products = [
            Term(self._term(*pair), 0, most).registered(advance, f"product{i}")
            for i, pair in enumerate(pairs)
        ]
        m.output("total", add_products(products, advance).signal)
        return m.finish()

    def _term(self, activation: Signal, weight: Signal) -> Signal:
        shifted = [self._shifted(activation, s) for s in self.exponents]
        for level in range(self.select_bits):
            chosen = [
                mux(weight.bit(level), above, below)
                for below, above in zip(shifted[::2], shifted[1::2], strict=False)
            ]
            shifted = [*chosen, *shifted[2 * len(chosen) :]]
        (number,) = shifted
        nonzero, negative = (
            weight.bit(self.select_bits + k).replicate(self.term_bits) for k in (0, 1)
        )
        return nonzero & (number ^ negative)

    def _shifted(self, activation: Signal, distance: int) -> Signal:
        number = activation
        if distance:
            zeros = activation.builder.constant(0, distance)
            number = concat(activation, zeros)
        return number.zero_extend(self.term_bits)
