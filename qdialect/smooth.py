"""Activations that are not piecewise linear, and PRelu; each is one float32 function.

In front of a quantiser any of them becomes thresholds, or a table where it does not rise.
"""

from __future__ import annotations

from xdsl.dialects.builtin import Float32Type, FloatAttr
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

from qdialect.checks import expect_real, expect_same_shape
from qdialect.elementwise import BinaryOp, UnaryOp, f32_attr


@irdl_op_definition
class PReluOp(BinaryOp):
    """out = lhs if lhs >= 0, else rhs * lhs, on real numbers; rhs are the slopes.

    Source: He et al. 2015, arXiv:1502.01852; ONNX `PRelu`.
    """

    name = "qnn.prelu"

    def verify_(self) -> None:
        expect_real(self, "lhs", self.lhs)
        super().verify_()


@irdl_op_definition
class HardSwishOp(UnaryOp):
    """out = input * max(0, min(1, input / 6 + 1/2)). Source: ONNX `HardSwish`."""

    name = "qnn.hard_swish"


@irdl_op_definition
class SiluOp(UnaryOp):
    """out = input / (1 + exp(-input)).

    Source: Ramachandran et al. 2017, arXiv:1710.05941; PyTorch `SiLU`.
    """

    name = "qnn.silu"


@irdl_op_definition
class SoftplusOp(UnaryOp):
    """out = log(1 + exp(input)). Source: ONNX `Softplus`."""

    name = "qnn.softplus"


@irdl_op_definition
class GeluOp(UnaryOp):
    """out = input / 2 * (1 + erf(input / sqrt(2))).

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415; ONNX `Gelu`.
    """

    name = "qnn.gelu"


@irdl_op_definition
class EluOp(IRDLOperation):
    """out = input if input >= 0, else alpha * (exp(input) - 1).

    Source: Clevert et al. 2016, arXiv:1511.07289; ONNX `Elu`.
    """

    name = "qnn.elu"

    input = operand_def()
    alpha = prop_def(FloatAttr[Float32Type])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$input `alpha` $alpha attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, alpha: float, out: Attribute):
        super().__init__(
            operands=[input],
            properties={"alpha": f32_attr(alpha)},
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_same_shape(self, self.input, self.out)


SMOOTH_OPS: tuple[type[Operation], ...] = (
    PReluOp,
    HardSwishOp,
    SiluOp,
    SoftplusOp,
    GeluOp,
    EluOp,
)
