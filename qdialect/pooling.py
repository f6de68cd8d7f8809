"""Pools: the greatest element of a window, or the sum of its elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import I64, DenseArrayBase, UnitAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_same_kind, expect_shape
from qdialect.types import element_of, shape_of
from qdialect.windows import (
    Window,
    channel_axis,
    expect_image,
    expect_window,
    i64_array,
    image_shape,
    make_window,
    numbers,
    spatial_axes,
    windows_of,
)


class PoolOp(IRDLOperation):
    """Base of the pools.

    | name            | kind     | shape                        | unit         |
    | --------------- | -------- | ---------------------------- | ------------ |
    | `input`         | operand  | [1, C, H, W] or [1, C, W]    | any          |
    | `kernel`        | property | ky, kx                       | elements     |
    | `strides`       | property | sy, sx                       | elements     |
    | `pads`          | property | before y, x; behind y, x     | elements     |
    | `dilations`     | property | dy, dx                       | elements     |
    | `channels_last` | property | -                            | -            |
    | `out`           | result   | [1, C, OH, OW] or [1, C, OW] | as the input |

    With `channels_last`, maps are [1, H, W, C]. Padded elements are left out. What ONNX
    calls the ceil mode is padding behind the input.

    Raises:
        VerifyException: the shapes do not agree, the window does not fit, or one stands
            on padding alone.
    """

    input = operand_def()
    kernel = prop_def(DenseArrayBase[I64])
    strides = prop_def(DenseArrayBase[I64])
    pads = prop_def(DenseArrayBase[I64])
    dilations = prop_def(DenseArrayBase[I64])
    channels_last = opt_prop_def(UnitAttr)
    out = result_def()

    traits = traits_def(Pure())
    assembly_format: ClassVar[str | None] = (
        "$input `kernel` $kernel `strides` $strides `pads` $pads `dilations` "
        "$dilations (`channels_last` $channels_last^)? attr-dict `:` type($input) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        out: Attribute,
        *,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[int],
        dilations: Sequence[int],
        channels_last: bool = False,
    ):
        super().__init__(
            operands=[input],
            properties={
                "kernel": i64_array(kernel),
                "strides": i64_array(strides),
                "pads": i64_array(pads),
                "dilations": i64_array(dilations),
                "channels_last": UnitAttr() if channels_last else None,
            },
            result_types=[out],
        )

    @property
    def is_channels_last(self) -> bool:
        """Whether the channels are the last axis."""
        return self.channels_last is not None

    @property
    def extents(self) -> tuple[int, ...]:
        """Extents of the input along each spatial axis."""
        shape = shape_of(self.input)
        axes = spatial_axes(len(shape), channels_last=self.is_channels_last)
        return tuple(shape[axis] for axis in axes)

    @property
    def window(self) -> Window:
        """The window, an entry for each spatial axis."""
        return make_window(
            numbers(self.kernel),
            numbers(self.strides),
            numbers(self.pads),
            numbers(self.dilations),
        )

    def verify_(self) -> None:
        expect_same_kind(self, ("input", "out"), self.input, self.out)
        expect_image(self, "input", self.input)
        lists = {
            "kernel": numbers(self.kernel),
            "strides": numbers(self.strides),
            "pads": numbers(self.pads),
            "dilations": numbers(self.dilations),
        }
        expect_window(self, len(self.extents), lists)
        counts = windows_of(self, self.window, self.extents)
        last = self.is_channels_last
        shape = shape_of(self.input)
        channels = shape[channel_axis(len(shape), channels_last=last)]
        expect_shape(
            self, "out", self.out, image_shape(channels, counts, channels_last=last)
        )
        for axis, extent in zip(self.window, self.extents, strict=True):
            if not axis.masks(extent).any(axis=1).all():
                raise VerifyException(
                    f"{self.name}: a window stands on padding alone; pads "
                    f"{list(numbers(self.pads))} are too many for the kernel"
                )


@irdl_op_definition
class MaxPoolOp(PoolOp):
    """The greatest element of each window.

        out[c, y, x] = max over i, j of
            input[c, y * sy + i * dy - py, x * sx + j * dx - px]

    Operands, properties and refusals are those of every pool, `PoolOp`; operand and
    result have one element type. On bipolar maps the maximum is the OR of the bits.

    Source: ONNX `MaxPool`; QONNX channels-last `MaxPool`.
    """

    name = "qnn.max_pool"

    def verify_(self) -> None:
        super().verify_()
        if element_of(self.input) != element_of(self.out):
            raise VerifyException(
                "qnn.max_pool: operand and result must have one element type, got "
                f"{element_of(self.input)} and {element_of(self.out)}"
            )


@irdl_op_definition
class SumPoolOp(PoolOp):
    """The sum of the elements of each window.

        out[c, y, x] = sum over i, j of
            input[c, y * sy + i * dy - py, x * sx + j * dx - px]

    Operands, properties and refusals are those of every pool, `PoolOp`. On integers the
    sum is exact and the type of `out` is the accumulator's; on real numbers it is as in
    `qnn.matmul`. An average is the sum divided by the number of elements.

    Source: ONNX `AveragePool`, `GlobalAveragePool`.
    """

    name = "qnn.sum_pool"
