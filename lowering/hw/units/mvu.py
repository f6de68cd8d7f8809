"""Matrix-vector unit: weights times each input vector, then an optional activation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute

from lowering.hw.builder import Register, mux
from lowering.hw.memories import Ram
from lowering.hw.stream import BuiltUnit, PipelineBuilder, counter
from lowering.hw.units.activation import Activation
from lowering.hw.units.channel_order import ChannelOrder
from lowering.hw.units.input_slices import InputSlices
from lowering.hw.units.places import ONE_PLACE, Places
from lowering.hw.units.row_sums import RowSums
from lowering.hw.units.sum_pipeline import Slices, Stage, SumPipeline
from qdialect.products import Product
from qdialect.types import width_bits

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mvu:
    """Computes MH rows of MW weights on a stream of vectors of MW elements.

        acc[h] = sum over w of input[w] * weights[h, w] + bias[place, h]
        out[h] = acc[h], or the activation of it

    It takes SF = ceil(MW / SIMD) beats of SIMD elements and gives NF = ceil(MH / PE)
    beats of PE elements. A vector takes SF * NF cycles; its beats are taken in the first
    SF of them and replayed from a buffer in the others. A pixel is one vector or, with
    groups, G of them, vector g with the rows g * MH to (g + 1) * MH - 1.

    Attributes:
        weights: [G * MH, MW]; stored as their values allow, see `encoding`.
        input_type: element type of the inputs.
        pe: rows computed in parallel, at most MH.
        simd: columns computed in parallel, at most MW.
        accumulator_type: holds every sum; the output's element type where there is no
            activation.
        activation: what follows the sums, of G * MH channels, or None.
        groups: G, vectors of a pixel.
        bias: [VY, VX, G * MH], one row for each place, or None.
        places: the place of each pixel.
        product: what multiplies, where the weights allow it; None for the cheapest.
    """

    weights: Ints
    input_type: Attribute
    pe: int
    simd: int
    accumulator_type: Attribute
    activation: Activation | None = None
    groups: int = 1
    bias: Ints | None = None
    places: Places = ONE_PLACE
    product: Product | None = None

    def __post_init__(self) -> None:
        all_rows, columns = self.weights.shape
        rows = all_rows // self.groups
        if not (1 <= self.pe <= rows and 1 <= self.simd <= columns):
            raise ValueError(
                f"MVU of {rows}x{columns} weights: PE must be in [1, {rows}] and SIMD "
                f"in [1, {columns}], got {self.pe} and {self.simd}"
            )
        if self.activation and len(self.activation.thresholds) != all_rows:
            raise ValueError(
                f"MVU of {all_rows} rows: needs as many rows of thresholds, got "
                f"{len(self.activation.thresholds)}"
            )

    @property
    def synapse_fold(self) -> int:
        """SF: beats of an input vector."""
        return -(-self.weights.shape[1] // self.simd)

    @property
    def neuron_fold(self) -> int:
        """NF: beats of an output vector."""
        return self.order.vector_beats

    @property
    def cycles_per_vector(self) -> int:
        """Cycles between two vectors when the unit is never starved or blocked."""
        return self.synapse_fold * self.neuron_fold

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a vector's first beat to giving its first result."""
        return self.synapse_fold - 1 + self.has_buffer + self._pipeline.latency_cycles

    @property
    def has_buffer(self) -> bool:
        """Whether the input vector is kept in a memory for replay."""
        return self.synapse_fold > 1 and self.neuron_fold > 1

    @property
    def order(self) -> ChannelOrder:
        """The beat and lane of each row."""
        return ChannelOrder(len(self.weights), self.pe, self.groups)

    @cached_property
    def sums(self) -> RowSums:
        """What is added up."""
        rows = len(self.weights)
        bias = np.zeros((1, rows), np.int64)
        if self.bias is not None:
            bias = self.bias.reshape(self.places.count, rows)
        return RowSums.of(
            self.input_type,
            self.weights,
            bias,
            self.accumulator_type,
            self.activation,
            self.order,
            self.product,
        )

    @property
    def _pipeline(self) -> SumPipeline:
        return SumPipeline(self.sums, self.order, self.simd, self.places)

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        rows, columns = self.weights.shape
        m = PipelineBuilder(
            name,
            self.simd * width_bits(self.input_type),
            f"Matrix-vector unit: {rows} rows of {columns} weights, "
            f"{self.pe} rows by {self.simd} columns a cycle,\n"
            f"{self.cycles_per_vector} cycles a vector.",
        )
        return self._pipeline.write(m, self._slices(m))

    def _slices(self, m: PipelineBuilder) -> Slices:
        """Takes beats in the first pass over a vector and replays them in the others."""
        replays = self.neuron_fold > 1
        first_pass = m.constant(1, 1)
        if replays:
            first_pass = m.register("first_pass", 1, reset=(m.rst, 1))
        step_valid = (m.in_valid | ~first_pass).named("step_valid")
        step = (m.advance & step_valid).named("step")
        beat = counter(m, "beat", self.synapse_fold, step)
        pass_done = (step & beat.last).named("pass_done")
        group = counter(m, "row_group", self.neuron_fold, pass_done)
        if isinstance(first_pass, Register):
            first_pass.set_next(mux(pass_done, group.last, first_pass))
        in_ready = m.advance & first_pass
        stage = Stage(step_valid, beat.last)
        slice_ = InputSlices(self.sums.dot, self.simd).of(m, beat.last)
        if not replays:
            held = m.stage(slice_, "activations")
        elif not self.has_buffer:
            held = m.registered(slice_, "activations", enable=in_ready)
        else:
            # Writing every beat and reading it a cycle later spares a multiplexer
            # between new beats and replayed ones.
            buffer = Ram.create(m, "input_buffer", self.synapse_fold, slice_.width)
            buffer.write(step & first_pass, beat.value, slice_)
            read = buffer.read(m.stage(beat.value, "read_beat"))
            held = m.stage(read, "activations")
            stage = stage.following(m, 0)
        return Slices([held] * self.pe, stage, in_ready)
