"""`narrow-sums`: small factors for the operands of sums that thresholds read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import Rewriter

from passes.separating_factors import WeightedSum
from passes.threshold_rows import ThresholdRows
from qdialect.activation import ThresholdOp
from qdialect.chains import data_operand
from qdialect.constants import constant, constant_array, is_constant
from qdialect.elementwise import AddOp, BinaryOp, MulOp, SubOp
from qdialect.ranges import bounds, exact_bounds
from qdialect.rearranging import ConcatOp
from qdialect.semantics import along_axis
from qdialect.types import (
    integer_type_for,
    shape_of,
    signed,
)

Integers = npt.NDArray[np.int64]

# Thresholds of all channels times the values of the narrower operand.
_MAX_PAIRS = 1 << 28


def _number(value: SSAValue) -> int | None:
    """A constant of one element, or None."""
    array = constant_array(value)
    return int(array.item()) if array is not None and array.size == 1 else None


def _collect(value: SSAValue, factor: int, terms: dict[SSAValue, int]) -> int:
    """Add `factor * value` to the terms; the part of it that is constant is returned.

    A sum that others read too is a term of its own.
    """
    number, op = _number(value), value.owner
    if number is not None:
        return factor * number
    match op:
        case AddOp() | SubOp() if value.has_one_use():
            other = -factor if isinstance(op, SubOp) else factor
            return _collect(op.lhs, factor, terms) + _collect(op.rhs, other, terms)
        case MulOp() if (times := _number(op.rhs)) is not None:
            return _collect(op.lhs, factor * times, terms)
        case MulOp() if (times := _number(op.lhs)) is not None:
            return _collect(op.rhs, factor * times, terms)
        case _:
            terms[value] = terms.get(value, 0) + factor
            return 0


class NarrowSum(RewritePattern):
    """`threshold(add(mul(a, p), mul(b, q)), t)` gets smaller p and q, and other t.

    For every a and b in their ranges the level stays the same. Of one operand the
    thresholds are divided: `threshold(add(mul(a, p), c), t)` reads a itself.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ThresholdOp, rewriter: PatternRewriter, /) -> None:
        if (rows := ThresholdRows.of(op)) is None:
            return
        terms: dict[SSAValue, int] = {}
        offset = _collect(op.input, 1, terms)
        source = op.input.owner
        if 0 in terms.values() or any(map(is_constant, terms)):
            return
        if not terms or not isinstance(source, Operation):
            return
        if np.broadcast_shapes(*map(shape_of, terms)) != shape_of(op.input):
            return
        rows = replace(rows, thresholds=rows.thresholds - offset)
        new: list[Operation] = []
        if len(terms) > 1:
            distinct, index = np.unique(rows.thresholds, return_inverse=True)
            ranges = tuple(map(bounds, terms))
            found = WeightedSum(tuple(terms.values()), ranges, distinct).narrowed()
            if found is None:
                return
            factors, steps = found
            new += _weighted(zip(terms, factors, strict=True), source)
            thresholds = steps[index].reshape(rows.thresholds.shape)
            new += replace(rows, thresholds=thresholds).applied(new[-1].results[0])
        elif op.input not in terms:
            ((value, factor),) = terms.items()
            new += rows.divided(factor, *bounds(value)).applied(value)
        if new:
            rewriter.replace(op, new, new[-1].results)


