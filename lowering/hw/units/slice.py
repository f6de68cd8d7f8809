"""Slicing unit: some of the beats of a frame."""

from __future__ import annotations

from dataclasses import dataclass

from lowering.hw.stream import BuiltUnit, PipelineBuilder
from lowering.hw.units.loops import loop_nest
from qdialect.map_timing import Span


@dataclass(frozen=True)
class Slice:
    """Takes a beat a cycle and gives those that lie in every span.

    Attributes:
        width_bits: width of a beat.
        spans: the beats that are kept along each axis, outermost first.
    """

    width_bits: int
    spans: tuple[Span, ...]

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        m = PipelineBuilder(
            name, self.width_bits, "Keeps some of the beats of a frame."
        )
        step = (m.advance & m.in_valid).named("step")
        kept = loop_nest(m, self.spans, step).inside.named("kept")
        out_data = m.stage(m.in_data, "out_data")
        module = m.finish_pipeline(m.advance, out_data, m.in_valid & kept)
        return BuiltUnit([module], m.images)
