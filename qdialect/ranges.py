"""Least and greatest value of every integer value, proven from the actual weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xdsl.ir import SSAValue

from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import constant_array, is_constant
from qdialect.data import Array
from qdialect.elementwise import AddOp, BinaryOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.quantisers import QuantizeOp, SignOp
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import (
    BipolarType,
    element_of,
    shape_of,
    value_range,
)

Bounds = tuple[int, int]
Integers = npt.NDArray[np.int64]


def bounds(value: SSAValue) -> Bounds:
    """Least and greatest value that an integer tensor can hold.

    Never wider than the element type of `value`.
    """
    low, high = _computed_bounds(value)
    least, greatest = value_range(element_of(value))
    return max(low, least), min(high, greatest)


def exact_bounds(value: SSAValue) -> Bounds:
    """As `bounds`, but of the mathematical result, whatever the element type holds."""
    return _computed_bounds(value)


def _computed_bounds(value: SSAValue) -> Bounds:
    if is_constant(value):
        array = constant_array(value)
        if array is not None and array.size:
            return int(array.min()), int(array.max())
        return value_range(element_of(value))
    match value.owner:
        case QuantizeOp() as op:
            return op.level_range
        case SignOp():
            return (-1, 1)
        case ThresholdOp() as op:
            if isinstance(element_of(op.out), BipolarType):
                return (-1, 1)
            offset = op.offset.value.data
            return offset, offset + shape_of(op.thresholds)[1]
        case LookupOp() as op:
            return _computed_bounds(op.table)
        case MatMulOp() as op:
            lows, highs = matmul_bounds(op)
            return int(lows.min()), int(highs.max())
        case BinaryOp() as op:
            return _binary_bounds(op)
        case ReshapeOp() | TransposeOp() as op:
            return bounds(op.operands[0])
        case TopKOp() as op if value is op.values:
            return bounds(op.input)
        case TopKOp() as op:
            return 0, shape_of(op.input)[op.axis.value.data] - 1
        case _:
            return value_range(element_of(value))


def _binary_bounds(op: BinaryOp) -> Bounds:
    a, b = bounds(op.lhs), bounds(op.rhs)
    match op:
        case AddOp():
            return a[0] + b[0], a[1] + b[1]
        case SubOp():
            return a[0] - b[1], a[1] - b[0]
        case MulOp():
            corners = [x * y for x in a for y in b]
            return min(corners), max(corners)
        case _:
            return value_range(element_of(op.out))


def matmul_bounds(op: MatMulOp) -> tuple[Integers, Integers]:
    """Least and greatest accumulator of each row of an integer product, [MH] each.

    Where the weights are not constant, every row gets the bounds of their type.
    """
    low, high = bounds(op.input)
    weights = constant_array(op.weights)
    if weights is None:
        rows, columns = shape_of(op.weights)
        corners = [x * w * columns for x in (low, high) for w in bounds(op.weights)]
        return (
            np.full(rows, min(corners), np.int64),
            np.full(rows, max(corners), np.int64),
        )
    return row_bounds(weights, low, high)


def row_bounds(weights: Array, low: int, high: int) -> tuple[Integers, Integers]:
    """Bounds of `weights @ x` for x in [low, high], [MH] each; weights [MH, MW]."""
    wide = weights.astype(np.int64)
    positive = np.maximum(wide, 0).sum(axis=1)
    negative = np.minimum(wide, 0).sum(axis=1)
    return positive * low + negative * high, positive * high + negative * low


def reachable_values(value: SSAValue) -> Integers:
    """Every value that an integer tensor can hold, in rising order.

    A superset of what it does hold; exact for bipolar tensors, which lack 0.
    """
    low, high = bounds(value)
    if isinstance(element_of(value), BipolarType):
        return np.array([v for v in (-1, 1) if low <= v <= high], np.int64)
    return np.arange(low, high + 1, dtype=np.int64)
