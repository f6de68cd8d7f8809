"""Patterns: products and convolutions of dequantised tensors, on their levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, TypeAlias

import numpy as np
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.utils.exceptions import PassFailedException

from passes.accumulator_types import accumulator_type
from passes.explicit_padding import padded_with
from passes.scaled_levels import ScaledLevels, scaled_levels
from qdialect.chains import data_operand
from qdialect.constants import constant, constant_array
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.elementwise import AbsOp, DivOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.location import where
from qdialect.pooling import SumPoolOp
from qdialect.quantisers import DequantizeOp
from qdialect.rearranging import PadOp
from qdialect.scaling import Integers, channel_grids
from qdialect.types import (
    element_of,
    integer_type_for,
    is_real,
    shape_of,
    tensor_type,
    value_range,
    with_element,
)
from qdialect.windows import channel_axis, numbers, spatial_axes

Product: TypeAlias = MatMulOp | ConvOp

# Whole numbers up to here are float32 numbers.
_MAX_ZERO_POINT = 1 << 24

# No level of 32 bits is greater.
_GREATEST_LEVEL = 1 << 32


class FoldPadding(RewritePattern):
    """`conv(pad(x, 0))` becomes a convolution that pads.

    Exact: what a convolution pads adds 0 to the sum.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConvOp, rewriter: PatternRewriter, /) -> None:
        pad = op.input.owner
        if not isinstance(pad, PadOp) or op.stretch is not None:
            return
        value = constant_array(pad.value)
        if not is_real(element_of(op.out)) or value is None or value.item() != 0:
            return
        rank = len(pad.amounts)
        axes = spatial_axes(rank, channels_last=op.is_channels_last)
        if any(any(pad.amounts[a]) for a in range(rank) if a not in axes):
            return
        low = [pad.amounts[axis][0] for axis in axes]
        high = [pad.amounts[axis][1] for axis in axes]
        pads = zip(numbers(op.pads), (*low, *high), strict=True)
        total = [a + b for a, b in pads]
        result = conv_like(op, pad.input, op.weights, total, op.out.type)
        result.location = op.location
        rewriter.replace(op, result, result.results)


def conv_like(
    op: ConvOp,
    x: SSAValue,
    weights: SSAValue,
    pads: Sequence[int],
    type_: Attribute,
) -> ConvOp:
    """A convolution as `op`, of other operands, padding and type."""
    return ConvOp(
        x,
        weights,
        type_,
        strides=numbers(op.strides),
        pads=pads,
        dilations=numbers(op.dilations),
        stretch=() if op.stretch is None else numbers(op.stretch),
        groups=op.group_count,
        channels_last=op.is_channels_last,
    )


