"""Patterns: arithmetic with constants before a threshold or a lookup goes into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)

from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import constant, constant_array
from qdialect.elementwise import AddOp, BinaryOp, MulOp, SubOp
from qdialect.ranges import bounds
from qdialect.types import element_of, is_level, shape_of, unsigned

Integers = npt.NDArray[np.int64]

# A table over a wider range than this would be larger than any memory it goes into.
_MAX_TABLE_ROWS = 1 << 16


@dataclass(frozen=True)
class _Affine:
    """`factor * source + offset`, integers, one of each a channel.

    Attributes:
        source: the computed operand.
        factor: [C].
        offset: [C].
    """

    source: SSAValue
    factor: Integers
    offset: Integers


def _affine(value: SSAValue, axis: int) -> _Affine | None:
    """How an integer op computes `value` from one tensor, channels along `axis`.

    None where it is no such op, or where a constant varies along another axis.
    """
    op = value.owner
    if not isinstance(op, AddOp | SubOp | MulOp) or not is_level(element_of(value)):
        return None
    for source, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
        array = constant_array(other)
        if array is None or shape_of(source) != shape_of(value):
            continue
        shape = shape_of(value)
        full = np.broadcast_to(array.astype(np.int64), shape)
        rows = np.moveaxis(full, axis, 0).reshape(shape[axis], -1)
        if bool((rows != rows[:, :1]).any()):
            return None
        factor, offset = _coefficients(op, rows[:, 0], source is op.lhs)
        return _Affine(source, factor, offset)
    return None


def _coefficients(
    op: BinaryOp, number: Integers, source_first: bool
) -> tuple[Integers, Integers]:
    one = np.ones_like(number)
    match op:
        case MulOp():
            return number, 0 * one
        case SubOp() if source_first:
            return one, -number
        case SubOp():
            return -one, number
        case _:
            return one, number


class ArithmeticIntoThreshold(RewritePattern):
    """`threshold(m * x + c)` becomes a threshold on x, m and c per channel.

        m > 0:  m * x + c >= T  where  x >= ceil((T - c) / m)
        m < 0:  m * x + c >= T  unless x >= floor((T - c) / m) + 1

    A channel with m < 0 falls where it rose. One with m = 0 is constant; its thresholds
    lie at or beyond the ends of the range of x.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ThresholdOp, rewriter: PatternRewriter, /) -> None:
        axis = op.axis.value.data
        affine = _affine(op.input, axis)
        old = constant_array(op.thresholds)
        down = None if op.falling is None else constant_array(op.falling)
        if affine is None or old is None or (op.falling is not None and down is None):
            return
        falling = np.zeros(len(old), bool) if down is None else down != 0
        low, high = bounds(affine.source)
        thresholds = np.empty(old.shape, np.int64)
        for channel, row in enumerate(old.astype(np.int64)):
            factor = int(affine.factor[channel])
            rest = row - int(affine.offset[channel])
            if factor > 0:
                thresholds[channel] = -(-rest // factor)
            elif factor < 0:
                thresholds[channel] = np.sort(rest // factor + 1)
                falling[channel] = not falling[channel]
            else:
                thresholds[channel] = np.where(rest <= 0, low, high + 1)
        new = constant(thresholds)
        flags = constant(falling.astype(np.uint8), unsigned(1))
        moved = ThresholdOp(
            affine.source,
            new,
            op.out.type,
            falling=flags if falling.any() else None,
            offset=op.offset.value.data,
            axis=axis,
        )
        new.location = flags.location = moved.location = op.location
        rewriter.replace(op, (new, flags, moved) if falling.any() else (new, moved))


class ArithmeticIntoLookup(RewritePattern):
    """`lookup(m * x + c)` becomes a lookup of x: the table's rows change places."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: LookupOp, rewriter: PatternRewriter, /) -> None:
        axis = op.axis.value.data
        affine = _affine(op.input, axis)
        table = constant_array(op.table)
        if affine is None or table is None:
            return
        low, high = bounds(affine.source)
        if high - low >= _MAX_TABLE_ROWS:
            return
        values = np.arange(low, high + 1, dtype=np.int64)
        row = affine.factor[:, None] * values + affine.offset[:, None]
        # Only values that do not occur can fall outside the table.
        place = np.clip(row - op.low.value.data, 0, table.shape[1] - 1)
        new = constant(np.take_along_axis(table, place, axis=1), element_of(op.table))
        moved = LookupOp(affine.source, new, op.out.type, low=low, axis=axis)
        new.location = moved.location = op.location
        rewriter.replace(op, (new, moved))
