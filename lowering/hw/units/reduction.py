"""What a pool makes of two elements: the greater one, or the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.ir import Attribute

from lowering.hw.builder import Signal, mux
from lowering.hw.units.adder_tree import Term
from lowering.hw.units.element_number import fitted, number, total
from qdialect.types import is_signed, value_range, width_bits


@dataclass(frozen=True)
class Reduction:
    """Combines the elements of a window; of a maximum of bits, by an OR.

    Attributes:
        input_type: element type of the inputs.
        output_type: element type of the result.
        is_sum: whether elements are added up; else the greatest is found.
    """

    input_type: Attribute
    output_type: Attribute
    is_sum: bool

    @property
    def output_bits(self) -> int:
        """Width of a result."""
        return width_bits(self.output_type)

    def terms(self, beat: Signal) -> list[Term]:
        """The elements of a beat."""
        elements = beat.lanes(width_bits(self.input_type))
        if self.is_sum:
            return [number(element, self.input_type) for element in elements]
        low, high = value_range(self.input_type)
        if not is_signed(self.input_type):
            # The bit of a bipolar element orders like a number.
            low, high = 0, (1 << elements[0].width) - 1
        return [Term(element, low, high) for element in elements]

    def combined(self, left: Term, right: Term, name: str) -> Term:
        """Both as one."""
        if self.is_sum:
            return total(left, right, name, self.output_bits)
        if left.signal.width == 1:
            return Term(left.signal | right.signal, left.low, left.high)
        less = "slt" if left.low < 0 else "ult"
        greater = mux(
            left.signal.compare(less, right.signal), right.signal, left.signal
        )
        return Term(greater, left.low, left.high)

    def present(self, term: Term, inside: Signal) -> Term:
        """The term, or what changes no result where `inside` is 0."""
        if inside.constant_value == 1:
            return term
        m, width = inside.builder, term.signal.width
        least = 0 if self.is_sum or term.low >= 0 else -(1 << (width - 1))
        none = m.constant(least, width)
        return Term(mux(inside, term.signal, none), term.low, term.high)

    def reduced(self, terms: Sequence[Term], name: str) -> Term:
        """All terms as one, by a balanced tree."""
        row, level = list(terms), 0
        while len(row) > 1:
            level += 1
            pairs = zip(row[::2], row[1::2], strict=False)
            found = [
                self.combined(a, b, f"{name}_{level}_{i}")
                for i, (a, b) in enumerate(pairs)
            ]
            row = [*found, *row[2 * len(found) :]]
        return row[0]

    def result(self, term: Term) -> Signal:
        """The bits of a result."""
        if self.is_sum:
            return fitted(term, self.output_bits)
        return term.signal

    def accumulated(self, before: Signal, new: Signal) -> Signal:
        """Two results as one."""
        if self.is_sum:
            return before + new
        left, right = self.terms(before)[0], self.terms(new)[0]
        return self.combined(left, right, "greater").signal
