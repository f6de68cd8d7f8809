"""Element-wise ops of a network as it was trained: affine maps and activations.

Every op is evaluated in float32, one rounding an operation, as the frameworks do.
Letters: any shape; `c` is the channel, the index along `axis`.
"""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import I64, Float32Type, FloatAttr, IntegerAttr, i64
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

from qdialect.checks import (
    expect_axis,
    expect_broadcast,
    expect_real,
    expect_same_kind,
    expect_same_shape,
    expect_shape,
)
from qdialect.types import F32, element_of, is_real, shape_of, value_range


def f32_attr(value: float) -> FloatAttr[Float32Type]:
    """An f32 attribute."""
    return FloatAttr(value, F32)


class BinaryOp(IRDLOperation):
    """Base of the binary element-wise ops; operands broadcast by NumPy's rules.

    | name         | kind     | shape     | unit            |
    | ------------ | -------- | --------- | --------------- |
    | `lhs`, `rhs` | operands | any       | real or integer |
    | `out`        | result   | broadcast | as the operands |

    On integers the result is exact; a result type too narrow for it is refused when
    the ranges are known.
    """

    lhs = operand_def()
    rhs = operand_def()
    out = result_def()

    traits = traits_def(Pure())
    assembly_format: ClassVar[str | None] = (
        "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($out)"
    )

    def __init__(
        self, lhs: SSAValue | Operation, rhs: SSAValue | Operation, out: Attribute
    ):
        super().__init__(operands=[lhs, rhs], result_types=[out])

    def verify_(self) -> None:
        expect_same_kind(self, ("lhs", "rhs", "out"), self.lhs, self.rhs, self.out)
        expect_broadcast(self, self.out, self.lhs, self.rhs)


@irdl_op_definition
class AddOp(BinaryOp):
    """out = lhs + rhs. Source: ONNX `Add`."""

    name = "qnn.add"


@irdl_op_definition
class SubOp(BinaryOp):
    """out = lhs - rhs. Source: ONNX `Sub`."""

    name = "qnn.sub"


@irdl_op_definition
class MulOp(BinaryOp):
    """out = lhs * rhs. Source: ONNX `Mul`."""

    name = "qnn.mul"


@irdl_op_definition
class DivOp(BinaryOp):
    """out = lhs / rhs, on real numbers only. Source: ONNX `Div`."""

    name = "qnn.div"

    def verify_(self) -> None:
        expect_real(self, "lhs", self.lhs)
        super().verify_()


