"""Maps at the network and the integer level: convolutions, pools, rearrangements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.ir import Operation

from lowering.interpreter.sliding import (
    channels_as_before,
    convolution,
    integer_conv,
    max_pool,
    sum_pool,
    with_channels_last,
)
from lowering.interpreter.values import (
    Scaled,
    Value,
    as_array,
    on_channel_grids,
    on_grid,
)
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.grids import common_grid, level_of
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.rearranging import (
    BlockOrder,
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.scaling import varies_along
from qdialect.semantics import Real, along_axis, storage_dtype
from qdialect.types import element_of, is_real, shape_of
from qdialect.windows import channel_axis, numbers, spatial_axes


def run_spatial_op(op: Operation, operands: Sequence[Value]) -> list[Value] | None:
    """Results of an op on maps, or None for any other."""
    match op:
        case ConvOp() if is_real(element_of(op.out)):
            return [_real_conv(op, operands[0], operands[1])]
        case ConvOp():
            x, weights = map(as_array, operands)
            return [_integer_conv(op, x, weights, storage_dtype(element_of(op.out)))]
        case MaxPoolOp():
            return [_max_pool(op, operands[0])]
        case SumPoolOp():
            return [_sum_pool(op, operands[0])]
        case PadOp():
            return [_pad(op, operands[0], operands[1])]
        case ConcatOp():
            return [_concat(op, operands)]
        case SliceOp():
            return [_moved(operands[0], lambda x: x[(slice(None), *op.slices)])]
        case UpsampleOp():
            return [_moved(operands[0], lambda x: _upsample(op, x))]
        case DepthToSpaceOp():
            block, order = op.block.value.data, op.order.data
            last = op.is_channels_last
            return [
                _moved(
                    operands[0],
                    lambda x: depth_to_space(x, block, order, channels_last=last),
                )
            ]
        case _:
            return None


def _integer_conv(
    op: ConvOp, x: Array, weights: Array, dtype: np.dtype[np.generic] | None
) -> Array:
    last = op.is_channels_last
    sums = integer_conv(
        with_channels_last(x, already=last),
        with_channels_last(weights, already=last),
        op.window,
        op.group_count,
        dtype,
    )
    return channels_as_before(sums, last=last)


def _real_conv(op: ConvOp, x: Value, weights: Value) -> Value:
    last = op.is_channels_last
    if isinstance(x, Scaled) and isinstance(weights, Scaled):
        scale = _row_scale(op, weights.scale)
        rank = x.levels.ndim
        axis = channel_axis(rank, channels_last=last)
        source = on_channel_grids(x, axis, op.group_count)
        if scale is not None and source is not None:
            sums = _integer_conv(op, source.levels, weights.levels, None)
            rows = source.scale
            if rows.size == 1:
                return Scaled(sums, rows.reshape(()) * scale)
            rows = np.repeat(rows, sums.shape[axis] // op.group_count)
            return Scaled(sums, along_axis(rows, rank, axis)[0] * scale)
    sums = convolution(
        with_channels_last(as_array(x), already=last),
        with_channels_last(as_array(weights), already=last),
        op.window,
        op.group_count,
        np.float64,
        np.float32,
    )
    return channels_as_before(sums, last=last)


def _row_scale(op: ConvOp, scale: Real) -> Real | None:
    """A weight scale as it broadcasts to the result, or None if it varies in a row."""
    if scale.size == 1:
        return scale.reshape(())
    shape = shape_of(op.weights)
    if scale.shape != (shape[0], *(1 for _ in shape[1:])):
        return None
    return scale.reshape(-1 if op.is_channels_last else (-1, *(1 for _ in op.extents)))


def _max_pool(op: MaxPoolOp, x: Value) -> Value:
    last = op.is_channels_last

    def pool(array: Array) -> Array:
        pooled = max_pool(with_channels_last(array, already=last), op.window)
        return channels_as_before(pooled, last=last)

    if isinstance(x, Scaled):
        # Rounding is monotone: the greatest level is the greatest number.
        x = x.with_positive_scale() if bool((x.scale < 0).any()) else x
        rank = x.levels.ndim
        places = spatial_axes(rank, channels_last=last)
        if not varies_along(x.scale, rank, places):
            rounded = None if x.rounded is None else pool(x.rounded)
            return Scaled(pool(x.levels), x.scale, rounded)
    return pool(as_array(x))


def _sum_pool(op: SumPoolOp, x: Value) -> Value:
    last = op.is_channels_last

    def pool(array: Array, dtype: type[np.int64] | type[np.float64]) -> Array:
        sums = sum_pool(with_channels_last(array, already=last), op.window, dtype)
        return channels_as_before(sums, last=last)

    if isinstance(x, Scaled):
        rank = x.levels.ndim
        if not varies_along(x.scale, rank, spatial_axes(rank, channels_last=last)):
            scale = x.scale.reshape(()) if x.scale.size == 1 else x.scale
            return Scaled(pool(x.levels, np.int64), scale)
    if is_real(element_of(op.out)):
        return pool(as_array(x), np.float64).astype(np.float32)
    return pool(as_array(x), np.int64).astype(storage_dtype(element_of(op.out)))


def _pad(op: PadOp, x: Value, value: Value) -> Value:
    fill = as_array(value).item()
    if isinstance(x, Scaled) and x.scale.size == 1:
        level = level_of(fill, x.scale.item())
        if level is not None:
            wide = x.levels.astype(np.int64)
            padded = np.pad(wide, op.amounts, constant_values=level)
            return Scaled(padded, x.scale.reshape(()))
    if isinstance(x, Scaled) and fill == 0:
        padded_axes = [axis for axis, pads in enumerate(op.amounts) if any(pads)]
        if not varies_along(x.scale, x.levels.ndim, padded_axes):
            rounded = None if x.rounded is None else np.pad(x.rounded, op.amounts)
            return Scaled(np.pad(x.levels, op.amounts), x.scale, rounded)
    array = as_array(x).astype(storage_dtype(element_of(op.out)))
    return np.pad(array, op.amounts, constant_values=fill)


def _concat(op: ConcatOp, operands: Sequence[Value]) -> Value:
    axis = op.axis.value.data
    parts = [value for value in operands if isinstance(value, Scaled)]
    if len(parts) == len(operands) and all(part.scale.size == 1 for part in parts):
        grid = common_grid(*(part.scale.item() for part in parts))
        if grid is not None:
            levels = _joined(on_grid(parts, grid), axis)
            return Scaled(levels, np.array(grid.scale))
    dtype = storage_dtype(element_of(op.out))
    return _joined([as_array(value).astype(dtype) for value in operands], axis)


def _joined(arrays: Sequence[Array], axis: int) -> Array:
    """The arrays behind one another; those of one frame are the same for all."""
    frames = max(len(array) for array in arrays)
    repeated = [np.broadcast_to(a, (frames, *a.shape[1:])) for a in arrays]
    return np.concatenate(repeated, axis=axis)


def _moved(value: Value, move: Callable[[Array], Array]) -> Value:
    """What `move` makes of a value; levels stay levels where they have one scale."""
    if isinstance(value, Scaled) and value.scale.size == 1:
        return value.moved(move)
    return move(as_array(value))


def _upsample(op: UpsampleOp, x: Array) -> Array:
    for axis, factor in enumerate(numbers(op.factors)):
        if factor != 1:
            x = np.repeat(x, factor, axis=axis)
    return x


def depth_to_space(
    x: Array, block: int, order: BlockOrder, *, channels_last: bool
) -> Array:
    """`qnn.depth_to_space` of maps [N, C, H, W], or [N, H, W, C] with `channels_last`."""
    source = with_channels_last(x, already=channels_last)
    frames, height, width, channels = source.shape
    depth = channels // block**2
    if order is BlockOrder.DCR:
        cells = source.reshape(frames, height, width, block, block, depth)
        moved = cells.transpose(0, 1, 3, 2, 4, 5)
    else:
        cells = source.reshape(frames, height, width, depth, block, block)
        moved = cells.transpose(0, 1, 4, 2, 5, 3)
    out = moved.reshape(frames, height * block, width * block, depth)
    return channels_as_before(out, last=channels_last)
