"""Dot products: real as trained, exact on integers."""

from __future__ import annotations

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

from qdialect.checks import expect_same_kind, expect_shape
from qdialect.types import shape_of


@irdl_op_definition
class MatMulOp(IRDLOperation):
    """A matrix of weights times each vector of the input.

        out[.., h] = sum over w of input[.., w] * weights[h, w]

    | name      | kind    | shape    | unit                |
    | --------- | ------- | -------- | ------------------- |
    | `input`   | operand | [.., MW] | real, or activation |
    | `weights` | operand | [MH, MW] | real, or weight     |
    | `out`     | result  | [.., MH] | real, or accumulator |

    On integers the sum is exact, and the type of `out` is the accumulator's. On real
    numbers that stand for levels (`qnn.dequantize`) the sum of the levels is exact and
    scaled once; on any others it is the exact sum rounded to float32.

    Raises:
        VerifyException: the shapes do not agree, or reals and integers are mixed.

    Source: ONNX `MatMul`, `Gemm`; the row-per-output layout is that of the MVU,
    Umuroglu et al. 2017, arXiv:1612.07119.
    """

    name = "qnn.matmul"

    input = operand_def()
    weights = operand_def()
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $weights attr-dict `:` type($input) `,` type($weights) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        weights: SSAValue | Operation,
        out: Attribute,
    ):
        super().__init__(operands=[input, weights], result_types=[out])

    def verify_(self) -> None:
        expect_same_kind(
            self, ("input", "weights", "out"), self.input, self.weights, self.out
        )
        weights = shape_of(self.weights)
        if len(weights) != 2:
            raise VerifyException(
                f"qnn.matmul: `weights` must have shape [MH, MW], got {list(weights)}"
            )
        rows, columns = weights
        leading = shape_of(self.input)[:-1]
        expect_shape(self, "input", self.input, (*leading, columns))
        expect_shape(self, "out", self.out, (*leading, rows))
