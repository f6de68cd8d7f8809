"""The network and integer levels: `qnn` on real tensors and on levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation

from lowering.interpreter.products import integer_matmul, real_matmul
from lowering.interpreter.values import (
    Biased,
    Scaled,
    Value,
    as_array,
    scaled,
    scaled_product,
    scaled_sum,
)
from qdialect.chains import data_operand
from qdialect.data import Array
from qdialect.elementwise import (
    AbsOp,
    AddOp,
    BatchNormOp,
    DivOp,
    MulOp,
    ReluOp,
    SubOp,
)
from qdialect.from_posit import FromPositOp
from qdialect.linear import MatMulOp
from qdialect.posit import dyadic
from qdialect.quantisers import DequantizeOp
from qdialect.scaling import norm_constants, product_scale, scaling, shifting
from qdialect.selection import SoftmaxOp, TopKOp
from qdialect.semantics import evaluate, storage_dtype
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import element_of, is_real, shape_of


def run_network_op(op: Operation, operands: Sequence[Value]) -> list[Value] | None:
    """Results of an op of the network or the integer level, or None for any other."""
    if (kept := _on_scaled(op, operands)) is not None:
        return [kept]
    match op:
        case MatMulOp() if is_real(element_of(op.out)):
            return [real_matmul(operands[0], operands[1])]
        case MatMulOp():
            sums = integer_matmul(as_array(operands[0]), as_array(operands[1]))
            return [sums.astype(storage_dtype(element_of(op.out)))]
        case DequantizeOp():
            levels, scale, zero_point = map(as_array, operands)
            lazy = scaled(levels, scale, zero_point)
            if lazy is not None:
                return [lazy]
        case FromPositOp():
            levels, power = dyadic(as_array(operands[0]))
            return [Scaled(levels, np.array(2.0**power, np.float32))]
        case TransposeOp():
            return [as_array(operands[0]).transpose(op.axes)]
        case TopKOp():
            return _run_top_k(op, as_array(operands[0]))
        case SoftmaxOp():
            return [_softmax(as_array(operands[0]), op.axis.value.data)]
        case _:
            pass
    result = evaluate(op, [as_array(value) for value in operands])
    return None if result is None else [result]


def _on_scaled(op: Operation, operands: Sequence[Value]) -> Value | None:
    """The result of an op that keeps levels levels; None for any other."""
    match op:
        case AddOp() | SubOp():
            lhs, rhs = operands
            if isinstance(lhs, Scaled | Biased) and isinstance(rhs, Scaled | Biased):
                return scaled_sum(lhs, rhs, negated=isinstance(op, SubOp))
            return _shifted(op, operands)
        case BatchNormOp() if isinstance(operands[0], Scaled):
            return _normalised(op, operands[0], operands)
        case MulOp() if data_operand(op) is None:
            lhs, rhs = operands
            if isinstance(lhs, Scaled) and isinstance(rhs, Scaled):
                return scaled_product(lhs, rhs)
        case MulOp() | DivOp():
            return _rescaled(op, operands)
        case AbsOp() if isinstance(operands[0], Scaled):
            return operands[0].magnitude()
        case ReluOp() if isinstance(operands[0], Scaled):
            if bool((operands[0].scale > 0).all()):
                return operands[0].rectified()
        case ReshapeOp() | TransposeOp() if isinstance(operands[0], Scaled):
            return _move_scaled(op, operands[0])
        case _:
            pass
    return None


def _shifted(op: AddOp | SubOp, operands: Sequence[Value]) -> Value | None:
    """Levels plus a constant (`Shifting`)."""
    step = shifting(op)
    if step is None:
        return None
    data = operands[list(op.operands).index(step.data)]
    result = evaluate(op, [as_array(value) for value in operands])
    if not isinstance(data, Scaled) or result is None:
        return None
    return Biased(data, step.number, result)


def _normalised(
    op: BatchNormOp, data: Scaled, operands: Sequence[Value]
) -> Value | None:
    """Levels of another scale, plus a constant: the product and sum that it is."""
    constants = norm_constants(op)
    result = evaluate(op, [as_array(value) for value in operands])
    if constants is None or result is None:
        return None
    slope, intercept = constants
    scale = product_scale(data.scale, slope)
    if scale is None:
        return None
    return Biased(Scaled(data.levels, scale), intercept, result)


def _rescaled(op: MulOp | DivOp, operands: Sequence[Value]) -> Value | None:
    """Levels times or by a constant, as levels of another scale (`Scaling`)."""
    step = scaling(op)
    if step is None:
        return None
    data = operands[list(op.operands).index(step.data)]
    if not isinstance(data, Scaled):
        return None
    scale = step.rescaled(data.scale)
    result = evaluate(op, [as_array(value) for value in operands])
    if scale is None or result is None:
        return None
    levels = data.levels
    if step.factors is not None:
        levels = levels.astype(np.int64) * step.factors
    return Scaled(levels, scale, result)


def _run_top_k(op: TopKOp, x: Array) -> list[Value]:
    axis = op.axis.value.data
    values, indices = top_k(
        x, shape_of(op.values)[axis], axis=axis, smallest=op.smallest is not None
    )
    return [values, indices.astype(storage_dtype(element_of(op.indices)))]


def _move_scaled(op: ReshapeOp | TransposeOp, value: Scaled) -> Value:
    scale = value.scale
    if scale.size == 1:
        return value.moved(lambda array: _move(op, array))
    rounded = None if value.rounded is None else _move(op, value.rounded)
    if isinstance(op, ReshapeOp):
        # A scale of a channel becomes one of each of its elements.
        full = np.broadcast_to(scale, (1, *value.levels.shape[1:]))
    else:
        full = scale.reshape((1,) * (value.levels.ndim - scale.ndim) + scale.shape)
    return Scaled(_move(op, value.levels), _move(op, full), rounded)


def _move(op: ReshapeOp | TransposeOp, array: Array) -> Array:
    if isinstance(op, TransposeOp):
        return array.transpose(op.axes)
    shape = shape_of(op.out)
    return array.reshape((-1, *shape[1:]) if shape[0] == 1 else shape)


def top_k(x: Array, k: int, *, axis: int, smallest: bool) -> tuple[Array, Array]:
    """Values and indices of the k greatest (or smallest) elements along an axis.

    The order is stable: of equal elements the one of the lower index comes first.
    """
    if smallest:
        order = np.argsort(x, axis=axis, kind="stable")
    else:
        # Reversed before and after the sort, ties keep their rising order.
        flipped = np.argsort(np.flip(x, axis=axis), axis=axis, kind="stable")
        order = x.shape[axis] - 1 - np.flip(flipped, axis=axis)
    indices = np.take(order, np.arange(k), axis=axis)
    return np.take_along_axis(x, indices, axis=axis), indices


def _softmax(x: Array, axis: int) -> Array:
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return (shifted / shifted.sum(axis=axis, keepdims=True)).astype(np.float32)
