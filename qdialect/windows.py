"""The geometry of a sliding window, shared by convolutions and pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import I64, DenseArrayBase, i64
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from qdialect.types import shape_of

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Axis:
    """A window along one axis; all numbers count elements.

    Attributes:
        kernel: taps of the window.
        stride: distance of two windows.
        before: padding before the first element.
        after: padding behind the last element.
        dilation: distance of two taps.
        stretch: distance of two elements of the input, with zeros between them.
    """

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    stretch: int = 1

    @property
    def reach(self) -> int:
        """Elements from the first tap to the last, both included."""
        return (self.kernel - 1) * self.dilation + 1

    def stretched(self, extent: int) -> int:
        """Extent of an input of `extent` elements once it is stretched."""
        return (extent - 1) * self.stretch + 1

    def padded(self, extent: int) -> int:
        """Extent of the stretched input with its padding."""
        return self.before + self.stretched(extent) + self.after

    def windows(self, extent: int) -> int:
        """How many windows an input of `extent` elements has; 0 or less if none."""
        return (self.padded(extent) - self.reach) // self.stride + 1

    def masks(self, extent: int) -> Masks:
        """Which taps of each window stand on elements, [windows, kernel].

        The others stand on padding, or on the zeros of a stretched input.
        """
        first = np.arange(self.windows(extent)) * self.stride - self.before
        place = first[:, None] + np.arange(self.kernel) * self.dilation
        inside = (place >= 0) & (place < self.stretched(extent))
        return inside & (place % self.stretch == 0)


Window = tuple[Axis, ...]


def numbers(array: DenseArrayBase[I64]) -> tuple[int, ...]:
    """The values of an array property."""
    return tuple(int(value) for value in array.get_values())


def i64_array(values: Sequence[int]) -> DenseArrayBase[I64]:
    """An array property of these values."""
    return DenseArrayBase.from_list(i64, values)


def make_window(
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    stretch: Sequence[int] = (),
) -> Window:
    """The window of these numbers a spatial axis.

    Args:
        kernel: taps.
        strides: distances of windows.
        pads: all paddings before an axis, then all behind, as in ONNX.
        dilations: distances of taps.
        stretch: distances of elements; 1 where it is left out.
    """
    rank = len(kernel)
    stretch = stretch or (1,) * rank
    return tuple(
        Axis(
            kernel[i],
            strides[i],
            pads[i],
            pads[rank + i],
            dilations[i],
            stretch[i],
        )
        for i in range(rank)
    )


def expect_window(
    op: Operation,
    rank: int,
    lists: dict[str, tuple[int, ...]],
) -> None:
    """Properties of a window are as many as its axes, and of a legal size.

    Args:
        op: for messages.
        rank: number of spatial axes.
        lists: each property's values; `pads` has two an axis and may be 0.
    """
    for name, values in lists.items():
        count, least = (2 * rank, 0) if name == "pads" else (rank, 1)
        if len(values) != count:
            raise VerifyException(
                f"{op.name}: `{name}` must have {count} values, got {list(values)}"
            )
        if any(value < least for value in values):
            raise VerifyException(
                f"{op.name}: `{name}` must be {least} or more, got {list(values)}"
            )


def spatial_axes(rank: int, *, channels_last: bool) -> range:
    """The axes that are neither the frame's nor the channels'."""
    return range(1, rank - 1) if channels_last else range(2, rank)


def channel_axis(rank: int, *, channels_last: bool) -> int:
    """The axis of the channels."""
    return rank - 1 if channels_last else 1


def image_shape(
    channels: int, extents: Sequence[int], *, channels_last: bool
) -> tuple[int, ...]:
    """The shape of one frame of a map: [1, C, ..], or [1, .., C] channels-last."""
    if channels_last:
        return (1, *extents, channels)
    return (1, channels, *extents)


def expect_image(op: Operation, name: str, value: SSAValue) -> None:
    """`value` is one frame of a 1-D or 2-D map: rank 3 or 4."""
    shape = shape_of(value)
    if len(shape) not in (3, 4) or shape[0] != 1:
        raise VerifyException(
            f"{op.name}: `{name}` must be one frame of a 1-D or 2-D map, of shape "
            f"[1, channels, extents] or channels-last, got {list(shape)}"
        )


def windows_of(op: Operation, window: Window, extents: Sequence[int]) -> list[int]:
    """Windows along each axis.

    Raises:
        VerifyException: the window is larger than the padded input.
    """
    counts = [axis.windows(n) for axis, n in zip(window, extents, strict=True)]
    for axis, count, extent in zip(window, counts, extents, strict=True):
        if count < 1:
            raise VerifyException(
                f"{op.name}: a window that reaches over {axis.reach} elements does "
                f"not fit the {axis.padded(extent)} of the padded input"
            )
    return counts
