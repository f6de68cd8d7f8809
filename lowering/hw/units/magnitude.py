"""Absolute-value unit: the magnitude of every element of a stream."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Attribute

from lowering.hw.builder import Signal, mux, pack
from lowering.hw.stream import BuiltUnit, PipelineBuilder
from lowering.hw.units.adder_tree import Term
from lowering.hw.units.element_number import difference, fitted, number
from qdialect.types import width_bits


@dataclass(frozen=True)
class Magnitude:
    """Gives the absolute values of a beat, a beat a cycle.

    Attributes:
        input_type: element type of the operand.
        output_type: element type of the result.
        lanes: elements a beat.
    """

    input_type: Attribute
    output_type: Attribute
    lanes: int

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        width = width_bits(self.input_type)
        m = PipelineBuilder(
            name,
            self.lanes * width,
            f"Absolute values, {self.lanes} elements a cycle.",
        )
        lanes = m.in_data.lanes(width)
        results = [self._of(lane, f"negated{i}") for i, lane in enumerate(lanes)]
        out_data = m.stage(pack(results), "out_data")
        module = m.finish_pipeline(m.advance, out_data, m.in_valid)
        return BuiltUnit([module], m.images)

    def _of(self, lane: Signal, name: str) -> Signal:
        bits = width_bits(self.output_type)
        value = number(lane, self.input_type)
        if value.low >= 0:
            return fitted(value, bits)
        zero = Term(lane.builder.constant(0, 1), 0, 0)
        negated = difference(zero, value, name, bits)
        sign = value.signal.bits(value.signal.width - 1, 1)
        return mux(sign, fitted(negated, bits), fitted(value, bits))
