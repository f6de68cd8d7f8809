"""Operations on vectors as units: products, activations, top k."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.ir import Operation, SSAValue

from passes.stream_conversion import (
    Conversion,
    expect_constant,
    expect_integer,
    like,
    refusal,
)
from qdialect import qflow
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.selection import TopKOp
from qdialect.types import element_of, shape_of


def convert_vector_op(conversion: Conversion, op: Operation) -> bool:
    """Put the unit of an operation on vectors in front of it; whether it is one.

    Raises:
        PassFailedException: no unit computes it.
    """
    match op:
        case MatMulOp():
            _matmul(conversion, op)
        case ThresholdOp():
            _threshold(conversion, op)
        case LookupOp():
            _lookup(conversion, op)
        case TopKOp():
            _topk(conversion, op)
        case _:
            return False
    return True


def _matmul(conversion: Conversion, op: MatMulOp) -> None:
    expect_integer(op, op.out, "lower-to-integer")
    expect_constant(op, "weights", op.weights)
    stream = conversion.vectors(op, op.input)
    element = element_of(op.out)
    out = like(stream, element, shape_of(op.weights)[0])
    unit = qflow.MvuOp(stream, op.weights, out, accumulator=element)
    conversion.streams[op.out] = conversion.unit(op, unit)


def _threshold(conversion: Conversion, op: ThresholdOp) -> None:
    expect_integer(op, op.input, "floor-thresholds")
    axis = op.axis.value.data
    thresholds = expect_constant(op, "parameters", op.thresholds)
    # Side by side, since a stream must suit both.
    rows = thresholds
    flags = None
    if op.falling is not None:
        flags = expect_constant(op, "parameters", op.falling)
        rows = np.column_stack([thresholds, flags])
    stream, placed = conversion.along_vectors(op, op.input, axis, rows)
    steps = thresholds.shape[1]
    falling = None
    if op.falling is not None and flags is not None:
        falling = _placed(conversion, op, op.falling, flags, placed[:, steps])
    unit = qflow.ThresholdOp(
        stream,
        _placed(conversion, op, op.thresholds, thresholds, placed[:, :steps]),
        like(stream, element_of(op.out)),
        falling=falling,
        offset=op.offset.value.data,
    )
    conversion.streams[op.out] = conversion.unit(op, unit)


def _lookup(conversion: Conversion, op: LookupOp) -> None:
    rows = expect_constant(op, "parameters", op.table)
    axis = op.axis.value.data
    stream, placed = conversion.along_vectors(op, op.input, axis, rows)
    table = _placed(conversion, op, op.table, rows, placed)
    out = like(stream, element_of(op.out))
    unit = qflow.LookupOp(stream, table, out, low=op.low.value.data)
    conversion.streams[op.out] = conversion.unit(op, unit)


def _placed(
    conversion: Conversion,
    op: Operation,
    parameter: SSAValue,
    rows: Array,
    placed: Array,
) -> SSAValue:
    """A parameter of these rows, with one for each place of a vector."""
    if np.array_equal(rows, placed):
        return parameter
    return conversion.parameter(op, placed, element_of(parameter))


def _topk(conversion: Conversion, op: TopKOp) -> None:
    if op.values.uses:
        raise refusal(op, "its values are read; accepted is a use of its indices")
    shape = shape_of(op.input)
    axis = op.axis.value.data
    if prod(shape[axis + 1 :]) != 1:
        raise refusal(
            op,
            f"axis {axis} of {list(shape)} is not the last; accepted is the axis "
            "along the stream's vectors",
        )
    stream = conversion.vectors(op, op.input, axis)
    out = like(stream, element_of(op.indices), shape_of(op.indices)[axis])
    unit = qflow.TopKOp(stream, out, smallest=op.smallest is not None)
    conversion.streams[op.indices] = conversion.unit(op, unit)
