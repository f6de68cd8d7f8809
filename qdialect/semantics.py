"""What the element-wise ops compute, in NumPy: the one place it is written down.

The interpreter runs these functions and the passes tabulate with them, so that a pass
which replaces a chain of operations by thresholds cannot mean anything else than the
interpreter does. Real arrays are float32, levels are integers of any dtype. Every
function takes any number of frames along the leading axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf
from typing import TypeAlias

import numpy as np
from xdsl.ir import Attribute, Operation

from qdialect import elementwise as ew
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.data import Array
from qdialect.quantisers import DequantizeOp, QuantizeOp, Rounding, SignOp
from qdialect.shaping import ReshapeOp
from qdialect.smooth import EluOp, GeluOp, HardSwishOp, PReluOp, SiluOp, SoftplusOp
from qdialect.types import (
    BipolarType,
    element_of,
    is_real,
    shape_of,
    value_range,
)

# float32, and integers: the names say what NumPy's stubs cannot.
Real: TypeAlias = Array
Levels: TypeAlias = Array

_INTEGER_DTYPES = (
    np.int8,
    np.uint8,
    np.int16,
    np.uint16,
    np.int32,
    np.uint32,
    np.int64,
)


def _half_up(y: Real) -> Real:
    return np.sign(y) * np.floor(np.abs(y) + np.float32(0.5))


def _half_down(y: Real) -> Real:
    return np.sign(y) * np.ceil(np.abs(y) - np.float32(0.5))


def _away(y: Real) -> Real:
    return np.sign(y) * np.ceil(np.abs(y))


ROUNDINGS: dict[Rounding, Callable[[Real], Real]] = {
    Rounding.HALF_EVEN: np.round,
    Rounding.CEIL: np.ceil,
    Rounding.FLOOR: np.floor,
    Rounding.UP: _away,
    Rounding.DOWN: np.trunc,
    Rounding.HALF_UP: _half_up,
    Rounding.HALF_DOWN: _half_down,
}


def storage_dtype(element: Attribute) -> np.dtype[np.generic]:
    """The narrowest dtype that holds every value of an element type.

    Raises:
        TypeError: it needs more than 64 bits.
    """
    if is_real(element):
        return np.dtype(np.float32)
    low, high = value_range(element)
    for dtype in (
        np.int8,
        np.uint8,
        np.int16,
        np.uint16,
        np.int32,
        np.uint32,
        np.int64,
    ):
        info = np.iinfo(dtype)
        if info.min <= low and high <= info.max:
            return np.dtype(dtype)
    raise TypeError(f"{element} is wider than the interpreter's 64 bits")


def quantize_levels(
    x: Real,
    scale: Real,
    zero_point: Real,
    rounding: Rounding,
    element: Attribute,
    level_range: tuple[int, int],
) -> Levels:
    """Levels of `qnn.quantize`.

    Args:
        x: real, any shape.
        scale: real, broadcasts against `x`.
        zero_point: level, as float32, broadcasts against `x`.
        rounding: the rounding mode.
        element: element type of the result.
        level_range: least and greatest level, `QuantizeOp.level_range`.
    """
    y = x / scale + zero_point
    if isinstance(element, BipolarType):
        return np.where(y >= 0, 1, -1).astype(np.int8)
    low, high = level_range
    clamped = np.clip(y, np.float32(low), np.float32(high))
    levels = ROUNDINGS[rounding](clamped)
    if max(-low, high) >= 1 << 24:
        # The bounds are not float32 numbers: clamp again, on integers.
        return np.clip(levels.astype(np.float64), low, high).astype(
            storage_dtype(element)
        )
    return levels.astype(storage_dtype(element))


def dequantize_values(levels: Levels, scale: Real, zero_point: Real) -> Real:
    """Real numbers of `qnn.dequantize`; the product is rounded once."""
    exact = levels.astype(np.float64) - zero_point.astype(np.float64)
    return (exact * scale.astype(np.float64)).astype(np.float32)


def along_axis(parameter: Array, rank: int, axis: int) -> Array:
    """A [C] parameter, shaped to broadcast along `axis` of a tensor of that rank."""
    shape = [1] * rank
    shape[axis] = -1
    return parameter.reshape(shape)


def batch_norm_affine(
    gamma: Real, beta: Real, mean: Real, variance: Real, epsilon: float
) -> tuple[Real, Real]:
    """Slope and intercept [C] of a batch normalisation, as ONNX Runtime rounds them."""
    slope = gamma * (np.float32(1) / np.sqrt(variance + np.float32(epsilon)))
    return slope, beta - mean * slope


def threshold_levels(
    x: Array,
    thresholds: Array,
    falling: Array | None,
    offset: int,
    axis: int,
    element: Attribute,
) -> Levels:
    """Levels of `qnn.threshold`.

    Args:
        x: any shape, channels along `axis`.
        thresholds: [C, T], sorted over T.
        falling: [C] of 0 and 1, or None.
        offset: level of a count of 0.
        axis: axis of the channel.
        element: element type of the result.
    """
    steps = thresholds.shape[1]
    count = _reached(x, thresholds, axis)
    if falling is not None:
        down = along_axis(falling, x.ndim, axis) != 0
        count = np.where(down, steps - count.astype(np.int64), count)
    if isinstance(element, BipolarType):
        return 2 * count.astype(np.int8) - np.int8(1)
    return (count.astype(np.int64) + offset).astype(storage_dtype(element))


# Comparing with each threshold is the fastest way up to about as many.
_FEW_STEPS = 16
# Entries of a table of counts that is worth making.
_MAX_COUNTS = 1 << 22


def _reached(x: Array, thresholds: Array, axis: int) -> Levels:
    """How many thresholds of its channel each element reaches."""
    channels, steps = thresholds.shape
    if steps <= _FEW_STEPS or x.size == 0:
        # Like x, so that it keeps the order of the axes in memory, whichever that is.
        count = np.zeros_like(x, np.uint8)
        for t in range(steps):
            count += x >= along_axis(thresholds[:, t], x.ndim, axis)
        return count
    if x.dtype.kind in "iu":
        low, high = int(x.min()), int(x.max())
        if (high - low + 1) * channels <= min(_MAX_COUNTS, x.size):
            arguments = np.arange(low, high + 1, dtype=np.int64)
            table = [np.searchsorted(row, arguments, "right") for row in thresholds]
            return lookup_levels(x, np.array(table), low, axis)
    count = np.empty_like(x, np.int64)
    source, target = np.moveaxis(x, axis, 0), np.moveaxis(count, axis, 0)
    for row, elements, counts in zip(thresholds, source, target, strict=True):
        counts[...] = np.searchsorted(row, elements, "right")
    return count


def lookup_levels(x: Levels, table: Levels, low: int, axis: int) -> Levels:
    """Levels of `qnn.lookup`: table[c, x - low], with `table` [C, R]."""
    channel = along_axis(np.arange(len(table), dtype=np.int64), x.ndim, axis)
    return table[channel, x.astype(np.int64) - low]


def _sigmoid(x: Real) -> Real:
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-x))


def _hard_sigmoid(x: Real, alpha: np.float32, beta: np.float32) -> Real:
    return np.clip(x * alpha + beta, np.float32(0), np.float32(1))


def _gelu(x: Real) -> Real:
    errors = np.vectorize(erf, otypes=[np.float32])(x / np.sqrt(np.float32(2)))
    return x * np.float32(0.5) * (np.float32(1) + errors)


UNARY: dict[type[Operation], Callable[[Real], Real]] = {
    ew.ReluOp: lambda x: np.maximum(x, np.float32(0)),
    ew.SigmoidOp: _sigmoid,
    ew.TanhOp: np.tanh,
    ew.AbsOp: np.abs,
    ew.NegOp: np.negative,
    ew.FloorOp: np.floor,
    ew.CeilOp: np.ceil,
    ew.RoundOp: np.round,
    ew.SqrtOp: np.sqrt,
    ew.ExpOp: np.exp,
    HardSwishOp: lambda x: x * _hard_sigmoid(x, np.float32(1 / 6), np.float32(0.5)),
    SiluOp: lambda x: x * _sigmoid(x),
    SoftplusOp: lambda x: np.maximum(x, np.float32(0)) + np.log1p(np.exp(-np.abs(x))),
    GeluOp: _gelu,
}

BINARY: dict[type[Operation], Callable[[Array, Array], Array]] = {
    ew.AddOp: np.add,
    ew.SubOp: np.subtract,
    ew.MulOp: np.multiply,
    ew.DivOp: np.divide,
    PReluOp: lambda x, slope: np.where(x >= 0, x, x * slope),
}


def _binary(op: ew.BinaryOp, lhs: Array, rhs: Array) -> Array:
    element = element_of(op.out)
    if is_real(element):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return BINARY[type(op)](lhs, rhs).astype(np.float32)
    return BINARY[type(op)](lhs.astype(np.int64), rhs.astype(np.int64)).astype(
        storage_dtype(element)
    )


def evaluate(op: Operation, operands: Sequence[Array]) -> Array | None:
    """The result of an element-wise op or reshape, or None for any other op.

    Args:
        op: the operation; its types and properties are read.
        operands: its operands' values in order; real ones float32.
    """
    match op:
        case QuantizeOp():
            return quantize_levels(
                operands[0],
                operands[1],
                operands[2],
                op.rounding.data,
                element_of(op.out),
                op.level_range,
            )
        case DequantizeOp():
            return dequantize_values(operands[0], operands[1], operands[2])
        case SignOp():
            return np.where(operands[0] >= 0, 1, -1).astype(np.int8)
        case ew.BinaryOp():
            return _binary(op, operands[0], operands[1])
        case ew.AbsOp() if not is_real(element_of(op.out)):
            magnitudes = np.abs(operands[0].astype(np.int64))
            return magnitudes.astype(storage_dtype(element_of(op.out)))
        case ew.UnaryOp() if type(op) in UNARY:
            return UNARY[type(op)](operands[0]).astype(np.float32)
        case ew.HardTanhOp():
            low, high = op.low.value.data, op.high.value.data
            return np.clip(operands[0], np.float32(low), np.float32(high))
        case ew.LeakyReluOp():
            x = operands[0]
            return np.where(x >= 0, x, x * np.float32(op.slope.value.data))
        case ew.HardSigmoidOp():
            alpha, beta = (np.float32(p.value.data) for p in (op.alpha, op.beta))
            return _hard_sigmoid(operands[0], alpha, beta)
        case EluOp():
            x, alpha = operands[0], np.float32(op.alpha.value.data)
            return np.where(
                x >= 0,
                x,
                alpha * (np.exp(np.minimum(x, np.float32(0))) - np.float32(1)),
            )
        case ew.BatchNormOp():
            x, gamma, beta, mean, variance = operands
            affine = batch_norm_affine(
                gamma, beta, mean, variance, op.epsilon.value.data
            )
            axis = op.axis.value.data
            slope, intercept = (along_axis(p, x.ndim, axis) for p in affine)
            return x * slope + intercept
        case ThresholdOp():
            return threshold_levels(
                operands[0],
                operands[1],
                operands[2] if len(operands) > 2 else None,
                op.offset.value.data,
                op.axis.value.data,
                element_of(op.out),
            )
        case LookupOp():
            return lookup_levels(
                operands[0], operands[1], op.low.value.data, op.axis.value.data
            )
        case ReshapeOp():
            shape = shape_of(op.out)
            return operands[0].reshape((-1, *shape[1:]) if shape[0] == 1 else shape)
        case _:
            return None
