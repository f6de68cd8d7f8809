"""Upsampling: every pixel several times along each axis."""

from __future__ import annotations

from dataclasses import dataclass

from lowering.hw.stream import BuiltUnit
from lowering.hw.units.store import Loop, ReadOrder, StoreUnit
from qdialect.pipelines import Store


@dataclass(frozen=True)
class Upsample:
    """Repeats pixels, and rows from a store; see `qflow.upsample`.

    Attributes:
        store: of the rows.
        extents: rows and columns of the map.
        factors: how often each row, and each pixel of it, is given.
        word_bits: width of a beat.
    """

    store: Store
    extents: tuple[int, int]
    factors: tuple[int, int]
    word_bits: int

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        pixel = self.store.in_beats
        height, width = self.extents
        order = ReadOrder(
            (Loop(pixel, 1), Loop(self.factors[1], 0)),
            (
                Loop(width, pixel),
                Loop(self.factors[0], 0),
                Loop(height, width * pixel),
            ),
        )
        comment = (
            f"Gives each row {self.factors[0]} times, its pixels {self.factors[1]}."
        )
        return StoreUnit(self.store, order, self.word_bits, comment).build(name)
