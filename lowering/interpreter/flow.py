"""The stream level: what a unit computes on a frame, whatever its folding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation

from lowering.interpreter.flow_maps import (
    code_zero,
    element_of_stream,
    run_map_unit,
    windows,
)
from lowering.interpreter.network import top_k
from lowering.interpreter.products import integer_matmul
from lowering.interpreter.values import Value, as_array
from qdialect import qflow
from qdialect.data import Array
from qdialect.semantics import lookup_levels, storage_dtype, threshold_levels
from qdialect.streams import stream_type


def run_unit(op: Operation, operands: Sequence[Value]) -> list[Value] | None:
    """Results of a `qflow` unit, or None for any other op.

    Streams are frames [N, ..]; the channel is the last axis.
    """
    arrays = [as_array(value) for value in operands]
    match op:
        case qflow.MvuOp():
            return [_finish(op, _mvu_sums(op, *arrays[:2]), arrays[2:])]
        case qflow.VvuOp():
            return [_finish(op, _vvu_sums(op, *arrays[:2]), arrays[2:])]
        case qflow.ThresholdOp():
            return [
                threshold_levels(
                    arrays[0],
                    arrays[1],
                    arrays[2] if op.falling is not None else None,
                    op.offset.value.data,
                    arrays[0].ndim - 1,
                    element_of_stream(op.out),
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
            return [indices.astype(storage_dtype(element_of_stream(op.out)))]
        case qflow.FifoOp() | qflow.DwcOp():
            return [arrays[0]]
        case qflow.ForkOp():
            return [arrays[0] for _ in op.outs]
        case _:
            result = run_map_unit(op, arrays)
            return None if result is None else [result]


def _mvu_sums(op: qflow.MvuOp, x: Array, weights: Array) -> Array:
    """Products of every vector with its rows of weights."""
    groups = op.group_count
    if groups == 1:
        return integer_matmul(x, weights)
    by_group = weights.reshape(groups, -1, weights.shape[-1])
    sums = [integer_matmul(x[..., g, :], rows) for g, rows in enumerate(by_group)]
    return np.stack(sums, axis=-2)


def _vvu_sums(op: qflow.VvuOp, x: Array, weights: Array) -> Array:
    """Products of every window with the weights of its channel."""
    fill = code_zero(element_of_stream(op.input))
    views = windows(x, op.window, fill).astype(np.int64)
    taps = views.reshape(*views.shape[: 1 + len(op.window)], -1, x.shape[-1])
    return (taps * weights.astype(np.int64).T).sum(axis=-2)


def _finish(
    op: qflow.MvuOp | qflow.VvuOp, sums: Array, parameters: Sequence[Array]
) -> Array:
    """Bias and activation of the sums [N, .., MH]."""
    rest = list(parameters)
    if op.bias is not None:
        bias = rest.pop(0).astype(np.int64)
        rows, columns = (np.array(places) for places in op.places)
        by_place = bias[rows[:, None], columns]
        sums = sums.astype(np.int64) + by_place.reshape(sums.shape[1:])
    if op.thresholds is None:
        return sums.astype(storage_dtype(op.accumulator))
    channels = len(rest[0])
    levels = threshold_levels(
        sums.reshape(*_map_axes(op, sums), channels),
        rest[0],
        rest[1] if op.falling is not None else None,
        op.offset.value.data,
        len(_map_axes(op, sums)),
        element_of_stream(op.out),
    )
    return levels.reshape(sums.shape)


def _map_axes(op: qflow.MvuOp | qflow.VvuOp, sums: Array) -> tuple[int, ...]:
    """The axes of the sums before those of the channels, groups counted with these."""
    grouped = isinstance(op, qflow.MvuOp) and op.group_count > 1
    return sums.shape[: -2 if grouped else -1]
