"""Operations that cut, join and enlarge tensors as units.

Units work on pixels of a map. Any axis of a tensor can be the rows or the columns of one,
with what stands before it as rows and what stands behind it as channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod

from xdsl.ir import Attribute, Operation, SSAValue

from passes.stream_conversion import (
    Conversion,
    expect_constant,
    expect_integer,
    refusal,
    stream_in,
)
from qdialect import qflow
from qdialect.rearranging import (
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.streams import stream_type
from qdialect.types import element_of, shape_of
from qdialect.windows import numbers


def convert_arranging_op(conversion: Conversion, op: Operation) -> bool:
    """Put the units that move elements in front of an op that does; whether it does.

    Raises:
        PassFailedException: no units compute it.
    """
    match op:
        case ReshapeOp():
            # The elements pass by in the same order; a unit that needs vectors of
            # another length asks for them.
            conversion.streams[op.out] = conversion.stream(op, op.input)
        case TransposeOp():
            _transpose(conversion, op)
        case PadOp():
            _pad(conversion, op)
        case SliceOp():
            expect_integer(op, op.out, "lower-to-integer")
            stream = conversion.tensor(op, op.input)
            out = stream_in(element_of(op.out), shape_of(op.out))
            offsets, steps = numbers(op.offsets), numbers(op.steps)
            unit = qflow.SliceOp(stream, out, offsets=offsets, steps=steps)
            conversion.streams[op.out] = conversion.unit(op, unit)
        case ConcatOp():
            _concat(conversion, op)
        case UpsampleOp():
            _upsample(conversion, op)
        case DepthToSpaceOp():
            _depth_to_space(conversion, op)
        case _:
            return False
    return True


def _transpose(conversion: Conversion, op: TransposeOp) -> None:
    shape = shape_of(op.input)
    moved = [axis for axis in op.axes if shape[axis] != 1]
    if moved != sorted(moved):
        raise refusal(
            op,
            f"a stream of {list(shape)} cannot give its elements in the order "
            f"{list(op.axes)}; accepted are transposes that move axes of extent 1 only",
        )
    conversion.streams[op.out] = conversion.stream(op, op.input)


def _is_map(shape: Sequence[int]) -> bool:
    return len(shape) in (3, 4) and shape[0] == 1


def _pad(conversion: Conversion, op: PadOp) -> None:
    expect_integer(op, op.out, "lower-to-integer")
    value = int(expect_constant(op, "pad values", op.value).item())
    element, shape = element_of(op.out), shape_of(op.input)
    low, high = numbers(op.low), numbers(op.high)
    stream = conversion.tensor(op, op.input)
    if _is_map(shape) and low[-1] == high[-1] == 0:
        pads = [*low[1:-1], *high[1:-1]]
        stream = _padded(conversion, op, stream, shape_of(op.out), element, value, pads)
        conversion.streams[op.out] = stream
        return
    for axis, amounts in enumerate(op.amounts):
        if any(amounts) or axis == len(shape) - 1:
            stream = _pad_axis(conversion, op, stream, axis, amounts, element, value)
    conversion.streams[op.out] = stream


def _pad_axis(
    conversion: Conversion,
    op: Operation,
    stream: SSAValue,
    axis: int,
    amounts: tuple[int, int],
    element: Attribute,
    value: int,
) -> SSAValue:
    """A stream padded along one axis, as the columns of a map.

    Behind the last axis stands nothing: as many of its elements as divide all that is
    put together make a pixel.
    """
    shape = stream_type(stream).tensor.get_shape()
    inner = prod(shape[axis + 1 :])
    share = gcd(shape[axis], *amounts)
    outer, pixel = prod(shape[:axis]), inner * share
    low, extent, high = (n // share for n in (amounts[0], shape[axis], amounts[1]))
    image = conversion.reshaped(op, stream, (1, outer, extent, pixel))
    padded = (1, outer, low + extent + high, pixel)
    pads = [0, low, 0, high]
    out = _padded(conversion, op, image, padded, element, value, pads)
    total = sum(amounts) + shape[axis]
    return conversion.reshaped(op, out, (*shape[:axis], total, *shape[axis + 1 :]))


def _padded(
    conversion: Conversion,
    op: Operation,
    image: SSAValue,
    shape: Sequence[int],
    element: Attribute,
    value: int,
    pads: Sequence[int],
) -> SSAValue:
    out = stream_in(element, shape)
    if out == image.type:
        return image
    return conversion.unit(op, qflow.PadOp(image, out, value=value, pads=pads))


def _concat(conversion: Conversion, op: ConcatOp) -> None:
    expect_integer(op, op.out, "lower-to-integer")
    streams = [conversion.tensor(op, value) for value in op.inputs]
    out = stream_in(element_of(op.out), shape_of(op.out))
    if len(streams) == 1 and streams[0].type == out:
        conversion.streams[op.out] = streams[0]
        return
    unit = qflow.ConcatOp(streams, out, axis=op.axis.value.data)
    conversion.streams[op.out] = conversion.unit(op, unit)


def _upsample(conversion: Conversion, op: UpsampleOp) -> None:
    factors = numbers(op.factors)
    shape = shape_of(op.input)
    if _is_map(shape) and factors[-1] == 1 and factors != (1,) * len(factors):
        stream = conversion.tensor(op, op.input)
        out = stream_in(element_of(op.out), shape_of(op.out))
        unit = qflow.UpsampleOp(stream, out, factors=factors[1:-1])
        conversion.streams[op.out] = conversion.unit(op, unit)
        return
    stream = conversion.stream(op, op.input)
    conversion.streams[op.out] = repeated(conversion, op, stream, shape, factors)


def repeated(
    conversion: Conversion,
    op: Operation,
    stream: SSAValue,
    shape: Sequence[int],
    factors: Sequence[int],
) -> SSAValue:
    """Every element of a stream repeated along each axis.

    Args:
        conversion: in progress.
        op: what needs it.
        stream: carries a tensor of as many elements as `shape`.
        shape: of the tensor.
        factors: how often, for each axis.
    """
    axis = 0
    extents = list(shape)
    while axis < len(extents):
        factor, first = factors[axis], axis
        # Axes of extent 1 side by side are repeated as one.
        while axis + 1 < len(extents) and extents[axis + 1] == 1:
            axis += 1
            factor *= factors[axis]
        if factor > 1:
            outer, inner = prod(extents[: first + 1]), prod(extents[first + 1 :])
            element = stream_type(stream).tensor.element_type
            image = conversion.reshaped(op, stream, (1, outer, inner))
            out = stream_in(element, (1, outer * factor, inner))
            unit = qflow.UpsampleOp(image, out, factors=[factor])
            stream = conversion.unit(op, unit)
        for at in range(first, axis + 1):
            extents[at] *= factors[at]
        axis += 1
    return stream


def _depth_to_space(conversion: Conversion, op: DepthToSpaceOp) -> None:
    if not op.is_channels_last:
        raise refusal(op, "its maps are channels first; run choose-layout first")
    stream = conversion.tensor(op, op.input)
    out = stream_in(element_of(op.out), shape_of(op.out))
    unit = qflow.DepthToSpaceOp(
        stream, out, block=op.block.value.data, order=op.order.data
    )
    conversion.streams[op.out] = conversion.unit(op, unit)
