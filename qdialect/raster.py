"""Windows that are complete one after another while a map passes in raster order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from qdialect.windows import Axis, Window


@dataclass(frozen=True)
class Raster:
    """In which slots of a frame windows are complete; a pixel passes in each slot.

    A window is complete with its last tap. While that stands on padding behind a row, it
    is as many slots later, in which the next row has begun; behind the last pixel follow
    slots without one. So windows are complete at places of a raster of their own: window
    (y, x) in slot `first` + y * `pitch` + x * stride.

    Attributes:
        window: what slides.
        extents: of the map.
    """

    window: Window
    extents: tuple[int, ...]

    @property
    def rows(self) -> Axis:
        """The window across rows; a 1-D map is one row."""
        return self.window[0] if len(self.window) > 1 else Axis(1)

    @property
    def columns(self) -> Axis:
        """The window along a row."""
        return self.window[-1]

    @property
    def height(self) -> int:
        """Rows of the map."""
        return self.extents[0] if len(self.extents) > 1 else 1

    @property
    def width(self) -> int:
        """Pixels of a row."""
        return self.extents[-1]

    @property
    def pixels(self) -> int:
        """Pixels of the map: the first slots of a frame."""
        return prod(self.extents)

    @property
    def first(self) -> int:
        """The slot in which the first window is complete."""
        return self._last_tap(self.rows) * self.width + self._last_tap(self.columns)

    @staticmethod
    def _last_tap(axis: Axis) -> int:
        return axis.reach - 1 - axis.before

    @property
    def counts(self) -> tuple[int, int]:
        """Rows of windows, and windows of a row."""
        return self.rows.windows(self.height), self.columns.windows(self.width)

    @property
    def pitch(self) -> int:
        """Slots between windows below each other; with one row, all of a frame's."""
        if self.counts[0] == 1:
            return self.slots
        return self.rows.stride * self.width

    @cached_property
    def slots(self) -> int:
        """Slots of a frame."""
        return max(self.pixels, self.ends[-1] + 1)

    @cached_property
    def ends(self) -> Sequence[int]:
        """The slot of each window, in the order in which they leave."""
        rows, columns = self.counts
        row = self.rows.stride * self.width
        return [
            self.first + y * row + x * self.columns.stride
            for y in range(rows)
            for x in range(columns)
        ]

    @property
    def fits(self) -> bool:
        """Whether no two windows are complete at once, nor one before the frame.

        Some tap must stand on the map, too.
        """
        rows, columns = self.counts
        apart = rows == 1 or (columns - 1) * self.columns.stride < self.pitch
        used = (
            axis.masks(extent).any()
            for axis, extent in zip(self.window, self.extents, strict=True)
        )
        return self.first >= 0 and apart and all(used)
