"""Run-time values: arrays, and real tensors that are known to be scaled levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from qdialect.data import Array
from qdialect.grids import CommonGrid, sum_grids
from qdialect.scaling import channel_grids, product_scale
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

    def magnitude(self) -> Scaled:
        """Its absolute value."""
        rounded = None if self.rounded is None else np.abs(self.rounded)
        levels = np.abs(self.levels.astype(np.int64))
        return Scaled(levels, np.abs(self.scale), rounded)

    def with_positive_scale(self) -> Scaled:
        """The same value; where a scale is negative, its levels are negated."""
        signs = np.where(self.scale < 0, -1, 1)
        levels = self.levels.astype(np.int64) * signs
        return Scaled(levels, np.abs(self.scale), self.rounded)


@dataclass(frozen=True)
class Biased:
    """Scaled levels and a constant, such as a convolution with its bias.

    Only a sum with other levels tells it from its float32 values.

    Attributes:
        source: the levels.
        constant: float32; broadcasts against them.
        rounded: the float32 values, op by op.
    """

    source: Scaled
    constant: Real
    rounded: Real


Value: TypeAlias = "Array | Scaled | Biased"


def as_array(value: Value) -> Array:
    """The plain array of a value: levels, or float32 numbers."""
    if isinstance(value, Biased):
        return value.rounded
    return value.real() if isinstance(value, Scaled) else value


def scaled(levels: Levels, scale: Real, zero_point: Real) -> Scaled | None:
    """`(levels - zero_point) * scale`, or None where the zero point is no integer."""
    if not np.any(zero_point):
        return Scaled(levels, scale)
    whole = zero_point.astype(np.int64)
    if np.any(whole != zero_point):
        return None
    return Scaled(levels.astype(np.int64) - whole, scale)


def scaled_sum(
    lhs: Scaled | Biased, rhs: Scaled | Biased, *, negated: bool
) -> Scaled | None:
    """`lhs + rhs`, or `lhs - rhs`, exactly, on the grid that their scales share.

    Returns:
        The sum, or None where that grid is too fine.

    Raises:
        OverflowError: a sum could exceed 64 bits.
    """
    left, first = _parts(lhs)
    right, second = _parts(rhs)
    sign = np.float32(-1 if negated else 1)
    grids = sum_grids((left.scale, sign * right.scale), (first, sign * second))
    if grids is None:
        return None
    total = _in_steps((left, right), grids.steps, grids.constant)
    scale = grids.scale.reshape(()) if grids.scale.size == 1 else grids.scale
    return Scaled(total, scale)


def _parts(value: Scaled | Biased) -> tuple[Scaled, Real]:
    if isinstance(value, Biased):
        return value.source, value.constant
    return value, np.zeros((), np.float32)


def _in_steps(
    values: Sequence[Scaled], steps: Sequence[Levels], constant: Levels
) -> Levels:
    """The sum of levels times their steps, and of a constant."""
    wide = [value.levels.astype(np.int64) for value in values]
    pairs = list(zip(wide, steps, strict=True))
    bound = int(np.abs(constant).max(initial=0)) + sum(
        int(np.abs(levels).max(initial=0)) * int(np.abs(own).max(initial=0))
        for levels, own in pairs
    )
    _expect_64_bits(bound)
    total: Levels = constant
    for levels, own in pairs:
        total = total + levels * own
    return total


def _expect_64_bits(bound: int) -> None:
    if bound >= 1 << 63:
        raise OverflowError(f"sums on a common grid may exceed 64 bits (bound {bound})")


def scaled_product(lhs: Scaled, rhs: Scaled) -> Scaled | None:
    """`lhs * rhs`, exactly: the product of the levels, scaled once.

    Returns:
        The product, or None where its scale leaves float32.
    """
    scale = product_scale(lhs.scale, rhs.scale)
    if scale is None:
        return None
    return Scaled(lhs.levels.astype(np.int64) * rhs.levels.astype(np.int64), scale)


def on_grid(values: Sequence[Scaled], grid: CommonGrid) -> list[Levels]:
    """The levels of values of one scale each, as int64 in steps of a common grid.

    Raises:
        OverflowError: a sum of them could exceed 64 bits.
    """
    wide = [value.levels.astype(np.int64) for value in values]
    pairs = list(zip(wide, grid.steps, strict=True))
    bound = sum(int(np.abs(levels).max(initial=0)) * steps for levels, steps in pairs)
    _expect_64_bits(bound)
    return [levels * steps for levels, steps in pairs]


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
