"""The stream level: what a unit computes on a frame, whatever its folding."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Attribute, Operation, SSAValue

from lowering.interpreter.network import top_k
from lowering.interpreter.products import integer_matmul
from lowering.interpreter.values import Value, as_array
from qdialect import qflow
from qdialect.data import Array
from qdialect.semantics import lookup_levels, storage_dtype, threshold_levels
from qdialect.streams import stream_type


def _element(value: SSAValue) -> Attribute:
    return stream_type(value).tensor.element_type


def run_unit(op: Operation, operands: Sequence[Value]) -> list[Value] | None:
    """Results of a `qflow` unit, or None for any other op.

    Streams are frames [N, ..]; the channel is the last axis.
    """
    arrays = [as_array(value) for value in operands]
    match op:
        case qflow.MvuOp():
            return [_mvu(op, arrays)]
        case qflow.ThresholdOp():
            return [
                threshold_levels(
                    arrays[0],
                    arrays[1],
                    arrays[2] if op.falling is not None else None,
                    op.offset.value.data,
                    arrays[0].ndim - 1,
                    _element(op.out),
                )
            ]
        case qflow.LookupOp():
            return [
                lookup_levels(
                    arrays[0], arrays[1], op.low.value.data, arrays[0].ndim - 1
                )
            ]
        case qflow.TopKOp():
            _, indices = top_k(
                arrays[0],
                stream_type(op.out).elements,
                axis=arrays[0].ndim - 1,
                smallest=op.smallest is not None,
            )
            return [indices.astype(storage_dtype(_element(op.out)))]
        case qflow.FifoOp() | qflow.DwcOp():
            return [arrays[0]]
        case qflow.ForkOp():
            return [arrays[0] for _ in op.outs]
        case _:
            return None


def _mvu(op: qflow.MvuOp, arrays: Sequence[Array]) -> Array:
    sums = integer_matmul(arrays[0], arrays[1])
    if op.thresholds is None:
        return sums.astype(storage_dtype(op.accumulator))
    return threshold_levels(
        sums,
        arrays[2],
        arrays[3] if op.falling is not None else None,
        op.offset.value.data,
        sums.ndim - 1,
        _element(op.out),
    )
