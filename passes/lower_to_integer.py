"""`lower-to-integer`: turn products of quantised real tensors into integer products."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerType, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import PassFailedException

from qdialect.chains import chain_to, data_operand, is_elementwise
from qdialect.constants import constant, constant_array
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.location import where
from qdialect.quantisers import DequantizeOp
from qdialect.ranges import reachable_values
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import (
    element_of,
    integer_type_for,
    is_real,
    shape_of,
    signed,
    tensor_type,
    value_range,
    width_bits,
    with_element,
)

# A chain is tabulated to find its grid only while its domain is this small.
_MAX_TABULATED = 1 << 16


class MoveTowardsLevels(RewritePattern):
    """`reshape(f(x))` becomes `f(reshape(x))`; transpose likewise.

    `f` is an element-wise operation whose constants are single numbers, so that it does
    not tell elements apart: exact. In the end the move stands on the levels.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: ReshapeOp | TransposeOp, rewriter: PatternRewriter, /
    ) -> None:
        source = op.input.owner
        if not isinstance(source, Operation) or not is_elementwise(source):
            return
        data = data_operand(source)
        rank = len(shape_of(op.out))
        others = [shape_of(v) for v in source.operands if v is not data]
        if data is None or any(prod(s) != 1 or len(s) > rank for s in others):
            return
        type_ = with_element(tensor_type(op.out), element_of(data))
        if isinstance(op, ReshapeOp):
            moved: ReshapeOp | TransposeOp = ReshapeOp(data, type_)
        else:
            moved = TransposeOp(data, op.axes, type_)
        moved.location = op.location
        result = source.clone({data: moved.out})
        Rewriter.replace_value_with_new_type(result.results[0], op.out.type)
        rewriter.replace(op, (moved, result), result.results)


class AffineChainToDequantize(RewritePattern):
    """A product's input `f(q)` becomes `dequantize(q, s, z)` where f is affine.

    `f` is a chain of element-wise operations on the levels q. It is tabulated over
    every value of q; where all results equal `(q - z) * s` bit for bit, for one scale
    and an integer z, the chain is that dequantiser.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MatMulOp, rewriter: PatternRewriter, /) -> None:
        if not is_real(element_of(op.out)):
            return
        chain = chain_to(op.input)
        if chain is None or isinstance(op.input.owner, DequantizeOp) or chain.reshapes:
            return
        values = reachable_values(chain.root)
        if not 2 <= values.size <= _MAX_TABULATED or chain.varying_axes():
            return
        rank = len(shape_of(chain.root))
        results = chain.evaluate(values.reshape(-1, *[1] * (rank - 1))).ravel()
        affine = _affine(values, results)
        if affine is None:
            return
        scale = constant(np.array(affine[0], np.float32))
        zero = constant(np.array(affine[1], np.float32))
        result = DequantizeOp(chain.root, scale, zero, op.input.type)
        product = MatMulOp(result, op.weights, op.out.type)
        result.location = product.location = op.location
        rewriter.replace(op, (scale, zero, result, product), product.results)


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


class IntegerProduct(RewritePattern):
    """A product of two dequantised tensors becomes one of their levels.

    before: matmul(dequantize(q, s, z), dequantize(w, t, u))
    after:  dequantize(matmul(q, w - u), s * t, z * rowsum(w - u))

    Exact: sums of integers; this is how the product of such tensors is defined. The
    accumulator gets the type of the worst case; `narrow-accumulators` tightens it.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MatMulOp, rewriter: PatternRewriter, /) -> None:
        if not is_real(element_of(op.out)):
            return
        source, weights = op.input.owner, op.weights.owner
        if not isinstance(source, DequantizeOp):
            raise PassFailedException(
                f"lower-to-integer: {where(op)}: the input of the product is not "
                "quantised; put a Quant or BipolarQuant before it"
            )
        if not isinstance(weights, DequantizeOp):
            raise PassFailedException(
                f"lower-to-integer: {where(op)}: the weights are real numbers; "
                "quantise them with Quant or BipolarQuant, or give them integer values"
            )
        new = _integer_product(op, source, weights)
        for inner in new:
            inner.location = op.location
        rewriter.replace(op, new, new[-1].results)


