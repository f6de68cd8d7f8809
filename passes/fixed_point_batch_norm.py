"""`fixed-point-batch-norm`: batch norms as `k * n + h` with k and h in fixed point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.utils.exceptions import PassFailedException

from passes.batch_norm_chain import batch_norm_chain
from passes.chain_domain import ChainDomain
from passes.fixed_point import (
    Affine,
    FixedPoint,
    Fractions,
    finest,
    fixed_point_affine,
    rounded,
    sum_is_exact,
)
from passes.fixed_point_record import FixedPointRecord, add_record, records
from qdialect.activation import ThresholdOp
from qdialect.constants import constant
from qdialect.elementwise import AddOp, MulOp
from qdialect.location import where
from qdialect.quantisers import DequantizeOp, QuantizeOp, SignOp
from qdialect.ranges import bounds
from qdialect.semantics import along_axis
from qdialect.types import (
    integer_type_for,
    shape_of,
    tensor_type,
    with_element,
)

_MOST_BITS = 32


@dataclass(frozen=True)
class _Words:
    """Slope and intercept of every channel in fixed point."""

    slope: FixedPoint
    intercept: FixedPoint

    @property
    def fraction(self) -> int:
        """Bits behind the point of the sum."""
        return max(self.slope.fraction, self.intercept.fraction)


class FixedPointBatchNorm(RewritePattern):
    """`quantiser(f(batch_norm(dequantize(n))))`, the batch norm on integers.

    before: quantiser(f(add(mul(dequantize(n, s, z), slope), intercept)))
    after:  quantiser(f(dequantize(add(mul(n, K), H), 2**-fraction)))

    K and H are integers, one a channel; f is anything element-wise.
    """

    def __init__(self, options: FixedPointBatchNormPass, module: ModuleOp):
        self._options = options
        self._module = module

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: QuantizeOp | SignOp | ThresholdOp, rewriter: PatternRewriter, /
    ) -> None:
        norm = batch_norm_chain(self._options.name, op)
        if norm is None:
            return
        words = self._words(op, norm.affine, norm.root)
        constants, start = _on_integers(norm.domain, words, norm.taken[-1])
        rest = norm.rest_on(start[-1].results[0])
        found = norm.differences((*start, *rest), self._options.max_table)
        record = FixedPointRecord(
            norm.node,
            self._options.bits,
            words.slope.fraction,
            words.intercept.fraction,
            tuple(found.values.tolist()),
            tuple(found.differing.tolist()),
            tuple(found.greatest.tolist()),
        )
        add_record(self._module, record)
        new = (*norm.before, *constants, *start, *rest)
        rewriter.replace(op, new, rest[-1].results)

    def _words(self, op: Operation, affine: Affine, root: SSAValue) -> _Words:
        bits, fraction = self._options.bits, self._options.fraction
        greatest = max(map(abs, bounds(root)))
        if fraction is None:
            return _Words(*fixed_point_affine(affine, bits, greatest))
        slope = self._word(op, "k", affine.slope, fraction)
        words = _Words(slope, self._word(op, "h", affine.intercept, fraction))
        if not sum_is_exact(words.slope, words.intercept, greatest):
            raise PassFailedException(
                f"{self._options.name}: {where(op)}: k * n + h exceeds 2**53 steps of "
                f"2**-{fraction}; give a smaller fraction"
            )
        return words

    def _word(
        self, op: Operation, name: str, numbers: Fractions, fraction: int
    ) -> FixedPoint:
        bits = self._options.bits
        found = rounded(numbers, bits, fraction)
        if found is None:
            worst = max(numbers, key=abs)
            raise PassFailedException(
                f"{self._options.name}: {where(op)}: {name} of channel "
                f"{numbers.index(worst)} is {float(worst):g}, which {bits} bits with "
                f"{fraction} behind the point do not hold; "
                f"{finest(numbers, bits).fraction} behind the point would"
            )
        return found


def _on_integers(
    domain: ChainDomain, words: _Words, last: Operation
) -> tuple[list[Operation], list[Operation]]:
    """Constants, and the operations from the accumulator to the value of `last`."""
    root, type_ = domain.chain.root, tensor_type(last.results[0])
    rank = len(shape_of(root))
    factor, offset = (
        along_axis(number.aligned(words.fraction), rank, domain.axis)
        for number in (words.slope, words.intercept)
    )
    corners = [int(k) * n for k in (factor.min(), factor.max()) for n in bounds(root)]
    low, high = min(corners), max(corners)
    k, h = constant(factor), constant(offset)
    scaled = with_element(type_, integer_type_for(low, high))
    product = MulOp(root, k, scaled)
    low, high = low + int(offset.min()), high + int(offset.max())
    total = AddOp(product, h, with_element(type_, integer_type_for(low, high)))
    scale = constant(np.array(2.0**-words.fraction, np.float32))
    zero = constant(np.zeros((), np.float32))
    value = DequantizeOp(total, scale, zero, type_)
    for inner in (k, h, scale, zero, product, total, value):
        inner.location = last.location
    return [k, h, scale, zero], [product, total, value]


@dataclass(frozen=True)
class FixedPointBatchNormPass(ModulePass):
    """Write batch norms before quantisers as `k * n + h`, k and h in fixed point.

    Stands between `lower-to-integer` and `floor-thresholds`, so that everything behind
    it computes the same. Without it, thresholds are those of the exact batch norm.

    1. The operations from an accumulator n to a quantiser start with affine ones. Where
       they multiply by constants and add constants, they are a batch norm, together
       `k * n + h` on each channel, k and h exact.
    2. k and h are rounded to nearest, ties to even, in words of `bits` bits. Each layer
       has its own point for k and for h: as many bits behind it as its greatest number
       leaves, and as the sum stays below 2**53 with. With `fraction` both have that
       many, and a number that would saturate is refused.
    3. The sum of integers is exact. Where it becomes a real number again it is rounded
       to float32 once, as everything is that a quantiser reads.
    4. On every accumulator that a channel can take, its level is compared with that of
       the exact batch norm. The counts are an attribute of the module, and a note.

    Not exact; rule 4 says by how much. What no quantiser reads, such as the batch norm
    behind the last layer, stays as it is.

    Source: Zhao et al. 2017, "Accelerating Binarized Convolutional Neural Networks with
    Software-Programmable FPGAs".
    """

    name = "fixed-point-batch-norm"
    is_exact: ClassVar[bool] = False

    bits: int = 16
    """Word length of k and of h."""
    fraction: int | None = None
    """Bits behind the point, of k and of h; without it, the most that fit."""
    max_table: int = 1 << 24
    """Most evaluations for one quantiser: accumulator values times channels."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not 2 <= self.bits <= _MOST_BITS:
            raise PassFailedException(
                f"{self.name}: bits must be from 2 to {_MOST_BITS}, got {self.bits}"
            )
        patterns = GreedyRewritePatternApplier([FixedPointBatchNorm(self, op)])
        PatternRewriteWalker(patterns).rewrite_module(op)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each batch norm: its fixed point, and what that changes."""
        return [str(record) for record in records(module)]
