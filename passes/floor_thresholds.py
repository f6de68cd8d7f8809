"""`floor-thresholds`: turn float chains before quantisers into integer thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.utils.exceptions import PassFailedException

from passes.chain_domain import ChainDomain, chain_domain, level_counts
from passes.pooled_thresholds import PoolLevels
from passes.uneven_averages import uneven_average
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.chains import Chain, chain_to, data_operand
from qdialect.constants import constant
from qdialect.elementwise import AddOp, MulOp, SubOp
from qdialect.location import where
from qdialect.quantisers import QuantizeOp, SignOp
from qdialect.ranges import bounds, reachable_values
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp
from qdialect.steps import Steps, steps_of_table
from qdialect.types import (
    BipolarType,
    element_of,
    is_real,
    shape_of,
    tensor_type,
    unsigned,
    value_range,
    with_element,
)

Integers = npt.NDArray[np.int64]


def _past_constants(chain: Chain) -> Chain:
    """The chain from where no integer arithmetic with constants stands before it."""
    root, ops = chain.root, chain.ops
    while isinstance(op := root.owner, AddOp | SubOp | MulOp):
        data = data_operand(op)
        if data is None or shape_of(data) != shape_of(op.out):
            break
        root, ops = data, (op, *ops)
    longer = Chain(root, ops)
    if not chain.reshapes and len(longer.varying_axes() - {0}) > 1:
        return chain
    return longer


class FloorQuantiser(RewritePattern):
    """`quantiser(f(acc))` becomes `threshold(acc, T)`, or a table.

    `f` is the float chain of each channel. Numbered as in the pass.
    """

    def __init__(self, max_table: int):
        self._max_table = max_table

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: QuantizeOp | SignOp | ThresholdOp, rewriter: PatternRewriter, /
    ) -> None:
        if not is_real(element_of(op.input)):
            return
        before = chain_to(op.input)
        if before is None:
            return
        chain = Chain(before.root, (*before.ops, op))
        if (average := uneven_average(chain)) is not None:  # rule 9
            steps = average.steps(op, self._max_table)
            new: list[Operation] = []
            new += _thresholds(op, average.multiplied(new), steps)
        else:
            chain = _past_constants(chain)
            domain = chain_domain(FloorThresholdsPass.name, op, chain)
            new = self._activation(op, domain)
        for inner in new:
            inner.location = op.location
        rewriter.replace(op, new, new[-1].results)

    def _activation(
        self, op: QuantizeOp | SignOp | ThresholdOp, domain: ChainDomain
    ) -> list[Operation]:
        root, element = domain.chain.root, element_of(op.out)
        low, high = bounds(root)
        if (high - low + 1) * domain.channels <= self._max_table:
            values = reachable_values(root)
            table = domain.evaluate(np.repeat(values[:, None], domain.channels, axis=1))
            steps = steps_of_table(values, level_counts(table, element))
            if steps is None:  # rule 4
                return _reshaped(op, _lookup(op, domain, values, table))
            return _reshaped(op, _thresholds(op, domain, steps))  # rules 1 to 3
        steps = domain.bisect(low, high, element)  # rule 5
        if steps is None:
            raise PassFailedException(
                f"floor-thresholds: {where(op)}: the accumulator's range [{low}, "
                f"{high}] is too large to tabulate and the chain is not known to be "
                "monotone; raise max-table"
            )
        return _reshaped(op, _thresholds(op, domain, steps))


def _thresholds(
    op: QuantizeOp | SignOp | ThresholdOp, domain: ChainDomain, steps: Steps
) -> list[Operation]:
    element = element_of(op.out)
    thresholds, offset, falls = steps.thresholds, steps.offset, steps.falling
    if thresholds.shape[1] == 0:
        thresholds, offset = _constant_steps(domain, steps.offset, element)
        falls = np.zeros_like(falls)
    elif isinstance(element, BipolarType):
        offset = 0
    data = constant(thresholds)
    new: list[Operation] = [data]
    falling = None
    if bool(falls.any()):
        falling = constant(falls.astype(np.int64), unsigned(1))
        new.append(falling)
    root = domain.chain.root
    result = ThresholdOp(
        root,
        data,
        with_element(tensor_type(root), element),
        falling=falling,
        offset=offset,
        axis=domain.axis,
    )
    return [*new, result]


def _constant_steps(
    domain: ChainDomain, level: int, element: Attribute
) -> tuple[Integers, int]:
    """One threshold, always or never reached, for a function of a single level."""
    low, high = bounds(domain.chain.root)
    greatest = 1 if isinstance(element, BipolarType) else value_range(element)[1]
    always = level == greatest
    data = np.full((domain.channels, 1), low if always else high + 1, np.int64)
    return data, level - 1 if always else level


def _lookup(
    op: QuantizeOp | SignOp | ThresholdOp,
    domain: ChainDomain,
    values: Integers,
    table: Integers,
) -> list[Operation]:
    root = domain.chain.root
    data = constant(table.T.copy(), element_of(op.out))
    result = LookupOp(
        root,
        data,
        with_element(tensor_type(root), element_of(op.out)),
        low=int(values[0]),
        axis=domain.axis,
    )
    return [data, result]


def _reshaped(op: Operation, new: list[Operation]) -> list[Operation]:
    """Give the result the shape that the quantiser's had."""
    type_ = tensor_type(op.results[0])
    if tensor_type(new[-1].results[0]).get_shape() == type_.get_shape():
        return new
    return [*new, ReshapeOp(new[-1].results[0], type_)]