def _integer_product(
    op: MatMulOp, source: DequantizeOp, weights: DequantizeOp
) -> list[Operation]:
    scale = _number(op, source.scale, "the scale of the input")
    zero = _number(op, source.zero_point, "the zero point of the input")
    rows, columns = shape_of(op.weights)
    row_scale = _of_rows(op, weights.scale, rows)
    new: list[Operation] = []
    matrix: SSAValue = weights.input
    centred = _centred_weights(op, weights, rows)
    if centred is not None:
        replaced = constant(centred)
        new.append(replaced)
        matrix = replaced.out
    sums = _accumulator(source.input, matrix, columns)
    product = MatMulOp(source.input, matrix, with_element(tensor_type(op.out), sums))
    levels = constant_array(matrix) if centred is None else centred
    offset = constant(_offset(op, zero, levels))
    total = constant(np.float32(scale) * row_scale)
    new += [product, offset, total]
    return [*new, DequantizeOp(product, total, offset, op.out.type)]


def _offset(op: MatMulOp, zero: float, weights: Array | None) -> Array:
    """What the input's zero point adds to each row's sum, as float32 [] or [MH]."""
    if zero == 0:
        return np.zeros((), np.float32)
    if weights is None or zero != round(zero):
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: a zero point must be an integer and needs "
            f"constant weights, got {zero}"
        )
    offset = int(zero) * weights.astype(np.int64).sum(axis=1)
    if np.any(np.abs(offset) > 1 << 24):
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: zero point {int(zero)} times the sum of a "
            f"row's weights, {int(np.abs(offset).max())}, exceeds 2**24"
        )
    return offset.astype(np.float32)


def _number(op: MatMulOp, value: SSAValue, what: str) -> float:
    array = constant_array(value)
    if array is None or array.size != 1:
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: {what} must be one constant number; a "
            "scale that varies along the summed axis has no integer product"
        )
    return float(array.ravel()[0])


def _of_rows(op: MatMulOp, value: SSAValue, rows: int) -> Array:
    """A weight parameter as [] or [MH]."""
    array = constant_array(value)
    if array is not None and array.size == 1:
        return array.reshape(())
    if array is not None and array.shape == (rows, 1):
        return array.reshape(rows)
    raise PassFailedException(
        f"lower-to-integer: {where(op)}: scale and zero point of the weights must be "
        f"constants of one number or of shape [{rows}, 1], got {value.type}"
    )


def _centred_weights(op: MatMulOp, weights: DequantizeOp, rows: int) -> Array | None:
    """Weights less their zero point, or None where it is 0."""
    zero = _of_rows(op, weights.zero_point, rows)
    if not np.any(zero):
        return None
    levels = constant_array(weights.input)
    whole = np.rint(zero).astype(np.int64)
    if levels is None or np.any(whole != zero):
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: the zero point of the weights must be a "
            "constant integer"
        )
    return levels.astype(np.int64) - whole.reshape(-1, 1)


def _accumulator(x: SSAValue, weights: SSAValue, columns: int) -> IntegerType:
    """The signed type of the worst sum that the element types allow."""
    corners = [
        a * b * columns
        for a in value_range(element_of(x))
        for b in value_range(element_of(weights))
    ]
    type_ = integer_type_for(min(*corners, 0), max(corners))
    return type_ if min(corners) < 0 else signed(width_bits(type_) + 1)


@dataclass(frozen=True)
class LowerToIntegerPass(ModulePass):
    """Turn every real `qnn.matmul` of quantised tensors into an integer one.

    1. Reshapes and transposes move towards the levels that a value is made from.
    2. An affine chain of a tensor of levels becomes one dequantiser.
    3. The product is taken of the levels; its scale follows it.

    Exact. A product of tensors that are not quantised is refused.
    """

    name = "lower-to-integer"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        moves = GreedyRewritePatternApplier(
            [MoveTowardsLevels(), AffineChainToDequantize()]
        )
        PatternRewriteWalker(moves).rewrite_module(op)
        PatternRewriteWalker(
            GreedyRewritePatternApplier([IntegerProduct(), MoveTowardsLevels()])
        ).rewrite_module(op)
