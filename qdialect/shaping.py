"""Ops that move elements without changing them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import I64, DenseArrayBase, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_same_element, expect_shape, expect_tensor
from qdialect.types import shape_of


@irdl_op_definition
class ReshapeOp(IRDLOperation):
    """The same elements, in row-major order, in another shape.

    | name    | kind    | shape               | unit |
    | ------- | ------- | ------------------- | ---- |
    | `input` | operand | [1, ..]             | any  |
    | `out`   | result  | [1, ..], same count | same |

    The leading axis is the frame's and is kept.

    Source: ONNX `Reshape`, `Flatten`, `Squeeze`, `Unsqueeze`.
    """

    name = "qnn.reshape"

    input = operand_def()
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: Attribute):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        expect_tensor(self, "input", self.input)
        expect_tensor(self, "out", self.out)
        expect_same_element(self, self.input, self.out)
        a, b = shape_of(self.input), shape_of(self.out)
        if prod(a) != prod(b):
            raise VerifyException(
                f"qnn.reshape: {list(a)} and {list(b)} do not hold as many elements"
            )


@irdl_op_definition
class TransposeOp(IRDLOperation):
    """The axes of a tensor in another order.

        shape of out [i] = shape of input [perm[i]]

    | name    | kind     | shape    | unit |
    | ------- | -------- | -------- | ---- |
    | `input` | operand  | any      | any  |
    | `perm`  | property | -        | axis |
    | `out`   | result   | permuted | same |

    Source: ONNX `Transpose`.
    """

    name = "qnn.transpose"

    input = operand_def()
    perm = prop_def(DenseArrayBase[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$input `perm` $perm attr-dict `:` type($input) `->` type($out)"

    def __init__(
        self, input: SSAValue | Operation, perm: Sequence[int], out: Attribute
    ):
        super().__init__(
            operands=[input],
            properties={"perm": DenseArrayBase.from_list(i64, perm)},
            result_types=[out],
        )

    @property
    def axes(self) -> tuple[int, ...]:
        """`perm` as Python numbers."""
        return tuple(int(axis) for axis in self.perm.get_values())

    def verify_(self) -> None:
        expect_tensor(self, "input", self.input)
        expect_tensor(self, "out", self.out)
        expect_same_element(self, self.input, self.out)
        shape = shape_of(self.input)
        if sorted(self.axes) != list(range(len(shape))):
            raise VerifyException(
                f"qnn.transpose: perm must order the axes 0..{len(shape) - 1}, "
                f"got {list(self.axes)}"
            )
        expect_shape(self, "out", self.out, [shape[axis] for axis in self.axes])
