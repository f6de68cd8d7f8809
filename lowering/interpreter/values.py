"""Run-time values: arrays, and real tensors that are known to be scaled levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from qdialect.data import Array
from qdialect.grids import CommonGrid, common_grid
from qdialect.semantics import Levels, Real, dequantize_values


@dataclass(frozen=True)
class Scaled:
    """A real tensor that equals `levels * scale`, kept apart so that sums stay exact.

    Attributes:
        levels: integers of any dtype, zero point already taken off.
        scale: float32; one element, or one that broadcasts against `levels`.
    """

    levels: Levels
    scale: Real

    def real(self) -> Real:
        """The float32 values; each product is rounded once."""
        return dequantize_values(self.levels, self.scale, np.zeros((), np.float32))


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
