"""`narrow-accumulators`: give every accumulator the type its weights prove enough."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import PassFailedException

from qdialect.convolution import ConvOp
from qdialect.elementwise import BinaryOp
from qdialect.linear import MatMulOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.ranges import exact_bounds
from qdialect.rearranging import DepthToSpaceOp, SliceOp, UpsampleOp
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import (
    element_of,
    integer_type_for,
    is_level,
    signed,
    tensor_type,
    value_range,
    width_bits,
    with_element,
)


def _retype(value: SSAValue, element: Attribute) -> None:
    Rewriter.replace_value_with_new_type(
        value, with_element(tensor_type(value), element)
    )


def _moved(op: Operation) -> SSAValue | None:
    """The result that has elements of the input, and with them its type."""
    match op:
        case (
            ReshapeOp()
            | TransposeOp()
            | MaxPoolOp()
            | SliceOp()
            | UpsampleOp()
            | DepthToSpaceOp()
        ):
            return op.out
        case TopKOp():
            return op.values
        case _:
            return None


def _is_returned(value: SSAValue) -> bool:
    """Whether the function gives the value, or what moves it, as a result."""
    for use in value.uses:
        moved = _moved(use.operation)
        if isinstance(use.operation, ReturnOp) or (
            moved is not None and _is_returned(moved)
        ):
            return True
    return False


def _narrow(op: Operation, out: SSAValue) -> None:
    """Give `out` the narrowest signed type of its proven range."""
    low, high = exact_bounds(out)
    needed = integer_type_for(low, high)
    if low >= 0:
        # Accumulators are signed, so that a threshold compares like with like.
        needed = signed(width_bits(needed) + 1)
    least, greatest = value_range(element_of(out))
    if low < least or high > greatest:
        raise PassFailedException(
            f"narrow-accumulators: {op.name} reaches [{low}, {high}], which "
            f"{element_of(out)} does not hold"
        )
    if width_bits(needed) < width_bits(element_of(out)) and not _is_returned(out):
        _retype(out, needed)


def _follow(op: Operation) -> None:
    """Give what moves elements the type that its input has by now."""
    out = _moved(op)
    if out is None:
        return
    element = element_of(op.operands[0])
    if is_level(element) and element != element_of(out):
        _retype(out, element)


@dataclass(frozen=True)
class NarrowAccumulatorsPass(ModulePass):
    """Narrow the results of integer products, convolutions, sums and differences.

    The range of a sum is computed from the actual weights and the range of the input,
    row by row, with what padding leaves out near the border of a map, and the narrowest
    `siN` that holds every row is taken. What pools, cuts, moves or selects elements of
    a narrowed tensor is narrowed with it. Exact, since no value outside the range can
    occur. A type that is too narrow for the range is refused; the result of a function
    keeps its type, which is the function's, and so does what only moves on its way to
    one.
    """

    name = "narrow-accumulators"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in op.walk():
            match inner:
                case MatMulOp() | ConvOp() | SumPoolOp() | BinaryOp() if is_level(
                    element_of(inner.out)
                ):
                    _narrow(inner, inner.out)
                case _:
                    _follow(inner)
