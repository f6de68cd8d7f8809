"""What units of products share behind their inputs: weights, elements, levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import Signal, concat, pack
from lowering.hw.memories import address_bits, fits_lut, rom
from lowering.hw.stream import BuiltUnit, PipelineBuilder, counter
from lowering.hw.units.channel_order import ChannelOrder
from lowering.hw.units.gathered_words import gathered_words
from lowering.hw.units.pe import ProcessingElement
from lowering.hw.units.places import Places
from lowering.hw.units.row_sums import RowSums
from qdialect.zero_blocks import SkipSchedule


class Stage(NamedTuple):
    """What is known of the data in one stage of the pipeline."""

    valid: Signal
    last: Signal
    """Whether it is the last slice of a row."""

    def following(self, m: PipelineBuilder, number: int) -> Stage:
        """The same in the next stage."""
        last = self.last
        if last.constant_value is None:
            last = m.stage(last, f"last{number}")
        return Stage(m.flag_stage(self.valid, f"valid{number}"), last)


class Slices(NamedTuple):
    """The slices of the inputs on their way into the elements."""

    activations: Sequence[Signal]
    """One for each element."""
    fetching: Stage
    """The stage before the slices are in their registers."""
    in_ready: Signal


@dataclass(frozen=True, eq=False)
class SumPipeline:
    """Adds up the products of slices, and turns the sums into levels.

    Attributes:
        sums: what is added up.
        order: the rows; all of a beat at once, each by one element.
        simd: columns of a slice.
        places: which of its starts a row has at each pixel.
        schedule: what the slices of each row are made of; None for all columns in turn.
    """

    sums: RowSums
    order: ChannelOrder
    simd: int
    places: Places
    schedule: SkipSchedule | None = None

    @property
    def slices(self) -> int:
        """The most slices of a row."""
        if self.schedule is not None:
            return max(self.schedule.steps)
        return -(-self.sums.dot.weights.shape[1] // self.simd)

    @property
    def words(self) -> list[int]:
        """The weights, a word for each slice that comes."""
        if self.schedule is not None:
            return gathered_words(self.sums.dot, self.order, self.simd, self.schedule)
        return self.sums.dot.words(self.order, self.simd)

    @property
    def element(self) -> ProcessingElement:
        """What adds up one row."""
        sums = self.sums
        return ProcessingElement(
            sums.dot, self.simd, self.slices, sums.sum_bits, sums.shift
        )

    @property
    def latency_cycles(self) -> int:
        """Cycles from fetching the last slice of a row to giving its result."""
        search = self.sums.search
        return (
            2 + self.element.latency_cycles + (search.latency_cycles if search else 0)
        )

    def write(self, m: PipelineBuilder, slices: Slices) -> BuiltUnit:
        """The rest of the unit that `m` begins, down to its output stream."""
        return _Writer(self, m).write(slices)


class _Writer:
    """Writes it into one module."""

    def __init__(self, spec: SumPipeline, m: PipelineBuilder) -> None:
        self._spec = spec
        self._m = m

    def write(self, slices: Slices) -> BuiltUnit:
        m, spec = self._m, self._spec
        element = spec.element
        parts = element.build(f"{m.name}_pe")
        weights = self._weights(slices.fetching)
        stages = [slices.fetching]
        for i in range(1 + element.latency_cycles):
            stages.append(stages[-1].following(m, i + 1))
        multiplied = stages[-1]
        starts = self._starts(*stages[-2:])
        accumulate = (m.advance & multiplied.valid).named("accumulate")
        ports = {"advance": m.advance, "accumulate": accumulate}
        if spec.slices > 1:
            ports["restart"] = m.registered(
                multiplied.last, "restart", enable=accumulate, reset=(m.rst, 1)
            )
        sums: list[Signal] = []
        for i, (activations, part, start) in enumerate(
            zip(
                slices.activations,
                weights.lanes(weights.width // spec.order.lanes),
                starts.lanes(spec.sums.sum_bits),
                strict=True,
            )
        ):
            own = {"activations": activations, "weights": part, "start": start}
            outputs = m.instance(f"pe{i}", parts[-1], {**ports, **own})
            sums.append(outputs["sum"])
        done = multiplied.valid & multiplied.last
        return self._finish(parts, slices.in_ready, pack(sums), done)

    def _weights(self, fetching: Stage) -> Signal:
        """The weights that go with the slice that is being fetched."""
        m, spec = self._m, self._spec
        words = spec.words
        step = m.advance & fetching.valid
        address = counter(m, "weight_address", len(words), step)
        width = spec.sums.dot.weight_bits * spec.simd * spec.order.lanes
        read = rom(m, "weights_rom", words, width, address.value)
        return read if read.constant_value is not None else m.stage(read, "weights")

    def _starts(self, before: Stage, now: Stage) -> Signal:
        """Where the sums start of the rows whose products are added now."""
        m, order, bits = self._m, self._spec.order, self._spec.sums.sum_bits
        words = self._start_words()
        # Block RAM is read a cycle ahead, look-up tables as they are needed: Yosys makes
        # several times as many of them where a register follows.
        early = not fits_lut(len(words), bits * order.lanes)
        stage = before if early else now
        row_done = m.advance & stage.valid & stage.last
        beat = counter(m, "start_group", order.beats, row_done)
        place = self._spec.places.index(m, row_done & beat.last)
        # An index of nothing to choose from is a constant bit.
        address = [s for s in (place, beat.value) if s.constant_value is None]
        starts = rom(
            m,
            "starts_rom",
            words,
            bits * order.lanes,
            concat(*address) if address else place,
        )
        return m.stage(starts, "starts") if early else starts.named("starts")

    def _start_words(self) -> list[int]:
        """For each place, a word for each beat; places stand at powers of two."""
        order, bits = self._spec.order, self._spec.sums.sum_bits
        room = 1 << address_bits(order.beats) if order.beats > 1 else 1
        words: list[int] = []
        for starts in self._spec.sums.starts:
            # What no address reaches repeats a word, which may spare its bits.
            words += words[-1:] * (-len(words) % room)
            for beat in range(order.beats):
                word = 0
                for lane in range(order.lanes):
                    start = starts[order.channel(beat, lane)]
                    word |= (start % (1 << bits)) << (lane * bits)
                words.append(word)
        return words

    def _finish(
        self, parts: list[HWModuleOp], in_ready: Signal, sums: Signal, done: Signal
    ) -> BuiltUnit:
        m, plan = self._m, self._spec.sums
        search = plan.search
        if search is None:
            module = m.finish_pipeline(in_ready, sums, done)
            return BuiltUnit([*parts, module], m.images)
        signs = [part.bit(-1) for part in sums.lanes(plan.sum_bits)]
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
        group = counter(m, "level_group", search.rows, m.advance & summed)
        values = pack(signs) if search.value_bits == 1 else sums.named("sums")
        ports = {"advance": m.advance, "row": group.value, "values": values}
        levels = m.instance("activation", activation.top, ports)["levels"]
        module = m.finish_pipeline(in_ready, levels, arriving)
        return BuiltUnit(
            [*parts, *activation.modules, module], [*m.images, *activation.images]
        )
