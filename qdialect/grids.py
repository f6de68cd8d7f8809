"""Grids of real numbers: what integers stand for a value, and what two grids share."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np

# Beyond this a common grid is finer than any accumulator could hold.
MAX_STEPS = 1 << 31


@dataclass(frozen=True)
class CommonGrid:
    """The coarsest grid on which two others lie, exactly.

    first scale = first_steps * scale,  second scale = second_steps * scale
    """

    first_steps: int
    second_steps: int
    scale: np.float32


def common_grid(first: float, second: float) -> CommonGrid | None:
    """The grid shared by two scales, both float32 numbers.

    Every two floats have one, but it can be too fine to be of use:

    >>> common_grid(0.5, 0.75)
    CommonGrid(first_steps=2, second_steps=3, scale=np.float32(0.25))

    Returns:
        The grid, or None where a scale is not positive and finite, one step of it is
        no float32 number, or a scale has more than 2**31 of its steps.
    """
    if not (0 < first < np.inf and 0 < second < np.inf):
        return None
    a, b = Fraction(float(first)), Fraction(float(second))
    step = Fraction(
        gcd(a.numerator * b.denominator, b.numerator * a.denominator),
        a.denominator * b.denominator,
    )
    scale = np.float32(float(step))
    if Fraction(float(scale)) != step:
        return None
    steps = int(a / step), int(b / step)
    return None if max(steps) > MAX_STEPS else CommonGrid(*steps, scale)


def level_of(value: float, scale: float) -> int | None:
    """The integer n with `float32(n * scale) == value`, or None."""
    if not (scale > 0 and np.isfinite(value)):
        return None
    level = round(float(value) / float(scale))
    # As in dequantize_values: one rounding, to float32.
    same = np.float32(float(level) * float(scale)) == np.float32(value)
    return level if same else None
