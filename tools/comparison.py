"""When two runs of a network count as equal, and where they part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qdialect.data import Array

Flags = npt.NDArray[np.bool_]

# A pass may merge the scales of a real output. Each of the few products of such a
# chain is then rounded once more or less, by 2**-24 of its magnitude; 8 roundings give
# 2**-21.
_ROUNDING = 2.0**-21


def content(array: Array) -> tuple[int, bytes]:
    """What identifies the values of an array, whatever its shape and dtype."""
    # Adding 0.0 makes one zero of the two.
    return array.size, (array.astype(np.float64) + 0.0).tobytes()


def unequal(old: Array, new: Array) -> Flags:
    """Where two arrays of one shape differ; NaN equals NaN, and 0.0 equals -0.0."""
    wide_old, wide_new = old.astype(np.float64), new.astype(np.float64)
    return (wide_old != wide_new) & ~(np.isnan(wide_old) & np.isnan(wide_new))


def describe_difference(old: Array, new: Array) -> str | None:
    """Where two arrays differ first and how often, or None where they are equal."""
    if old.shape != new.shape:
        return f"shape {list(old.shape)} became {list(new.shape)}"
    flags = unequal(old, new)
    if not flags.any():
        return None
    place = np.argwhere(flags)[0].tolist()
    was, became = old[tuple(place)], new[tuple(place)]
    return (
        f"{place} was {was}, became {became} "
        f"({int(flags.sum())} of {old.size} values differ)"
    )


def within_rounding(old: Array, new: Array) -> bool:
    """Whether two real arrays of one shape differ by a few float32 roundings at most.

    The bound is relative to the greatest magnitude, since sums may cancel.
    """
    if old.shape != new.shape or old.dtype.kind != "f" or new.dtype.kind != "f":
        return False
    wide_old, wide_new = old.astype(np.float64), new.astype(np.float64)
    flags = unequal(old, new)
    if not flags.any():
        return True
    bound = _ROUNDING * max(np.abs(wide_old).max(), np.abs(wide_new).max())
    return bool((np.abs(wide_old - wide_new)[flags] <= bound).all())
