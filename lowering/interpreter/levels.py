"""Arrays from outside, checked to be values of an integer element type."""

from __future__ import annotations

import numpy as np
from xdsl.ir import Attribute

from qdialect.data import Array
from qdialect.semantics import storage_dtype
from qdialect.types import BipolarType, value_range


class LevelError(ValueError):
    """An array holds a value that its element type lacks."""


def fit_levels(array: Array, element: Attribute, name: str) -> Array:
    """`array` in the storage dtype of `element`.

    Raises:
        LevelError: a value is not an integer, or not one of the type's.
    """
    whole = array if np.issubdtype(array.dtype, np.integer) else np.rint(array)
    if np.any(whole != array):
        bad = array[whole != array].ravel()[0]
        raise LevelError(f"{name} must hold integers, got {bad}")
    low, high = value_range(element)
    if whole.size and (int(whole.min()) < low or int(whole.max()) > high):
        bad = int(whole.min()) if int(whole.min()) < low else int(whole.max())
        raise LevelError(f"{name} must be {element}, in [{low}, {high}], got {bad}")
    if isinstance(element, BipolarType) and bool((whole == 0).any()):
        raise LevelError(f"{name} must be {element}, -1 or +1, got 0")
    return whole.astype(storage_dtype(element))
