"""Posits as real numbers."""

from __future__ import annotations

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_real, expect_same_shape
from qdialect.constants import ConstantOp, LoadOp
from qdialect.posit import PositType
from qdialect.types import element_of


@irdl_op_definition
class FromPositOp(IRDLOperation):
    """The real numbers that stored posits stand for.

        out = value of input

    | name    | kind    | shape | unit                           |
    | ------- | ------- | ----- | ------------------------------ |
    | `input` | operand | any   | `!qnn.posit<n,es>`, a constant |
    | `out`   | result  | same  | real                           |

    A posit is an integer times a power of two. A sum of products with them takes these
    integers and is exact (`qnn.matmul`, `qnn.conv`); anything else reads them rounded
    once, to float32.

    Raises:
        VerifyException: the operand is computed or holds no posits, the result is not
            real, or the shapes differ.

    Source: Standard for Posit Arithmetic (2022).
    """

    name = "qnn.from_posit"

    input = operand_def()
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: Attribute):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        type_ = self.input.type
        if not isinstance(type_, TensorType) or not isinstance(
            element_of(self.input), PositType
        ):
            raise VerifyException(
                f"qnn.from_posit: elements of `input` must be !qnn.posit<n,es>, got "
                f"{type_}"
            )
        if not isinstance(self.input.owner, ConstantOp | LoadOp):
            raise VerifyException(
                "qnn.from_posit: `input` must be a qnn.constant or a qnn.load"
            )
        expect_real(self, "out", self.out)
        expect_same_shape(self, self.input, self.out)
