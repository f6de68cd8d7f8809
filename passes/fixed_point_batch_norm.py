"""`fixed-point-batch-norm`: batch norms as `k * n + h` with k and h in fixed point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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

from passes.chain_domain import ChainDomain, chain_domain
from passes.fixed_point import (
    Affine,
    FixedPoint,
    Fractions,
    affine_start,
    finest,
    fixed_point_affine,
    rounded,
    sum_is_exact,
)
from passes.fixed_point_record import FixedPointRecord, add_record, records
from passes.level_differences import level_differences
from qdialect.activation import ThresholdOp
from qdialect.chains import Chain, chain_to
from qdialect.constants import constant
from qdialect.elementwise import AddOp, BatchNormOp, MulOp, SubOp
from qdialect.location import source_name, where
from qdialect.quantisers import DequantizeOp, QuantizeOp, SignOp
from qdialect.ranges import bounds
from qdialect.semantics import along_axis
from qdialect.types import (
    element_of,
    integer_type_for,
    is_real,
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
        before = chain_to(op.input) if is_real(element_of(op.input)) else None
        if before is None:
            return
        exact = chain_domain(
            self._options.name, op, Chain(before.root, (*before.ops, op))
        )
        ops = exact.chain.ops
        affine, count = affine_start(ops, exact.inner)
        if not affine.is_batch_norm:
            return
        words = self._words(op, affine, before.root)
        constants, start = _on_integers(exact, words, ops[count - 1])
        tail = _moved(ops[count:], ops[count - 1].results[0], start[-1].results[0])
        fixed = replace(exact, chain=Chain(before.root, (*start, *tail)))
        self._record(op, exact, fixed, words, _node(ops[:count]))
        rewriter.replace(op, (*constants, *start, *tail), tail[-1].results)

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

    def _record(
        self,
        op: QuantizeOp | SignOp | ThresholdOp,
        exact: ChainDomain,
        fixed: ChainDomain,
        words: _Words,
        node: str | None,
    ) -> None:
        found = level_differences(
            exact, fixed, element_of(op.out), self._options.max_table
        )
        if found is None:
            low, high = bounds(exact.chain.root)
            raise PassFailedException(
                f"{self._options.name}: {where(op)}: the accumulator's range [{low}, "
                f"{high}] is too large to tabulate and the chain is not known to be "
                "monotone; raise max-table"
            )
        record = FixedPointRecord(
            node or where(op),
            self._options.bits,
            words.slope.fraction,
            words.intercept.fraction,
            tuple(found.values.tolist()),
            tuple(found.differing.tolist()),
            tuple(found.greatest.tolist()),
        )
        add_record(self._module, record)


def _node(ops: Sequence[Operation]) -> str | None:
    """Name of the batch norm among affine operations, that of its last addition."""
    sums = [op for op in ops if isinstance(op, BatchNormOp | AddOp | SubOp)]
    return source_name(sums[-1])


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


def _moved(ops: Sequence[Operation], old: SSAValue, new: SSAValue) -> list[Operation]:
    """Copies of operations, each of the result of the one before, from `new` on."""
    copies: list[Operation] = []
    for op in ops:
        copy = op.clone({old: new})
        copy.location = op.location
        copies.append(copy)
        old, new = op.results[0], copy.results[0]
    return copies


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
