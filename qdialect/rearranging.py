"""Ops that cut, join and enlarge tensors: pad, slice, concat, upsample, depth to space."""

from __future__ import annotations

from collections.abc import Sequence
from enum import auto

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, UnitAttr, i64
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import Attribute, Operation, SpacedOpaqueSyntaxAttribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from qdialect.checks import (
    expect_axis,
    expect_same_element,
    expect_same_kind,
    expect_shape,
    expect_tensor,
)
from qdialect.types import BipolarType, element_of, is_level, shape_of, value_range
from qdialect.windows import i64_array, image_shape, numbers


def _expect_holds(op: Operation, out: SSAValue, name: str, value: SSAValue) -> None:
    """The element type of `out` has every value that `value`'s has."""
    ours, theirs = element_of(out), element_of(value)
    if ours == theirs or not is_level(ours):
        return
    low, high = value_range(theirs)
    least, greatest = value_range(ours)
    # Bipolar is the one type that lacks 0.
    if low < least or high > greatest or isinstance(ours, BipolarType):
        raise VerifyException(
            f"{op.name}: `{name}` of {theirs} does not fit `out` of {ours}"
        )


def _expect_count(op: Operation, name: str, values: Sequence[int], count: int) -> None:
    if len(values) != count:
        raise VerifyException(
            f"{op.name}: `{name}` must have {count} values, got {list(values)}"
        )


