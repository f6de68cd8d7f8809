"""Least and greatest value of every integer value, proven from the actual weights."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation, SSAValue

from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import constant_array, is_constant
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.elementwise import AbsOp, AddOp, BinaryOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.quantisers import QuantizeOp, SignOp
from qdialect.rearranging import (
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import (
    BipolarType,
    element_of,
    shape_of,
    value_range,
)
from qdialect.windows import Window, channel_axis

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
        case AbsOp() as op:
            low, high = bounds(op.input)
            return max(low, -high, 0), max(-low, high)
        case TopKOp() as op if value is op.values:
            return bounds(op.input)
        case TopKOp() as op:
            return 0, shape_of(op.input)[op.axis.value.data] - 1
        case Operation() as op:
            return _moved_or_summed(op, value)
        case _:
            return value_range(element_of(value))


def _moved_or_summed(op: Operation, value: SSAValue) -> Bounds:
    """Bounds of what moves elements or slides a window over them."""
    match op:
        case ConvOp():
            lows, highs = conv_bounds(op)
            return int(lows.min()), int(highs.max())
        case SumPoolOp():
            return _pool_bounds(op)
        case PadOp() | ConcatOp():
            return _hull([bounds(operand) for operand in op.operands])
        case (
            ReshapeOp()
            | TransposeOp()
            | MaxPoolOp()
            | SliceOp()
            | UpsampleOp()
            | DepthToSpaceOp()
        ):
            return bounds(op.input)
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


def conv_bounds(op: ConvOp) -> tuple[Integers, Integers]:
    """Least and greatest accumulator of each row of an integer convolution, [O] each.

    Near the border some taps stand on padding and add nothing: every set of taps that
    occurs is taken into account.
    """
    low, high = bounds(op.input)
    weights = constant_array(op.weights)
    if weights is None:
        rows, *inner = shape_of(op.weights)
        corners = [x * w * prod(inner) for x in (low, high) for w in bounds(op.weights)]
        least, greatest = _hull([(min(corners), max(corners)), *_padding(op)])
        return np.full(rows, least, np.int64), np.full(rows, greatest, np.int64)
    wide = weights.astype(np.int64)
    channel = channel_axis(wide.ndim, channels_last=op.is_channels_last)
    positive = np.maximum(wide, 0).sum(axis=channel)
    negative = np.minimum(wide, 0).sum(axis=channel)
    # What each tap adds at least and at most, [O, taps..].
    lows = positive * low + negative * high
    highs = positive * high + negative * low
    for taps in _tap_sets(op.window, op.extents):
        # The first axis of taps becomes a last one of sets of taps.
        lows = np.tensordot(lows, taps, axes=([1], [1]))
        highs = np.tensordot(highs, taps, axes=([1], [1]))
    rows = len(wide)
    return lows.reshape(rows, -1).min(axis=1), highs.reshape(rows, -1).max(axis=1)


def _padding(op: ConvOp) -> list[Bounds]:
    """What a window of padding alone would add."""
    return [(0, 0)] if op.is_padded else []


def _tap_sets(window: Window, extents: Sequence[int]) -> list[Integers]:
    """The sets of taps that stand on elements, [sets, kernel] of 0 and 1 an axis."""
    return [
        np.unique(axis.masks(extent), axis=0).astype(np.int64)
        for axis, extent in zip(window, extents, strict=True)
    ]


def _pool_bounds(op: SumPoolOp) -> Bounds:
    low, high = bounds(op.input)
    counts = [taps.sum(axis=1) for taps in _tap_sets(op.window, op.extents)]
    fewest = prod(int(count.min()) for count in counts)
    most = prod(int(count.max()) for count in counts)
    return _hull([(low * n, high * n) for n in (fewest, most)])


def _hull(ranges: Sequence[Bounds]) -> Bounds:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def reachable_values(value: SSAValue) -> Integers:
    """Every value that an integer tensor can hold, in rising order.

    A superset of what it does hold; exact for bipolar tensors, which lack 0.
    """
    low, high = bounds(value)
    if isinstance(element_of(value), BipolarType):
        return np.array([v for v in (-1, 1) if low <= v <= high], np.int64)
    return np.arange(low, high + 1, dtype=np.int64)
