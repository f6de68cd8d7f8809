"""`shift-batch-norm`: batch norms whose scale is a power of two."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.utils.exceptions import PassFailedException

from passes.batch_norm_chain import BatchNormChain, batch_norm_chain
from passes.fixed_point import Affine, Fractions
from passes.shift_record import ShiftRecord, add_record, records
from qdialect.activation import ThresholdOp
from qdialect.constants import constant
from qdialect.elementwise import AddOp
from qdialect.location import where
from qdialect.quantisers import DequantizeOp, QuantizeOp, SignOp
from qdialect.semantics import along_axis
from qdialect.types import shape_of, tensor_type

# The scales that float32 holds with full precision.
_EXPONENTS = range(-126, 128)


def nearest_power(number: Fraction) -> tuple[int, int]:
    """Sign and exponent of AP2: the power of two that is nearest in its logarithm.

    A number halfway, an odd power of the square root of 2, is no fraction.

    >>> nearest_power(Fraction(3, 4)), nearest_power(Fraction(-5, 7))
    ((1, 0), (-1, 0))

    Returns:
        -1, 0 or 1, and the exponent, 0 for the number 0.
    """
    if number == 0:
        return 0, 0
    size = abs(number)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    # 2**(exponent - 1) < size < 2**(exponent + 1); its square tells on which side of
    # the square root of 2 it is.
    square = size * size
    while square > Fraction(2) ** (2 * exponent + 1):
        exponent += 1
    while square < Fraction(2) ** (2 * exponent - 1):
        exponent -= 1
    return (1 if number > 0 else -1), exponent


class ShiftBatchNorm(RewritePattern):
    """`quantiser(f(batch_norm(dequantize(n))))`, its scale a power of two.

    before: quantiser(f(add(mul(dequantize(n, s, z), slope), intercept)))
    after:  quantiser(f(add(dequantize(n, AP2(k)), offset)))     k = s * slope
    """

    def __init__(self, options: ShiftBatchNormPass, module: ModuleOp):
        self._options = options
        self._module = module

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: QuantizeOp | SignOp | ThresholdOp, rewriter: PatternRewriter, /
    ) -> None:
        norm = batch_norm_chain(self._options.name, op)
        if norm is None:
            return
        powers = [nearest_power(number) for number in norm.affine.slope]
        if any(exponent not in _EXPONENTS for _, exponent in powers):
            raise PassFailedException(
                f"{self._options.name}: {where(op)}: a scale of the batch norm is no "
                "float32 number of full precision"
            )
        scales = [sign * Fraction(2) ** exponent for sign, exponent in powers]
        offsets = norm.affine.intercept
        if not self._options.keep_offset:
            offsets = _with_kept_zeros(norm.affine, scales)
        constants, start = _shifted(norm, scales, offsets)
        rest = norm.rest_on(start[-1].results[0])
        found = norm.differences((*start, *rest), self._options.max_table)
        record = ShiftRecord(
            norm.node,
            tuple(exponent for _, exponent in powers),
            tuple(found.values.tolist()),
            tuple(found.differing.tolist()),
            tuple(found.greatest.tolist()),
        )
        add_record(self._module, record)
        new = (*norm.before, *constants, *start, *rest)
        rewriter.replace(op, new, rest[-1].results)


def _with_kept_zeros(affine: Affine, scales: Fractions) -> Fractions:
    """Offsets with which each channel is 0 where it was; as they are where it is not."""
    return [
        h if k == 0 else h * scale / k
        for k, h, scale in zip(affine.slope, affine.intercept, scales, strict=True)
    ]


def _shifted(
    norm: BatchNormChain, scales: Fractions, offsets: Fractions
) -> tuple[list[Operation], list[Operation]]:
    """Constants, and the operations from the accumulator to the batch norm's value."""
    last = norm.taken[-1]
    type_, rank = tensor_type(last.results[0]), len(shape_of(norm.root))
    factor, offset = (
        constant(
            along_axis(
                np.array([float(number) for number in numbers], np.float32),
                rank,
                norm.domain.axis,
            )
        )
        for numbers in (scales, offsets)
    )
    zero = constant(np.zeros((), np.float32))
    value = DequantizeOp(norm.root, factor, zero, type_)
    total = AddOp(value, offset, type_)
    for inner in (factor, offset, zero, value, total):
        inner.location = last.location
    return [factor, offset, zero], [value, total]


@dataclass(frozen=True)
class ShiftBatchNormPass(ModulePass):
    """Write batch norms before quantisers as a shift and an addition.

    Stands between `lower-to-integer` and `floor-thresholds`, so that everything behind
    it computes the same.

    1. The operations from an accumulator n to a quantiser start with affine ones. Where
       they multiply by constants and add constants, they are a batch norm, together
       `k * n + h` on each channel, k and h exact; k has the scale of n in it.
    2. k becomes AP2(k), `sign(k) * 2**round(log2 |k|)`: k * n is n shifted. A k of 0
       stays.
    3. h becomes `h * AP2(k) / k`, so that each channel is 0 for the n for which it was,
       and a sign behind it stays as it is, but for what float32 rounds; with
       `keep-offset` h stays instead.
    4. The product is exact, and the sum is rounded to float32.
    5. On every accumulator that a channel can take, its level is compared with that of
       the exact batch norm. The counts are an attribute of the module, and a note.

    Not exact; rule 5 says by how much. A network that was trained with such batch norms,
    and whose scales are powers of two, is left as it was: no count is above 0. What no
    quantiser reads stays as it is.

    Source: Courbariaux et al. 2016, BinaryNet, arXiv:1602.02830, algorithm 3.
    """

    name = "shift-batch-norm"
    is_exact: ClassVar[bool] = False

    keep_offset: bool = False
    """Leave h as it is, not where a channel is 0."""
    max_table: int = 1 << 24
    """Most evaluations for one quantiser: accumulator values times channels."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(ShiftBatchNorm(self, op)).rewrite_module(op)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each batch norm: its shifts, and what they change."""
        return [str(record) for record in records(module)]