@irdl_op_definition
class PadOp(IRDLOperation):
    """Put elements of one value around a tensor.

        out[i, ..] = input[i - low[0], ..] where that exists, else value

    | name    | kind     | shape                | unit                 |
    | ------- | -------- | -------------------- | -------------------- |
    | `input` | operand  | any                  | any                  |
    | `value` | operand  | []                   | as the input         |
    | `low`   | property | an axis              | elements before      |
    | `high`  | property | an axis              | elements behind      |
    | `out`   | result   | low + extent + high  | as the input         |

    The element type of `out` may be a wider one that holds both. The leading axis, the
    frame's, takes no padding. What a convolution pads with 0 needs no `qnn.pad`.

    Raises:
        VerifyException: the shapes do not agree, a padding is negative, or an element
            does not fit the type of `out`.

    Source: ONNX `Pad` (constant mode).
    """

    name = "qnn.pad"

    input = operand_def()
    value = operand_def()
    low = prop_def(DenseArrayBase[I64])
    high = prop_def(DenseArrayBase[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $value `low` $low `high` $high attr-dict `:` type($input) `,` "
        "type($value) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        value: SSAValue | Operation,
        out: Attribute,
        *,
        low: Sequence[int],
        high: Sequence[int],
    ):
        super().__init__(
            operands=[input, value],
            properties={"low": i64_array(low), "high": i64_array(high)},
            result_types=[out],
        )

    @property
    def amounts(self) -> tuple[tuple[int, int], ...]:
        """Elements before and behind, for each axis."""
        return tuple(zip(numbers(self.low), numbers(self.high), strict=True))

    def verify_(self) -> None:
        names = ("input", "value", "out")
        expect_same_kind(self, names, self.input, self.value, self.out)
        expect_shape(self, "value", self.value, ())
        shape = shape_of(self.input)
        for name, values in (("low", numbers(self.low)), ("high", numbers(self.high))):
            _expect_count(self, name, values, len(shape))
            if any(value < 0 for value in values) or values[0] != 0:
                raise VerifyException(
                    f"qnn.pad: `{name}` must be 0 or more, and 0 for the leading axis, "
                    f"got {list(values)}"
                )
        padded = [a + n + b for n, (a, b) in zip(shape, self.amounts, strict=True)]
        expect_shape(self, "out", self.out, padded)
        _expect_holds(self, self.out, "input", self.input)
        _expect_holds(self, self.out, "value", self.value)


@irdl_op_definition
class ConcatOp(IRDLOperation):
    """Tensors one behind the other along an axis.

    | name     | kind     | shape                | unit                       |
    | -------- | -------- | -------------------- | -------------------------- |
    | `inputs` | operands | alike but for `axis` | any                        |
    | `axis`   | property | -                    | axis                       |
    | `out`    | result   | extents add          | a type that holds all      |

    Raises:
        VerifyException: the shapes do not agree, the axis is the frame's, reals and
            integers are mixed, or an operand's elements do not fit the type of `out`.

    Source: ONNX `Concat`.
    """

    name = "qnn.concat"

    inputs = var_operand_def()
    axis = prop_def(IntegerAttr[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$inputs `axis` $axis attr-dict `:` type($inputs) `->` type($out)"

    def __init__(
        self, inputs: Sequence[SSAValue | Operation], out: Attribute, *, axis: int
    ):
        super().__init__(
            operands=[inputs],
            properties={"axis": IntegerAttr(axis, i64)},
            result_types=[out],
        )

    def verify_(self) -> None:
        if not self.inputs:
            raise VerifyException("qnn.concat: needs one operand or more")
        names = [f"operand {index}" for index in range(len(self.inputs))]
        expect_same_kind(self, (*names, "out"), *self.inputs, self.out)
        axis = self.axis.value.data
        expect_axis(self, axis, self.out)
        if axis == 0:
            raise VerifyException("qnn.concat: axis 0 is the frame's; expected another")
        shape = list(shape_of(self.out))
        total = 0
        for name, value in zip(names, self.inputs, strict=True):
            found = shape_of(value)
            shape[axis] = found[axis] if axis < len(found) else 0
            total += shape[axis]
            expect_shape(self, name, value, shape)
            _expect_holds(self, self.out, name, value)
        shape[axis] = total
        expect_shape(self, "out", self.out, shape)


@irdl_op_definition
class SliceOp(IRDLOperation):
    """Elements at a regular distance.

        out[i, ..] = input[offsets[0] + i * steps[0], ..]

    | name      | kind     | shape   | unit     |
    | --------- | -------- | ------- | -------- |
    | `input`   | operand  | any     | any      |
    | `offsets` | property | an axis | elements |
    | `steps`   | property | an axis | elements |
    | `out`     | result   | any     | as input |

    Raises:
        VerifyException: an element lies outside the input, a step is not positive, or
            the leading axis, the frame's, is cut.

    Source: ONNX `Slice`, `Split`.
    """

    name = "qnn.slice"

    input = operand_def()
    offsets = prop_def(DenseArrayBase[I64])
    steps = prop_def(DenseArrayBase[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `offsets` $offsets `steps` $steps attr-dict `:` type($input) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        out: Attribute,
        *,
        offsets: Sequence[int],
        steps: Sequence[int],
    ):
        super().__init__(
            operands=[input],
            properties={"offsets": i64_array(offsets), "steps": i64_array(steps)},
            result_types=[out],
        )

    @property
    def slices(self) -> tuple[slice, ...]:
        """The elements taken along each axis but the frame's."""
        return tuple(
            slice(offset, offset + (count - 1) * step + 1, step)
            for offset, step, count in zip(
                numbers(self.offsets)[1:],
                numbers(self.steps)[1:],
                shape_of(self.out)[1:],
                strict=True,
            )
        )

    def verify_(self) -> None:
        expect_tensor(self, "input", self.input)
        expect_tensor(self, "out", self.out)
        expect_same_element(self, self.input, self.out)
        shape, counts = shape_of(self.input), shape_of(self.out)
        offsets, steps = numbers(self.offsets), numbers(self.steps)
        _expect_count(self, "offsets", offsets, len(shape))
        _expect_count(self, "steps", steps, len(shape))
        if len(counts) != len(shape) or counts[:1] != shape[:1] or offsets[:1] != (0,):
            raise VerifyException(
                f"qnn.slice: `out` must have the rank and the leading axis of `input`, "
                f"{list(shape)}, got {list(counts)} from offset {offsets[0]}"
            )
        for n, count, offset, step in zip(shape, counts, offsets, steps, strict=True):
            last = offset + (count - 1) * step
            if min(count, step) < 1 or offset < 0 or last >= n:
                raise VerifyException(
                    f"qnn.slice: {count} elements from {offset} on in steps of {step} "
                    f"do not lie in an axis of {n}"
                )


@irdl_op_definition
class UpsampleOp(IRDLOperation):
    """Repeat every element along each axis (nearest neighbour).

        out[i, ..] = input[i // factors[0], ..]

    | name      | kind     | shape           | unit     |
    | --------- | -------- | --------------- | -------- |
    | `input`   | operand  | any             | any      |
    | `factors` | property | an axis         | -        |
    | `out`     | result   | extent * factor | as input |

    Raises:
        VerifyException: the shapes do not agree, or a factor is not positive, or that
            of the leading axis, the frame's, is not 1.

    Source: ONNX `Resize`, `Upsample` (nearest, asymmetric or half-pixel alike).
    """

    name = "qnn.upsample"

    input = operand_def()
    factors = prop_def(DenseArrayBase[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `factors` $factors attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self, input: SSAValue | Operation, out: Attribute, *, factors: Sequence[int]
    ):
        super().__init__(
            operands=[input],
            properties={"factors": i64_array(factors)},
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_tensor(self, "input", self.input)
        expect_tensor(self, "out", self.out)
        expect_same_element(self, self.input, self.out)
        shape, factors = shape_of(self.input), numbers(self.factors)
        _expect_count(self, "factors", factors, len(shape))
        if min(factors) < 1 or factors[0] != 1:
            raise VerifyException(
                "qnn.upsample: `factors` must be 1 or more, and 1 for the leading axis, "
                f"got {list(factors)}"
            )
        extents = [n * factor for n, factor in zip(shape, factors, strict=True)]
        expect_shape(self, "out", self.out, extents)


class BlockOrder(StrEnum):
    """What the channels of a block count first: the depth, or the place in it."""

    DCR = auto()
    CRD = auto()


@irdl_attr_definition
class BlockOrderAttr(EnumAttribute[BlockOrder], SpacedOpaqueSyntaxAttribute):
    """The order of the channels of a block."""

    name = "qnn.block_order"


@irdl_op_definition
class DepthToSpaceOp(IRDLOperation):
    """Lay the channels of every place out as a block of b * b places.

        out[d, y * b + i, x * b + j] = input[(i * b + j) * D + d, y, x]      for dcr
        out[d, y * b + i, x * b + j] = input[(d * b + i) * b + j, y, x]      for crd

    | name            | kind     | shape                  | unit     |
    | --------------- | -------- | ---------------------- | -------- |
    | `input`         | operand  | [1, D * b * b, H, W]   | any      |
    | `block`         | property | -                      | elements |
    | `order`         | property | -                      | -        |
    | `channels_last` | property | -                      | -        |
    | `out`           | result   | [1, D, H * b, W * b]   | as input |

    With `channels_last`, maps are [1, H, W, C].

    Raises:
        VerifyException: the shapes do not agree.

    Source: ONNX `DepthToSpace`; Shi et al. 2016, arXiv:1609.05158.
    """

    name = "qnn.depth_to_space"

    input = operand_def()
    block = prop_def(IntegerAttr[I64])
    order = prop_def(BlockOrderAttr)
    channels_last = opt_prop_def(UnitAttr)
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `block` $block `order` $order (`channels_last` $channels_last^)? "
        "attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        out: Attribute,
        *,
        block: int,
        order: BlockOrder,
        channels_last: bool = False,
    ):
        super().__init__(
            operands=[input],
            properties={
                "block": IntegerAttr(block, i64),
                "order": BlockOrderAttr(order),
                "channels_last": UnitAttr() if channels_last else None,
            },
            result_types=[out],
        )

    @property
    def is_channels_last(self) -> bool:
        """Whether the channels are the last axis."""
        return self.channels_last is not None

    def verify_(self) -> None:
        expect_tensor(self, "input", self.input)
        expect_tensor(self, "out", self.out)
        expect_same_element(self, self.input, self.out)
        shape, block = shape_of(self.input), self.block.value.data
        last = self.is_channels_last
        if len(shape) != 4 or block < 1:
            raise VerifyException(
                "qnn.depth_to_space: `input` must have 4 axes and `block` be 1 or more, "
                f"got {list(shape)} and {block}"
            )
        channels = shape[3] if last else shape[1]
        extents = shape[1:3] if last else shape[2:]
        if channels % block**2:
            raise VerifyException(
                f"qnn.depth_to_space: {channels} channels are not a multiple of "
                f"{block**2}"
            )
        enlarged = [extent * block for extent in extents]
        expected = image_shape(channels // block**2, enlarged, channels_last=last)
        expect_shape(self, "out", self.out, expected)
