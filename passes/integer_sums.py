"""Patterns: sums, pools and concatenations of dequantised tensors, on their levels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.utils.exceptions import PassFailedException

from passes.explicit_padding import pad_levels, padded_with
from passes.scaled_levels import (
    UniformLevels,
    scaled_levels,
    summand,
    uniform_levels,
    whole_number,
)
from qdialect.constants import constant, constant_array
from qdialect.data import Array
from qdialect.elementwise import AddOp, MulOp, SubOp
from qdialect.grids import Integers, common_grid, level_of, sum_grids
from qdialect.location import where
from qdialect.pooling import SumPoolOp
from qdialect.quantisers import DequantizeOp
from qdialect.ranges import bounds
from qdialect.rearranging import ConcatOp, PadOp
from qdialect.scaling import varies_along
from qdialect.types import (
    BipolarType,
    element_of,
    integer_type_for,
    is_real,
    shape_of,
    signed,
    tensor_type,
    value_range,
    width_bits,
    with_element,
)
from qdialect.windows import numbers, spatial_axes

# Sums beyond this are not exact in the float64 of a dequantiser.
_MAX_SUM = 1 << 53
# Greater zero points are not all float32 numbers.
_MAX_ZERO_POINT = 1 << 24


def _replace(
    op: Operation,
    new: list[Operation],
    scale: float | Array,
    zero_point: int | Integers,
    rewriter: PatternRewriter,
) -> None:
    """Replace `op` by the dequantised result of the last of `new`.

    A zero point that float32 does not hold is taken off the levels.
    """
    levels = new[-1].results[0]
    if np.abs(zero_point).max() > _MAX_ZERO_POINT:
        levels = _shifted(new, levels, -zero_point)
        zero_point = 0
    factor = constant(np.array(scale, np.float32))
    zero = constant(np.array(zero_point, np.float32))
    result = DequantizeOp(levels, factor, zero, op.results[0].type)
    new = [*new, factor, zero, result]
    for inner in new:
        inner.location = op.location
    rewriter.replace(op, new, result.results)


class IntegerSum(RewritePattern):
    """A sum of two dequantised tensors becomes one of their levels.

    before: add(dequantize(a, s, y), dequantize(b, t, z))
    after:  dequantize(add(mul(a, p), mul(b, q)), g, p * y + q * z)

    where g is the coarsest grid with s = p * g and t = q * g, exactly; with equal
    scales p and q are 1. This is how the sum of such tensors is defined. A zero point
    beyond 2**24 is added as a constant instead.

    Where a scale differs from channel to channel, as that of a convolution that is not
    quantised again, or a constant was added, as its bias, so do g, p and q, and the
    constant becomes one of the zero point (`sum_grids`).
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: AddOp | SubOp, rewriter: PatternRewriter, /
    ) -> None:
        if not is_real(element_of(op.out)):
            return
        lhs, rhs = uniform_levels(op.lhs), uniform_levels(op.rhs)
        if lhs is None or rhs is None:
            _sum_of_channels(op, rewriter)
            return
        grid = common_grid(lhs.scale, rhs.scale)
        if grid is None:
            return
        p, q = grid.steps
        new: list[Operation] = []
        lhs, rhs = lhs.without_factors(new), rhs.without_factors(new)
        left, right = _times(new, lhs, p), _times(new, rhs, q)
        sign = -1 if isinstance(op, SubOp) else 1
        corners = [p * a + sign * q * b for a in lhs.range for b in rhs.range]
        kind = type(op)
        new.append(
            kind(left, right, with_element(tensor_type(op.out), _sum(op, corners)))
        )
        zero = p * lhs.zero_point + sign * q * rhs.zero_point
        _replace(op, new, float(grid.scale), zero, rewriter)


def _sum_of_channels(op: AddOp | SubOp, rewriter: PatternRewriter) -> None:
    """As `IntegerSum`, with a grid for each channel."""
    lhs, rhs = summand(op.lhs), summand(op.rhs)
    if lhs is None or rhs is None:
        return
    sign = np.float32(-1 if isinstance(op, SubOp) else 1)
    grids = sum_grids(
        (lhs.scale, sign * rhs.scale), (lhs.constant, sign * rhs.constant)
    )
    if grids is None:
        return
    new: list[Operation] = []
    operands = [lhs.without_factors(new), rhs.without_factors(new)]
    zero = -grids.constant
    ends: list[tuple[int, int]] = []
    terms: list[SSAValue] = []
    for operand, steps in zip(operands, grids.steps, strict=True):
        zero = zero + operand.zero_point * steps
        corners = [
            end * int(step)
            for end in bounds(operand.levels)
            for step in (steps.min(), steps.max())
        ]
        ends.append((min(corners), max(corners)))
        if bool((steps == 1).all()):
            terms.append(operand.levels)
            continue
        factor = constant(steps)
        element = _sum(op, corners)
        type_ = with_element(tensor_type(operand.levels), element)
        new += [factor, MulOp(operand.levels, factor, type_)]
        terms.append(new[-1].results[0])
    largest = int(np.abs(zero).max())
    least, most = (sum(column) for column in zip(*ends, strict=True))
    _sum(op, [least - largest, most + largest])
    type_ = with_element(tensor_type(op.out), _sum(op, [least, most]))
    new.append(AddOp(terms[0], terms[1], type_))
    _replace(op, new, grids.scale, zero, rewriter)


