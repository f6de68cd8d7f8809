"""A window of a map as one vector: its elements side by side, plane by plane."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from qdialect.convolution import ConvOp
from qdialect.packed import packed_type
from qdialect.packed_maps import PackedConvOp
from qdialect.windows import Window


@dataclass(frozen=True)
class WindowVector:
    """How the windows of a convolution become vectors [planes, taps, run].

    Attributes:
        window: an entry for each spatial axis.
        extents: of the map.
        planes: planes of a pixel.
        run: elements, or words, of a plane of a pixel; they stand side by side.
    """

    window: Window
    extents: tuple[int, ...]
    planes: int
    run: int

    @property
    def pixel(self) -> int:
        """Elements of a pixel."""
        return self.planes * self.run

    @property
    def taps(self) -> int:
        """Taps of a window."""
        return prod(axis.kernel for axis in self.window)

    @property
    def size(self) -> int:
        """Elements of a vector."""
        return self.taps * self.pixel

    @property
    def rows_are_runs(self) -> bool:
        """Whether the taps along the last axis stand side by side in the map."""
        return _is_run(self, len(self.window) - 1) and self.planes == 1

    @property
    def stands_in_map(self) -> bool:
        """Whether every window stands in the map as the vector it is."""
        if self.taps == 1:
            return all(_is_inside(self, axis) for axis in range(len(self.window)))
        *outer, last = self.window
        if not self.rows_are_runs or not all(
            _is_run(self, axis) for axis in range(len(outer))
        ):
            return False
        whole_rows = last.kernel == self.extents[-1]
        return whole_rows or all(axis.kernel == 1 for axis in outer)


def _is_inside(vector: WindowVector, axis: int) -> bool:
    """Whether every tap along an axis stands on an element."""
    along, extent = vector.window[axis], vector.extents[axis]
    return along.stretch == 1 and bool(along.masks(extent).all())


def _is_run(vector: WindowVector, axis: int) -> bool:
    """Whether it does, and the next tap on the next element."""
    along = vector.window[axis]
    return _is_inside(vector, axis) and (along.dilation == 1 or along.kernel == 1)


def window_vector(op: ConvOp | PackedConvOp) -> WindowVector:
    """The vectors of a convolution with channels last."""
    if isinstance(op, ConvOp):
        return WindowVector(op.window, op.extents, 1, op.channels)
    input = packed_type(op.input)
    return WindowVector(op.window, op.extents, input.planes, input.words)
