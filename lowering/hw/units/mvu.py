"""Matrix-vector unit: weights times each input vector, then an optional activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from xdsl.dialects.hw import HWModuleOp
from xdsl.ir import Attribute

from lowering.hw.builder import Register, Signal, concat, mux, pack
from lowering.hw.memories import LUT_DEPTH_WORDS, Ram, rom
from lowering.hw.stream import BuiltUnit, PipelineBuilder, counter
from lowering.hw.units.activation import Activation, SearchTables
from lowering.hw.units.encoding import DotProduct, Product
from lowering.hw.units.level_search import LevelSearch
from lowering.hw.units.pe import ProcessingElement
from qdialect.types import width_bits

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mvu:
    """Computes MH rows of MW weights on a stream of vectors of MW elements.

        acc[h] = sum over w of input[w] * weights[h, w]
        out[h] = acc[h], or the activation of it

    It takes SF = ceil(MW / SIMD) beats of SIMD elements and gives NF = ceil(MH / PE)
    beats of PE elements. A vector takes SF * NF cycles; its beats are taken in the first
    SF of them and replayed from a buffer in the others.

    Attributes:
        weights: [MH, MW]; stored as their values allow, see `encoding`.
        input_type: element type of the inputs.
        pe: rows computed in parallel, at most MH.
        simd: columns computed in parallel, at most MW.
        accumulator_type: holds every sum; the output's element type where there is no
            activation.
        activation: what follows the sums, or None.
    """

    weights: Ints
    input_type: Attribute
    pe: int
    simd: int
    accumulator_type: Attribute
    activation: Activation | None = None

    def __post_init__(self) -> None:
        rows, columns = self.weights.shape
        if not (1 <= self.pe <= rows and 1 <= self.simd <= columns):
            raise ValueError(
                f"MVU of {rows}x{columns} weights: PE must be in [1, {rows}] and SIMD "
                f"in [1, {columns}], got {self.pe} and {self.simd}"
            )
        if self.activation and len(self.activation.thresholds) != rows:
            raise ValueError(
                f"MVU of {rows} rows: needs as many rows of thresholds, got "
                f"{len(self.activation.thresholds)}"
            )

    @property
    def synapse_fold(self) -> int:
        """SF: beats of an input vector."""
        return -(-self.weights.shape[1] // self.simd)

    @property
    def neuron_fold(self) -> int:
        """NF: beats of an output vector."""
        return -(-self.weights.shape[0] // self.pe)

    @property
    def cycles_per_vector(self) -> int:
        """Cycles between two vectors when the unit is never starved or blocked."""
        return self.synapse_fold * self.neuron_fold

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a vector's first beat to giving its first result."""
        search = self._arithmetic.search
        return (
            self.synapse_fold
            + 1
            + self.has_buffer
            + self._element.latency_cycles
            + (search.latency_cycles if search else 0)
        )

    @property
    def out_bits(self) -> int:
        """Width of an output element."""
        return width_bits(
            self.activation.output_type if self.activation else self.accumulator_type
        )

    @property
    def has_buffer(self) -> bool:
        """Whether the input vector is kept in a memory for replay."""
        return self.synapse_fold > 1 and self.neuron_fold > 1

    @cached_property
    def _arithmetic(self) -> _Arithmetic:
        if self.activation is None:
            dot = DotProduct(self.input_type, self.weights)
            return _Arithmetic(dot, dot.constants, self.out_bits, None)
        return _with_activation(self, self.activation)

    @property
    def _element(self) -> ProcessingElement:
        arithmetic = self._arithmetic
        # The raw sum counts half as much as the accumulator where `scale` is 2.
        shift = arithmetic.dot.scale - 1 if self.activation is None else 0
        return ProcessingElement(
            arithmetic.dot, self.simd, self.synapse_fold, arithmetic.sum_bits, shift
        )

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        return _Writer(self, self._arithmetic, self._element, name).write()

    def weight_words(self) -> list[int]:
        """The weight ROM: for each beat of each row group, the slices of all PEs.

        A PE's slice is `weight_bits` planes of SIMD bits, PE 0 and plane 0 in the low
        bits; where weights are multiplied it is SIMD numbers of `weight_bits` bits.
        """
        dot = self._arithmetic.dot
        sf, nf, pe, simd = self.synapse_fold, self.neuron_fold, self.pe, self.simd
        padded = np.full((nf * pe, sf * simd), dot.padding_weight, np.int64)
        padded[: self.weights.shape[0], : self.weights.shape[1]] = dot.weights
        bits = dot.stored(padded.reshape(nf, pe, sf, simd)).transpose(0, 2, 1, 4, 3)
        if dot.product is Product.MULTIPLY:
            bits = bits.swapaxes(-1, -2)
        flat = bits.reshape(nf * sf, -1).astype(np.uint8)
        packed = np.packbits(flat, axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]


class _Arithmetic(NamedTuple):
    """What the hardware computes: raw sums from `starts`, then a search."""

    dot: DotProduct
    starts: Sequence[int]
    sum_bits: int
    search: LevelSearch | None


