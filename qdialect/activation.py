"""Activations of the integer level: thresholds and tables."""

from __future__ import annotations

from xdsl.dialects.builtin import I64, IntegerAttr, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import (
    expect_axis,
    expect_level,
    expect_same_kind,
    expect_same_shape,
    expect_shape,
)
from qdialect.types import BipolarType, element_of, shape_of, value_range


@irdl_op_definition
class ThresholdOp(IRDLOperation):
    """Count the thresholds that each element reaches.

        n = |{t : input[.., c, ..] >= thresholds[c, t]}|
        out[.., c, ..] = offset + (T - n if falling[c] else n)

    | name         | kind             | shape  | unit                           |
    | ------------ | ---------------- | ------ | ------------------------------ |
    | `input`      | operand          | any    | accumulator, or real           |
    | `thresholds` | operand          | [C, T] | as the input, sorted over T    |
    | `falling`    | optional operand | [C]    | ui1: 1 where the channel falls |
    | `offset`     | property         | -      | level of a count of 0          |
    | `axis`       | property         | -      | axis of c                      |
    | `out`        | result           | same   | level                          |

    For bipolar `out`, T is 1 and offset 0: the count 0 is -1 and the count 1 is +1.

    Raises:
        VerifyException: the shapes do not agree, the levels do not fit the type of
            `out`, or a bipolar result has other than one threshold.

    Source: QONNX `MultiThreshold`; Blott et al. 2018, arXiv:1809.04570.
    """

    name = "qnn.threshold"

    input = operand_def()
    thresholds = operand_def()
    falling = opt_operand_def()
    offset = prop_def(IntegerAttr[I64])
    axis = prop_def(IntegerAttr[I64])
    out = result_def()

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $thresholds (`falling` $falling^ `:` type($falling))? `offset` "
        "$offset `axis` $axis attr-dict `:` type($input) `,` type($thresholds) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        thresholds: SSAValue | Operation,
        out: Attribute,
        *,
        falling: SSAValue | Operation | None = None,
        offset: int = 0,
        axis: int,
    ):
        super().__init__(
            operands=[input, thresholds, [] if falling is None else [falling]],
            properties={
                "offset": IntegerAttr(offset, i64),
                "axis": IntegerAttr(axis, i64),
            },
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_same_kind(self, ("input", "thresholds"), self.input, self.thresholds)
        expect_level(self, "out", self.out)
        expect_same_shape(self, self.input, self.out)
        axis = self.axis.value.data
        expect_axis(self, axis, self.input)
        channels = shape_of(self.input)[axis]
        shape = shape_of(self.thresholds)
        if len(shape) != 2 or shape[0] != channels:
            raise VerifyException(
                f"qnn.threshold: `thresholds` must have shape [{channels}, T], "
                f"got {list(shape)}"
            )
        if self.falling is not None:
            expect_level(self, "falling", self.falling)
            expect_shape(self, "falling", self.falling, (channels,))
        expect_levels_fit(self, shape[1], self.offset.value.data, element_of(self.out))


def expect_levels_fit(
    op: Operation, steps: int, offset: int, element: Attribute
) -> None:
    """The levels offset .. offset + steps are values of an element type."""
    if isinstance(element, BipolarType):
        if (steps, offset) != (1, 0):
            raise VerifyException(
                f"{op.name}: a bipolar result needs one threshold and offset 0, "
                f"got {steps} and {offset}"
            )
        return
    low, high = value_range(element)
    if offset < low or offset + steps > high:
        raise VerifyException(
            f"{op.name}: the levels [{offset}, {offset + steps}] do not fit "
            f"{element}, which is [{low}, {high}]"
        )


@irdl_op_definition
class LookupOp(IRDLOperation):
    """A table of levels, a row a channel.

        out[.., c, ..] = table[c, input[.., c, ..] - low]

    | name    | kind     | shape  | unit                         |
    | ------- | -------- | ------ | ---------------------------- |
    | `input` | operand  | any    | accumulator                  |
    | `table` | operand  | [C, R] | level                        |
    | `low`   | property | -      | accumulator of the first row |
    | `axis`  | property | -      | axis of c                    |
    | `out`   | result   | same   | level                        |

    The input is within [low, low + R - 1]; that is proven before the table is made.

    Raises:
        VerifyException: the shapes or the element types of table and result differ.

    Source: the general activation of a finite domain; see docs/rationale.md.
    """

    name = "qnn.lookup"

    input = operand_def()
    table = operand_def()
    low = prop_def(IntegerAttr[I64])
    axis = prop_def(IntegerAttr[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $table `low` $low `axis` $axis attr-dict `:` type($input) `,` "
        "type($table) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        table: SSAValue | Operation,
        out: Attribute,
        *,
        low: int,
        axis: int,
    ):
        super().__init__(
            operands=[input, table],
            properties={"low": IntegerAttr(low, i64), "axis": IntegerAttr(axis, i64)},
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_level(self, "input", self.input)
        expect_level(self, "table", self.table)
        expect_level(self, "out", self.out)
        expect_same_shape(self, self.input, self.out)
        axis = self.axis.value.data
        expect_axis(self, axis, self.input)
        channels = shape_of(self.input)[axis]
        shape = shape_of(self.table)
        if len(shape) != 2 or shape[0] != channels:
            raise VerifyException(
                f"qnn.lookup: `table` must have shape [{channels}, R], "
                f"got {list(shape)}"
            )
        if element_of(self.table) != element_of(self.out):
            raise VerifyException(
                f"qnn.lookup: `table` and `out` must have one element type, got "
                f"{element_of(self.table)} and {element_of(self.out)}"
            )
