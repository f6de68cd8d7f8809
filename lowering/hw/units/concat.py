"""Concatenation unit: beats of several streams in turn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from xdsl.ir import Attribute

from lowering.hw.builder import Signal, any_of, mux
from lowering.hw.stream import BuiltUnit, PipelineBuilder
from lowering.hw.units.element_number import widened
from lowering.hw.units.loops import lies_in, position
from qdialect.map_timing import Span
from qdialect.types import width_bits


@dataclass(frozen=True)
class Concat:
    """Gives some beats of each operand in turn, over and over, a beat a cycle.

    Attributes:
        input_types: element types of the operands.
        output_type: element type of the result, which holds all theirs.
        lanes: elements a beat.
        chunks: beats of each operand in its turn.
    """

    input_types: tuple[Attribute, ...]
    output_type: Attribute
    lanes: int
    chunks: tuple[int, ...]

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        widths = [self.lanes * width_bits(element) for element in self.input_types]
        m = PipelineBuilder(
            name,
            widths[0],
            f"Concatenates chunks of {', '.join(map(str, self.chunks))} beats.",
            others=widths[1:],
        )
        step = m.wire("step", 1)
        slot = position(m, "slot", sum(self.chunks), step)
        ends = accumulate(self.chunks)
        turns = [
            lies_in(m, "slot", slot, Span(sum(self.chunks), end - n, 1, n), step)
            for n, end in zip(self.chunks, ends, strict=True)
        ]
        pairs = list(zip(turns, m.operands, strict=True))
        offered = [turn & operand.valid for turn, operand in pairs]
        available = any_of(*offered).named("available")
        step.drive(m.advance & available)
        beats = [
            widened(operand.data, element, self.output_type)
            for operand, element in zip(m.operands, self.input_types, strict=True)
        ]
        out_data = m.stage(_chosen(turns, beats), "out_data")
        readies = [m.advance & turn for turn in turns]
        module = m.finish_pipeline(readies[0], out_data, available, *readies[1:])
        return BuiltUnit([module], m.images)


def _chosen(turns: list[Signal], beats: list[Signal]) -> Signal:
    """The beat whose turn it is."""
    chosen = beats[-1]
    for turn, beat in zip(turns[-2::-1], beats[-2::-1], strict=True):
        chosen = mux(turn, beat, chosen)
    return chosen
