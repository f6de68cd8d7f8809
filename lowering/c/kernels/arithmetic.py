"""`qnn.add`, `qnn.sub` and `qnn.mul` on integers."""

from __future__ import annotations

from xdsl.ir import SSAValue

from lowering.c.affine import Affine
from lowering.c.scalars import Scalar, compute_ctype
from lowering.c.step import StepFunction
from qdialect.elementwise import AddOp, MulOp, SubOp
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
    text = f"({lhs.as_type(op, ctype)} {sign} {rhs.as_type(op, ctype)})"
    # Proven to fit the type of the result, which may be less than the operands allow.
    least, greatest = value_range(element_of(op.out))
    result = Scalar(text, max(low, least), min(high, greatest))
    if result.ctype(op) != ctype:
        result = Scalar(f"({result.ctype(op).name}){text}", result.low, result.high)
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
