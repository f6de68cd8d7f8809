"""The types of sums of products, before their ranges are proven tight."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from qdialect.constants import constant_array
from qdialect.location import where
from qdialect.ranges import bounds
from qdialect.types import (
    element_of,
    integer_type_for,
    shape_of,
    signed,
    value_range,
    width_bits,
)

_MOST_BITS = 64


def accumulator_type(op: Operation, x: SSAValue, weights: SSAValue) -> IntegerType:
    """The signed type of the worst sum of products of levels with a row of weights.

    That is the worst of the element types, where 64 bits hold it. Where they do not,
    the weights must be known and prove that they hold every sum.

    Args:
        op: the product, for messages.
        x: levels.
        weights: levels, [O, ..].

    Raises:
        PassFailedException: a sum may exceed 64 bits.
    """
    columns = prod(shape_of(weights)[1:])
    corners = [
        a * b * columns
        for a in value_range(element_of(x))
        for b in value_range(element_of(weights))
    ]
    type_ = integer_type_for(min(*corners, 0), max(corners))
    if min(corners) >= 0:
        type_ = signed(width_bits(type_) + 1)
    if width_bits(type_) <= _MOST_BITS:
        return type_
    greatest = max(map(abs, bounds(x)))
    array = constant_array(weights)
    sums = float(max(map(abs, corners)))
    if array is not None:
        rows = np.abs(array.astype(np.float64)).reshape(len(array), -1).sum(axis=1)
        # More than what float64 sums may lack.
        sums = float(rows.max()) * greatest * (1 + 2.0**-20)
    if sums >= 2.0 ** (_MOST_BITS - 1):
        bits = int(np.frexp(sums)[1]) + 1
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: its sums may need {bits} bits, of which "
            f"there are {_MOST_BITS}; choose fewer bits for the weights, such as posits "
            "of smaller n or es, or for the input"
        )
    return signed(_MOST_BITS)
