"""Sliding-window units: the windows of a map as vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lowering.hw.builder import Signal, pack
from lowering.hw.stream import BuiltUnit, PipelineBuilder, StreamBuilder
from lowering.hw.units.raster import sliding_taps
from lowering.hw.units.store import Loop, ReadOrder, StoreWriter, selected
from qdialect.pipelines import Store
from qdialect.raster import Raster
from qdialect.windows import Masks


@dataclass(frozen=True)
class Swu:
    """Gives the windows of a map tap by tap; see `qflow.swu`.

    The store is a ring of words, one for each beat. The place that is read moves from tap
    to tap by a constant, over the padding, too, which is not stored: what lies there
    instead is blanked.

    Attributes:
        store: the ring, and what the windows need of it.
        raster: the map and what slides over it.
        groups: of channels, whose taps follow each other.
        word_bits: width of a beat.
    """

    store: Store
    raster: Raster
    groups: int
    word_bits: int

    @property
    def _masks(self) -> tuple[Masks, Masks]:
        raster = self.raster
        return raster.rows.masks(raster.height), raster.columns.masks(raster.width)

    @property
    def order(self) -> ReadOrder:
        """The order in which words are read."""
        rows, columns = self.raster.rows, self.raster.columns
        pixel = self.store.in_beats
        row = self.raster.width * pixel
        share = pixel // self.groups
        inner = (Loop(share, 1), Loop(columns.kernel, columns.dilation * pixel))
        if share == inner[1].step and self._masks[1].all():
            # One loop, where nobody asks which tap it is.
            inner = (Loop(1, 1), Loop(columns.kernel * share, 1))
        counts = self.raster.counts
        return ReadOrder(
            (*inner, Loop(rows.kernel, rows.dilation * row), Loop(self.groups, share)),
            (
                Loop(counts[1], columns.stride * pixel),
                Loop(counts[0], rows.stride * row),
            ),
            start=-(rows.before * row + columns.before * pixel),
        )

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        words = self.store.capacity * self.store.in_beats
        m = StreamBuilder(
            name, self.word_bits, f"Sliding windows, a tap a beat, over {words} words."
        )
        writer = StoreWriter(m, self.store, self.order)
        _, column, row, _, x, y = (counter.value for counter in writer.counters)
        tables = zip(self._masks, ((row, y), (column, x)), strict=True)
        rows, columns = (_is_inside(m, masks, *places) for masks, places in tables)
        return BuiltUnit([writer.finish(rows & columns)], m.images)


def _is_inside(m: StreamBuilder, masks: Masks, tap: Signal, window: Signal) -> Signal:
    """Whether a tap of a window stands on the map."""
    if masks.all():
        return m.constant(1, 1)
    return selected(m, masks.T.astype(np.int64), [tap, window], 1)


@dataclass(frozen=True)
class ParallelSwu:
    """Gives a whole window in each beat; see `qflow.swu`.

    Attributes:
        raster: the map and what slides over it.
        pixel_bits: width of a pixel, which comes in one beat.
    """

    raster: Raster
    pixel_bits: int

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        m = PipelineBuilder(
            name,
            self.pixel_bits,
            f"{len(self.raster.ends)} windows a frame, each in one beat.",
        )
        taps = sliding_taps(m, self.raster)
        seen = [
            value & inside.replicate(self.pixel_bits)
            for value, inside in zip(taps.values, taps.inside, strict=True)
        ]
        return BuiltUnit(
            [m.finish_pipeline(taps.in_ready, pack(seen), taps.arriving)], m.images
        )