class IntegerProduct(RewritePattern):
    """A product of two dequantised tensors becomes one of their levels.

    before: product(dequantize(q, s, z), dequantize(w, t, u))
    after:  dequantize(product(q, w - u), s * t, z * rowsum(w - u))

    Exact: sums of integers; this is how the product of such tensors is defined. Scales
    of the summed channels that share a grid are taken into the weights, and those of a
    depthwise convolution into its rows (`channel_grids`). Where a convolution pads and
    z is not 0, the levels are padded with z first, which stands for 0. The accumulator
    gets the type of the worst case; `narrow-accumulators` tightens it.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: MatMulOp | ConvOp, rewriter: PatternRewriter, /
    ) -> None:
        if not is_real(element_of(op.out)):
            return
        source, weights = scaled_levels(op.input), scaled_levels(op.weights)
        if source is None or weights is None or weights.factors is not None:
            return
        new = _integer_product(op, source, weights)
        for inner in new:
            inner.location = op.location
        rewriter.replace(op, new, new[-1].results)


def refuse_real_product(op: Product) -> NoReturn:
    """Say which operand of a product that is left is not quantised.

    Raises:
        PassFailedException: always.
    """
    what = "product" if isinstance(op, MatMulOp) else "convolution"
    if scaled_levels(op.input) is None:
        if (magnitude := _summed_magnitude(op.input)) is not None:
            raise PassFailedException(
                f"lower-to-integer: {where(op)}: it adds up absolute values of real "
                f"numbers, {where(magnitude)}; put a Quant before that, such as one of "
                "8 bits behind the batch norm, which the sign reads too"
            )
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: the input of the {what} is not "
            "quantised; put a Quant or BipolarQuant before it"
        )
    raise PassFailedException(
        f"lower-to-integer: {where(op)}: the weights are real numbers; "
        "quantise them with Quant or BipolarQuant, or by a pass before this one, such "
        "as quantize-weights, ternarise-weights or posit-weights (--before)"
    )


def _summed_magnitude(value: SSAValue) -> AbsOp | None:
    """The absolute value that a real value is averaged from, or None."""
    while isinstance(op := value.owner, AbsOp | SumPoolOp | MulOp | DivOp):
        if isinstance(op, AbsOp):
            return op
        data = data_operand(op)
        if data is None:
            return None
        value = data
    return None


def _integer_product(
    op: Product, source: ScaledLevels, weights: ScaledLevels
) -> list[Operation]:
    rows = shape_of(op.weights)[0]
    new: list[Operation] = []
    source = source.without_factors(new)
    scale, factors = _of_channels(op, source.scale, rows)
    zero = _number(op, source.zero_point, "the zero point of the input")
    row_scale = _of_rows(op, weights.scale, rows)
    matrix = weights.levels
    changed = _changed_weights(op, weights, factors)
    if changed is not None:
        shifted, steps = changed
        row_scale = row_scale / np.float32(steps)
        replaced = constant(shifted)
        new.append(replaced)
        matrix = replaced.out
    levels = constant_array(matrix)
    offset = _over_channels(op, _offset(op, zero, levels))
    total = constant(_over_channels(op, scale * row_scale))
    x = source.levels
    if isinstance(op, MatMulOp):
        sums = accumulator_type(op, x, matrix)
        product: Product = MatMulOp(x, matrix, with_element(tensor_type(op.out), sums))
    else:
        pads = numbers(op.pads)
        if zero != 0 and op.is_padded:
            padding = _padding(op, x, int(zero))
            new += padding
            x, pads = padding[-1].results[0], (0,) * len(pads)
        sums = accumulator_type(op, x, matrix)
        type_ = with_element(tensor_type(op.out), sums)
        product = conv_like(op, x, matrix, pads, type_)
    new.append(product)
    levels_out = product.out
    if np.any(np.abs(offset) > _MAX_ZERO_POINT):
        difference = _without_offset(product.out, offset)
        new += difference
        levels_out, offset = difference[-1].results[0], np.zeros((), np.int64)
    zero_out = constant(offset.astype(np.float32))
    new += [zero_out, total]
    return [*new, DequantizeOp(levels_out, total, zero_out, op.out.type)]


def _without_offset(sums: SSAValue, offset: Array) -> list[Operation]:
    """The sums less what is no float32 number, and so no zero point of theirs."""
    low, high = value_range(element_of(sums))
    low, high = low - int(offset.max()), high - int(offset.min())
    other = constant(offset)
    type_ = with_element(tensor_type(sums), integer_type_for(low, high))
    return [other, SubOp(sums, other, type_)]


def _padding(op: ConvOp, x: SSAValue, zero: int) -> list[Operation]:
    if op.stretch is not None:
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: the zero point {zero} of the input of a "
            "transposed convolution has no integer form; expected 0"
        )
    axes = spatial_axes(len(shape_of(x)), channels_last=op.is_channels_last)
    return padded_with(x, zero, axes, numbers(op.pads))


def _over_channels(op: Product, array: Array) -> Array:
    """A [] or [O] parameter, shaped to broadcast against the result of `op`."""
    if array.ndim == 0 or isinstance(op, MatMulOp) or op.is_channels_last:
        return array
    return array.reshape(-1, *(1 for _ in op.extents))


def _offset(op: Product, zero: float, weights: Array | None) -> Array:
    """What the input's zero point adds to each row's sum, int64 [] or [O]."""
    if zero == 0:
        return np.zeros((), np.int64)
    if weights is None or zero != round(zero):
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: a zero point must be an integer and needs "
            f"constant weights, got {zero}"
        )
    if abs(zero) > _GREATEST_LEVEL:
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: expected a zero point of at most 32 bits, "
            f"got {zero}"
        )
    sums = weights.astype(np.int64).reshape(len(weights), -1).sum(axis=1)
    return int(zero) * sums


def _number(op: Product, array: Array | None, what: str) -> float:
    if array is None or array.size != 1:
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: {what} must be one constant number"
        )
    return float(array.ravel()[0])


def _of_channels(
    op: Product, scale: Array | None, rows: int
) -> tuple[Array, Integers | None]:
    """The scale of the input as one of the sums, [] or [O].

    Returns:
        That scale, and the factors that the weights of each row take, [O, I], or None
        where they stay as they are.
    """
    if scale is not None and scale.size == 1:
        return scale.reshape(()), None
    shape = shape_of(op.input)
    axis, groups = len(shape) - 1, 1
    if isinstance(op, ConvOp):
        axis = channel_axis(len(shape), channels_last=op.is_channels_last)
        groups = op.group_count
    grids = None if scale is None else channel_grids(scale, shape, axis, groups)
    if grids is None:
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: the scale of the input must be one "
            "constant number, or one of each channel in small whole ratios, such as "
            "powers of two; a scale that varies along the summed axis has no integer "
            "product"
        )
    if groups == 1:
        number, factors = grids.scale.reshape(()), grids.steps.reshape(1, -1)
    else:
        number = np.repeat(grids.scale, rows // groups)
        factors = np.repeat(grids.steps.reshape(groups, -1), rows // groups, axis=0)
    return number, None if grids.is_unit else factors


def _of_rows(op: Product, array: Array | None, rows: int) -> Array:
    """A weight parameter as [] or [O]."""
    if array is not None and array.size == 1:
        return array.reshape(())
    shape = [rows, *(1 for _ in shape_of(op.weights)[1:])]
    if array is not None and list(array.shape) == shape:
        return array.reshape(rows)
    raise PassFailedException(
        f"lower-to-integer: {where(op)}: scale and zero point of the weights must be "
        "constants of one number or of shape "
        f"{shape}, got {'a computed one' if array is None else list(array.shape)}"
    )


def _changed_weights(
    op: Product, weights: ScaledLevels, factors: Integers | None
) -> tuple[Array, int] | None:
    """Weights less their zero point, times the factors of the channels that they meet.

    Where a zero point lies halfway between two levels, as between the 2^k odd levels of
    DoReFa (arXiv:1606.06160), the weights count in halves of a level.

    Returns:
        The weights and their steps of a level, 1 or 2; None where the zero point is 0
        and there are no factors.
    """
    zero = _of_rows(op, weights.zero_point, shape_of(op.weights)[0])
    if not np.any(zero) and factors is None:
        return None
    levels = constant_array(weights.levels)
    steps = 1 if np.all(np.rint(zero) == zero) else 2
    whole = np.rint(steps * zero).astype(np.int64)
    if levels is None or np.any(whole != steps * zero):
        raise PassFailedException(
            f"lower-to-integer: {where(op)}: the zero point of the weights must be a "
            "constant integer, or halfway between two"
        )
    levels = steps * levels.astype(np.int64)
    levels -= whole.reshape(-1, *(1 for _ in levels.shape[1:]))
    if factors is None:
        return levels, steps
    channel = 1
    if isinstance(op, ConvOp):
        channel = channel_axis(levels.ndim, channels_last=op.is_channels_last)
    extents = [1] * levels.ndim
    extents[0], extents[channel] = factors.shape
    return levels * factors.reshape(extents), steps
