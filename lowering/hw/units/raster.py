"""The windows of a map that passes in raster order, in registers behind row memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lowering.hw.builder import Register, Signal, all_of, mux, pack
from lowering.hw.memories import Ram, address_bits
from lowering.hw.stream import PipelineBuilder, between, counter
from qdialect.raster import Raster
from qdialect.windows import Masks

MAX_CHAIN = 4
"""A longer delay is a memory rather than a chain of registers."""


class Taps(NamedTuple):
    """What a map that passes shows of its windows.

    A window stands in `values` in the cycle after the slot in which it is complete, and
    until the next slot.

    Attributes:
        in_ready: whether the unit takes a beat.
        arriving: whether there will be a window in the next cycle.
        values: the pixel under each tap in reading order; 0 for a tap that never stands
            on the map.
        inside: for each tap, whether it stands on the map: a constant where it is always
            one way.
    """

    in_ready: Signal
    arriving: Signal
    values: list[Signal]
    inside: list[Signal]


def sliding_taps(m: PipelineBuilder, raster: Raster) -> Taps:
    """Let the map at the input of `m` pass, and show its windows.

    The unit follows `pipelines.raster_pipeline`: without further stages, where `values`
    go to the output as they are, its latency is 1.

    Args:
        m: the unit; everything moves with `m.advance`.
        raster: the map, of which a pixel comes in each beat, and its windows, which must
            fit.
    """
    if not raster.fits:
        raise ValueError(f"windows {raster.window} overlap in {raster.extents}")
    return _Writer(m, raster).write()


@dataclass
class _Writer:
    m: PipelineBuilder
    raster: Raster

    def write(self) -> Taps:
        m, raster = self.m, self.raster
        has_flush = raster.slots > raster.pixels
        flush = m.register("flushing", 1, reset=(m.rst, 0)) if has_flush else None
        flushing = flush or m.constant(0, 1)
        available = (m.in_valid | flushing).named("available")
        self.step = (m.advance & available).named("step")
        self._count()
        if flush is not None:
            begins = self._at(raster.pixels - 1)
            goes_on = flush & ~self._at(raster.slots - 1)
            flush.set_next(mux(self.step, begins | goes_on, flush))
        arriving = available & self._is_complete()
        return Taps(m.advance & ~flushing, arriving, self._values(), self._inside())

    # A slot's place among the windows: its column below the pitch, and its row, counted
    # from that of the frame's first slot.

    def _place(self, slot: int) -> tuple[int, int]:
        """Row and column of a slot."""
        pitch = self.raster.pitch
        first = self._rows_before * pitch - self.raster.first
        return divmod(first + slot, pitch)

    @property
    def _rows_before(self) -> int:
        return -(-self.raster.first // self.raster.pitch)

    def _at(self, slot: int) -> Signal:
        row, column = self._place(slot)
        return self.row.equals(row) & self.column.equals(column)

    def _count(self) -> None:
        """The counters `row`, `column`, and `phase`, the column modulo the stride."""
        raster = self.raster
        pitch, stride, slots = raster.pitch, raster.columns.stride, raster.slots
        start, last_row = self._place(0)[1], self._place(slots - 1)[0]
        self.row = self._counter("row", last_row + 1, 0)
        self.column = self._counter("column", pitch, start)
        self.phase = None
        ends = self._at(slots - 1).named("frame_ends")
        wraps = self.column.equals(pitch - 1).named("row_ends")
        restart = [(ends, start)] if slots % pitch else []
        self._let_count(self.column, pitch, self.step, restart)
        turns = self.step & (wraps | ends)
        self._let_count(self.row, last_row + 1, turns, [(ends, 0)])
        if raster.counts[1] > 1 and stride & (stride - 1):
            self.phase = self._counter("phase", stride, start % stride)
            restart = [(wraps, 0)] if pitch % stride else []
            if slots % pitch:
                restart.append((ends, start % stride))
            self._let_count(self.phase, stride, self.step, restart)

    def _counter(self, name: str, count: int, start: int) -> Signal:
        """A register below `count`, or 0 where that needs none."""
        if count == 1:
            return self.m.constant(0, 1)
        return self.m.register(name, address_bits(count), reset=(self.m.rst, start))

    def _let_count(
        self,
        value: Signal,
        count: int,
        enable: Signal,
        jumps: Sequence[tuple[Signal, int]],
    ) -> None:
        """Count up at each edge where `enable` is 1; later jumps come before earlier."""
        if not isinstance(value, Register):
            return
        m = self.m
        following = value + m.constant(1, value.width)
        if count != 1 << value.width:
            wraps = value.equals(count - 1)
            following = mux(wraps, m.constant(0, value.width), following)
        for condition, place in jumps:
            following = mux(condition, m.constant(place, value.width), following)
        value.set_next(mux(enable, following, value))

    def _is_complete(self) -> Signal:
        """Whether a window is complete in this slot."""
        m, raster = self.m, self.raster
        rows, columns = raster.counts
        stride, begin = raster.columns.stride, self._rows_before
        conditions = [between(self.row, begin, begin + rows - 1)]
        end = (columns - 1) * stride
        if end + stride < raster.pitch or columns == 1:
            conditions.append(between(self.column, 0, end))
        if self.phase is not None:
            conditions.append(self.phase.equals(0))
        elif stride > 1 and columns > 1:
            low = self.column.bits(0, stride.bit_length() - 1)
            conditions.append(low.equals(0))
        return all_of(m.constant(1, 1), *conditions).named("is_complete")

    # What stands under the taps. The further a tap is from the last, the older its pixel.

    @cached_property
    def _masks(self) -> tuple[Masks, Masks]:
        raster = self.raster
        return raster.rows.masks(raster.height), raster.columns.masks(raster.width)

    def _values(self) -> list[Signal]:
        m, axes = self.m, (self.raster.rows, self.raster.columns)
        rows, columns = (_ages(masks) for masks in self._masks)
        head = m.registered(m.in_data, "head", enable=self.step)
        row_steps = axes[0].dilation * self.raster.width
        heads = self._delayed(head, max(rows.values()), row_steps, "row")
        used = pack([heads[age] for age in rows.values()])
        column_steps = axes[1].dilation
        history = self._delayed(used, max(columns.values()), column_steps, "column")
        values = {
            (row, column): value
            for column, age in columns.items()
            for row, value in zip(rows, history[age].lanes(head.width), strict=True)
        }
        nothing = m.constant(0, head.width)
        return [
            values.get((row, column), nothing)
            for row in range(axes[0].kernel)
            for column in range(axes[1].kernel)
        ]

    def _delayed(
        self, value: Signal, count: int, steps: int, name: str
    ) -> list[Signal]:
        """A register, and what it was `steps` steps before, twice as many, and so on."""
        m = self.m
        found = [value]
        if count == 0:
            return found
        if steps <= MAX_CHAIN:
            for _ in range(count):
                for _ in range(steps):
                    value = m.registered(value, name, enable=self.step)
                found.append(value)
            return found
        memory = Ram.create(m, f"{name}_memory", steps, count * value.width)
        place = counter(m, f"{name}_place", steps, self.step).value
        # Read a step ahead of writing, and so `steps` steps after it.
        before = m.registered(
            place, f"{name}_place_before", enable=self.step, reset=(m.rst, steps - 1)
        )
        read = m.registered(memory.read(place), f"{name}s", enable=self.step)
        found += read.lanes(value.width)
        memory.write(self.step, before, pack(found[:-1]))
        return found

    def _inside(self) -> list[Signal]:
        """For each tap, whether it stands on the map, held until the next step."""
        rows, columns = self._masks
        stride, before = self.raster.columns.stride, self._rows_before
        in_row = self._taps_inside(rows, self.row, 1, before)
        in_column = self._taps_inside(columns, self.column, stride, 0)
        held: dict[Signal, Signal] = {}
        found: list[Signal] = []
        for row in in_row:
            for column in in_column:
                inside = row & column
                if 0 in (row.constant_value, column.constant_value):
                    inside = self.m.constant(0, 1)
                if inside.constant_value is None and inside not in held:
                    held[inside] = self.m.registered(inside, "inside", enable=self.step)
                found.append(held.get(inside, inside))
        return found

    def _taps_inside(
        self, masks: Masks, place: Signal, stride: int, first: int
    ) -> list[Signal]:
        """For each tap of an axis, whether it stands on the map, by a window's place."""
        found: list[Signal] = []
        for tap in masks.T:
            windows = np.flatnonzero(tap)
            if not len(windows):
                found.append(self.m.constant(0, 1))
                continue
            low = first + stride * int(windows[0]) if windows[0] else 0
            high = first + stride * int(windows[-1])
            if windows[-1] == len(tap) - 1:
                high = (1 << place.width) - 1
            found.append(between(place, low, high))
        return found


def _ages(masks: Masks) -> dict[int, int]:
    """The age of each tap of an axis that ever stands on the map, in taps."""
    kernel = masks.shape[1]
    return {tap: kernel - 1 - tap for tap in range(kernel) if masks[:, tap].any()}