class UnaryOp(IRDLOperation):
    """Base of the element-wise functions of one real operand.

    | name    | kind    | shape | unit |
    | ------- | ------- | ----- | ---- |
    | `input` | operand | any   | real |
    | `out`   | result  | same  | real |
    """

    input = operand_def()
    out = result_def()

    traits = traits_def(Pure())
    assembly_format: ClassVar[str | None] = (
        "$input attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(self, input: SSAValue | Operation, out: Attribute):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_real(self, "out", self.out)
        expect_same_shape(self, self.input, self.out)


@irdl_op_definition
class ReluOp(UnaryOp):
    """out = max(input, 0). Source: ONNX `Relu`."""

    name = "qnn.relu"


@irdl_op_definition
class SigmoidOp(UnaryOp):
    """out = 1 / (1 + exp(-input)). Source: ONNX `Sigmoid`."""

    name = "qnn.sigmoid"


@irdl_op_definition
class TanhOp(UnaryOp):
    """out = tanh(input). Source: ONNX `Tanh`."""

    name = "qnn.tanh"


@irdl_op_definition
class AbsOp(UnaryOp):
    """out = |input|, of real numbers or of integers. Source: ONNX `Abs`.

    On integers the result is exact; its type must hold it.

    Raises:
        VerifyException: a magnitude of the input's type does not fit that of `out`.
    """

    name = "qnn.abs"

    def verify_(self) -> None:
        expect_same_kind(self, ("input", "out"), self.input, self.out)
        expect_same_shape(self, self.input, self.out)
        if is_real(element_of(self.out)):
            return
        most = max(map(abs, value_range(element_of(self.input))))
        if most > value_range(element_of(self.out))[1]:
            raise VerifyException(
                f"qnn.abs: {most}, a magnitude of {element_of(self.input)}, does not "
                f"fit `out` of {element_of(self.out)}"
            )


@irdl_op_definition
class NegOp(UnaryOp):
    """out = -input. Source: ONNX `Neg`."""

    name = "qnn.neg"


@irdl_op_definition
class FloorOp(UnaryOp):
    """out = the greatest integer not above input. Source: ONNX `Floor`."""

    name = "qnn.floor"


@irdl_op_definition
class CeilOp(UnaryOp):
    """out = the least integer not below input. Source: ONNX `Ceil`."""

    name = "qnn.ceil"


@irdl_op_definition
class RoundOp(UnaryOp):
    """out = the nearest integer, ties to even. Source: ONNX `Round`."""

    name = "qnn.round"


@irdl_op_definition
class SqrtOp(UnaryOp):
    """out = sqrt(input). Source: ONNX `Sqrt`."""

    name = "qnn.sqrt"


@irdl_op_definition
class ExpOp(UnaryOp):
    """out = exp(input). Source: ONNX `Exp`."""

    name = "qnn.exp"


@irdl_op_definition
class HardTanhOp(IRDLOperation):
    """Clamp to [low, high].

        out = min(max(input, low), high)

    | name          | kind       | shape | unit |
    | ------------- | ---------- | ----- | ---- |
    | `input`       | operand    | any   | real |
    | `low`, `high` | properties | -     | real |
    | `out`         | result     | same  | real |

    Raises:
        VerifyException: low is above high.

    Source: ONNX `Clip`; PyTorch `Hardtanh`.
    """

    name = "qnn.hardtanh"

    input = operand_def()
    low = prop_def(FloatAttr[Float32Type])
    high = prop_def(FloatAttr[Float32Type])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `low` $low `high` $high attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self, input: SSAValue | Operation, low: float, high: float, out: Attribute
    ):
        super().__init__(
            operands=[input],
            properties={"low": f32_attr(low), "high": f32_attr(high)},
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_same_shape(self, self.input, self.out)
        low, high = self.low.value.data, self.high.value.data
        if not low <= high:
            raise VerifyException(
                f"qnn.hardtanh: low {low} must not exceed high {high}"
            )


@irdl_op_definition
class LeakyReluOp(IRDLOperation):
    """out = input if input >= 0, else slope * input. Source: ONNX `LeakyRelu`."""

    name = "qnn.leaky_relu"

    input = operand_def()
    slope = prop_def(FloatAttr[Float32Type])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$input `slope` $slope attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, slope: float, out: Attribute):
        super().__init__(
            operands=[input],
            properties={"slope": f32_attr(slope)},
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_same_shape(self, self.input, self.out)


@irdl_op_definition
class HardSigmoidOp(IRDLOperation):
    """out = max(0, min(1, alpha * input + beta)). Source: ONNX `HardSigmoid`."""

    name = "qnn.hard_sigmoid"

    input = operand_def()
    alpha = prop_def(FloatAttr[Float32Type])
    beta = prop_def(FloatAttr[Float32Type])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `alpha` $alpha `beta` $beta attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self, input: SSAValue | Operation, alpha: float, beta: float, out: Attribute
    ):
        super().__init__(
            operands=[input],
            properties={"alpha": f32_attr(alpha), "beta": f32_attr(beta)},
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_same_shape(self, self.input, self.out)


@irdl_op_definition
class BatchNormOp(IRDLOperation):
    """Batch normalisation with fixed statistics.

        a[c] = gamma[c] / sqrt(variance[c] + epsilon)
        out[.., c, ..] = input[.., c, ..] * a[c] + (beta[c] - mean[c] * a[c])

    | name                                | kind     | shape | unit |
    | ----------------------------------- | -------- | ----- | ---- |
    | `input`                             | operand  | any   | real |
    | `gamma`, `beta`, `mean`, `variance` | operands | [C]   | real |
    | `epsilon`                           | property | -     | real |
    | `axis`                              | property | -     | axis |
    | `out`                               | result   | same  | real |

    The order of operations is that of ONNX Runtime, each rounded to float32.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167; ONNX `BatchNormalization`.
    """

    name = "qnn.batch_norm"

    input = operand_def()
    gamma = operand_def()
    beta = operand_def()
    mean = operand_def()
    variance = operand_def()
    epsilon = prop_def(FloatAttr[Float32Type])
    axis = prop_def(IntegerAttr[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $gamma `,` $beta `,` $mean `,` $variance `epsilon` $epsilon "
        "`axis` $axis attr-dict `:` type($input) `,` type($gamma) `,` type($beta) `,` "
        "type($mean) `,` type($variance) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        gamma: SSAValue | Operation,
        beta: SSAValue | Operation,
        mean: SSAValue | Operation,
        variance: SSAValue | Operation,
        *,
        epsilon: float,
        axis: int,
        out: Attribute,
    ):
        super().__init__(
            operands=[input, gamma, beta, mean, variance],
            properties={
                "epsilon": f32_attr(epsilon),
                "axis": IntegerAttr(axis, i64),
            },
            result_types=[out],
        )

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_same_shape(self, self.input, self.out)
        axis = self.axis.value.data
        expect_axis(self, axis, self.input)
        channels = shape_of(self.input)[axis]
        for name in ("gamma", "beta", "mean", "variance"):
            expect_real(self, name, getattr(self, name))
            expect_shape(self, name, getattr(self, name), (channels,))


ELEMENTWISE_OPS: tuple[type[Operation], ...] = (
    AddOp,
    SubOp,
    MulOp,
    DivOp,
    ReluOp,
    SigmoidOp,
    TanhOp,
    AbsOp,
    NegOp,
    FloorOp,
    CeilOp,
    RoundOp,
    SqrtOp,
    ExpOp,
    HardTanhOp,
    LeakyReluOp,
    HardSigmoidOp,
    BatchNormOp,
)