class FloorSelection(RewritePattern):
    """`topk(f(acc))` becomes `topk(acc)` where only the indices are read.

    Where f is one function for all channels and rises strictly over every reachable
    accumulator, it keeps the order of the elements and their ties.
    """

    def __init__(self, max_table: int):
        self._max_table = max_table

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TopKOp, rewriter: PatternRewriter, /) -> None:
        if not is_real(element_of(op.input)) or op.values.uses:
            return
        chain = chain_to(op.input)
        if chain is None or chain.reshapes or chain.varying_axes():
            return
        low, high = bounds(chain.root)
        if high - low + 1 > self._max_table:
            return
        values = reachable_values(chain.root)
        rank = len(shape_of(chain.root))
        results = chain.evaluate(values.reshape(-1, *[1] * (rank - 1))).ravel()
        if not bool((np.diff(results) > 0).all()):
            return
        selected = TopKOp(
            chain.root,
            with_element(tensor_type(op.values), element_of(chain.root)),
            op.indices.type,
            axis=op.axis.value.data,
            smallest=op.smallest is not None,
        )
        selected.location = op.location
        rewriter.replace(op, selected, selected.results)


@dataclass(frozen=True)
class FloorThresholdsPass(ModulePass):
    """Replace every float chain between levels and a quantiser by integer thresholds.

    1. On each channel the chain is a function from the accumulator's reachable values
       to levels; it is evaluated, in the model's own float32 arithmetic, on all.
    2. A function that rises is read off as thresholds: a level is reached from its
       first accumulator on. `sign(n + b) == sign(n + floor(b))` is the one-bit case.
    3. One that falls (negative gamma) counts its thresholds backwards; one that is
       constant (gamma 0) has thresholds that are always or never reached.
    4. One that is neither becomes a table (`qnn.lookup`).
    5. A range too large to tabulate is bisected where every operation of the chain is
       monotone in float32, and refused otherwise.
    6. A top-k of a chain that keeps the order is taken of the accumulators.
    7. A max pool of accumulators becomes one of the counts of reached thresholds.
    8. Integer arithmetic with constants before a chain is part of it.
    9. An average over windows of unequal counts is taken of sums that are first brought
       to a common count (`UnevenAverage`).

    Exact: rounding modes, ties and clamps are those of the evaluated operations.
    """

    name = "floor-thresholds"

    max_table: int = 1 << 24
    """Most evaluations for one quantiser: accumulator values times channels."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        patterns = GreedyRewritePatternApplier(
            [FloorQuantiser(self.max_table), FloorSelection(self.max_table)]
        )
        PatternRewriteWalker(patterns).rewrite_module(op)
        PatternRewriteWalker(PoolLevels()).rewrite_module(op)
