"""Grids of real numbers: what integers stand for a value, and what two grids share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import numpy.typing as npt

from qdialect.data import Array

Integers = npt.NDArray[np.int64]
Real = npt.NDArray[np.float32]

# Beyond this a sum of levels of 8 bits would leave 2**53, and with it float64.
MAX_STEPS = 1 << 44
# A constant need not be closer to its multiple of a step than this part of a scale.
_FINE_STEPS = 1 << 26


@dataclass(frozen=True)
class CommonGrid:
    """The coarsest grid on which others lie, exactly: each scale is steps * scale."""

    steps: tuple[int, ...]
    scale: np.float32


def common_grid(*scales: float) -> CommonGrid | None:
    """The grid shared by scales that are float32 numbers.

    All floats share one, but it can be too fine to be of use:

    >>> common_grid(0.5, 0.75)
    CommonGrid(steps=(2, 3), scale=np.float32(0.25))

    Returns:
        The grid, or None where a scale is not positive and finite, one step of it is
        no float32 number, or a scale has more than 2**44 of its steps.
    """
    if not all(0 < scale < np.inf for scale in scales):
        return None
    exact = [Fraction(float(scale)) for scale in scales]
    denominator = lcm(*(number.denominator for number in exact))
    whole = [int(number * denominator) for number in exact]
    step = Fraction(gcd(*whole), denominator)
    scale = np.float32(float(step))
    if Fraction(float(scale)) != step:
        return None
    steps = tuple(int(number / step) for number in exact)
    return None if max(steps) > MAX_STEPS else CommonGrid(steps, scale)


@dataclass(frozen=True)
class SumGrids:
    """The grids of a sum of levels and constants, one a channel.

        sum over i of levels[i] * steps[i] + constant, times scale

    Attributes:
        steps: of each operand, of the sign of its scale, and 0 where that is.
        constant: the constants, in steps of the grid.
        scale: positive.

    All have one shape, which broadcasts against the levels.
    """

    steps: tuple[Integers, ...]
    constant: Integers
    scale: Real


def sum_grids(scales: Sequence[Array], constants: Sequence[Array]) -> SumGrids | None:
    """The coarsest grids on which scales lie, exactly, and constants as numbers.

    A constant is the multiple of a step next to it that float32 rounds to it; steps
    are halved until there is one, or until they are 2**-26 of every scale.

    Args:
        scales: float32, of either sign; they broadcast against one another.
        constants: float32, finite, likewise.

    Returns:
        The grids, or None where scales share none (`common_grid`).
    """
    arrays = np.broadcast_arrays(*scales, *constants)
    rows = np.stack([array.ravel() for array in arrays], axis=1).astype(np.float32)
    distinct, index = np.unique(rows, axis=0, return_inverse=True)
    count, shape = len(scales), arrays[0].shape
    steps = np.zeros((len(distinct), count), np.int64)
    constant = np.zeros(len(distinct), np.int64)
    scale = np.ones(len(distinct), np.float32)
    for i, row in enumerate(distinct):
        own, others = row[:count], row[count:]
        sizes = own[own != 0]
        if not sizes.size:
            sizes = others[others != 0]
        if not sizes.size:
            continue
        grid = common_grid(*(abs(float(size)) for size in sizes))
        if grid is None:
            return None
        grid = _refined(grid, others)
        steps[i] = [round(float(size) / float(grid.scale)) for size in own]
        constant[i] = sum(round(float(c) / float(grid.scale)) for c in others)
        scale[i] = grid.scale
    index = index.ravel()
    return SumGrids(
        tuple(column[index].reshape(shape) for column in steps.T),
        constant[index].reshape(shape),
        scale[index].reshape(shape),
    )


def _refined(grid: CommonGrid, constants: Real) -> CommonGrid:
    while any(level_of(float(c), float(grid.scale)) is None for c in constants):
        steps = tuple(2 * count for count in grid.steps)
        half = grid.scale / np.float32(2)
        if max(steps) > MAX_STEPS or min(steps) > _FINE_STEPS or half * 2 != grid.scale:
            break
        grid = CommonGrid(steps, half)
    return grid


def level_of(value: float, scale: float) -> int | None:
    """The integer n with `float32(n * scale) == value`, or None."""
    if not (scale > 0 and np.isfinite(value)):
        return None
    level = round(float(value) / float(scale))
    # As in dequantize_values: one rounding, to float32.
    same = np.float32(float(level) * float(scale)) == np.float32(value)
    return level if same else None
