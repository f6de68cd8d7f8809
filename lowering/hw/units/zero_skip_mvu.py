"""Matrix-vector unit that spends no cycle on weights of 0."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lowering.hw.stream import BuiltUnit, PipelineBuilder, StreamBuilder
from lowering.hw.units.chain import chained
from lowering.hw.units.input_slices import InputSlices
from lowering.hw.units.mvu import Mvu
from lowering.hw.units.sum_pipeline import Slices, Stage, SumPipeline
from lowering.hw.units.vector_buffer import VectorBuffer
from qdialect.types import width_bits
from qdialect.zero_blocks import SkipSchedule, ZeroBlocks


@dataclass(frozen=True, eq=False)
class ZeroSkipMvu:
    """Computes what an `Mvu` does, from those columns alone that meet a weight but 0.

    A pixel is stored whole. Then, while the next one comes, slices are made for each beat
    of rows of the columns that it needs, see `qflow.mvu`.

    Attributes:
        mvu: what is computed.
        together: lanes that come from the same slice; SIMD where whole slices do.
    """

    mvu: Mvu
    together: int

    @cached_property
    def _schedule(self) -> SkipSchedule:
        mvu = self.mvu
        blocks = ZeroBlocks(mvu.weights, mvu.groups)
        return blocks.schedule(mvu.pe, mvu.simd, self.together)

    @property
    def _in_beats(self) -> int:
        return self.mvu.groups * self.mvu.synapse_fold

    @property
    def cycles_per_pixel(self) -> int:
        """Cycles between two pixels when the unit is never starved or blocked."""
        return max(self._in_beats, sum(self._schedule.steps))

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a pixel's first beat to giving its first result."""
        stored = self._in_beats + 1
        return stored + self._schedule.steps[0] - 1 + self._pipeline.latency_cycles

    @property
    def _pipeline(self) -> SumPipeline:
        mvu = self.mvu
        return SumPipeline(mvu.sums, mvu.order, mvu.simd, mvu.places, self._schedule)

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        mvu = self.mvu
        rows, columns = mvu.weights.shape
        slices = InputSlices(mvu.sums.dot, mvu.simd)
        buffer = VectorBuffer(slices, mvu.groups, self._schedule)
        m = StreamBuilder(
            name,
            mvu.simd * width_bits(mvu.input_type),
            f"Matrix-vector unit: {rows} rows of {columns} weights, "
            f"{mvu.pe} rows by {mvu.simd} columns a cycle;\n"
            f"zeros skipped: {self.cycles_per_pixel} cycles a pixel instead of "
            f"{self._in_beats * mvu.neuron_fold}.",
        )
        return chained(
            m,
            ("buffer", buffer.build(f"{name}_buffer")),
            ("products", self._products(f"{name}_products", buffer)),
        )

    def _products(self, name: str, buffer: VectorBuffer) -> BuiltUnit:
        """Multiplies the slices that come; the bit above one marks a row's last."""
        slice_bits = self.mvu.simd * width_bits(self.mvu.input_type)
        m = PipelineBuilder(name, slice_bits + buffer.marks_last, "Products of slices.")
        last = m.in_data.bit(-1) if buffer.marks_last else m.constant(1, 1)
        held = m.stage(m.in_data.bits(0, slice_bits), "activations")
        slices = Slices([held] * self.mvu.pe, Stage(m.in_valid, last), m.advance)
        return self._pipeline.write(m, slices)
