"""`move-past-quantisers`: pool and move levels instead of real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import InsertPoint, Rewriter

from passes.towards_levels import pools_alike
from qdialect.activation import ThresholdOp
from qdialect.chains import data_operand, is_elementwise
from qdialect.pooling import MaxPoolOp
from qdialect.rearranging import DepthToSpaceOp, SliceOp, UpsampleOp
from qdialect.shaping import ReshapeOp
from qdialect.types import (
    element_of,
    is_real,
    shape_of,
    tensor_type,
    with_element,
)
from qdialect.windows import channel_axis

Move = MaxPoolOp | SliceOp | UpsampleOp | DepthToSpaceOp | ReshapeOp


def _commutes(op: Move, step: Operation, data: SSAValue) -> bool:
    """Whether `step(op(x))` is `op(step(x))`."""
    rank = len(shape_of(op.input))
    if isinstance(step, ThresholdOp):
        return (
            isinstance(op, MaxPoolOp)
            and step.falling is None
            and step.axis.value.data
            == channel_axis(rank, channels_last=op.is_channels_last)
        )
    if not is_elementwise(step) or data_operand(step) is not data:
        return False
    if isinstance(op, MaxPoolOp):
        return pools_alike(op, step)
    others = [shape_of(v) for v in step.operands if v is not data]
    return all(prod(shape) == 1 and len(shape) <= rank for shape in others)


def _steps_to_quantiser(op: Move) -> list[Operation]:
    """The operations from `op` to its quantiser; [] where one is in the way."""
    steps: list[Operation] = []
    value: SSAValue = op.out
    while is_real(element_of(value)):
        uses = list(value.uses)
        if len(uses) != 1 or not _commutes(op, uses[0].operation, value):
            return []
        steps.append(uses[0].operation)
        value = steps[-1].results[0]
    return steps


class MovePastQuantiser(RewritePattern):
    """`quantiser(f(move(x)))` becomes `move(quantiser(f(x)))`.

    For a max pool, `f` and the quantiser rise, alike at all places of a channel: the
    greatest result is that of the greatest element, in float32 as well, since rounding
    is monotone. For what only moves elements their constants are single numbers.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self,
        op: MaxPoolOp | SliceOp | UpsampleOp | DepthToSpaceOp | ReshapeOp,
        rewriter: PatternRewriter,
        /,
    ) -> None:
        if not is_real(element_of(op.out)):
            return
        # A vector changes its shape at no cost anywhere.
        if isinstance(op, ReshapeOp) and len(shape_of(op.input)) <= 2:
            return
        steps = _steps_to_quantiser(op)
        if not steps:
            return
        value: SSAValue = op.input
        before: SSAValue = op.out
        for step in steps:
            moved = step.clone({before: value})
            element = element_of(step.results[0])
            Rewriter.replace_value_with_new_type(
                moved.results[0], with_element(tensor_type(op.input), element)
            )
            rewriter.insert(moved, InsertPoint.before(steps[-1]))
            before, value = step.results[0], moved.results[0]
        last = op.clone({op.input: value})
        type_ = with_element(tensor_type(op.out), element_of(value))
        Rewriter.replace_value_with_new_type(last.results[0], type_)
        rewriter.replace(steps[-1], last, last.results)
        for step in (*reversed(steps[:-1]), op):
            rewriter.erase(step)


@dataclass(frozen=True)
class MovePastQuantisersPass(ModulePass):
    """Move max pools, cuts and enlargements of real maps behind the quantiser.

    A max pool of levels compares fewer bits than one of accumulators, and one of
    bipolar levels is an OR; a threshold then follows its accumulator directly. Exact:
    see `MovePastQuantiser`. What a channel with a negative slope, or a second reader,
    stands behind is left where it is: `lower-to-integer` moves it onto the levels it is
    made from, if it can.
    """

    name = "move-past-quantisers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(MovePastQuantiser()).rewrite_module(op)
