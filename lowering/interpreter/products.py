"""Exact dot products of integers at the speed of floating-point BLAS."""

from __future__ import annotations

import numpy as np

from lowering.interpreter.values import Scaled, Value, as_array, on_channel_grids
from qdialect.data import Array
from qdialect.semantics import Levels, Real

# Every integer of magnitude up to 2**p is a number of the format.
_FLOAT32_EXACT = 1 << 24
_FLOAT64_EXACT = 1 << 53
_INT64_LIMIT = 1 << 63


def magnitude(values: Levels) -> int:
    """The greatest absolute value."""
    if values.size == 0:
        return 0
    return max(-int(values.min()), int(values.max()), 0)


def exact_dtype(bound: int) -> type[np.float32] | type[np.float64] | type[np.int64]:
    """The fastest dtype in which sums of magnitude up to `bound` are exact.

    Raises:
        OverflowError: a sum could exceed 64 bits.
    """
    if bound < _FLOAT32_EXACT:
        return np.float32
    if bound < _FLOAT64_EXACT:
        return np.float64
    if bound < _INT64_LIMIT:
        return np.int64
    raise OverflowError(f"sums of products may exceed 64 bits (bound {bound})")


def integer_matmul(x: Levels, weights: Levels) -> Levels:
    """Exact `x @ weights.T`.

    Args:
        x: levels [.., MW].
        weights: levels [MH, MW].

    Returns:
        Accumulators [.., MH], as int32 or int64.

    Raises:
        OverflowError: a sum could exceed 64 bits.
    """
    bound = magnitude(x) * magnitude(weights) * max(1, weights.shape[1])
    if bound >= _FLOAT64_EXACT:
        rows = np.abs(weights.astype(np.int64)).sum(axis=1)
        bound = magnitude(x) * int(rows.max(initial=0))
    dtype = exact_dtype(bound)
    product = x.astype(dtype) @ weights.astype(dtype).T
    return product.astype(np.int32 if dtype is np.float32 else np.int64)


def _row_scale(scale: Real, rows: int) -> Real | None:
    """A weight scale as [MH] or [1], or None where it varies within a row."""
    if scale.size == 1:
        return scale.reshape(1)
    if scale.shape == (rows, 1):
        return scale.reshape(rows)
    return None


def real_matmul(x: Value, weights: Value) -> Value:
    """`x @ weights.T` on real tensors.

    Where both stand for levels, the weights with one scale a row and `x` with scales
    that share a grid, the sum of the levels is exact and
    the result stands for levels too. Otherwise it is a sum in float64 rounded once, of
    the weights' levels where they have one scale a row.

    Args:
        x: real [.., MW].
        weights: real [MH, MW].
    """
    row_scale = None
    if isinstance(weights, Scaled):
        row_scale = _row_scale(weights.scale, weights.levels.shape[0])
    if not isinstance(weights, Scaled) or row_scale is None:
        left: Array = as_array(x).astype(np.float64)
        right: Array = as_array(weights).astype(np.float64)
        return (left @ right.T).astype(np.float32)
    source = None
    if isinstance(x, Scaled):
        source = on_channel_grids(x, x.levels.ndim - 1)
    if source is not None:
        sums = integer_matmul(source.levels, weights.levels)
        return Scaled(sums, source.scale.reshape(1) * row_scale)
    # Multiples of a power of two have exact sums here too, scaled once like levels.
    reals: Array = as_array(x).astype(np.float64)
    products: Array = reals @ weights.levels.astype(np.float64).T
    return (products * row_scale.astype(np.float64)).astype(np.float32)
