"""Pattern: a max pool of what falls with the levels becomes one of negated levels."""

from __future__ import annotations

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import InsertPoint

from passes.scaled_levels import multiplied, whole_number
from passes.towards_levels import is_alike_at_all_places
from qdialect.chains import data_operand, direction
from qdialect.constants import constant, constant_array
from qdialect.data import Array
from qdialect.elementwise import AddOp, DivOp, MulOp, SubOp
from qdialect.pooling import MaxPoolOp
from qdialect.quantisers import DequantizeOp
from qdialect.scaling import Integers
from qdialect.types import element_of, is_real


class PoolFalling(RewritePattern):
    """`max_pool(x * c)` becomes `max_pool((d * x) * |c|)`, d the signs of c.

    The levels that x is made from are multiplied by d, one sign a channel, and the pool
    can move onto them (`MoveTowardsLevels`). Exact: float32 rounds a number as it
    rounds the opposite one. So it is with a dequantiser whose scale is negative.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MaxPoolOp, rewriter: PatternRewriter, /) -> None:
        source = op.input.owner
        if not is_real(element_of(op.out)):
            return
        if not isinstance(source, MulOp | DequantizeOp):
            return
        falls = data_operand(source) is not None
        signs = direction(source) if falls else None
        if signs is None or bool((signs > 0).all()):
            return
        if not is_alike_at_all_places(op, source):
            return
        new: list[Operation] = []
        turned = _rising(source, signs.astype(np.int64), new)
        if turned is None:
            return
        for inner in new:
            inner.location = source.location
        rewriter.insert(new, InsertPoint.before(op))
        op.operands[0] = turned
        rewriter.notify_op_modified(op)


def _rising(
    source: MulOp | DequantizeOp, signs: Integers, new: list[Operation]
) -> SSAValue | None:
    """What `source` gives, made of turned levels; ops are appended to `new`."""
    if isinstance(source, DequantizeOp):
        scale = constant_array(source.scale)
        return None if scale is None else _levels(source, np.abs(scale), signs, new)
    data = data_operand(source)
    assert data is not None
    turned = _turned(data, signs, new)
    array = constant_array(source.rhs if data is source.lhs else source.lhs)
    if turned is None or array is None:
        return None
    number = constant(np.abs(array))
    product = MulOp(turned, number, source.out.type)
    new += [number, product]
    return product.out


def _turned(value: SSAValue, signs: Integers, new: list[Operation]) -> SSAValue | None:
    """`value * signs`, made of turned levels, or None where it is no affine chain."""
    op = value.owner
    if isinstance(op, DequantizeOp):
        scale = constant_array(op.scale)
        return None if scale is None else _levels(op, scale, signs, new)
    if not isinstance(op, AddOp | SubOp | MulOp | DivOp):
        return None
    data = data_operand(op)
    if data is None or (isinstance(op, DivOp) and data is not op.lhs):
        return None
    turned = _turned(data, signs, new)
    if turned is None:
        return None
    values = {data: turned}
    other = op.rhs if data is op.lhs else op.lhs
    if isinstance(op, AddOp | SubOp):
        array = constant_array(other)
        assert array is not None
        summand = constant((array * signs).astype(np.float32))
        new.append(summand)
        values[other] = summand.out
    copy = op.clone(values)
    new.append(copy)
    return copy.results[0]


def _levels(
    op: DequantizeOp, scale: Array, signs: Integers, new: list[Operation]
) -> SSAValue | None:
    """`(q - z) * signs`, scaled; ops are appended to `new`."""
    zero = whole_number(constant_array(op.zero_point))
    if zero is None:
        return None
    levels = multiplied(op.input, zero, signs, new)
    factor = constant(scale.astype(np.float32))
    offset = constant(np.zeros((), np.float32))
    result = DequantizeOp(levels, factor, offset, op.out.type)
    new += [factor, offset, result]
    return result.out
