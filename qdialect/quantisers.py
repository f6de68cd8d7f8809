"""Ops between real numbers and integer levels."""

from __future__ import annotations

from enum import auto

from xdsl.dialects.builtin import UnitAttr
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
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from qdialect.checks import (
    expect_broadcast,
    expect_level,
    expect_real,
    expect_same_shape,
)
from qdialect.types import BipolarType, element_of, value_range


class Rounding(StrEnum):
    """The rounding modes of QONNX, by what they do.

    `half_even` is QONNX's ROUND; `up` is away from zero and `down` towards it;
    `half_up` rounds ties away from zero and `half_down` towards it.
    """

    HALF_EVEN = auto()
    CEIL = auto()
    FLOOR = auto()
    UP = auto()
    DOWN = auto()
    HALF_UP = auto()
    HALF_DOWN = auto()


@irdl_attr_definition
class RoundingAttr(EnumAttribute[Rounding], SpacedOpaqueSyntaxAttribute):
    """A rounding mode."""

    name = "qnn.rounding"


def level_range(element: Attribute, *, narrow: bool) -> tuple[int, int]:
    """Least and greatest level that a quantiser to `element` can give.

    >>> level_range(BipolarType(), narrow=True)
    (-1, 1)
    """
    low, high = value_range(element)
    if not narrow or isinstance(element, BipolarType):
        return (low, high)
    return (low, high - 1) if low == 0 else (max(low + 1, -high), high)


@irdl_op_definition
class QuantizeOp(IRDLOperation):
    """A uniform quantiser, from real numbers to integer levels.

        y = input / scale + zero_point
        out = round(min(max(y, low), high))        for siN, uiN and ternary
        out = +1 if y >= 0 else -1                 for bipolar

    | name         | kind     | shape      | unit   |
    | ------------ | -------- | ---------- | ------ |
    | `input`      | operand  | any        | real   |
    | `scale`      | operand  | broadcasts | real   |
    | `zero_point` | operand  | broadcasts | level  |
    | `rounding`   | property | -          | -      |
    | `narrow`     | property | -          | -      |
    | `out`        | result   | same       | level  |

    [low, high] is the range of the element type of `out`; with `narrow`, a signed
    type loses its least value and an unsigned type its greatest, as in QONNX. All
    arithmetic is float32.

    Raises:
        VerifyException: the result is not integer, or the shapes do not agree.

    Source: QONNX `Quant` (`IntQuant`).
    """

    name = "qnn.quantize"

    input = operand_def()
    scale = operand_def()
    zero_point = operand_def()
    rounding = prop_def(RoundingAttr)
    narrow = opt_prop_def(UnitAttr)
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $scale `,` $zero_point `rounding` $rounding (`narrow` $narrow^)? "
        "attr-dict `:` type($input) `,` type($scale) `,` type($zero_point) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        scale: SSAValue | Operation,
        zero_point: SSAValue | Operation,
        out: Attribute,
        *,
        rounding: Rounding = Rounding.HALF_EVEN,
        narrow: bool = False,
    ):
        super().__init__(
            operands=[input, scale, zero_point],
            properties={
                "rounding": RoundingAttr(rounding),
                "narrow": UnitAttr() if narrow else None,
            },
            result_types=[out],
        )

    @property
    def level_range(self) -> tuple[int, int]:
        """Least and greatest level that the quantiser can give."""
        return level_range(element_of(self.out), narrow=self.narrow is not None)

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_real(self, "scale", self.scale)
        expect_real(self, "zero_point", self.zero_point)
        expect_level(self, "out", self.out)
        expect_same_shape(self, self.input, self.out)
        expect_broadcast(self, self.out, self.input, self.scale, self.zero_point)


@irdl_op_definition
class DequantizeOp(IRDLOperation):
    """The real numbers that integer levels stand for.

        out = (input - zero_point) * scale

    | name         | kind    | shape      | unit  |
    | ------------ | ------- | ---------- | ----- |
    | `input`      | operand | any        | level |
    | `scale`      | operand | broadcasts | real  |
    | `zero_point` | operand | broadcasts | level |
    | `out`        | result  | same       | real  |

    The difference is exact and the product is rounded once, to float32.

    Raises:
        VerifyException: the operand is not integer, or the shapes do not agree.

    Source: QONNX `Quant`; ONNX `DequantizeLinear`.
    """

    name = "qnn.dequantize"

    input = operand_def()
    scale = operand_def()
    zero_point = operand_def()
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $scale `,` $zero_point attr-dict `:` type($input) `,` type($scale)"
        " `,` type($zero_point) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        scale: SSAValue | Operation,
        zero_point: SSAValue | Operation,
        out: Attribute,
    ):
        super().__init__(operands=[input, scale, zero_point], result_types=[out])

    def verify_(self) -> None:
        expect_level(self, "input", self.input)
        expect_real(self, "scale", self.scale)
        expect_real(self, "zero_point", self.zero_point)
        expect_real(self, "out", self.out)
        expect_same_shape(self, self.input, self.out)
        expect_broadcast(self, self.out, self.input, self.scale, self.zero_point)


@irdl_op_definition
class SignOp(IRDLOperation):
    """The sign of a real number; zero is positive.

        out = +1 if input >= 0 else -1

    | name    | kind    | shape | unit    |
    | ------- | ------- | ----- | ------- |
    | `input` | operand | any   | real    |
    | `out`   | result  | same  | bipolar |

    Source: QONNX `BipolarQuant`; Courbariaux et al. 2016, arXiv:1602.02830, eq. 1.
    """

    name = "qnn.sign"

    input = operand_def()
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: Attribute):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        expect_real(self, "input", self.input)
        expect_level(self, "out", self.out)
        expect_same_shape(self, self.input, self.out)
        if not isinstance(element_of(self.out), BipolarType):
            raise VerifyException(
                f"qnn.sign: elements of `out` must be !qnn.bipolar, "
                f"got {element_of(self.out)}"
            )
