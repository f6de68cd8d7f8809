"""Multiplying unit: the product of two streams, element by element."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Attribute

from lowering.hw.builder import Signal, mux, pack
from lowering.hw.stream import BuiltUnit, PipelineBuilder
from lowering.hw.units.add import take_together
from lowering.hw.units.adder_tree import Term
from lowering.hw.units.element_number import difference, fitted, number, product
from qdialect.types import BipolarType, width_bits


@dataclass(frozen=True)
class Mul:
    """Multiplies the elements of two streams, a beat of each a cycle.

    A bipolar operand keeps or turns the sign of the other.

    Attributes:
        input_types: element types of both operands.
        output_type: element type of the result.
        lanes: elements a beat.
        stages: 2 with registers in front of the product, else 1.
    """

    input_types: tuple[Attribute, Attribute]
    output_type: Attribute
    lanes: int
    stages: int

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        widths = [width_bits(element) for element in self.input_types]
        m = PipelineBuilder(
            name,
            self.lanes * widths[0],
            f"Multiplies two streams, {self.lanes} elements a cycle.",
            others=[self.lanes * widths[1]],
        )
        available, readies = take_together(m)
        lhs, rhs = (operand.data for operand in m.operands)
        if self.stages == 2:
            lhs, rhs = m.stage(lhs, "lhs"), m.stage(rhs, "rhs")
            available = m.flag_stage(available, "valid")
        pairs = zip(lhs.lanes(widths[0]), rhs.lanes(widths[1]), strict=True)
        results = [self._product(a, b, f"negated{i}") for i, (a, b) in enumerate(pairs)]
        out_data = m.stage(pack(results), "out_data")
        module = m.finish_pipeline(readies[0], out_data, available, *readies[1:])
        return BuiltUnit([module], m.images)

    def _product(self, lhs: Signal, rhs: Signal, name: str) -> Signal:
        left, right = self.input_types
        bits = width_bits(self.output_type)
        if isinstance(left, BipolarType) and isinstance(right, BipolarType):
            same = ~(lhs ^ rhs)
            if isinstance(self.output_type, BipolarType):
                return same
            return fitted(number(same, left), bits)
        if isinstance(right, BipolarType):
            left, right, lhs, rhs = right, left, rhs, lhs
        other = number(rhs, right)
        if isinstance(left, BipolarType):
            zero = Term(rhs.builder.constant(0, 1), 0, 0)
            negated = difference(zero, other, name, bits)
            return mux(lhs, fitted(other, bits), fitted(negated, bits))
        return fitted(product(number(lhs, left), other, bits), bits)
