"""Pattern: pool the levels that thresholds give, instead of accumulators."""

from __future__ import annotations

import numpy as np
from xdsl.ir import Attribute, Operation
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import Rewriter

from qdialect.activation import ThresholdOp
from qdialect.constants import constant, constant_array
from qdialect.pooling import MaxPoolOp
from qdialect.types import (
    BipolarType,
    element_of,
    is_level,
    shape_of,
    tensor_type,
    unsigned,
    width_bits,
    with_element,
)
from qdialect.windows import channel_axis


class PoolLevels(RewritePattern):
    """A max pool before thresholds becomes one of their counts.

    before: threshold(max_pool(x), T)
    after:  max_pool(threshold(x, T))
    and, where channels fall:
            threshold(max_pool(count(x, T)), 1 .. steps, falling)

    The count of thresholds that an element reaches rises with it, so the greatest
    element has the greatest count. A falling channel takes the count the other way
    round, which is done behind the pool, on levels: for one bit an inverter.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ThresholdOp, rewriter: PatternRewriter, /) -> None:
        pool = op.input.owner
        if not isinstance(pool, MaxPoolOp) or not is_level(element_of(pool.input)):
            return
        rank = len(shape_of(op.out))
        channel = channel_axis(rank, channels_last=pool.is_channels_last)
        alone = len(list(pool.out.uses)) == 1
        thresholds = constant_array(op.thresholds)
        if not alone or op.axis.value.data != channel or thresholds is None:
            return
        element, offset = element_of(op.out), op.offset.value.data
        if op.falling is not None:
            element, offset = _count_type(element, thresholds.shape[1]), 0
        if width_bits(element) >= width_bits(element_of(pool.input)):
            return
        first = ThresholdOp(
            pool.input,
            op.thresholds,
            with_element(tensor_type(pool.input), element),
            offset=offset,
            axis=channel,
        )
        pooled = pool.clone({pool.input: first.out})
        Rewriter.replace_value_with_new_type(
            pooled.results[0], with_element(tensor_type(pool.out), element)
        )
        new: list[Operation] = [first, pooled]
        if op.falling is not None:
            new += _turned(op, pooled, *thresholds.shape)
        for inner in new:
            inner.location = op.location
        rewriter.replace(op, new, new[-1].results)
        rewriter.erase(pool)


def _count_type(element: Attribute, steps: int) -> Attribute:
    """The type of counts of `steps` thresholds; one bit is bipolar as the result."""
    return element if isinstance(element, BipolarType) else unsigned(steps.bit_length())


def _turned(
    op: ThresholdOp, pooled: Operation, channels: int, steps: int
) -> list[Operation]:
    """The levels of `op` from pooled counts: every count is a threshold."""
    counts = constant(np.tile(np.arange(1, steps + 1), (channels, 1)))
    result = ThresholdOp(
        pooled.results[0],
        counts,
        op.out.type,
        falling=op.falling,
        offset=op.offset.value.data,
        axis=op.axis.value.data,
    )
    return [counts, result]
