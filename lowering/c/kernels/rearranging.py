"""What cuts, joins and enlarges maps: every element from where it stands."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.ir import SSAValue

from lowering.c.affine import Affine
from lowering.c.kernels.elements import every_element
from lowering.c.kernels.values import Consumer
from lowering.c.scalars import Scalar
from lowering.c.step import StepFunction
from qdialect.rearranging import (
    BlockOrder,
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.shaping import TransposeOp
from qdialect.types import shape_of
from qdialect.windows import channel_axis, numbers, spatial_axes

Moving = TransposeOp | SliceOp | UpsampleOp | DepthToSpaceOp


def moved_elements(step: StepFunction, op: Moving, consumer: Consumer) -> None:
    """Load every element of the result from its place in the input."""
    with every_element(step, shape_of(op.out), consumer) as position:
        place = _place(op, position)
        consumer.element(Affine.of(step.element(op, op.input, place)), position)


def _place(op: Moving, position: list[str]) -> list[str]:
    """The position in the input of an element of the result."""
    match op:
        case TransposeOp():
            place = dict(zip(op.axes, position, strict=True))
            return [place[axis] for axis in range(len(place))]
        case SliceOp():
            cuts = zip(numbers(op.offsets), numbers(op.steps), strict=True)
            return [
                _plus(_times(at, step), offset)
                for at, (offset, step) in zip(position, cuts, strict=True)
            ]
        case UpsampleOp():
            factors = numbers(op.factors)
            return [_over(at, n) for at, n in zip(position, factors, strict=True)]
        case DepthToSpaceOp():
            return _block_place(op, position)


def _block_place(op: DepthToSpaceOp, position: list[str]) -> list[str]:
    block, last = op.block.value.data, op.is_channels_last
    channel = channel_axis(4, channels_last=last)
    y, x = (position[axis] for axis in spatial_axes(4, channels_last=last))
    depth = shape_of(op.out)[channel]
    d, i, j = position[channel], _modulo(y, block), _modulo(x, block)
    if op.order.data is BlockOrder.DCR:
        from_ = f"(({i} * {block}u + {j}) * {depth}u + {d})"
    else:
        from_ = f"(({d} * {block}u + {i}) * {block}u + {j})"
    extents = [_over(y, block), _over(x, block)]
    return ["0u", *extents, from_] if last else ["0u", from_, *extents]


def _times(at: str, factor: int) -> str:
    return at if factor == 1 or at == "0u" else f"({at} * {factor}u)"


def _plus(at: str, offset: int) -> str:
    if offset == 0:
        return at
    return f"{offset}u" if at == "0u" else f"({at} + {offset}u)"


def _over(at: str, divisor: int) -> str:
    return at if divisor == 1 or at == "0u" else f"({at} / {divisor}u)"


def _modulo(at: str, divisor: int) -> str:
    return "0u" if divisor == 1 or at == "0u" else f"({at} % {divisor}u)"


def joined_elements(step: StepFunction, op: ConcatOp, consumer: Consumer) -> None:
    """Load the elements of one operand after the other."""
    axis, last = op.axis.value.data, len(shape_of(op.out)) - 1
    if axis == last:
        with step.loops(shape_of(op.out)[:-1]) as leading:
            consumer.begin(leading)
            for value, offset in _parts(op):
                with step.axis(axis, shape_of(value)[axis]) as index:
                    element = Affine.of(step.element(op, value, [*leading, index]))
                    consumer.element(element, [*leading, _plus(index, offset)])
            consumer.end(leading)
        return
    for value, offset in _parts(op):
        # In a block: variables of a vector must not meet those of another operand's.
        with (
            step.text.block("{", "}"),
            step.loops(shape_of(value)[:-1]) as leading,
        ):
            shifted = list(leading)
            shifted[axis] = _plus(leading[axis], offset)
            consumer.begin(shifted)
            with step.axis(last, shape_of(value)[last]) as index:
                element = Affine.of(step.element(op, value, [*leading, index]))
                consumer.element(element, [*shifted, index])
            consumer.end(shifted)


def _parts(op: ConcatOp) -> Iterator[tuple[SSAValue, int]]:
    """Every operand that has elements, and where they begin in the result."""
    offset = 0
    for value in op.inputs:
        extent = shape_of(value)[op.axis.value.data]
        if extent:
            yield value, offset
        offset += extent


def padded_elements(step: StepFunction, op: PadOp, consumer: Consumer) -> None:
    """Load every element of the result from the input, or the value around it."""
    shape = shape_of(op.out)
    with step.loops(shape[:-1]) as leading:
        inside = [t for axis, at in enumerate(leading) if (t := _inside(op, axis, at))]
        if inside:
            step.text(f"const int inside = {' && '.join(inside)};")
            inside = ["inside"]
        consumer.begin(leading)
        with step.axis(len(leading), shape[-1]) as index:
            within = _inside(op, len(leading), index)
            position = [*leading, index]
            value = _or_padding(step, op, position, [*inside, *filter(None, [within])])
            consumer.element(Affine.of(value), position)
        consumer.end(leading)


def _inside(op: PadOp, axis: int, at: str) -> str:
    """Whether an index is one of an element of the input; empty where all are."""
    low, high = op.amounts[axis]
    # What is less than `low` wraps round and becomes great.
    return f"{_minus(at, low)} < {shape_of(op.input)[axis]}u" if low or high else ""


def _minus(at: str, amount: int) -> str:
    return f"({at} - {amount}u)" if amount else at


def _or_padding(
    step: StepFunction, op: PadOp, position: list[str], inside: list[str]
) -> Scalar:
    place = [_minus(at, low) for at, (low, _) in zip(position, op.amounts, strict=True)]
    element = step.element(op, op.input, place)
    if not inside:
        return element
    value = step.element(op, op.value, position)
    wide = Scalar("", min(element.low, value.low), max(element.high, value.high))
    ctype = wide.ctype(op)
    text = (
        f"({' && '.join(inside)} ? {element.as_type(op, ctype)} : "
        f"{value.as_type(op, ctype)})"
    )
    return step.variable(op, Scalar(text, wide.low, wide.high))
