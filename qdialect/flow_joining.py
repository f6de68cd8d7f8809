"""Units of `qflow` that join streams: concat, add, mul."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import I64, IntegerAttr, i64
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_level, expect_shape
from qdialect.flow_units import expect_tensor_shape, expect_widened
from qdialect.streams import StreamType, stream_type


def _expect_same_lanes(op: Operation, *streams: SSAValue) -> None:
    lanes = {stream_type(value).lanes for value in streams}
    if len(lanes) > 1:
        raise VerifyException(
            f"{op.name}: operands and result must have the same lanes, "
            f"got {sorted(lanes)}"
        )


@irdl_op_definition
class ConcatOp(IRDLOperation):
    """Tensors one behind the other along an axis.

    All have the same lanes; along the last axis they divide the extent of every operand
    but the last. An element type is widened to that of the result.

    Raises:
        VerifyException: shapes or lanes do not agree, or values do not fit `out`.
    """

    name = "qflow.concat"

    inputs = var_operand_def(StreamType)
    axis = prop_def(IntegerAttr[I64])
    out = result_def(StreamType)

    traits = traits_def(Pure())
    assembly_format = "$inputs `axis` $axis attr-dict `:` type($inputs) `->` type($out)"

    def __init__(self, inputs: Sequence[SSAValue], out: StreamType, *, axis: int):
        super().__init__(
            operands=[inputs],
            properties={"axis": IntegerAttr(axis, i64)},
            result_types=[out],
        )

    def verify_(self) -> None:
        shapes = [stream_type(value).tensor.get_shape() for value in self.inputs]
        axis = self.axis.value.data
        if not shapes or not 1 <= axis < min(map(len, shapes)):
            raise VerifyException(
                f"qflow.concat: needs inputs and an axis behind the frame's, got {axis}"
            )
        total = sum(shape[axis] for shape in shapes)
        expected = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
        for value, shape in zip(self.inputs, shapes, strict=True):
            same = (*expected[:axis], shape[axis], *expected[axis + 1 :])
            expect_tensor_shape(self, "inputs", value, same)
            expect_widened(self, self.out, value)
        expect_tensor_shape(self, "out", self.out, expected)
        _expect_same_lanes(self, *self.inputs, self.out)
        lanes = stream_type(self.out).lanes
        if axis == len(expected) - 1 and any(s[axis] % lanes for s in shapes[:-1]):
            raise VerifyException(
                f"qflow.concat: {lanes} lanes do not divide the extents of `inputs` "
                f"along axis {axis}"
            )


@irdl_op_definition
class AddOp(IRDLOperation):
    """Weighted sum of streams, element by element.

        out[.., c] = sum over i of inputs[i][.., c] * factors[i, c] + bias[c]

    | name      | kind     | shape   | unit        |
    | --------- | -------- | ------- | ----------- |
    | `inputs`  | operands | [.., C] | any level   |
    | `factors` | operand  | [I, C]  | -           |
    | `bias`    | operand  | [C]     | accumulator |
    | `out`     | result   | [.., C] | accumulator |

    Operands and result have the same lanes, which need not divide C.

    Raises:
        VerifyException: shapes or lanes do not agree.
    """

    name = "qflow.add"

    inputs = var_operand_def(StreamType)
    factors = operand_def()
    bias = operand_def()
    out = result_def(StreamType)

    traits = traits_def(Pure())
    assembly_format = (
        "$inputs `factors` $factors `:` type($factors) `bias` $bias `:` type($bias) "
        "attr-dict `:` type($inputs) `->` type($out)"
    )

    def __init__(
        self,
        inputs: Sequence[SSAValue],
        factors: SSAValue | Operation,
        bias: SSAValue | Operation,
        out: StreamType,
    ):
        super().__init__(operands=[inputs, factors, bias], result_types=[out])

    def verify_(self) -> None:
        channels = stream_type(self.out).elements
        shape = stream_type(self.out).tensor.get_shape()
        if not self.inputs:
            raise VerifyException("qflow.add: needs an input or more")
        for value in self.inputs:
            expect_tensor_shape(self, "inputs", value, shape)
        _expect_same_lanes(self, *self.inputs, self.out)
        expect_level(self, "factors", self.factors)
        expect_level(self, "bias", self.bias)
        expect_shape(self, "factors", self.factors, (len(self.inputs), channels))
        expect_shape(self, "bias", self.bias, (channels,))


@irdl_op_definition
class MulOp(IRDLOperation):
    """Product of two streams, element by element; lanes as in `qflow.add`.

    Raises:
        VerifyException: shapes or lanes do not agree.
    """

    name = "qflow.mul"

    lhs = operand_def(StreamType)
    rhs = operand_def(StreamType)
    out = result_def(StreamType)

    traits = traits_def(Pure())
    assembly_format = (
        "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($out)"
    )

    def __init__(self, lhs: SSAValue, rhs: SSAValue, out: StreamType):
        super().__init__(operands=[lhs, rhs], result_types=[out])

    def verify_(self) -> None:
        shape = stream_type(self.out).tensor.get_shape()
        expect_tensor_shape(self, "lhs", self.lhs, shape)
        expect_tensor_shape(self, "rhs", self.rhs, shape)
        _expect_same_lanes(self, self.lhs, self.rhs, self.out)
