"""Patterns: absolute values and products of dequantised tensors, on their levels."""

from __future__ import annotations

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.utils.exceptions import PassFailedException

from passes.scaled_levels import (
    centred,
    multiplied,
    scaled_levels,
    whole_numbers,
)
from qdialect.chains import data_operand
from qdialect.constants import constant, constant_array, is_constant
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.elementwise import AbsOp, BinaryOp, MulOp
from qdialect.linear import MatMulOp
from qdialect.location import where
from qdialect.pooling import SumPoolOp
from qdialect.quantisers import DequantizeOp
from qdialect.rearranging import ConcatOp, PadOp
from qdialect.scaling import product_scale, scaling
from qdialect.types import (
    element_of,
    integer_type_for,
    is_real,
    tensor_type,
    value_range,
    with_element,
)

# Products beyond this are not exact in the float64 of a dequantiser.
_MAX_PRODUCT = 1 << 53


def _replace(
    op: Operation, new: list[Operation], scale: Array, rewriter: PatternRewriter
) -> None:
    """Replace `op` by the dequantised result of the last of `new`."""
    levels = new[-1].results[0]
    factor = constant(scale.astype(np.float32))
    zero = constant(np.zeros((), np.float32))
    result = DequantizeOp(levels, factor, zero, op.results[0].type)
    new = [*new, factor, zero, result]
    for inner in new:
        inner.location = op.location
    rewriter.replace(op, new, result.results)


class IntegerAbs(RewritePattern):
    """The absolute value of dequantised levels, where it is summed, is one of levels.

    before: abs(dequantize(q, s, z))
    after:  dequantize(abs(q - z), |s|)

    and `abs(x * c)` becomes `abs(x) * |c|`, which float32 rounds alike. One that only
    quantisers read is part of their chain.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AbsOp, rewriter: PatternRewriter, /) -> None:
        if not is_real(element_of(op.out)) or not _is_summed(op.out):
            return
        if (step := scaling(op.input.owner)) is not None:
            _past_scaling(op, step.op, step.data, rewriter)
            return
        source = op.input.owner
        if not isinstance(source, DequantizeOp):
            return
        scale = constant_array(source.scale)
        zero = whole_numbers(constant_array(source.zero_point))
        if scale is None or zero is None:
            return
        new: list[Operation] = []
        levels = centred(source.input, zero, new)
        low, high = value_range(element_of(levels))
        type_ = with_element(tensor_type(op.out), integer_type_for(0, max(-low, high)))
        _replace(op, [*new, AbsOp(levels, type_)], np.abs(scale), rewriter)


def _past_scaling(
    op: AbsOp, step: BinaryOp, data: SSAValue, rewriter: PatternRewriter
) -> None:
    other = step.rhs if data is step.lhs else step.lhs
    array = constant_array(other)
    assert array is not None
    number = constant(np.abs(array), element_of(other))
    magnitude = AbsOp(data, op.out.type)
    scaled = type(step)(magnitude, number, op.out.type)
    for inner in (number, magnitude):
        inner.location = op.location
    scaled.location = step.location
    rewriter.replace(op, (number, magnitude, scaled), scaled.results)


def _is_summed(value: SSAValue) -> bool:
    """Whether a real value ends in a sum, or a product with another computed one."""
    for use in value.uses:
        match use.operation:
            case MatMulOp() | ConvOp() | SumPoolOp() | ConcatOp() | PadOp():
                return True
            case BinaryOp() as op if data_operand(op) is None:
                return True
            case op:
                results = [r for r in op.results if is_real(element_of(r))]
                if any(map(_is_summed, results)):
                    return True
    return False


class IntegerMul(RewritePattern):
    """A product, element by element, of two dequantised tensors is one of their levels.

    before: mul(dequantize(a, s, y), dequantize(b, t, z))
    after:  dequantize(mul(a - y, b - z), s * t)

    The operands broadcast, such as XNOR-Net's map K, of one channel, against the sums
    of a convolution. This is how the product of such tensors is defined: exact, and
    scaled once.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /) -> None:
        if not is_real(element_of(op.out)) or data_operand(op) is not None:
            return
        new: list[Operation] = []
        found = [_centred_levels(value, new) for value in (op.lhs, op.rhs)]
        if found[0] is None or found[1] is None:
            return
        (lhs, lhs_scale), (rhs, rhs_scale) = found[0], found[1]
        scale = product_scale(lhs_scale, rhs_scale)
        if scale is None:
            return
        ends = [value_range(element_of(value)) for value in (lhs, rhs)]
        corners = [a * b for a in ends[0] for b in ends[1]]
        low, high = min(corners), max(corners)
        if max(-low, high) > _MAX_PRODUCT:
            raise PassFailedException(
                f"lower-to-integer: {where(op)}: the product of the levels can exceed "
                "2**53; give the operands quantisers of fewer bits"
            )
        element = integer_type_for(min(low, -1), high)
        type_ = with_element(tensor_type(op.out), element)
        _replace(op, [*new, MulOp(lhs, rhs, type_)], scale, rewriter)


def _centred_levels(
    value: SSAValue, new: list[Operation]
) -> tuple[SSAValue, Array] | None:
    """Levels of zero point 0, and their scale; ops that make them go to `new`."""
    found = None if is_constant(value) else scaled_levels(value)
    zero = None if found is None else whole_numbers(found.zero_point)
    if found is None or zero is None or found.scale is None:
        return None
    if found.factors is not None:
        one = int(zero.item())
        return multiplied(found.levels, one, found.factors, new), found.scale
    return centred(found.levels, zero, new), found.scale
