"""The packed level: bit planes in words, dot products by popcount."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation

from lowering.interpreter.values import Value, as_array
from qdialect.bit_planes import pack_words, plane_words, unpack_words
from qdialect.data import Array
from qdialect.packed import PackedMatMulOp, PackedType, PackOp, UnpackOp, packed_type
from qdialect.popcount import Form, popcount_sum
from qdialect.semantics import storage_dtype
from qdialect.types import element_of

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]


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
        case _:
            return None


def packed_matmul(
    input: Array, input_type: PackedType, weights: Array, weight_type: PackedType
) -> Integers:
    """Exact sums [.., MH] of an input [.., planes, words] and stored weights."""
    x = input.astype(np.uint64)
    w = plane_words(weights, weight_type).astype(np.uint64)
    plan = popcount_sum(input_type.tensor.element_type, weight_type.tensor.element_type)
    columns = weight_type.tensor.get_shape()[1]
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
            return w[:, 0] & (w[:, 1] ^ x[..., 0, :])
        case Form.INPUT_MASK:
            return x[..., 0, :] & (x[..., 1, :] ^ w[:, 0])
        case Form.DIFFER:
            return x[..., 0, :] & w[:, 0] & (x[..., 1, :] ^ w[:, 1])