class NarrowChannelSum(RewritePattern):
    """As `NarrowSum`, for factors that differ from channel to channel.

    Two scales of each channel, such as those of a convolution that is not quantised
    again and of a shortcut, share a grid of that channel.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ThresholdOp, rewriter: PatternRewriter, /) -> None:
        rows, source = ThresholdRows.of(op), op.input.owner
        if rows is None or not isinstance(source, AddOp | SubOp):
            return
        operands = (source.lhs, source.rhs)
        if not op.input.has_one_use() or any(map(is_constant, operands)):
            return
        axis, rank = op.axis.value.data, len(shape_of(op.input))
        lhs, rhs = (_channel_term(v, len(rows.thresholds), axis) for v in operands)
        if lhs is None or rhs is None or lhs[0] is rhs[0]:
            return
        values = (lhs[0], rhs[0])
        if np.broadcast_shapes(*map(shape_of, values)) != shape_of(op.input):
            return
        factors = np.stack([lhs[1], -rhs[1] if isinstance(source, SubOp) else rhs[1]])
        ranges = (bounds(values[0]), bounds(values[1]))
        pairs = min(high - low + 1 for low, high in ranges) * rows.thresholds.size
        if bool((factors == factors[:, :1]).all()) or pairs > _MAX_PAIRS:
            return
        thresholds = rows.thresholds.copy()
        smaller = factors.copy()
        for channel, row in enumerate(rows.thresholds):
            own = tuple(int(factor) for factor in factors[:, channel])
            distinct, index = np.unique(row, return_inverse=True)
            found = None
            if 0 not in own:
                found = WeightedSum(own, ranges, distinct).simplified()
            if found is not None:
                smaller[:, channel] = found[0]
                thresholds[channel] = found[1][index]
        if np.array_equal(smaller, factors):
            return
        new: list[Operation] = []
        terms: list[SSAValue] = []
        for value, own in zip(values, smaller, strict=True):
            if not bool((own == 1).all()):
                factor = own[:1] if bool((own == own[0]).all()) else own
                new.append(constant(along_axis(factor, rank, axis)))
                value = _joined(new, MulOp, value, new[-1].results[0])
            terms.append(value)
        total = _joined(new, AddOp, *terms)
        for inner in new:
            inner.location = source.location
        new += replace(rows, thresholds=thresholds).applied(total)
        rewriter.replace(op, new, new[-1].results)


def _channel_term(
    value: SSAValue, channels: int, axis: int
) -> tuple[SSAValue, Integers] | None:
    """A value without the constants that it is multiplied with, and these, [C].

    None where one varies along another axis than that of the channels.
    """
    factor = np.ones(channels, np.int64)
    while isinstance(op := value.owner, MulOp):
        data = data_operand(op)
        if data is None or shape_of(data) != shape_of(op.out):
            break
        array = constant_array(op.rhs if data is op.lhs else op.lhs)
        if array is None:
            return None
        rank = len(shape_of(value))
        full = array.astype(np.int64).reshape((1,) * (rank - array.ndim) + array.shape)
        if full.size != full.shape[axis]:
            return None
        factor = factor * full.ravel()
        value = data
    return value, factor


class ThresholdParts(RewritePattern):
    """`threshold(concat(mul(a, p), b), t)` becomes a concat of thresholds.

    Parts that were brought to a common grid need not be as wide as that grid is fine.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ThresholdOp, rewriter: PatternRewriter, /) -> None:
        concat, rows = op.input.owner, ThresholdRows.of(op)
        if not isinstance(concat, ConcatOp) or rows is None:
            return
        owners = [part.owner for part in concat.inputs]
        are_brought = any(isinstance(owner, AddOp | SubOp | MulOp) for owner in owners)
        if not are_brought or any(map(is_constant, concat.inputs)):
            return
        if not op.input.has_one_use():
            return
        axis = concat.axis.value.data
        of_parts = [rows] * len(owners)
        if axis == op.axis.value.data:
            of_parts = rows.parts([shape_of(part)[axis] for part in concat.inputs])
        new: list[Operation] = []
        levels: list[SSAValue] = []
        for part, of_part in zip(concat.inputs, of_parts, strict=True):
            new += of_part.applied(part)
            levels.append(new[-1].results[0])
        result = ConcatOp(levels, op.out.type, axis=axis)
        result.location = concat.location
        rewriter.replace(op, [*new, result], result.results)


def _weighted(
    terms: Iterable[tuple[SSAValue, int]], source: Operation
) -> list[Operation]:
    """The ops that add up values times their factors; the last one gives the sum.

    They stand in the place of `source`.
    """
    new: list[Operation] = []
    # What is subtracted comes last.
    (first, factor), *others = sorted(terms, key=lambda term: term[1] < 0)
    total = _times(new, first, factor)
    for value, factor in others:
        kind = AddOp if factor > 0 else SubOp
        total = _joined(new, kind, total, _times(new, value, abs(factor)))
    for inner in new:
        inner.location = source.location
    return new


def _times(new: list[Operation], value: SSAValue, factor: int) -> SSAValue:
    if factor == 1:
        return value
    new.append(constant(np.array(factor, np.int64)))
    return _joined(new, MulOp, value, new[-1].results[0])


def _joined(
    new: list[Operation], kind: type[BinaryOp], lhs: SSAValue, rhs: SSAValue
) -> SSAValue:
    """A sum, difference or product in the narrowest signed type."""
    shape = np.broadcast_shapes(shape_of(lhs), shape_of(rhs))
    op = kind(lhs, rhs, TensorType(signed(64), shape))
    low, high = exact_bounds(op.out)
    narrow = integer_type_for(min(low, -1), high)
    Rewriter.replace_value_with_new_type(op.out, TensorType(narrow, shape))
    new.append(op)
    return op.out


@dataclass(frozen=True)
class NarrowSumsPass(ModulePass):
    """Replace the factors of sums that thresholds read by smaller ones, which do alike.

    Scales of branches that share only a fine grid give factors of 24 bits; between the
    thresholds of levels of 8 bits there is room for factors of about 8. The level is a
    function of finitely many operands: new factors are taken where each threshold still
    parts all operands that reach it from all that do not (`WeightedSum`). Of those that
    do the ones that make the least hardware are taken. Thresholds of a concatenation
    are taken of its parts before, and those of one product are divided by its factor.
    Where factors differ from channel to channel, each channel gets its own.

    Exact: proven for every combination of operands. Left as it is: a sum that others
    read too, one of three operands whose factors vary, and one of more than 2**24
    combinations of thresholds and of operands but the widest; each channel counts for
    itself where factors vary, and all together up to 2**28.
    """

    name = "narrow-sums"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(
            NarrowChannelSum(), apply_recursively=False
        ).rewrite_module(op)
        # Erases the factors that are left without a reader, too.
        patterns = GreedyRewritePatternApplier(
            [ThresholdParts(), NarrowSum()], dce_enabled=True
        )
        PatternRewriteWalker(patterns).rewrite_module(op)
