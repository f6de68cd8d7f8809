"""Padding unit: pixels of one value around a map and between its pixels."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Attribute

from lowering.hw.builder import mux
from lowering.hw.stream import BuiltUnit, PipelineBuilder
from lowering.hw.units.element_number import widened
from lowering.hw.units.loops import loop_nest
from qdialect.map_timing import Span
from qdialect.types import BipolarType, width_bits


@dataclass(frozen=True)
class Pad:
    """Gives beats of a frame, and of a constant everywhere else, a beat a cycle.

    Attributes:
        input_type: element type of the inputs.
        output_type: element type of the results, which holds every input.
        lanes: elements a beat.
        value: every element of the padding.
        spans: where the input's beats lie among the result's, outermost axis first.
    """

    input_type: Attribute
    output_type: Attribute
    lanes: int
    value: int
    spans: tuple[Span, ...]

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        m = PipelineBuilder(
            name,
            self.lanes * width_bits(self.input_type),
            f"Padding unit: {self.value} around a map, or between its pixels.",
        )
        takes, step = m.wire("takes", 1), m.wire("step", 1)
        nest = loop_nest(m, self.spans, step)
        takes.drive(nest.inside)
        waits = takes
        if any(span.first > 0 for span in self.spans):
            # A frame begins when it is sure to come.
            waits = takes | m.registered(
                nest.last, "begins", enable=step, reset=(m.rst, 1)
            )
        available = (m.in_valid | ~waits).named("available")
        step.drive(m.advance & available)
        bits = width_bits(self.output_type)
        code = (
            self.value > 0 if isinstance(self.output_type, BipolarType) else self.value
        )
        padding = m.constant(int(code), bits).replicate(self.lanes)
        data = widened(m.in_data, self.input_type, self.output_type)
        out_data = m.stage(mux(takes, data, padding), "out_data")
        module = m.finish_pipeline(m.advance & takes, out_data, available)
        return BuiltUnit([module], m.images)
