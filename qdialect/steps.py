"""Functions of one integer as thresholds: from a tabulated chain to its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Steps:
    """A monotone function of an integer for each channel, as counted thresholds.

        k = |{t : n >= thresholds[c, t]}|
        f[c](n) = offset + (T - k if falling[c] else k)

    Attributes:
        thresholds: [C, T], sorted over T.
        falling: [C].
        offset: level of a count of 0.
    """

    thresholds: Integers
    falling: Booleans
    offset: int


def steps_of_table(values: Integers, table: Integers) -> Steps | None:
    """The steps of a tabulated function, or None where a channel is not monotone.

    Args:
        values: [R] arguments in rising order.
        table: [R, C] results.
    """
    change = np.diff(table, axis=0)
    rises: Booleans = np.all(change >= 0, axis=0)
    falls: Booleans = np.all(change <= 0, axis=0)
    if not bool(np.all(rises | falls)):
        return None
    falling: Booleans = np.logical_not(rises)
    low, high = int(table.min()), int(table.max())
    rising = np.where(falling, high - table, table - low).T.copy()
    counts = np.arange(high - low)
    # The first argument whose count exceeds each, or one beyond the last.
    first = [np.searchsorted(row, counts, "right") for row in rising]
    thresholds = np.append(values, values[-1] + 1)[np.array(first, np.int64)]
    return Steps(thresholds, falling, low)


def steps_by_bisection(
    low: int,
    high: int,
    falling: Booleans,
    function: Callable[[Integers], Integers],
) -> Steps:
    """The steps of a function that is known to be monotone, by bisection.

    Args:
        low: least argument.
        high: greatest argument.
        falling: [C], the known direction of each channel.
        function: results [R, C] for arguments [R, C].
    """
    channels = falling.size
    ends = function(np.array([[low] * channels, [high] * channels], np.int64))
    least, greatest = int(ends.min()), int(ends.max())
    count = greatest - least
    below = np.full((count, channels), low, np.int64)
    above = np.full((count, channels), high + 1, np.int64)
    wanted = np.arange(1, count + 1).reshape(-1, 1)
    while bool((below < above).any()):
        # Neither their sum nor their distance need fit 64 bits.
        middle = (below >> 1) + (above >> 1) + (below & above & 1)
        levels = function(np.minimum(middle, high))
        rising = np.where(falling, greatest - levels, levels - least)
        reached = (rising >= wanted) | (middle > high)
        above = np.where(reached, middle, above)
        below = np.where(reached, below, np.minimum(middle + 1, above))
    return Steps(below.T.copy(), falling, least)
