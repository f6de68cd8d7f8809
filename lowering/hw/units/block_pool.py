"""Pool whose windows do not overlap: an accumulator for each window of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from lowering.hw.builder import Signal, concat, mux, pack
from lowering.hw.memories import Ram, address_bits, fits_lut
from lowering.hw.stream import BuiltUnit, Counter, PipelineBuilder, counter
from lowering.hw.units.reduction import Reduction
from qdialect.types import width_bits
from qdialect.windows import Axis, Window


class _Place(NamedTuple):
    """Where along an axis the present pixel lies.

    Attributes:
        window: number of the window, counted from 0.
        first: whether it is the first pixel of a window on the map.
        last: whether it is the last one.
        covered: whether it lies in a window, not between two.
        leaves: whether the next pixel belongs to another window.
        ends: whether it is the last pixel of the axis.
    """

    window: Signal
    first: Signal
    last: Signal
    covered: Signal
    leaves: Signal
    ends: Signal


@dataclass(frozen=True)
class _Blocks:
    """The windows of an axis, one behind the other; see `_Place`.

    A pixel is the phase'th of the window'th block of `stride` pixels. The padding in
    front belongs to the first block and has gone by when the axis begins.
    """

    axis: Axis
    extent: int

    @property
    def last_block(self) -> int:
        return (self.axis.before + self.extent - 1) // self.axis.stride

    @property
    def last_phase(self) -> int:
        """Phase of the last pixel."""
        return (self.axis.before + self.extent - 1) % self.axis.stride

    @property
    def phases(self) -> int:
        return self.axis.stride if self.last_block else self.last_phase + 1

    @property
    def is_pointwise(self) -> bool:
        """Whether every window has but one pixel on the map."""
        return self.axis.kernel == 1 or self.extent == 1

    def place(self, m: PipelineBuilder, name: str, move: Signal) -> _Place:
        """Where the present pixel lies; it is another after a clock edge with `move`."""
        if self.extent == 1:
            one = m.constant(1, 1)
            return _Place(m.constant(0, 1), one, one, one, one, one)
        if self.phases == 1:
            block = counter(m, f"{name}_window", self.last_block + 1, move)
            one = m.constant(1, 1)
            return _Place(block.value, one, one, one, one, block.last)
        start, width = self.axis.before, address_bits(self.phases)
        zero, step = m.constant(0, width), m.constant(1, width)
        phase = m.register(f"{name}_phase", width, enable=move, reset=(m.rst, start))
        leaves = ends = phase.equals(self.phases - 1).named(f"{name}_leaves")
        window = m.constant(0, 1)
        begins = phase.equals(start)
        if self.last_block:
            bits = address_bits(self.last_block + 1)
            number = m.register(f"{name}_window", bits, enable=move, reset=(m.rst, 0))
            at_end = number.equals(self.last_block)
            ends = (at_end & phase.equals(self.last_phase)).named(f"{name}_ends")
            leaves = leaves | ends
            following = mux(leaves, number + m.constant(1, bits), number)
            number.set_next(mux(ends, m.constant(0, bits), following))
            window, begins = number, begins & number.equals(0)
        phase.set_next(
            mux(ends, m.constant(start, width), mux(leaves, zero, phase + step))
        )
        covered = m.constant(1, 1)
        if self.phases > self.axis.kernel:
            covered = phase.compare("ult", self.axis.kernel)
        first = begins
        if start > 0 and self.last_block:
            first = begins | phase.equals(0)
        elif start == 0:
            first = phase.equals(0)
        last = self._last(phase, ends)
        return _Place(window, first, last, covered, leaves, ends)

    def _last(self, phase: Signal, ends: Signal) -> Signal:
        """Whether a window's last pixel is there; padding behind cuts the last one off."""
        axis, windows = self.axis, self.axis.windows(self.extent)
        final = (windows - 1) * axis.stride + axis.kernel - 1
        is_cut = final > axis.before + self.extent - 1
        if not is_cut:
            return phase.equals(axis.kernel - 1)
        return ends if windows == 1 else ends | phase.equals(axis.kernel - 1)


