"""Run-time values: arrays, and real tensors that are known to be scaled levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from qdialect.data import Array
from qdialect.grids import CommonGrid, common_grid
from qdialect.scaling import channel_grids
from qdialect.semantics import Levels, Real, along_axis, dequantize_values


@dataclass(frozen=True)
class Scaled:
    """A real tensor that equals `levels * scale`, kept apart so that sums stay exact.

    Attributes:
        levels: integers of any dtype, zero point already taken off.
        scale: float32; one element, or one that broadcasts against `levels`.
        rounded: the float32 values, where they were scaled, and rounded, more than
            once; else None.
    """

    levels: Levels
    scale: Real
    rounded: Real | None = None

    def real(self) -> Real:
        """The float32 values; where `rounded` has none each product is rounded once."""
        if self.rounded is not None:
            return self.rounded
        return dequantize_values(self.levels, self.scale, np.zeros((), np.float32))

    def moved(self, move: Callable[[Array], Array]) -> Scaled:
        """What `move` makes of the elements, where all have one scale."""
        rounded = None if self.rounded is None else move(self.rounded)
        return Scaled(move(self.levels), self.scale.reshape(()), rounded)

    def rectified(self) -> Scaled:
        """Its ReLU, where all scales are positive: levels that are not below 0."""
        rounded = self.rounded
        if rounded is not None:
            rounded = np.maximum(rounded, np.float32(0))
        return Scaled(np.maximum(self.levels, 0), self.scale, rounded)


Value: TypeAlias = "Array | Scaled"


def as_array(value: Value) -> Array:
    """The plain array of a value: levels, or float32 numbers."""
    return value.real() if isinstance(value, Scaled) else value


def scaled(levels: Levels, scale: Real, zero_point: Real) -> Scaled | None:
    """`(levels - zero_point) * scale`, or None where the zero point is no integer."""
    if not np.any(zero_point):
        return Scaled(levels, scale)
    whole = zero_point.astype(np.int64)
    if np.any(whole != zero_point):
        return None
    return Scaled(levels.astype(np.int64) - whole, scale)


def scaled_sum(lhs: Scaled, rhs: Scaled, *, negated: bool) -> Scaled | None:
    """`lhs + rhs`, or `lhs - rhs`, exactly, on the grid that both scales share.

    Returns:
        The sum, or None where a scale varies or the shared grid is too fine.
    """
    if lhs.scale.size != 1 or rhs.scale.size != 1:
        return None
    grid = common_grid(lhs.scale.item(), rhs.scale.item())
    if grid is None:
        return None
    left, right = on_grid((lhs, rhs), grid)
    return Scaled(left - right if negated else left + right, np.array(grid.scale))


def on_grid(values: Sequence[Scaled], grid: CommonGrid) -> list[Levels]:
    """The levels of values of one scale each, as int64 in steps of a common grid."""
    pairs = zip(values, grid.steps, strict=True)
    return [value.levels.astype(np.int64) * steps for value, steps in pairs]


def on_channel_grids(value: Scaled, axis: int, groups: int = 1) -> Scaled | None:
    """Levels whose sums over the channels, along `axis`, have one scale a group.

    Returns:
        The value with a scale of one element or of [groups], or None where its scale
        varies along another axis or a group shares no grid.
    """
    if value.scale.size == 1:
        return Scaled(value.levels, value.scale.reshape(()))
    grids = channel_grids(value.scale, value.levels.shape, axis, groups)
    if grids is None:
        return None
    levels = value.levels
    if not grids.is_unit:
        levels = levels.astype(np.int64) * along_axis(grids.steps, levels.ndim, axis)
    return Scaled(levels, grids.scale)
