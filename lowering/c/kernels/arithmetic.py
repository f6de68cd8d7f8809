"""`qnn.add`, `qnn.sub`, `qnn.mul` and `qnn.abs` on integers."""

from __future__ import annotations

from xdsl.ir import SSAValue

from lowering.c.affine import Affine
from lowering.c.scalars import INT32, CType, Scalar, compute_ctype
from lowering.c.step import StepFunction
from qdialect.constants import is_constant
from qdialect.elementwise import AbsOp, AddOp, MulOp, SubOp
from qdialect.types import element_of, value_range

_OPERATORS: dict[type[AddOp | SubOp | MulOp], str] = {
    AddOp: "+",
    SubOp: "-",
    MulOp: "*",
}


def binary(
    step: StepFunction,
    op: AddOp | SubOp | MulOp,
    streamed: SSAValue,
    value: Affine,
    position: list[str],
) -> Affine:
    """Write a sum, difference or product; `value` is that of the operand `streamed`."""
    number = value.number(step, op, position[-1])
    other = op.rhs if streamed is op.lhs else op.lhs
    # An operand that is read twice streams once and is loaded once.
    loaded = step.element(op, other, position)
    lhs, rhs = (number, loaded) if streamed is op.lhs else (loaded, number)
    low, high = _range(op, lhs, rhs)
    ctype = compute_ctype(op, min(low, lhs.low, rhs.low), max(high, lhs.high, rhs.high))
    sign = _OPERATORS[type(op)]
    left, right = (
        _factor(op, scalar, ctype)
        if isinstance(op, MulOp) and is_constant(operand)
        else scalar.as_type(op, ctype)
        for operand, scalar in ((op.lhs, lhs), (op.rhs, rhs))
    )
    text = f"({left} {sign} {right})"
    # Proven to fit the type of the result, which may be less than the operands allow.
    least, greatest = value_range(element_of(op.out))
    result = Scalar(text, max(low, least), min(high, greatest))
    if result.ctype(op) != ctype:
        result = Scalar(f"({result.ctype(op).name}){text}", result.low, result.high)
    return Affine.of(step.variable(op, result))


def _factor(op: MulOp, factor: Scalar, ctype: CType) -> str:
    """A constant of a product; a power of two as the shift that it is.

    C leaves open what a negative number shifted left is, but not its product with a
    power of two, which compilers turn into a shift.
    """
    size = abs(factor.low)
    is_power = factor.low == factor.high and size > 1 and size & (size - 1) == 0
    if not is_power or not ctype.holds(size, size):
        return factor.as_type(op, ctype)
    one = "1" if ctype == INT32 else f"({ctype.name})1"
    shift = f"({one} << {size.bit_length() - 1})"
    return shift if factor.low > 0 else f"-{shift}"


def magnitude(
    step: StepFunction, op: AbsOp, value: Affine, position: list[str]
) -> Affine:
    """Write an absolute value."""
    number = step.variable(op, value.number(step, op, position[-1]))
    most = max(-number.low, number.high)
    ctype = compute_ctype(op, number.low, most)
    text = number.as_type(op, ctype)
    result = Scalar(f"({text} < 0 ? -{text} : {text})", max(number.low, 0), most)
    if result.ctype(op) != ctype:
        result = Scalar(f"({result.ctype(op).name}){result.text}", result.low, most)
    return Affine.of(step.variable(op, result))


def _range(op: AddOp | SubOp | MulOp, lhs: Scalar, rhs: Scalar) -> tuple[int, int]:
    """Least and greatest value of the exact result."""
    match op:
        case AddOp():
            return lhs.low + rhs.low, lhs.high + rhs.high
        case SubOp():
            return lhs.low - rhs.high, lhs.high - rhs.low
        case MulOp():
            corners = [a * b for a in (lhs.low, lhs.high) for b in (rhs.low, rhs.high)]
            return min(corners), max(corners)
