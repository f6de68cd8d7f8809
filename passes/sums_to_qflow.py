"""Sums, differences, products and absolute values of tensors as units.

What is affine in its operands becomes one unit, its constants the unit's factors and bias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation, SSAValue

from passes.arranging_to_qflow import repeated
from passes.stream_conversion import (
    Conversion,
    expect_integer,
    refusal,
    stream_in,
)
from qdialect import qflow
from qdialect.constants import constant_array, is_constant
from qdialect.elementwise import AbsOp, AddOp, BinaryOp, MulOp, SubOp
from qdialect.types import element_of, is_level, shape_of

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Affine:
    """Sum of `value * factor` over the terms, plus an offset.

    Attributes:
        terms: computed tensors and their factors.
        offset: the constant part.

    Factors and offset broadcast to the result.
    """

    terms: Mapping[SSAValue, Integers]
    offset: Integers

    def plus(self, other: _Affine) -> _Affine:
        """The sum of both."""
        terms = dict(self.terms)
        for value, factor in other.terms.items():
            terms[value] = terms[value] + factor if value in terms else factor
        return _Affine(terms, self.offset + other.offset)

    def times(self, factor: Integers) -> _Affine:
        """All of it multiplied by a constant."""
        terms = {value: old * factor for value, old in self.terms.items()}
        return _Affine(terms, self.offset * factor)


_ONE = np.ones((), np.int64)
_ZERO = np.zeros((), np.int64)


def convert_sum_op(conversion: Conversion, op: Operation) -> bool:
    """Put the unit of a sum, product or magnitude in front of it; whether it is one.

    Raises:
        PassFailedException: no unit computes it.
    """
    if isinstance(op, AbsOp):
        expect_integer(op, op.out, "lower-to-integer")
        type_ = stream_in(element_of(op.out), shape_of(op.out))
        unit = qflow.AbsOp(conversion.stream(op, op.input), type_)
        conversion.streams[op.out] = conversion.unit(op, unit)
        return True
    if not isinstance(op, AddOp | SubOp | MulOp):
        return False
    expect_integer(op, op.out, "lower-to-integer")
    form = _affine_of(op)
    if form is None:
        conversion.streams[op.out] = _product(conversion, op)
    elif not form.terms:
        raise refusal(op, "its operands are constants; accepted are computed values")
    else:
        conversion.streams[op.out] = _sum(conversion, op, form)
    return True


def _affine_of(op: BinaryOp) -> _Affine | None:
    """What an op makes of computed tensors; None where it multiplies two of them."""
    joins = not is_constant(op.lhs) and not is_constant(op.rhs)
    lhs, rhs = _operand(op.lhs, joins=joins), _operand(op.rhs, joins=joins)
    match op:
        case AddOp():
            return lhs.plus(rhs)
        case SubOp():
            return lhs.plus(rhs.times(-_ONE))
        case _ if not lhs.terms:
            return rhs.times(lhs.offset)
        case _ if not rhs.terms:
            return lhs.times(rhs.offset)
        case _:
            return None


def _operand(value: SSAValue, *, joins: bool) -> _Affine:
    """An operand by what it is made from, as far as its reader can compute that too.

    A sum that another is added to, or that others read, has a unit of its own: buffers
    hold it instead of all its terms.
    """
    array = constant_array(value)
    if array is not None:
        return _Affine({}, array.astype(np.int64))
    op = value.owner
    if isinstance(op, AddOp | SubOp | MulOp) and is_level(element_of(value)):
        form = _affine_of(op)
        if form is not None and (
            len(form.terms) == 1 or (not joins and value.has_one_use())
        ):
            return form
    return _Affine({value: _ONE}, _ZERO)


def _sum(conversion: Conversion, op: BinaryOp, form: _Affine) -> SSAValue:
    shape = shape_of(op.out)
    factors = [_reduced(factor, len(shape)) for factor in form.terms.values()]
    offset = _reduced(form.offset, len(shape))
    (first, *others) = form.terms
    is_same = element_of(first) == element_of(op.out) and shape_of(first) == shape
    if is_same and not others and (factors[0] == 1).all() and not offset.any():
        return conversion.stream(op, first)
    # Vectors as long as the constants need, to tell their elements by the place.
    axis = min(_first_axis(array) for array in (*factors, offset))
    inner = shape[axis:]
    vectors = (*shape[:axis], prod(inner))
    streams = [
        _broadcast(conversion, op, value, shape, vectors) for value in form.terms
    ]
    rows = [_row(factor, inner) for factor in factors]
    unit = qflow.AddOp(
        streams,
        conversion.parameter(op, np.stack(rows)),
        conversion.parameter(op, _row(offset, inner)),
        stream_in(element_of(op.out), vectors),
    )
    return conversion.unit(op, unit)


def _product(conversion: Conversion, op: BinaryOp) -> SSAValue:
    shape = shape_of(op.out)
    lhs, rhs = (
        _broadcast(conversion, op, value, shape, shape) for value in (op.lhs, op.rhs)
    )
    unit = qflow.MulOp(lhs, rhs, stream_in(element_of(op.out), shape))
    return conversion.unit(op, unit)


def _broadcast(
    conversion: Conversion,
    op: Operation,
    value: SSAValue,
    shape: Sequence[int],
    vectors: Sequence[int],
) -> SSAValue:
    """The stream of an operand that broadcasts to `shape`, given as `vectors`."""
    found = shape_of(value)
    if len(found) != len(shape):
        raise refusal(
            op,
            f"{list(found)} and {list(shape)} differ in rank; reshape the operand so "
            "that both lead with the frame",
        )
    stream = conversion.stream(op, value)
    if found != tuple(shape):
        factors = [n // own for n, own in zip(shape, found, strict=True)]
        stream = repeated(conversion, op, stream, found, factors)
    return conversion.reshaped(op, stream, vectors)


def _reduced(array: Integers, rank: int) -> Integers:
    """A constant with as many axes as a tensor, of extent 1 where it does not vary."""
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    for axis in range(rank):
        first = array.take([0], axis)
        if bool((array == first).all()):
            array = first
    return array


def _first_axis(array: Integers) -> int:
    """The first axis along which a constant varies; the last where it does not."""
    varying = [axis for axis, n in enumerate(array.shape) if n > 1]
    return varying[0] if varying else array.ndim - 1


def _row(array: Integers, inner: Sequence[int]) -> Integers:
    """A constant of each place of a vector that has axes of these extents."""
    return np.broadcast_to(
        array, (1,) * (array.ndim - len(inner)) + tuple(inner)
    ).reshape(-1)
