"""Patterns: moves and affine chains end on the levels that a value is made from."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import InsertPoint, Rewriter

from passes.scaled_levels import scaled_levels, summand
from qdialect.chains import chain_to, data_operand, direction, is_elementwise
from qdialect.constants import constant, constant_array, is_constant
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.elementwise import AddOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.quantisers import DequantizeOp
from qdialect.ranges import bounds, reachable_values
from qdialect.rearranging import (
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import (
    element_of,
    is_level,
    is_real,
    shape_of,
    tensor_type,
    with_element,
)

# A chain is tabulated to find its grid only while its domain is this small.
_MAX_TABULATED = 1 << 16


class MoveTowardsLevels(RewritePattern):
    """`move(f(x))` becomes `f(move(x))`, for what moves elements and for max pools.

    `f` is an element-wise operation whose constants are single numbers, so that it does
    not tell elements apart: exact. Past a transpose, other constants are transposed
    too, and past a flatten they are repeated, one for each element. A max pool passes
    what rises, alike at all places of a channel: rounding is monotone, so the greatest
    of the results is the result of the greatest. In the end the move stands on the
    levels.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self,
        op: ReshapeOp | TransposeOp | SliceOp | UpsampleOp | DepthToSpaceOp | MaxPoolOp,
        rewriter: PatternRewriter,
        /,
    ) -> None:
        source = op.input.owner
        if is_level(element_of(op.input)) or not isinstance(source, Operation):
            return
        if not is_elementwise(source):
            return
        data = data_operand(source)
        if data is None or shape_of(data) != shape_of(op.input):
            return
        if isinstance(op, MaxPoolOp):
            if not pools_alike(op, source):
                return
        elif not _is_uniform(op, source, data) and not _takes_others_along(op):
            return
        moved = op.clone({op.input: data})
        Rewriter.replace_value_with_new_type(
            moved.results[0], with_element(tensor_type(op.out), element_of(data))
        )
        values: dict[SSAValue, SSAValue] = {data: moved.results[0]}
        new: list[Operation] = [moved]
        if isinstance(op, TransposeOp | ReshapeOp):
            for operand in source.operands:
                turned = _moved_along(operand, op) if operand is not data else None
                if turned is not None:
                    new.append(turned)
                    values[operand] = turned.results[0]
        result = source.clone(values)
        Rewriter.replace_value_with_new_type(result.results[0], op.out.type)
        for inner in new:
            inner.location = op.location
        rewriter.replace(op, (*new, result), result.results)


def _is_uniform(op: Operation, source: Operation, data: SSAValue) -> bool:
    """Whether the constants of `source` are single numbers of no higher rank."""
    rank = len(shape_of(op.results[0]))
    others = [shape_of(v) for v in source.operands if v is not data]
    return all(prod(s) == 1 and len(s) <= rank for s in others)


def pools_alike(op: MaxPoolOp, source: Operation) -> bool:
    """Whether `source` rises, with one set of constants for all places of a channel."""
    signs = direction(source)
    if signs is None or not bool((signs > 0).all()):
        return False
    return is_alike_at_all_places(op, source)


def is_alike_at_all_places(op: MaxPoolOp, source: Operation) -> bool:
    """Whether the constants of `source` tell channels of the pooled map apart at most."""
    rank = len(shape_of(op.out))
    channel = rank - 1 if op.is_channels_last else 1
    data = data_operand(source)
    for operand in source.operands:
        shape = shape_of(operand)
        places = {rank - len(shape) + i for i, n in enumerate(shape) if n != 1}
        if operand is not data and not places <= {channel}:
            return False
    return True


def _takes_others_along(op: Operation) -> bool:
    """Whether `op` moves constants that vary: a transpose, or a flatten to a layer."""
    if isinstance(op, TransposeOp):
        return True
    return (
        isinstance(op, ReshapeOp)
        and len(shape_of(op.out)) == 2
        and _reaches_a_layer(op.out)
    )


def _reaches_a_layer(value: SSAValue) -> bool:
    """Whether a quantiser or a product reads what is computed from a real value."""
    return any(
        isinstance(use.operation, MatMulOp | ConvOp)
        or any(
            is_level(element_of(result)) or _reaches_a_layer(result)
            for result in use.operation.results
        )
        for use in value.uses
    )


def _moved_along(operand: SSAValue, op: TransposeOp | ReshapeOp) -> Operation | None:
    """A constant as it is behind `op`; None where it can stay as it is."""
    array = constant_array(operand)
    if array is None:
        return None
    if array.size == 1:
        fits = array.ndim <= len(shape_of(op.out))
        return None if fits else constant(array.reshape(()), element_of(operand))
    shape = shape_of(op.input)
    full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    if isinstance(op, TransposeOp):
        return constant(full.transpose(op.axes), element_of(operand))
    repeated = np.broadcast_to(full, shape).reshape(shape_of(op.out))
    return constant(repeated, element_of(operand))


class AffineChainToDequantize(RewritePattern):
    """The input `f(q)` of a sum becomes `dequantize(q, s, z)` where f is affine.

    `f` is a chain of element-wise operations on the levels q. It is tabulated over
    every value of q; where all results equal `(q - z) * s` bit for bit, for one scale
    and an integer z, the chain is that dequantiser.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self,
        op: MatMulOp | ConvOp | SumPoolOp | AddOp | SubOp | MulOp | ConcatOp | PadOp,
        rewriter: PatternRewriter,
        /,
    ) -> None:
        if not is_real(element_of(op.out)):
            return
        if isinstance(op, AddOp | SubOp | MulOp) and any(map(is_constant, op.operands)):
            return
        for index, operand in enumerate(op.operands):
            if isinstance(op, AddOp | SubOp) and summand(operand) is not None:
                continue
            new = _as_dequantised(operand)
            if new is None:
                continue
            for inner in new:
                inner.location = op.location
            rewriter.insert(new, InsertPoint.before(op))
            op.operands[index] = new[-1].results[0]
            rewriter.notify_op_modified(op)


def _as_dequantised(value: SSAValue) -> list[Operation] | None:
    """The dequantiser that gives `value`, or None where it is one, or there is none."""
    if is_constant(value) or scaled_levels(value) is not None:
        return None
    chain = chain_to(value)
    if chain is None or chain.reshapes or is_constant(chain.root):
        return None
    values = reachable_values(chain.root) if _is_small(chain.root) else None
    if values is None or values.size < 2 or chain.varying_axes():
        return None
    rank = len(shape_of(chain.root))
    results = chain.evaluate(values.reshape(-1, *[1] * (rank - 1))).ravel()
    affine = _affine(values, results)
    if affine is None:
        return None
    scale = constant(np.array(affine[0], np.float32))
    zero = constant(np.array(affine[1], np.float32))
    return [scale, zero, DequantizeOp(chain.root, scale, zero, value.type)]


def _is_small(root: SSAValue) -> bool:
    low, high = bounds(root)
    return is_level(element_of(root)) and high - low < _MAX_TABULATED


def _affine(levels: Array, results: Array) -> tuple[float, int] | None:
    """Scale and zero point with `results == (levels - zero) * scale`, or None."""
    span = int(levels[-1] - levels[0])
    scale = np.float32((np.float64(results[-1]) - np.float64(results[0])) / span)
    if scale == 0 or not np.isfinite(scale):
        return None
    zero = float(levels[0]) - float(results[0]) / float(scale)
    if zero != round(zero) or abs(zero) >= 1 << 24:
        return None
    expected = ((levels - zero) * np.float64(scale)).astype(np.float32)
    return (float(scale), int(zero)) if bool((expected == results).all()) else None
