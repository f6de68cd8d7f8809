"""Pattern: stored posits as the integers that they are multiples of."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from passes.new_weights import constant_like
from qdialect.constants import DecodeOp, constant, constant_data
from qdialect.data import Array, TensorDataAttr, decode
from qdialect.from_posit import FromPositOp
from qdialect.location import where
from qdialect.posit import PositType, dyadic, posit_values
from qdialect.quantisers import DequantizeOp
from qdialect.types import element_of, integer_type_for, unsigned, with_element

# Greater tables take more room than the levels of most layers would.
_MOST_TABLE_BITS = 8


class PositToLevels(RewritePattern):
    """`from_posit(c)` becomes `dequantize(decode(codes, table), 2**power)`.

    Exact: power is that of the least bit that occurs in a value of c, so that each is
    an integer times 2**power. The codes stay as they are stored, and the table has an
    entry for each code; that of a code that does not occur is 0. Posits of more than 8
    bits become their integers at once.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: FromPositOp, rewriter: PatternRewriter, /) -> None:
        data = constant_data(op.input)
        element = element_of(op.input)
        if data is None or not isinstance(element, PositType):
            return
        try:
            levels, power = dyadic(data.to_numpy())
        except OverflowError as error:
            raise PassFailedException(
                f"lower-to-integer: {where(op)}: {error}; choose posits of smaller n "
                "or es"
            ) from error
        if element.n <= _MOST_TABLE_BITS:
            weights = _decoded(op, data, element, power)
        else:
            type_ = _signed_type(levels)
            weights = constant_like(op.input, levels, "levels", type_)
        scale = constant(np.array(2.0**power, np.float32))
        zero = constant(np.zeros((), np.float32))
        value = DequantizeOp(weights, scale, zero, op.out.type)
        for new in (scale, zero, value):
            new.location = op.location
        rewriter.replace(op, (scale, zero, value), value.results)


def _decoded(
    op: FromPositOp, data: TensorDataAttr, element: PositType, power: int
) -> SSAValue:
    """The integers of posits, decoded from the codes that they are stored as."""
    codes = decode(with_element(data.type, unsigned(element.n)), data.raw.data)
    every = np.arange(1 << element.n)
    occurs = np.isin(every, codes)
    values = posit_values(every, element)
    entries = np.ldexp(np.where(occurs, values, 0.0), -power).astype(np.int64)
    stored = constant_like(op.input, codes, "codes", unsigned(element.n))
    table = constant(entries, _signed_type(entries))
    result = DecodeOp(stored, table)
    for new in (table, result):
        new.location = op.location
    Rewriter.insert_op([table, result], InsertPoint.before(op))
    return result.out


def _signed_type(levels: Array) -> IntegerType:
    return integer_type_for(min(int(levels.min()), -1), int(levels.max()))