def _times(new: list[Operation], value: UniformLevels, steps: int) -> SSAValue:
    """The levels in steps of another grid; ops are appended to `new`."""
    if steps == 1:
        return value.levels
    factor = constant(np.array(steps, np.int64))
    low, high = value.range
    element = _signed_for(low * steps, high * steps)
    type_ = with_element(tensor_type(value.levels), element)
    product = MulOp(value.levels, factor, type_)
    new += [factor, product]
    return product.out


def _sum(op: Operation, corners: Sequence[int]) -> IntegerType:
    low, high = min(corners), max(corners)
    if max(-low, high) > _MAX_SUM:
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: the scales of the operands share no grid "
            "on which the sum is below 2**53; give both one quantiser"
        )
    return _signed_for(low, high)


def _signed_for(low: int, high: int) -> IntegerType:
    type_ = integer_type_for(low, high)
    return signed(width_bits(type_) + 1) if low >= 0 else type_


class IntegerSumPool(RewritePattern):
    """A sum pool of a dequantised tensor becomes one of its levels.

    before: sum_pool(dequantize(q, s, z))
    after:  dequantize(sum_pool(q), s, taps * z)

    Each channel may have a scale of its own. Where it pads and z is not 0, the levels
    are padded with z first.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumPoolOp, rewriter: PatternRewriter, /) -> None:
        value = scaled_levels(op.input)
        if not is_real(element_of(op.out)) or value is None:
            return
        rank = len(shape_of(op.input))
        axes = spatial_axes(rank, channels_last=op.is_channels_last)
        scale = value.scale
        if scale is None or varies_along(scale, rank, axes):
            return
        if whole_number(value.zero_point) is None:
            return
        new: list[Operation] = []
        value = value.without_factors(new)
        zero = whole_number(value.zero_point) or 0
        x, pads = value.levels, numbers(op.pads)
        if zero != 0 and any(pads):
            new += padded_with(x, zero, axes, pads)
            x, pads = new[-1].results[0], (0,) * len(pads)
        taps = prod(numbers(op.kernel))
        low, high = value_range(element_of(x))
        element = _sum(op, [min(0, taps * low), taps * high])
        pool = SumPoolOp(
            x,
            with_element(tensor_type(op.out), element),
            kernel=numbers(op.kernel),
            strides=numbers(op.strides),
            pads=pads,
            dilations=numbers(op.dilations),
            channels_last=op.is_channels_last,
        )
        new.append(pool)
        scale = scale.reshape(()) if scale.size == 1 else scale
        _replace(op, new, scale, taps * zero, rewriter)


class IntegerConcat(RewritePattern):
    """A concatenation of dequantised tensors becomes one of their levels.

    Levels of unequal scales are first taken to the grid that all share, and those of
    unequal zero points are shifted to that of the first, or to 0 where it is large.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConcatOp, rewriter: PatternRewriter, /) -> None:
        parts = [uniform_levels(value) for value in op.inputs]
        values = [part for part in parts if part is not None]
        if not is_real(element_of(op.out)) or len(values) < len(parts):
            return
        grid = common_grid(*(value.scale for value in values))
        if grid is None:
            return
        new: list[Operation] = []
        values = [value.without_factors(new) for value in values]
        zero = values[0].zero_point * grid.steps[0]
        zero = 0 if abs(zero) > _MAX_ZERO_POINT else zero
        operands: list[SSAValue] = []
        for value, steps in zip(values, grid.steps, strict=True):
            shift = zero - value.zero_point * steps
            operands.append(_shifted(new, _times(new, value, steps), shift))
        element = reduce(_holding_both, (element_of(operand) for operand in operands))
        type_ = with_element(tensor_type(op.out), element)
        new.append(ConcatOp(operands, type_, axis=op.axis.value.data))
        _replace(op, new, float(grid.scale), zero, rewriter)


def _shifted(new: list[Operation], levels: SSAValue, shift: int | Integers) -> SSAValue:
    if not np.any(shift):
        return levels
    low, high = value_range(element_of(levels))
    element = _signed_for(low + int(np.min(shift)), high + int(np.max(shift)))
    other = constant(np.array(shift, np.int64))
    total = AddOp(levels, other, with_element(tensor_type(levels), element))
    new += [other, total]
    return total.out


def _holding_both(first: Attribute, second: Attribute) -> Attribute:
    """The narrowest type that holds the values of two."""
    if first == second:
        return first
    low, high = (
        pick(a, b)
        for pick, a, b in zip(
            (min, max), value_range(first), value_range(second), strict=True
        )
    )
    for element in (first, second):
        if value_range(element) == (low, high) and element != BipolarType():
            return element
    return integer_type_for(low, high)


class IntegerPad(RewritePattern):
    """Padding of a dequantised tensor becomes one of its levels.

    before: pad(dequantize(q, s, z), v)
    after:  dequantize(pad(q, k + z), s, z)     where v = k * s, exactly
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: PadOp, rewriter: PatternRewriter, /) -> None:
        value, fill = uniform_levels(op.input), constant_array(op.value)
        if not is_real(element_of(op.out)) or value is None or fill is None:
            return
        level = level_of(float(fill.item()), value.scale)
        if level is None:
            return
        low, high = numbers(op.low), numbers(op.high)
        new: list[Operation] = []
        value = value.without_factors(new)
        new += pad_levels(value.levels, level + value.zero_point, low, high)
        _replace(op, new, value.scale, value.zero_point, rewriter)
