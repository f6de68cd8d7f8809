"""Ops at the end of a classifier: arg max, top k, softmax."""

from __future__ import annotations

from xdsl.dialects.builtin import I64, IntegerAttr, UnitAttr, i64
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

from qdialect.checks import (
    expect_axis,
    expect_level,
    expect_real,
    expect_same_shape,
    expect_shape,
    expect_tensor,
)
from qdialect.types import element_of, shape_of, value_range


@irdl_op_definition
class TopKOp(IRDLOperation):
    """The k greatest elements along an axis, and where they stand.

    Results are in falling order (rising with `smallest`); of equal elements the one
    with the lower index comes first.

    | name       | kind     | shape            | unit     |
    | ---------- | -------- | ---------------- | -------- |
    | `input`    | operand  | any              | any      |
    | `axis`     | property | -                | axis     |
    | `smallest` | property | -                | -        |
    | `values`   | result   | k along the axis | as input |
    | `indices`  | result   | k along the axis | index    |

    `qnn.topk` with k = 1 is the arg max (ONNX `ArgMax` with keepdims).

    Raises:
        VerifyException: k is not in [1, extent of the axis], or the index type is too
            narrow for the axis.

    Source: ONNX `TopK`, `ArgMax`, `ArgMin`.
    """

    name = "qnn.topk"

    input = operand_def()
    axis = prop_def(IntegerAttr[I64])
    smallest = opt_prop_def(UnitAttr)
    values = result_def()
    indices = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `axis` $axis (`smallest` $smallest^)? attr-dict `:` type($input) `->` "
        "type($values) `,` type($indices)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        values: Attribute,
        indices: Attribute,
        *,
        axis: int,
        smallest: bool = False,
    ):
        super().__init__(
            operands=[input],
            properties={
                "axis": IntegerAttr(axis, i64),
                "smallest": UnitAttr() if smallest else None,
            },
            result_types=[values, indices],
        )

    def verify_(self) -> None:
        expect_tensor(self, "input", self.input)
        expect_tensor(self, "values", self.values)
        expect_level(self, "indices", self.indices)
        axis = self.axis.value.data
        expect_axis(self, axis, self.input)
        shape = list(shape_of(self.input))
        extent = shape[axis]
        found = shape_of(self.values)
        k = found[axis] if len(found) == len(shape) else 0
        if not 1 <= k <= extent:
            raise VerifyException(
                f"qnn.topk: k must be in [1, {extent}], got values of shape "
                f"{list(found)}"
            )
        shape[axis] = k
        expect_shape(self, "values", self.values, shape)
        expect_shape(self, "indices", self.indices, shape)
        if element_of(self.values) != element_of(self.input):
            raise VerifyException(
                "qnn.topk: `values` must have the element type of `input`, "
                f"{element_of(self.input)}, got {element_of(self.values)}"
            )
        if value_range(element_of(self.indices))[1] < extent - 1:
            raise VerifyException(
                f"qnn.topk: indices up to {extent - 1} do not fit "
                f"{element_of(self.indices)}"
            )


@irdl_op_definition
class SoftmaxOp(IRDLOperation):
    """Normalised exponentials along an axis.

        out[i] = exp(input[i] - max) / sum over j of exp(input[j] - max)

    | name    | kind     | shape | unit |
    | ------- | -------- | ----- | ---- |
    | `input` | operand  | any   | real |
    | `axis`  | property | -     | axis |
    | `out`   | result   | same  | real |

    Source: ONNX `Softmax` (opset 13).
    """

    name = "qnn.softmax"

    input = operand_def()
    axis = prop_def(IntegerAttr[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$input `axis` $axis attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: Attribute, *, axis: int):
        super().__init__(
            operands=[input],
            properties={"axis": IntegerAttr(axis, i64)},
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_real(self, "out", self.out)
        expect_same_shape(self, self.input, self.out)
        expect_axis(self, self.axis.value.data, self.input)