@dataclass(frozen=True)
class BlockPool:
    """Combines pixels with what their window has so far, a beat a cycle.

    Attributes:
        reduction: how.
        window: rows and columns of a window; its reach is at most its stride.
        extents: rows and columns of the map.
        beats: beats of a pixel.
        lanes: elements a beat.
    """

    reduction: Reduction
    window: Window
    extents: tuple[int, int]
    beats: int
    lanes: int

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        in_bits = self.lanes * width_bits(self.reduction.input_type)
        m = PipelineBuilder(name, in_bits, "Pool of windows that do not overlap.")
        rows, columns = (
            _Blocks(axis, n) for axis, n in zip(self.window, self.extents, strict=True)
        )
        step = (m.advance & m.in_valid).named("step")
        beat = counter(m, "beat", self.beats, step)
        pixel = (step & beat.last).named("pixel")
        column = columns.place(m, "column", pixel)
        row = rows.place(m, "row", (pixel & column.ends).named("row_done"))
        first = (row.first & column.first).named("first")
        new = [self.reduction.result(t) for t in self.reduction.terms(m.in_data)]
        result = pack(new)
        if not (rows.is_pointwise and columns.is_pointwise):
            width = new[0].width
            total = m.wire("total", result.width)
            blocks = 1 if rows.is_pointwise else columns.last_block + 1
            sums = _Accumulators(m, blocks, self.beats, step, beat, column)
            before = sums.present(total).lanes(width)
            pairs = zip(before, new, strict=True)
            more = [self.reduction.accumulated(old, now) for old, now in pairs]
            total.drive(mux(first, result, pack(more)))
            result = total
        arriving = m.in_valid & row.last & column.last
        out_data = m.stage(result, "out_data")
        return BuiltUnit([m.finish_pipeline(m.advance, out_data, arriving)], m.images)


@dataclass(frozen=True)
class _Accumulators:
    """What the windows of a row have so far, for every beat of a pixel.

    Attributes:
        m: the unit.
        blocks: windows.
        beats: beats of a pixel.
        step: whether a beat is taken.
        beat: the present one.
        column: where its pixel lies.
    """

    m: PipelineBuilder
    blocks: int
    beats: int
    step: Signal
    beat: Counter
    column: _Place

    def present(self, total: Signal) -> Signal:
        """The accumulator of the present beat, which becomes `total` with its step."""
        m, words = self.m, self.blocks * self.beats
        write = self.step & self.column.covered
        if words == 1:
            return m.registered(total, "accumulator", enable=write)
        memory = Ram.create(m, "accumulators", words, total.width)
        if fits_lut(words, total.width):
            address = self._address(words)
            memory.write(write, address, total)
            return memory.read(address)
        address, following = self._counted(words)
        memory.write(write, address, total)
        read = m.registered(memory.read(following), "read", enable=self.step)
        if self.beats > 1:
            return read
        # What was just written cannot be read yet.
        held = m.registered(total, "held", enable=self.step)
        return mux(self.column.first, read, held)

    def _address(self, words: int) -> Signal:
        if self.blocks == 1:
            return self.beat.value
        if self.beats == 1:
            return self.column.window
        if self.beats & (self.beats - 1) == 0:
            return concat(self.column.window, self.beat.value)
        return self._counted(words)[0]

    def _counted(self, words: int) -> tuple[Signal, Signal]:
        """The address of the present beat, and that of the next."""
        m, bits = self.m, address_bits(words)
        address = m.register("address", bits, enable=self.step, reset=(m.rst, 0))
        stays = ~self.column.leaves if self.blocks > 1 else m.constant(1, 1)
        back = mux(stays, m.constant(1 - self.beats, bits), m.constant(1, bits))
        following = address + mux(self.beat.last, back, m.constant(1, bits))
        if self.blocks > 1:
            row_done = self.column.ends & self.beat.last
            following = mux(row_done, m.constant(0, bits), following)
        address.set_next(following)
        return address, following
