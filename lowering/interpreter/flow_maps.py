"""The stream level on maps: windows, pools, and units that put pixels elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Attribute, Operation, SSAValue

from lowering.interpreter.sliding import max_pool, padded, sum_pool, windows_view
from lowering.interpreter.spatial import depth_to_space
from qdialect import qflow
from qdialect.data import Array
from qdialect.semantics import storage_dtype
from qdialect.streams import stream_type
from qdialect.types import BipolarType
from qdialect.windows import Window, numbers


def element_of_stream(value: SSAValue) -> Attribute:
    """Element type of the tensor that a stream carries."""
    return stream_type(value).tensor.element_type


def code_zero(element: Attribute) -> int:
    """The level whose bits are all 0."""
    return -1 if isinstance(element, BipolarType) else 0


def windows(x: Array, window: Window, fill: int) -> Array:
    """Every window of maps [N, .., C], padded with `fill`: [N, windows.., taps.., C]."""
    counts = [axis.windows(n) for axis, n in zip(window, x.shape[1:-1], strict=True)]
    return windows_view(padded(x, window, x.dtype, fill), window, counts)


def run_map_unit(op: Operation, arrays: Sequence[Array]) -> Array | None:
    """The frames [N, ..] that a unit on maps gives, or None for any other op."""
    match op:
        case qflow.SwuOp():
            return _sliding_window(op, arrays[0])
        case qflow.PoolOp():
            return _pool(op, arrays[0])
        case qflow.PadOp():
            return _pad(op, arrays[0])
        case qflow.SliceOp():
            return arrays[0][(slice(None), *_slices(op))]
        case qflow.ConcatOp():
            dtype = storage_dtype(element_of_stream(op.out))
            parts = [array.astype(dtype) for array in arrays]
            return np.concatenate(parts, axis=op.axis.value.data)
        case qflow.UpsampleOp():
            out = arrays[0]
            for axis, factor in enumerate(numbers(op.factors)):
                out = np.repeat(out, factor, axis=1 + axis)
            return out
        case qflow.DepthToSpaceOp():
            return depth_to_space(
                arrays[0], op.block.value.data, op.order.data, channels_last=True
            )
        case qflow.ReshapeOp():
            shape = stream_type(op.out).tensor.get_shape()
            return arrays[0].reshape(len(arrays[0]), *shape[1:])
        case qflow.AddOp():
            return _add(op, arrays)
        case qflow.AbsOp():
            magnitudes = np.abs(arrays[0].astype(np.int64))
            return magnitudes.astype(storage_dtype(element_of_stream(op.out)))
        case qflow.MulOp():
            product = arrays[0].astype(np.int64) * arrays[1].astype(np.int64)
            return product.astype(storage_dtype(element_of_stream(op.out)))
        case _:
            return None


def _sliding_window(op: qflow.SwuOp, x: Array) -> Array:
    element = element_of_stream(op.input)
    views = windows(x, op.window, code_zero(element))
    rank = len(op.window)
    groups, channels = op.group_count, x.shape[-1]
    split = views.reshape(*views.shape[:-1], groups, channels // groups)
    ordered = np.moveaxis(split, -2, 1 + rank)
    shape = stream_type(op.out).tensor.get_shape()
    return np.ascontiguousarray(ordered).reshape(len(x), *shape[1:])


def _pool(op: qflow.PoolOp, x: Array) -> Array:
    if op.kind.data is qflow.PoolKind.MAX:
        return max_pool(x, op.window)
    dtype = storage_dtype(element_of_stream(op.out))
    return sum_pool(x, op.window, np.int64).astype(dtype)


def _pad(op: qflow.PadOp, x: Array) -> Array:
    shape = stream_type(op.out).tensor.get_shape()
    dtype = storage_dtype(element_of_stream(op.out))
    out = np.full((len(x), *shape[1:]), op.value.value.data, dtype)
    inside = tuple(
        slice(before, before + (n - 1) * step + 1, step)
        for before, n, step in zip(
            numbers(op.pads), x.shape[1:-1], op.distances, strict=False
        )
    )
    out[(slice(None), *inside)] = x
    return out


def _slices(op: qflow.SliceOp) -> tuple[slice, ...]:
    counts = stream_type(op.out).tensor.get_shape()[1:]
    offsets, steps = numbers(op.offsets)[1:], numbers(op.steps)[1:]
    return tuple(
        slice(offset, offset + (count - 1) * step + 1, step)
        for offset, step, count in zip(offsets, steps, counts, strict=True)
    )


def _add(op: qflow.AddOp, arrays: Sequence[Array]) -> Array:
    *inputs, factors, bias = arrays
    total = np.broadcast_to(bias.astype(np.int64), inputs[0].shape).copy()
    for array, factor in zip(inputs, factors.astype(np.int64), strict=True):
        total += array.astype(np.int64) * factor
    return total.astype(storage_dtype(element_of_stream(op.out)))