def _with_activation(unit: Mvu, activation: Activation) -> _Arithmetic:
    """The thresholds in terms of raw sums; the first is part of where a sum starts.

    scale * raw + constant >= t exactly where raw >= ceil((t - constant) / scale).
    """
    dot, activation = _risen(unit, activation)
    rows: list[list[int]] = activation.thresholds.tolist()
    thresholds: list[list[int]] = []
    ranges: list[tuple[int, int]] = []
    for row, constant, (low, high) in zip(
        rows, dot.constants, dot.sum_ranges, strict=True
    ):
        clamped = [min(max(t, low), high + 1) for t in row]
        thresholds.append([-((constant - t) // dot.scale) for t in clamped])
        ranges.append(
            (-((constant - low) // dot.scale), (high - constant) // dot.scale)
        )
    on_raw = Activation(
        np.array(thresholds, np.int64).reshape(len(rows), -1),
        activation.output_type,
        activation.offset,
        activation.falling,
    )
    tables = SearchTables.centred(on_raw, ranges)
    search = LevelSearch(on_raw, tables, unit.pe, unit.neuron_fold, known_steps=1)
    return _Arithmetic(dot, tables.biases, tables.number_bits, search)


def _risen(unit: Mvu, activation: Activation) -> tuple[DotProduct, Activation]:
    """The same function with rising rows only, if negated weights take no more bits.

    acc < t exactly where -acc >= 1 - t.
    """
    dot = DotProduct(unit.input_type, unit.weights)
    falling = np.array(activation.falling_channels)[:, None]
    negated = DotProduct(
        unit.input_type, np.where(falling, -unit.weights, unit.weights)
    )
    if negated.weight_bits > dot.weight_bits:
        return dot, activation
    # Far beyond every sum, and safe to negate.
    rising = np.clip(activation.thresholds, -(1 << 62), 1 << 62)
    turned = np.where(falling, 1 - rising[:, ::-1], rising)
    return negated, Activation(turned, activation.output_type, activation.offset)


class _Stage(NamedTuple):
    """What is known of the data in one stage of the pipeline."""

    valid: Signal
    last: Signal
    """Whether it is the last slice of a row."""


class _Inputs(NamedTuple):
    """The input slice on its way into the elements."""

    activations: Signal
    fetching: _Stage
    """The stage before the slice is in its register."""
    in_ready: Signal


class _Writer:
    """Writes the module of one unit."""

    def __init__(
        self, unit: Mvu, arithmetic: _Arithmetic, element: ProcessingElement, name: str
    ) -> None:
        self._unit = unit
        self._dot = arithmetic.dot
        self._arithmetic = arithmetic
        self._element = element
        rows, columns = unit.weights.shape
        self._m = PipelineBuilder(
            name,
            unit.simd * width_bits(unit.input_type),
            f"Matrix-vector unit: {rows} rows of {columns} weights, "
            f"{unit.pe} rows by {unit.simd} columns a cycle,\n"
            f"{unit.cycles_per_vector} cycles a vector.",
        )

    def write(self) -> BuiltUnit:
        m, unit = self._m, self._unit
        parts = self._element.build(f"{m.name}_pe")
        inputs = self._inputs()
        weights = self._weights(inputs.fetching)
        stages = [inputs.fetching]
        for i in range(1 + self._element.latency_cycles):
            stages.append(self._next_stage(stages[-1], i + 1))
        multiplied = stages[-1]
        starts = self._starts(*stages[-2:])
        accumulate = (m.advance & multiplied.valid).named("accumulate")
        ports = {
            "advance": m.advance,
            "accumulate": accumulate,
            "activations": inputs.activations,
        }
        if unit.synapse_fold > 1:
            ports["restart"] = m.registered(
                multiplied.last, "restart", enable=accumulate, reset=(m.rst, 1)
            )
        sums: list[Signal] = []
        slices = weights.lanes(weights.width // unit.pe)
        for i, (part, start) in enumerate(
            zip(slices, starts.lanes(self._arithmetic.sum_bits), strict=True)
        ):
            outputs = m.instance(
                f"pe{i}", parts[-1], {**ports, "weights": part, "start": start}
            )
            sums.append(outputs["sum"])
        done = multiplied.valid & multiplied.last
        return self._finish(parts, inputs.in_ready, pack(sums), done)

    def _next_stage(self, stage: _Stage, number: int) -> _Stage:
        m = self._m
        last = stage.last
        if last.constant_value is None:
            last = m.stage(last, f"last{number}")
        return _Stage(m.flag_stage(stage.valid, f"valid{number}"), last)

    def _inputs(self) -> _Inputs:
        """Takes beats in the first pass over a vector and replays them in the others."""
        m, unit = self._m, self._unit
        replays = unit.neuron_fold > 1
        first_pass = m.constant(1, 1)
        if replays:
            first_pass = m.register("first_pass", 1, reset=(m.rst, 1))
        step_valid = (m.in_valid | ~first_pass).named("step_valid")
        step = (m.advance & step_valid).named("step")
        beat = counter(m, "beat", unit.synapse_fold, step)
        pass_done = (step & beat.last).named("pass_done")
        group = counter(m, "row_group", unit.neuron_fold, pass_done)
        if isinstance(first_pass, Register):
            first_pass.set_next(mux(pass_done, group.last, first_pass))
        in_ready = m.advance & first_pass
        stage = _Stage(step_valid, beat.last)
        slice_ = self._planes(beat.last)
        if not replays:
            return _Inputs(m.stage(slice_, "activations"), stage, in_ready)
        if not unit.has_buffer:
            held = m.registered(slice_, "activations", enable=in_ready)
            return _Inputs(held, stage, in_ready)
        # Writing every beat and reading it a cycle later spares a multiplexer between
        # new beats and replayed ones.
        buffer = Ram.create(m, "input_buffer", unit.synapse_fold, slice_.width)
        buffer.write(step & first_pass, beat.value, slice_)
        read = buffer.read(m.stage(beat.value, "read_beat"))
        return _Inputs(
            m.stage(read, "activations"), self._next_stage(stage, 0), in_ready
        )

    def _planes(self, last_beat: Signal) -> Signal:
        """The input beat as the elements take it: planes of one bit of each lane."""
        m, dot, simd = self._m, self._dot, self._unit.simd
        bits = dot.input_bits
        top = 1 << (bits - 1) if dot.flips_input_top_bit else 0
        if dot.product is Product.MULTIPLY:
            turned = sum(top << (lane * bits) for lane in range(simd))
            return m.in_data ^ m.constant(turned, m.in_data.width)
        lanes = m.in_data.lanes(bits)
        planes = [m.in_data]
        if bits > 1:
            planes = [
                pack([lane.bit(k) for lane in lanes]).named(f"plane{k}")
                for k in range(bits)
            ]
        if top:
            planes[-1] = ~planes[-1]
        surplus = self._unit.synapse_fold * simd - self._unit.weights.shape[1]
        if surplus and dot.padding_needs_zero:
            used = m.constant(-1, simd - surplus)
            mask = concat((~last_beat).replicate(surplus), used).named("used_lanes")
            planes = [plane & mask for plane in planes]
        return pack(planes)

    def _weights(self, fetching: _Stage) -> Signal:
        """The weights that go with the slice that is being fetched."""
        m, unit = self._m, self._unit
        words = unit.weight_words()
        step = m.advance & fetching.valid
        address = counter(m, "weight_address", len(words), step)
        width = self._dot.weight_bits * unit.simd * unit.pe
        read = rom(m, "weights_rom", words, width, address.value)
        return read if read.constant_value is not None else m.stage(read, "weights")

    def _starts(self, before: _Stage, now: _Stage) -> Signal:
        """Where the sums start of the rows whose products are added now."""
        m, unit, bits = self._m, self._unit, self._arithmetic.sum_bits
        words: list[int] = []
        for group in range(unit.neuron_fold):
            word = 0
            for pe in range(unit.pe):
                row = group * unit.pe + pe
                # A surplus row repeats the one before, which may spare its bits.
                row = row if row < unit.weights.shape[0] else row - unit.pe
                word |= (self._arithmetic.starts[row] % (1 << bits)) << (pe * bits)
            words.append(word)
        # A ROM that is one LUT deep is read as it is needed, a deeper one a cycle ahead.
        early = unit.neuron_fold > LUT_DEPTH_WORDS
        stage = before if early else now
        row_done = m.advance & stage.valid & stage.last
        group = counter(m, "start_group", unit.neuron_fold, row_done)
        starts = rom(m, "starts_rom", words, bits * unit.pe, group.value)
        return m.stage(starts, "starts") if early else starts.named("starts")

    def _finish(
        self, parts: list[HWModuleOp], in_ready: Signal, sums: Signal, done: Signal
    ) -> BuiltUnit:
        m, search = self._m, self._arithmetic.search
        if search is None:
            module = m.finish_pipeline(in_ready, sums, done)
            return BuiltUnit([*parts, module], m.images)
        signs = [part.bit(-1) for part in sums.lanes(self._arithmetic.sum_bits)]
        if search.is_sign_only:
            levels = pack([search.coded(sign) for sign in signs])
            module = m.finish_pipeline(in_ready, levels, done)
            return BuiltUnit([*parts, module], m.images)
        activation = search.build(f"{m.name}_activation")
        arriving = done
        summed = m.out_valid
        if search.latency_cycles:
            summed = arriving = m.flag_stage(done, "sums_valid")
            for i in range(1, search.latency_cycles):
                arriving = m.flag_stage(arriving, f"search_valid{i}")
        group = counter(m, "level_group", self._unit.neuron_fold, m.advance & summed)
        values = pack(signs) if search.value_bits == 1 else sums.named("sums")
        ports = {"advance": m.advance, "row": group.value, "values": values}
        levels = m.instance("activation", activation.top, ports)["levels"]
        module = m.finish_pipeline(in_ready, levels, arriving)
        return BuiltUnit(
            [*parts, *activation.modules, module], [*m.images, *activation.images]
        )
