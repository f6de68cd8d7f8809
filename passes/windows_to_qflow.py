"""Operations that slide a window over a map as units: convolutions and pools.

Maps are channels-last here: a vector of a stream is a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute, Operation, SSAValue

from passes.new_weights import constant_like
from passes.stream_conversion import (
    Conversion,
    expect_constant,
    expect_integer,
    like,
    refusal,
    stream_in,
)
from qdialect import qflow
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.map_timing import pool_fits
from qdialect.pooling import MaxPoolOp, PoolOp, SumPoolOp
from qdialect.streams import stream_type
from qdialect.types import (
    BipolarType,
    TernaryType,
    element_of,
    shape_of,
    value_range,
)
from qdialect.windows import Window

Integers = npt.NDArray[np.int64]


def convert_window_op(conversion: Conversion, op: Operation) -> bool:
    """Put the units of a convolution or a pool in front of it; whether it is one.

    Raises:
        PassFailedException: no units compute it.
    """
    match op:
        case ConvOp():
            _conv(conversion, op)
        case MaxPoolOp() | SumPoolOp():
            _pool(conversion, op)
        case _:
            return False
    return True


def _map(conversion: Conversion, op: ConvOp | PoolOp) -> SSAValue:
    """The map that an op reads, a pixel a vector."""
    expect_integer(op, op.out, "lower-to-integer")
    if not op.is_channels_last:
        raise refusal(op, "its maps are channels first; run choose-layout first")
    return conversion.tensor(op, op.input)


def _conv(conversion: Conversion, op: ConvOp) -> None:
    image = _map(conversion, op)
    weights = expect_constant(op, "weights", op.weights)
    window = op.window
    constant_part = _padding_bias(op, weights)
    if op.stretch is not None:
        image = _padded(conversion, op, image, window, _code_zero(image))
        window = _unpadded(window)
    groups, rows = op.group_count, shape_of(op.weights)[0]
    accumulator = element_of(op.out)
    matrix = _matrix(op, weights)
    bias: SSAValue | None = None
    row_places: tuple[int, ...] | None = None
    column_places: tuple[int, ...] | None = None
    if constant_part is not None:
        constants, row_places, column_places = constant_part
        bias = conversion.parameter(op, constants)
    if 1 < groups == rows == op.channels:
        out = stream_in(accumulator, shape_of(op.out))
        unit: qflow.VvuOp | qflow.MvuOp = qflow.VvuOp(
            image,
            matrix,
            out,
            window,
            accumulator=accumulator,
            bias=bias,
            row_places=row_places,
            column_places=column_places,
        )
        conversion.streams[op.out] = conversion.unit(op, unit)
        return
    vectors = _vectors(conversion, op, image, window)
    unit = qflow.MvuOp(
        vectors,
        matrix,
        like(vectors, accumulator, rows // groups),
        accumulator=accumulator,
        bias=bias,
        row_places=row_places,
        column_places=column_places,
        groups=groups,
    )
    sums = conversion.unit(op, unit)
    conversion.streams[op.out] = conversion.reshaped(op, sums, shape_of(op.out))


def _matrix(op: ConvOp, weights: Array) -> SSAValue:
    """The weights as rows, each in the order in which a window is read."""
    return constant_like(op.weights, weights.reshape(len(weights), -1), "rows")


def _vectors(
    conversion: Conversion, op: ConvOp, image: SSAValue, window: Window
) -> SSAValue:
    """The windows of a map as vectors, [1, OH, OW, KH * KW * C], or one a group.

    A window of one pixel, and windows that cut the map into parts without a gap, need no
    line buffer.
    """
    source = stream_type(image)
    extents = source.tensor.get_shape()[1:-1]
    groups, channels = op.group_count, source.elements
    element = source.tensor.element_type
    counts = [axis.windows(n) for axis, n in zip(window, extents, strict=True)]
    length = channels // groups
    for axis in window:
        length *= axis.kernel
    inner = (length,) if groups == 1 else (groups, length)
    shape = (1, *counts, *inner)
    is_pixel = all(axis.padded(1) == axis.kernel == 1 for axis in window)
    if is_pixel and any(axis.stride != 1 for axis in window):
        kept = stream_in(element, (1, *counts, channels))
        steps = (1, *(axis.stride for axis in window), 1)
        cut = qflow.SliceOp(image, kept, offsets=(0,) * len(steps), steps=steps)
        image = conversion.unit(op, cut)
    if is_pixel or (groups == 1 and _cuts_evenly(window, extents)):
        return conversion.reshaped(op, image, shape)
    out = stream_in(element, shape)
    return conversion.unit(op, qflow.SwuOp(image, out, window, groups=groups))


def _cuts_evenly(window: Window, extents: Sequence[int]) -> bool:
    """Whether the windows are the map in its order, cut into parts of whole rows."""
    if any(axis.before or axis.after or axis.dilation != 1 for axis in window):
        return False
    first, *inner = zip(window, extents, strict=True)
    axis, extent = first
    whole = axis.windows(extent) * axis.kernel == extent
    steps = axis.stride == axis.kernel or axis.kernel == extent
    return whole and steps and all(axis.kernel == n for axis, n in inner)


def _padding_bias(
    op: ConvOp, weights: Array
) -> tuple[Integers, tuple[int, ...] | None, tuple[int, ...] | None] | None:
    """What to add to the sums where taps stand on padding, for maps that lack 0.

    Those taps come in as -1, so that the sum of their weights takes them back out.

    Returns:
        The constants [VY, VX, O], and for each row and column of the result its index
        into them; None where the map has 0, or no tap stands on padding.
    """
    if not isinstance(element_of(op.input), BipolarType):
        return None
    # What each tap of a row weighs, [O, taps..].
    taps = weights.astype(np.int64).sum(axis=-1)
    masks = [a.masks(n) for a, n in zip(op.window, op.extents, strict=True)]
    if all(mask.all() for mask in masks):
        return None
    if len(masks) == 1:
        taps = taps[:, None, :]
        masks = [np.ones((1, 1), np.bool_), *masks]
    (rows, row_places), (columns, column_places) = (
        np.unique(mask, axis=0, return_inverse=True) for mask in masks
    )
    padded = ~(rows[:, None, :, None] & columns[None, :, None, :])
    constants = np.einsum("yxij,oij->yxo", padded.astype(np.int64), taps)
    places = [
        tuple(int(place) for place in found.reshape(-1))
        for found in (row_places, column_places)
    ]
    return (
        constants,
        places[0] if len(rows) > 1 else None,
        places[1] if len(columns) > 1 else None,
    )


def _code_zero(stream: SSAValue) -> int:
    """The level that stands for padding: 0, or -1 where the type lacks it."""
    element = stream_type(stream).tensor.element_type
    return -1 if isinstance(element, BipolarType) else 0


def _padded(
    conversion: Conversion,
    op: Operation,
    image: SSAValue,
    window: Window,
    value: int,
    element: Attribute | None = None,
) -> SSAValue:
    """A map with the padding and the stretching that a window wants."""
    source = stream_type(image)
    shape = source.tensor.get_shape()
    extents = [a.padded(n) for a, n in zip(window, shape[1:-1], strict=True)]
    unit = qflow.PadOp(
        image,
        stream_in(
            source.tensor.element_type if element is None else element,
            (1, *extents, source.elements),
        ),
        value=value,
        pads=[*(a.before for a in window), *(a.after for a in window)],
        stretch=[a.stretch for a in window],
    )
    return conversion.unit(op, unit)


def _unpadded(window: Window) -> Window:
    return tuple(replace(axis, before=0, after=0, stretch=1) for axis in window)


def _pool(conversion: Conversion, op: MaxPoolOp | SumPoolOp) -> None:
    image = _map(conversion, op)
    window = op.window
    source = stream_type(image)
    is_max = isinstance(op, MaxPoolOp)
    if not pool_fits(window, source):
        # Padding that a unit cannot leave out is put there, as what changes nothing.
        element = source.tensor.element_type
        value = value_range(element)[0] if is_max else 0
        if not is_max and isinstance(element, BipolarType):
            element = TernaryType()
        image = _padded(conversion, op, image, window, value, element)
        window = _unpadded(window)
    kind = qflow.PoolKind.MAX if is_max else qflow.PoolKind.SUM
    out = stream_in(element_of(op.out), shape_of(op.out))
    conversion.streams[op.out] = conversion.unit(
        op, qflow.PoolOp(kind, image, out, window)
    )
