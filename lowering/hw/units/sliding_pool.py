"""Pool whose windows overlap: along rows first, then across them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import Register, Signal, mux, pack
from lowering.hw.memories import Ram, address_bits, fits_lut
from lowering.hw.stream import BuiltUnit, PipelineBuilder, counter
from lowering.hw.units.adder_tree import Term
from lowering.hw.units.loops import lies_in, position
from lowering.hw.units.reduction import Reduction
from qdialect.map_timing import Span
from qdialect.raster import Raster
from qdialect.types import width_bits
from qdialect.windows import Axis


@dataclass(frozen=True)
class _Ends:
    """Where the windows of an axis end, and which of their taps stand on the map.

    Attributes:
        axis: the window.
        extent: pixels of the axis.
    """

    axis: Axis
    extent: int

    @property
    def first(self) -> int:
        return self.axis.reach - 1 - self.axis.before

    @property
    def count(self) -> int:
        return self.axis.windows(self.extent)

    @property
    def last(self) -> int:
        return self.first + (self.count - 1) * self.axis.stride

    @cached_property
    def distances(self) -> list[int]:
        """How far before the end a tap stands, for those ever on the map."""
        masks = self.axis.masks(self.extent)
        return [
            (self.axis.kernel - 1 - tap) * self.axis.dilation
            for tap in range(self.axis.kernel)
            if masks[:, tap].any()
        ]

    def inside(self, place: Signal, origin: int, distance: int) -> Signal:
        """Whether a tap stands on the map, for a window that ends at `place` - `origin`.

        Args:
            place: a counter.
            origin: what it counts at the first pixel of the axis.
            distance: how far before the end the tap stands.
        """
        inside = place.builder.constant(1, 1)
        if self.first < distance:
            inside = place.compare("uge", distance + origin)
        if self.last - distance >= self.extent:
            inside = inside & place.compare("ult", self.extent + distance + origin)
        return inside


@dataclass(frozen=True)
class SlidingPool:
    """Gives each window once its last pixel has gone by, a beat a cycle.

    The taps of a row are combined as the row goes by; a memory holds what the rows before
    made of the windows' columns, and both make the window.

    Attributes:
        reduction: how elements are combined.
        raster: the map and its windows, of which no two end in one column.
        beats: beats of a pixel.
        lanes: elements a beat.
    """

    reduction: Reduction
    raster: Raster
    beats: int
    lanes: int

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        in_bits = self.lanes * width_bits(self.reduction.input_type)
        m = PipelineBuilder(name, in_bits, "Pool of windows that overlap.")
        return BuiltUnit([_Writer(m, self).write()], m.images)


@dataclass
class _Writer:
    """Rows are counted from where the windows of a row have all ended.

    A window whose last columns are padding ends among the first pixels of the next row,
    so that a counted row begins `late` pixels after a row of the map.
    """

    m: PipelineBuilder
    pool: SlidingPool

    def write(self) -> HWModuleOp:
        m, raster, beats = self.m, self.pool.raster, self.pool.beats
        self.rows = _Ends(raster.rows, raster.height)
        self.columns = _Ends(raster.columns, raster.width)
        self.late = max(0, self.columns.last - raster.width + 1)
        flushing = m.constant(0, 1)
        if raster.slots > raster.pixels:
            flushing = m.register("flushing", 1, reset=(m.rst, 0))
        self.available = (m.in_valid | flushing).named("available")
        self.step = (m.advance & self.available).named("step")
        self.beat = counter(m, "beat", beats, self.step)
        self.pixel = (self.step & self.beat.last).named("pixel")
        self._count()
        if isinstance(flushing, Register):
            begins = self._is_at(raster.pixels - 1)
            goes_on = flushing & ~self.frame_end
            flushing.set_next(mux(self.pixel, begins | goes_on, flushing))
        data, arriving = self._down(*self._along())
        out_data = m.stage(data, "out_data")
        return m.finish_pipeline(m.advance & ~flushing, out_data, arriving)

    def _at(self, slot: int) -> tuple[int, int]:
        """Counted row and column of a pixel's slot."""
        width = self.pool.raster.width
        rows, column = divmod(slot - self.late, width)
        return rows + self._lead, column

    @property
    def _lead(self) -> int:
        """Counted rows before the map's first."""
        return -(-self.late // self.pool.raster.width)

    def _is_at(self, slot: int) -> Signal:
        row, column = self._at(slot)
        return self.row.value.equals(row) & self.column.value.equals(column)

    def _count(self) -> None:
        """The counters `row` and `column`, and whether the frame's last pixel is there."""
        m, raster = self.m, self.pool.raster
        frame_end = m.wire("frame_end", 1)
        last_row, last_column = self._at(raster.slots - 1)
        self.start = self._at(0)[1]
        restart = frame_end
        if self.start == 0 and last_column == raster.width - 1:
            restart = None
        move = self.pixel
        self.column = position(
            m, "column", raster.width, move, start=self.start, restart=restart
        )
        row_done = self.column.last if restart is None else self.column.last | frame_end
        row_move = (move & row_done).named("row_done")
        self.row = position(m, "row", last_row + 1, row_move)
        frame_end.drive(self.row.last & self.column.value.equals(last_column))
        self.frame_end = frame_end
        axis = self.columns.axis
        ends = Span(
            raster.width,
            self.columns.first - self.late,
            axis.stride,
            self.columns.count,
        )
        self.column_ends = lies_in(
            m, "column", self.column, ends, move, start=self.start, restart=restart
        )
        lead, axis = self._lead, self.rows.axis
        ends = Span(last_row + 1, self.rows.first + lead, axis.stride, self.rows.count)
        self.row_ends = lies_in(m, "row", self.row, ends, row_move)

    def _along(self) -> tuple[list[Term], Signal]:
        """What the taps of a row make, a stage later; whether a window ends there."""
        m, reduction, beats = self.m, self.pool.reduction, self.pool.beats
        distances = self.columns.distances
        past = _history(m, "row", m.in_data, max(distances), beats, self.step)
        seen = [reduction.terms(beat) for beat in (m.in_data, *past)]
        inside = [
            self.columns.inside(self.column.value, -self.late, d) for d in distances
        ]
        terms = self._combined(seen, distances, inside, "along")
        staged = [
            Term(m.stage(t.signal, f"along{lane}"), t.low, t.high)
            for lane, t in enumerate(terms)
        ]
        ends = m.flag_stage(self.available & self.column_ends, "ends")
        return staged, ends

    def _down(self, terms: list[Term], ends: Signal) -> tuple[Signal, Signal]:
        """The windows, and whether one is complete."""
        m, reduction, beats = self.m, self.pool.reduction, self.pool.beats
        distances = self.rows.distances
        columns, restart, start = self.columns, None, 0
        if self.late:
            done = self.available & self.beat.last & self.frame_end
            restart = m.advance & m.flag_stage(done, "restarts")
            begun = range(columns.first - self.late, self.start, columns.axis.stride)
            start = len(begun) % columns.count * beats
        past = _history(
            m,
            "rows",
            pack([term.signal for term in terms]),
            max(distances),
            columns.count * beats,
            m.advance & ends,
            start=start,
            restart=restart,
        )
        width = terms[0].signal.width
        seen = [terms]
        for word in past:
            seen.append(
                [Term(x, terms[0].low, terms[0].high) for x in word.lanes(width)]
            )
        inside = [
            self._staged(self.rows.inside(self.row.value, self._lead, d), f"inside{d}")
            for d in distances
        ]
        found = self._combined(seen, distances, inside, "down")
        complete = ends & self._staged(self.row_ends, "row_ends")
        return pack([reduction.result(term) for term in found]), complete

    def _staged(self, flag: Signal, name: str) -> Signal:
        return flag if flag.constant_value == 1 else self.m.stage(flag, name)

    def _combined(
        self,
        seen: Sequence[Sequence[Term]],
        distances: Sequence[int],
        inside: Sequence[Signal],
        name: str,
    ) -> list[Term]:
        """For every lane the reduction of its terms at some distances."""
        reduction = self.pool.reduction
        return [
            reduction.reduced(
                [
                    reduction.present(seen[distance][lane], mask)
                    for distance, mask in zip(distances, inside, strict=True)
                ],
                f"{name}{lane}",
            )
            for lane in range(self.pool.lanes)
        ]


def _history(
    m: PipelineBuilder,
    name: str,
    value: Signal,
    entries: int,
    words: int,
    event: Signal,
    *,
    start: int = 0,
    restart: Signal | None = None,
) -> list[Signal]:
    """What `value` was, the last time first, at the events that were for the same word.

    Args:
        m: the unit.
        name: of the registers or the memory.
        value: what is kept of an event.
        entries: of how many events of a word it is kept.
        words: events are for word 0, 1, ... words - 1, 0, ...
        event: one bit.
        start: the word of the first event.
        restart: one bit; the next event is for word `start`.
    """
    if entries == 0:
        return []
    if words == 1:
        past: list[Signal] = []
        for n in range(entries):
            value = m.registered(value, f"{name}_past{n}", enable=event)
            past.append(value)
        return past
    bits = address_bits(words)
    address = m.register(f"{name}_word", bits, reset=(m.rst, start))
    following = address + m.constant(1, bits)
    if words != 1 << bits:
        last = address.equals(words - 1)
        following = mux(last, m.constant(0, bits), following)
    following = mux(event, following, address)
    if restart is not None:
        following = mux(restart, m.constant(start, bits), following)
    address.set_next(following)
    memory = Ram.create(m, f"{name}_past", words, entries * value.width)
    if fits_lut(words, entries * value.width):
        word = memory.read(address)
    else:
        word = m.registered(memory.read(following), f"{name}_read")
    past = word.lanes(value.width)
    memory.write(event, address, pack([value, *past[:-1]]))
    return past
