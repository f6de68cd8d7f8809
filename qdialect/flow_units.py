"""What the units of the `qflow` dialect have in common: their base, their checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from xdsl.dialects.builtin import I64, DenseArrayBase
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import IRDLOperation, operand_def, result_def, traits_def
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.activation import expect_levels_fit
from qdialect.checks import expect_level, expect_shape
from qdialect.streams import StreamType, stream_type
from qdialect.types import BipolarType, shape_of, value_range
from qdialect.windows import (
    Window,
    expect_window,
    i64_array,
    make_window,
    numbers,
    windows_of,
)


def expect_lanes(op: Operation, name: str, value: SSAValue, lanes: int) -> None:
    """`value` is a stream of so many lanes."""
    if stream_type(value).lanes != lanes:
        raise VerifyException(
            f"{op.name}: `{name}` must carry {lanes} lanes, "
            f"got {stream_type(value).lanes}"
        )


def expect_same_tensor_shape(op: Operation, first: SSAValue, second: SSAValue) -> None:
    """Both streams carry tensors of one shape."""
    a = stream_type(first).tensor.get_shape()
    b = stream_type(second).tensor.get_shape()
    if a != b:
        raise VerifyException(
            f"{op.name}: operand and result must carry tensors of one shape, "
            f"got {list(a)} and {list(b)}"
        )


def expect_activation(
    op: Operation,
    channels: int,
    out: SSAValue,
    thresholds: SSAValue,
    falling: SSAValue | None,
    offset: int,
) -> None:
    """`thresholds` and `falling` are parameters of so many channels, and levels fit."""
    expect_level(op, "thresholds", thresholds)
    shape = shape_of(thresholds)
    if len(shape) != 2 or shape[0] != channels:
        raise VerifyException(
            f"{op.name}: `thresholds` must have shape [{channels}, T], "
            f"got {list(shape)}"
        )
    if falling is not None:
        expect_shape(op, "falling", falling, (channels,))
    element = stream_type(out).tensor.element_type
    expect_levels_fit(op, shape[1], offset, element)


def expect_tensor_shape(
    op: Operation, name: str, value: SSAValue, shape: Sequence[int]
) -> None:
    """The stream `value` carries a tensor of that shape."""
    found = stream_type(value).tensor.get_shape()
    if tuple(found) != tuple(shape):
        raise VerifyException(
            f"{op.name}: `{name}` must carry a tensor of shape {list(shape)}, "
            f"got {list(found)}"
        )


def expect_same_stream_element(
    op: Operation, first: SSAValue, second: SSAValue
) -> None:
    """Both streams carry one element type."""
    a = stream_type(first).tensor.element_type
    b = stream_type(second).tensor.element_type
    if a != b:
        raise VerifyException(
            f"{op.name}: operand and result must have one element type, got {a} and {b}"
        )


def expect_widened(op: Operation, out: SSAValue, value: SSAValue) -> None:
    """The element type of `out` is that of `value`, or a wider one that has it all."""
    ours = stream_type(out).tensor.element_type
    theirs = stream_type(value).tensor.element_type
    low, high = value_range(theirs)
    least, greatest = value_range(ours)
    # Bipolar is the one type that lacks 0.
    wider = low >= least and high <= greatest and not isinstance(ours, BipolarType)
    if ours != theirs and not wider:
        raise VerifyException(f"{op.name}: {theirs} does not fit `out` of {ours}")


def map_extents(op: Operation, name: str, value: SSAValue) -> tuple[int, ...]:
    """The spatial extents of a stream that carries a map [1, H, W, C] or [1, W, C].

    Raises:
        VerifyException: it carries something else.
    """
    shape = stream_type(value).tensor.get_shape()
    if len(shape) not in (3, 4) or shape[0] != 1:
        raise VerifyException(
            f"{op.name}: `{name}` must carry a map of shape [1, H, W, C] or [1, W, C], "
            f"got {list(shape)}"
        )
    return tuple(shape[1:-1])


class WindowUnit(Protocol):
    """A unit that slides a window over its input, by its properties."""

    kernel: DenseArrayBase[I64]
    strides: DenseArrayBase[I64]
    pads: DenseArrayBase[I64]
    dilations: DenseArrayBase[I64]


def window_properties(window: Window) -> dict[str, Attribute]:
    """The properties that state a window; see `WindowUnit`.

    Raises:
        ValueError: the window stretches its input, which is `qflow.pad`'s to do.
    """
    if any(axis.stretch != 1 for axis in window):
        raise ValueError("a window unit does not stretch its input")
    return {
        "kernel": i64_array([axis.kernel for axis in window]),
        "strides": i64_array([axis.stride for axis in window]),
        "pads": i64_array([a.before for a in window] + [a.after for a in window]),
        "dilations": i64_array([axis.dilation for axis in window]),
    }


def unit_window(op: WindowUnit) -> Window:
    """The window of a unit, an entry for each spatial axis."""
    return make_window(
        numbers(op.kernel), numbers(op.strides), numbers(op.pads), numbers(op.dilations)
    )


def expect_unit_window(
    op: Operation, unit: WindowUnit, value: SSAValue
) -> tuple[int, ...]:
    """The window of a unit fits the map that `value` carries; the extents of the result.

    Raises:
        VerifyException: it does not.
    """
    extents = map_extents(op, "input", value)
    lists = {
        "kernel": numbers(unit.kernel),
        "strides": numbers(unit.strides),
        "pads": numbers(unit.pads),
        "dilations": numbers(unit.dilations),
    }
    expect_window(op, len(extents), lists)
    return tuple(windows_of(op, unit_window(unit), extents))


class UnitOp(IRDLOperation):
    """Base of the units with one input stream and one output stream.

    A unit with more operands declares `input` again, before them: IRDL takes the fields
    of a class before those of its bases.
    """

    input = operand_def(StreamType)
    out = result_def(StreamType)
    traits = traits_def(Pure())
