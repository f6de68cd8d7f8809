"""Depth to space: the channels of a pixel as a block of pixels."""

from __future__ import annotations

from dataclasses import dataclass

from lowering.hw.stream import BuiltUnit
from lowering.hw.units.store import Loop, ReadOrder, StoreUnit
from qdialect.pipelines import Store
from qdialect.rearranging import BlockOrder


@dataclass(frozen=True)
class DepthToSpace:
    """Reads a row of a store for each row of the blocks; see `qflow.depth_to_space`.

    Attributes:
        store: of the rows.
        extents: rows and columns of the map.
        block: rows and columns of a block.
        order: where the channels of a pixel of the block lie.
        word_bits: width of a beat.
    """

    store: Store
    extents: tuple[int, int]
    block: int
    order: BlockOrder
    word_bits: int

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        pixel, block = self.store.in_beats, self.block
        height, width = self.extents
        if self.order is BlockOrder.DCR:
            block_row = pixel // block
            window = (Loop(block_row, 1),)
        else:
            block_row = block
            window = (Loop(pixel // block**2, block**2), Loop(block, 1))
        order = ReadOrder(
            window,
            (
                Loop(width, pixel),
                Loop(block, block_row),
                Loop(height, width * pixel),
            ),
        )
        comment = f"Lays channels out as blocks of {block} by {block} pixels."
        return StoreUnit(self.store, order, self.word_bits, comment).build(name)
