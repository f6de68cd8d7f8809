"""Places of a map: which of several constants goes with each of its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lowering.hw.builder import Signal, concat
from lowering.hw.memories import address_bits, rom
from lowering.hw.stream import PipelineBuilder, counter


@dataclass(frozen=True)
class Places:
    """The place of each pixel, from one number for its row and one for its column.

        place[y, x] = rows[y] * (max(columns) + 1) + columns[x]

    Attributes:
        rows: a number from 0 up for each row of the map.
        columns: a number from 0 up for each column.
    """

    rows: tuple[int, ...] = (0,)
    columns: tuple[int, ...] = (0,)

    @property
    def row_count(self) -> int:
        """VY: kinds of rows."""
        return max(self.rows) + 1

    @property
    def column_count(self) -> int:
        """VX: kinds of columns."""
        return max(self.columns) + 1

    @property
    def count(self) -> int:
        """Number of places."""
        return self.row_count * self.column_count

    def index(self, m: PipelineBuilder, pixel_done: Signal) -> Signal:
        """The place of the present pixel, of `address_bits(count)` bits.

        Counts pixels at the clock edges where `pixel_done` is 1. What it reads of a row
        or a column is for the next one, so that only registers stand before the index.
        """
        if self.count == 1:
            return m.constant(0, 1)
        column = counter(m, "column", len(self.columns), pixel_done)
        row_done = (pixel_done & column.last).named("row_done")
        parts: list[Signal] = []
        if self.row_count > 1:
            row = counter(m, "row", len(self.rows), row_done)
            parts.append(_following(m, "row_place", self.rows, row.value, row_done))
        if self.column_count > 1:
            parts.append(
                _following(m, "column_place", self.columns, column.value, pixel_done)
            )
        return self._dense(m, parts)

    def _dense(self, m: PipelineBuilder, parts: Sequence[Signal]) -> Signal:
        """The index, from the numbers of row and column side by side."""
        pair = concat(*parts)
        step = 1 << address_bits(self.column_count)
        if len(parts) == 1 or step == self.column_count:
            return pair
        words = [
            row * self.column_count + min(column, self.column_count - 1)
            for row in range(self.row_count)
            for column in range(step)
        ]
        return rom(m, "places", words, address_bits(self.count), pair).named("place")


ONE_PLACE = Places()
"""Where all pixels are alike."""


def _following(
    m: PipelineBuilder,
    name: str,
    numbers: Sequence[int],
    position: Signal,
    step: Signal,
) -> Signal:
    """The number of the present position, which moves on where `step` is 1."""
    width = address_bits(max(numbers) + 1)
    rotated = [*numbers[1:], numbers[0]]
    register = m.register(name, width, enable=step, reset=(m.rst, numbers[0]))
    register.set_next(rom(m, f"{name}s", rotated, width, position))
    return register
