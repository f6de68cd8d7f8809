"""The packed level: bit planes in words, dot products by popcount."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation

from lowering.interpreter.sliding import padded, tap_views, windows_view
from lowering.interpreter.values import Value, as_array
from qdialect.bit_planes import pack_words, plane_words, unpack_words
from qdialect.data import Array
from qdialect.packed import PackedMatMulOp, PackedType, PackOp, UnpackOp, packed_type
from qdialect.packed_maps import (
    PackedConvOp,
    PackedMaxPoolOp,
    PackedReshapeOp,
    sums_under_padding,
)
from qdialect.popcount import Form, PopcountSum, popcount_sum
from qdialect.semantics import storage_dtype
from qdialect.types import BipolarType, element_of
from qdialect.windows import Window

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]

# What the sums of one batch of frames may take: the caches hold it.
_CHUNK_BYTES = 1 << 23


def run_packed_op(op: Operation, operands: Sequence[Value]) -> list[Value] | None:
    """Results of an op on packed words, or None for any other op.

    Packed values are arrays of words of the shape of `PackedType.storage`, with any
    number of frames along the leading axis.
    """
    match op:
        case PackOp():
            return [pack_words(as_array(operands[0]), packed_type(op.out))]
        case UnpackOp():
            return [unpack_words(as_array(operands[0]), packed_type(op.input))]
        case PackedMatMulOp():
            input, weights = map(as_array, operands)
            sums = packed_matmul(
                input, packed_type(op.input), weights, packed_type(op.weights)
            )
            return [sums.astype(storage_dtype(element_of(op.out)))]
        case PackedConvOp():
            sums = _packed_conv(op, *map(as_array, operands))
            return [sums.astype(storage_dtype(element_of(op.out)))]
        case PackedMaxPoolOp():
            return [_packed_max_pool(op, as_array(operands[0]))]
        case PackedReshapeOp():
            shape = packed_type(op.out).storage.get_shape()
            return [as_array(operands[0]).reshape(-1, *shape[1:])]
        case _:
            return None


def packed_matmul(
    input: Array, input_type: PackedType, weights: Array, weight_type: PackedType
) -> Integers:
    """Exact sums [.., MH] of an input [.., planes, words] and stored weights."""
    return _sums(
        input.astype(np.uint64),
        plane_words(weights, weight_type).astype(np.uint64),
        popcount_sum(input_type.tensor.element_type, weight_type.tensor.element_type),
        weight_type.tensor.get_shape()[1],
    )


def _sums(x: Words, w: Words, plan: PopcountSum, columns: int) -> Integers:
    """Sums [.., MH] over `columns` of planes x [.., planes, words] and w [MH, ..]."""
    rows = (*x.shape[:-2], w.shape[0])
    sums = np.full(rows, plan.constant * columns, np.int64)
    for factor, plane in plan.of_weights:
        sums += factor * _ones(w[:, plane])
    for factor, plane in plan.of_input:
        sums += factor * _ones(x[..., plane, :])[..., np.newaxis]
    for term in plan.terms:
        sums += term.factor * _counted(
            term.form, x, w, term.input_plane, term.weight_plane
        )
    return sums


def _packed_conv(op: PackedConvOp, input: Array, weights: Array) -> Integers:
    """Exact sums [N, windows.., O]: a window is a vector of the words of its pixels."""
    input_type, weight_type = packed_type(op.input), packed_type(op.weights)
    window, extents = op.window, op.extents
    counts = [axis.windows(n) for axis, n in zip(window, extents, strict=True)]
    rows, *inner = weight_type.tensor.get_shape()
    planes = plane_words(weights, weight_type).astype(np.uint64)
    w = _vectors(planes, len(window))
    element = input_type.tensor.element_type
    plan = popcount_sum(element, weight_type.tensor.element_type)
    sums = np.empty((len(input), *counts, rows), np.int64)
    step = max(1, _CHUNK_BYTES // max(1, prod(counts) * rows * sums.itemsize))
    for start in range(0, len(input), step):
        windows = _windows_of_words(input[start : start + step], window, counts)
        x = _vectors(windows, len(window))
        sums[start : start + step] = _sums(x, w, plan, prod(inner))
    if isinstance(element, BipolarType):
        levels = unpack_words(weights, weight_type).astype(np.int64)
        missing, classes = sums_under_padding(window, extents, levels.sum(axis=-1))
        sums += missing[np.ix_(*classes, np.arange(rows))]
    return sums


def _windows_of_words(input: Array, window: Window, counts: Sequence[int]) -> Array:
    """Windows [N, windows.., taps.., planes, words] of a map; padding is words of 0."""
    pixels = input.reshape(*input.shape[:-2], -1)
    windows = windows_view(padded(pixels, window, np.uint64, 0), window, counts)
    return windows.reshape(*windows.shape[:-1], *input.shape[-2:])


def _vectors(words: Array, rank: int) -> Words:
    """[.., taps.., planes, words] as [.., planes, taps * words]; `rank` axes of taps."""
    planes_first = np.moveaxis(words, -2, -2 - rank)
    return planes_first.reshape(*planes_first.shape[: -1 - rank], -1)


def _packed_max_pool(op: PackedMaxPoolOp, input: Array) -> Array:
    """The OR of the words of each window of a map [N, .., planes, words]."""
    window = op.window
    counts = [axis.windows(n) for axis, n in zip(window, op.extents, strict=True)]
    pixels = padded(input.reshape(*input.shape[:-2], -1), window, input.dtype, 0)
    first, *rest = tap_views(pixels, window, counts)
    out = first.copy()
    for view in rest:
        np.bitwise_or(out, view, out=out)
    return out.reshape(*out.shape[:-1], *input.shape[-2:])


def _ones(words: Words) -> Integers:
    """Bits set along the last axis."""
    return np.bitwise_count(words).sum(axis=-1, dtype=np.int64)


def _counted(form: Form, x: Words, w: Words, i: int, j: int) -> Integers:
    """Popcounts [.., MH], summed over the words one word at a time.

    A whole [.., MH, words] array would not fit the cache; a plane of it does.
    """
    counts = np.zeros((*x.shape[:-2], w.shape[0]), np.int64)
    for k in range(x.shape[-1]):
        counts += np.bitwise_count(
            _combined(form, x[..., k, np.newaxis], w[..., k], i, j)
        )
    return counts


def _combined(form: Form, x: Words, w: Words, i: int, j: int) -> Words:
    """The words of a form, x [.., planes, 1] and w [MH, planes]."""
    match form:
        case Form.AND:
            return x[..., i, :] & w[:, j]
        case Form.XOR:
            return x[..., i, :] ^ w[:, j]
        case Form.WEIGHT_MASK:
            return w[:, j] & (w[:, -1] ^ x[..., 0, :])
        case Form.INPUT_MASK:
            return x[..., 0, :] & (x[..., 1, :] ^ w[:, j])
        case Form.DIFFER:
            return x[..., 0, :] & w[:, j] & (x[..., 1, :] ^ w[:, -1])
