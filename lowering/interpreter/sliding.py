"""Sliding windows on batches of maps: convolutions by BLAS, pools by shifted slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lowering.interpreter.products import exact_dtype, magnitude
from qdialect.data import Array
from qdialect.semantics import Levels
from qdialect.windows import Window

# What one product may copy of its windows: the caches hold it.
_CHUNK_BYTES = 1 << 23

_Dtype = np.dtype[np.generic] | type[np.generic]


def with_channels_last(array: Array, *, already: bool) -> Array:
    """A view of a map [N, C, ..], or of weights [O, C, ..], with the channels last."""
    return array if already else np.moveaxis(array, 1, -1)


def channels_as_before(array: Array, *, last: bool) -> Array:
    """The inverse of `with_channels_last`."""
    return array if last else np.moveaxis(array, -1, 1)


def integer_conv(
    x: Levels,
    weights: Levels,
    window: Window,
    groups: int,
    dtype: _Dtype | None = None,
) -> Levels:
    """Exact sums of a convolution, in the narrowest format that holds them.

    Args:
        x: levels [N, .., C].
        weights: levels [O, .., C / groups].
        window: an entry for each spatial axis.
        groups: number of groups.
        dtype: integer dtype of the result, which holds every sum; without it, the
            narrower of int32 and int64 that does.

    Raises:
        OverflowError: a sum could exceed 64 bits.
    """
    rows = np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1)
    format_ = exact_dtype(magnitude(x) * int(rows.max(initial=0)))
    if dtype is None:
        dtype = np.int32 if format_ is np.float32 else np.int64
    return convolution(x, weights, window, groups, format_, dtype)


def convolution(
    x: Array,
    weights: Array,
    window: Window,
    groups: int,
    format_: _Dtype,
    dtype: _Dtype,
) -> Array:
    """A convolution computed in `format_` and given in `dtype`.

    Args:
        x: [N, .., C].
        weights: [O, .., C / groups].
        window: an entry for each spatial axis.
        groups: number of groups.
        format_: dtype of the arithmetic.
        dtype: dtype of the result.

    Returns:
        [N, .., O].
    """
    extents = x.shape[1:-1]
    counts = [axis.windows(n) for axis, n in zip(window, extents, strict=True)]
    frames, rows, depth = len(x), len(weights), weights.shape[-1]
    out = np.empty((frames, *counts, rows), dtype)
    matrix = weights.astype(format_)
    bytes_a_frame = prod(counts) * prod(weights.shape[1:]) * np.dtype(format_).itemsize
    step = max(1, _CHUNK_BYTES // max(1, bytes_a_frame))
    for start in range(0, frames, step):
        part = padded(x[start : start + step], window, format_, 0)
        target = out[start : start + step]
        if depth == 1 and groups > 1:
            _depthwise(part, matrix, window, target)
            continue
        for group in range(groups):
            outs = slice(group * rows // groups, (group + 1) * rows // groups)
            columns = part[..., group * depth : (group + 1) * depth]
            _dense(columns, matrix[outs], window, target[..., outs])
    return out


def _dense(x: Array, weights: Array, window: Window, out: Array) -> None:
    """One group: windows side by side, times the matrix of weights."""
    columns = prod(weights.shape[1:])
    rows = windows_view(x, window, out.shape[1:-1]).reshape(-1, columns)
    product_ = rows @ weights.reshape(-1, columns).T
    np.copyto(out, product_.reshape(out.shape), casting="unsafe")


def _depthwise(x: Array, weights: Array, window: Window, out: Array) -> None:
    """Groups of one channel each: tap by tap, all channels at once."""
    multiplier = len(weights) // x.shape[-1]
    source = x if multiplier == 1 else np.repeat(x, multiplier, axis=-1)
    taps = weights.reshape(len(weights), -1).T
    total = np.zeros(out.shape, x.dtype)
    for tap, view in zip(taps, tap_views(source, window, out.shape[1:-1]), strict=True):
        total += view * tap
    np.copyto(out, total, casting="unsafe")


def padded(x: Array, window: Window, dtype: _Dtype, fill: float) -> Array:
    """`x` [N, .., C] stretched and padded, in another dtype; `fill` elsewhere."""
    if all(a.before == a.after == 0 and a.stretch == 1 for a in window):
        return np.ascontiguousarray(x, dtype)
    extents = x.shape[1:-1]
    shape = [axis.padded(n) for axis, n in zip(window, extents, strict=True)]
    out = np.full((len(x), *shape, x.shape[-1]), fill, dtype)
    inside = tuple(
        slice(axis.before, axis.before + axis.stretched(n), axis.stretch)
        for axis, n in zip(window, extents, strict=True)
    )
    out[(slice(None), *inside)] = x
    return out


def windows_view(x: Array, window: Window, counts: Sequence[int]) -> Array:
    """All windows of a padded map, without a copy: [N, windows.., taps.., C]."""
    inner = x.strides[1:-1]
    steps = [axis.stride * n for axis, n in zip(window, inner, strict=True)]
    taps = [axis.dilation * n for axis, n in zip(window, inner, strict=True)]
    return as_strided(
        x,
        (len(x), *counts, *(axis.kernel for axis in window), x.shape[-1]),
        (x.strides[0], *steps, *taps, x.strides[-1]),
        writeable=False,
    )


def tap_views(x: Array, window: Window, counts: Sequence[int]) -> Iterator[Array]:
    """For each tap in row-major order, what it sees of a padded map: [N, windows.., C]."""
    for taps in product(*(range(axis.kernel) for axis in window)):
        where = tuple(
            slice(
                tap * axis.dilation,
                tap * axis.dilation + (count - 1) * axis.stride + 1,
                axis.stride,
            )
            for tap, axis, count in zip(taps, window, counts, strict=True)
        )
        yield x[(slice(None), *where)]


def max_pool(x: Array, window: Window) -> Array:
    """The greatest element of each window of a map [N, .., C], in its dtype."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype.name).min
    source = padded(x, window, x.dtype, least)
    if _is_global(window, source):
        return source.max(axis=_spatial(x), keepdims=True)
    counts = _counts(x, window)
    first, *rest = tap_views(source, window, counts)
    out = first.copy()
    for view in rest:
        np.maximum(out, view, out=out)
    return out


def sum_pool(x: Array, window: Window, dtype: _Dtype) -> Array:
    """The sum of each window of a map [N, .., C], added in `dtype`."""
    source = padded(x, window, dtype, 0)
    if _is_global(window, source):
        return source.sum(axis=_spatial(x), keepdims=True, dtype=dtype)
    counts = _counts(x, window)
    out = np.zeros((len(x), *counts, x.shape[-1]), dtype)
    for view in tap_views(source, window, counts):
        out += view
    return out


def _counts(x: Array, window: Window) -> list[int]:
    return [axis.windows(n) for axis, n in zip(window, x.shape[1:-1], strict=True)]


def _spatial(x: Array) -> tuple[int, ...]:
    return tuple(range(1, x.ndim - 1))


def _is_global(window: Window, source: Array) -> bool:
    """Whether one window covers the whole padded map, tap by element."""
    return all(
        axis.kernel == n and axis.dilation == 1
        for axis, n in zip(window, source.shape[1:-1], strict=True)
    )
