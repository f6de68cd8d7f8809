"""Levels around a map, where padding stands for another level than 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Operation, SSAValue

from qdialect.constants import constant
from qdialect.rearranging import PadOp
from qdialect.types import (
    BipolarType,
    TernaryType,
    element_of,
    integer_type_for,
    shape_of,
    value_range,
)


def padded_with(
    x: SSAValue, level: int, axes: Sequence[int], pads: Sequence[int]
) -> list[Operation]:
    """Ops that pad `x` with a level; the last one gives the result.

    Args:
        x: levels.
        level: what is put around them; the element type grows where it lacks it.
        axes: the axes to pad.
        pads: elements before each of the axes, then behind each.
    """
    rank = len(shape_of(x))
    low, high = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        low[axis], high[axis] = pads[index], pads[len(axes) + index]
    return pad_levels(x, level, low, high)


def pad_levels(
    x: SSAValue, level: int, low: Sequence[int], high: Sequence[int]
) -> list[Operation]:
    """As `padded_with`, with the elements before and behind every axis."""
    element = holding(element_of(x), level)
    value = constant(np.array(level, np.int64), element)
    extents = zip(low, shape_of(x), high, strict=True)
    type_ = TensorType(element, [a + n + b for a, n, b in extents])
    return [value, PadOp(x, value, type_, low=low, high=high)]


def holding(element: Attribute, level: int) -> Attribute:
    """`element`, or the narrowest type that holds its values and `level`."""
    low, high = value_range(element)
    if isinstance(element, BipolarType):
        if level in (-1, 1):
            return element
        if level == 0:
            return TernaryType()
    elif low <= level <= high:
        return element
    return integer_type_for(min(low, level), max(high, level))
