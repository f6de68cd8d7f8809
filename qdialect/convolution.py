"""Convolution: real as trained, exact on integers."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, UnitAttr, i64
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
from qdialect.types import shape_of
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


@irdl_op_definition
class ConvOp(IRDLOperation):
    """A window of weights slides over a 1-D or 2-D map.

        out[o, y, x] = sum over c, i, j of
            image[g + c, y * sy + i * dy - py, x * sx + j * dx - px]
            * weights[o, c, i, j]

    where g is the first channel of the group of o, and elements of the image outside
    the input are 0. With `stretch` the image is the input with zeros put between its
    elements: element n of an axis stands at n * stretch (a transposed convolution).

    | name            | kind     | shape                        | unit                 |
    | --------------- | -------- | ---------------------------- | -------------------- |
    | `input`         | operand  | [1, C, H, W] or [1, C, W]    | real, or activation  |
    | `weights`       | operand  | [O, C/groups, KH, KW] or ..  | real, or weight      |
    | `strides`       | property | sy, sx                       | elements             |
    | `pads`          | property | before y, x; behind y, x     | elements             |
    | `dilations`     | property | dy, dx                       | elements             |
    | `stretch`       | property | an axis; 1 where it is absent | elements            |
    | `groups`        | property | -                            | -                    |
    | `channels_last` | property | -                            | -                    |
    | `out`           | result   | [1, O, OH, OW] or [1, O, OW] | real, or accumulator |

    With `channels_last`, maps are [1, H, W, C] and weights [O, KH, KW, C/groups]: a row
    of weights then lies in the order in which a window is read.

    A padded element contributes 0 to the sum, whatever the element type: on bipolar
    maps that is exact without a bit for it. Sums are as in `qnn.matmul`: exact on
    integers and on real numbers that stand for levels.

    Raises:
        VerifyException: the shapes do not agree, the window does not fit, or reals and
            integers are mixed.

    Source: ONNX `Conv`, `ConvTranspose`; QONNX channels-last `Conv`.
    """

    name = "qnn.conv"

    input = operand_def()
    weights = operand_def()
    strides = prop_def(DenseArrayBase[I64])
    pads = prop_def(DenseArrayBase[I64])
    dilations = prop_def(DenseArrayBase[I64])
    stretch = opt_prop_def(DenseArrayBase[I64])
    groups = prop_def(IntegerAttr[I64])
    channels_last = opt_prop_def(UnitAttr)
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $weights `strides` $strides `pads` $pads `dilations` $dilations "
        "(`stretch` $stretch^)? `groups` $groups (`channels_last` $channels_last^)? "
        "attr-dict `:` type($input) `,` type($weights) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        weights: SSAValue | Operation,
        out: Attribute,
        *,
        strides: Sequence[int],
        pads: Sequence[int],
        dilations: Sequence[int],
        stretch: Sequence[int] = (),
        groups: int = 1,
        channels_last: bool = False,
    ):
        stretches = any(step != 1 for step in stretch)
        super().__init__(
            operands=[input, weights],
            properties={
                "strides": i64_array(strides),
                "pads": i64_array(pads),
                "dilations": i64_array(dilations),
                "stretch": i64_array(stretch) if stretches else None,
                "groups": IntegerAttr(groups, i64),
                "channels_last": UnitAttr() if channels_last else None,
            },
            result_types=[out],
        )

    @property
    def is_channels_last(self) -> bool:
        """Whether the channels are the last axis of maps and weights."""
        return self.channels_last is not None

    @property
    def group_count(self) -> int:
        """`groups` as a Python number."""
        return self.groups.value.data

    @property
    def kernel(self) -> tuple[int, ...]:
        """Taps along each spatial axis."""
        shape = shape_of(self.weights)
        axes = spatial_axes(len(shape), channels_last=self.is_channels_last)
        return tuple(shape[axis] for axis in axes)

    @property
    def extents(self) -> tuple[int, ...]:
        """Extents of the input along each spatial axis."""
        shape = shape_of(self.input)
        axes = spatial_axes(len(shape), channels_last=self.is_channels_last)
        return tuple(shape[axis] for axis in axes)

    @property
    def channels(self) -> int:
        """Channels of the input."""
        shape = shape_of(self.input)
        return shape[channel_axis(len(shape), channels_last=self.is_channels_last)]

    @property
    def window(self) -> Window:
        """The window, an entry for each spatial axis."""
        return make_window(
            self.kernel,
            numbers(self.strides),
            numbers(self.pads),
            numbers(self.dilations),
            () if self.stretch is None else numbers(self.stretch),
        )

    @property
    def is_padded(self) -> bool:
        """Whether a tap of some window can stand outside the elements."""
        return any(numbers(self.pads)) or self.stretch is not None

    def verify_(self) -> None:
        expect_same_kind(
            self, ("input", "weights", "out"), self.input, self.weights, self.out
        )
        expect_image(self, "input", self.input)
        last = self.is_channels_last
        shape = shape_of(self.weights)
        rank = len(self.extents)
        inner = "KH, KW" if rank == 2 else "K"
        order = f"[O, {inner}, C/groups]" if last else f"[O, C/groups, {inner}]"
        if len(shape) != rank + 2 or 0 in shape:
            raise VerifyException(
                f"qnn.conv: `weights` must have shape {order}, got {list(shape)}"
            )
        lists = {
            "strides": numbers(self.strides),
            "pads": numbers(self.pads),
            "dilations": numbers(self.dilations),
        }
        if self.stretch is not None:
            lists["stretch"] = numbers(self.stretch)
        expect_window(self, rank, lists)
        groups, rows = self.group_count, shape[0]
        taken = shape[channel_axis(len(shape), channels_last=last)]
        if groups < 1 or rows % groups or taken * groups != self.channels:
            raise VerifyException(
                f"qnn.conv: {groups} groups of {taken} channels each must make the "
                f"{self.channels} of `input` and divide the {rows} of `out`"
            )
        counts = windows_of(self, self.window, self.extents)
        expect_shape(
            self, "out", self.out, image_shape(rows, counts, channels_last=last)
        )
