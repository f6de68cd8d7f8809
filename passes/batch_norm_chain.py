"""A batch norm between an accumulator and a quantiser, for passes that approximate it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from passes.chain_domain import ChainDomain, chain_domain
from passes.fixed_point import Affine, affine_start
from passes.level_differences import LevelDifferences, level_differences
from passes.uneven_averages import UnevenAverage, uneven_average
from qdialect.chains import Chain, chain_to
from qdialect.elementwise import AddOp, BatchNormOp, SubOp
from qdialect.location import source_name, where
from qdialect.ranges import bounds
from qdialect.steps import Steps
from qdialect.types import element_of, is_real


@dataclass(frozen=True)
class BatchNormChain:
    """The operations from an accumulator n to a quantiser, which start with `k * n + h`.

    Attributes:
        pass_name: whose messages refusals are.
        domain: of the whole chain, the quantiser its last operation.
        affine: k and h of each channel.
        taken: the operations that compute `k * n + h`.
        rest: those behind them, with the quantiser.
        average: what n is made from, where that is an average over windows of unequal
            counts: n are the sums, brought to a common count.
        before: new operations that make n, then.
    """

    pass_name: str
    domain: ChainDomain
    affine: Affine
    taken: tuple[Operation, ...]
    rest: tuple[Operation, ...]
    average: UnevenAverage | None = None
    before: tuple[Operation, ...] = ()

    @property
    def root(self) -> SSAValue:
        """The accumulator."""
        return self.domain.chain.root

    @property
    def node(self) -> str:
        """The source node of the batch norm, that of its last addition."""
        sums = [op for op in self.taken if isinstance(op, BatchNormOp | AddOp | SubOp)]
        return source_name(sums[-1]) or where(self.rest[-1])

    def rest_on(self, value: SSAValue) -> list[Operation]:
        """Copies of the operations behind the batch norm, of `value` instead."""
        old, copies = self.taken[-1].results[0], list[Operation]()
        for op in self.rest:
            copy = op.clone({old: value})
            copy.location = op.location
            copies.append(copy)
            old, value = op.results[0], copy.results[0]
        return copies

    def differences(
        self, others: Sequence[Operation], max_table: int
    ) -> LevelDifferences:
        """Where operations from the accumulator to the levels give others than these.

        Raises:
            PassFailedException: the accumulator's range is too large.
        """
        quantiser = self.rest[-1]
        changed = replace(self.domain, chain=Chain(self.root, tuple(others)))
        element = element_of(quantiser.results[0])
        exact: ChainDomain | Steps = self.domain
        if self.average is not None:
            exact = self.average.steps(quantiser, max_table)
        found = level_differences(exact, changed, element, max_table)
        if found is None:
            low, high = bounds(self.root)
            raise PassFailedException(
                f"{self.pass_name}: {where(quantiser)}: the accumulator's range [{low}, "
                f"{high}] is too large to tabulate and the chain is not known to be "
                "monotone; raise max-table"
            )
        return found


def batch_norm_chain(pass_name: str, op: Operation) -> BatchNormChain | None:
    """The batch norm in front of a quantiser, or None where there is none.

    Raises:
        PassFailedException: the chain is not one function for each channel.
    """
    (data, *_) = op.operands
    before = chain_to(data) if is_real(element_of(data)) else None
    if before is None:
        return None
    chain, new = Chain(before.root, (*before.ops, op)), list[Operation]()
    average = uneven_average(chain)
    if average is not None:
        chain = average.on_products(new)
    domain = chain_domain(pass_name, op, chain)
    affine, count = affine_start(chain.ops, domain.inner)
    if not affine.is_batch_norm:
        return None
    for inner in new:
        inner.location = chain.ops[count - 1].location
    taken, rest = chain.ops[:count], chain.ops[count:]
    return BatchNormChain(pass_name, domain, affine, taken, rest, average, (*new,))
