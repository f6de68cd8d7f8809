"""Grids of real numbers: what integers stand for a value, and what two grids share."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np

# Beyond this a common grid is finer than any accumulator could hold.
MAX_STEPS = 1 << 31


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
        no float32 number, or a scale has more than 2**31 of its steps.
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


def level_of(value: float, scale: float) -> int | None:
    """The integer n with `float32(n * scale) == value`, or None."""
    if not (scale > 0 and np.isfinite(value)):
        return None
    level = round(float(value) / float(scale))
    # As in dequantize_values: one rounding, to float32.
    same = np.float32(float(level) * float(scale)) == np.float32(value)
    return level if same else None
