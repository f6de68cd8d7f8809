"""Quantised averages over windows that hold unequal numbers of elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation
from xdsl.utils.exceptions import PassFailedException

from passes.chain_domain import ChainDomain, level_counts
from passes.scaled_levels import ScaledLevels, scaled_levels, whole_number
from qdialect.chains import Chain
from qdialect.constants import constant
from qdialect.location import where
from qdialect.quantisers import DequantizeOp
from qdialect.ranges import reachable_values
from qdialect.scaling import scaling
from qdialect.steps import Steps, steps_of_table
from qdialect.types import element_of, shape_of

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class UnevenAverage:
    """A chain from sums of windows to levels that divides each place by its count.

    The sums, times what brings all counts to one multiple, are what the places have in
    common: `sum / count` rises with `sum * (multiple / count)`, and equal averages have
    equal products. So there is one set of thresholds of the products, unless float32
    rounds equal averages to different levels at different places.

    Attributes:
        levels: the sums with their factors.
        domain: of the chain, all places together.
    """

    levels: ScaledLevels
    domain: ChainDomain

    def steps(self, op: Operation, max_table: int) -> Steps:
        """Thresholds of the products, read off all places.

        Args:
            op: the quantiser.
            max_table: most evaluations.

        Raises:
            PassFailedException: they are too many, or there are no such thresholds.
        """
        chain = self.domain.chain
        values = reachable_values(chain.root)
        zero, factors = whole_number(self.levels.zero_point), self.levels.factors
        assert zero is not None
        assert factors is not None
        if values.size * prod(chain.shape) > max_table:
            raise PassFailedException(
                f"floor-thresholds: {where(op)}: the average before it has windows of "
                f"unequal counts, and {values.size} values at each of "
                f"{prod(chain.shape)} elements are more than max-table, {max_table}"
            )
        rank, axis = len(chain.shape), self.domain.axis
        channels = self.domain.channels
        sums = values.reshape(-1, *(1 for _ in self.domain.inner))
        frames = np.broadcast_to(sums, (len(values), *self.domain.inner))
        results = np.moveaxis(chain.evaluate(frames), axis, -1).astype(np.int64)
        full = factors.reshape((1,) * (rank - factors.ndim) + factors.shape)
        products = np.moveaxis((sums - zero) * full, axis, -1)
        # Axes that neither tells apart have one element.
        places = np.broadcast_to(products, (*results.shape[:-1], 1)).ravel()
        rows = results.reshape(-1, channels)
        arguments, index, inverse = np.unique(
            places, return_index=True, return_inverse=True
        )
        table = rows[index]
        steps = None
        if bool((table[inverse.ravel()] == rows).all()):
            steps = steps_of_table(
                arguments, level_counts(table, element_of(op.results[0]))
            )
        if steps is None:
            raise PassFailedException(
                f"floor-thresholds: {where(op)}: the average before it has windows of "
                "unequal counts, and no thresholds hold for all of them; count the "
                "padding too (count_include_pad=1), or pool without padding"
            )
        return steps

    def on_products(self, new: list[Operation]) -> Chain:
        """A chain of the products, dequantised once, that ends as this one does.

        What float32 rounds on the way is rounded once in it. Ops that give the products
        and the constants are appended to `new`.
        """
        ops = self.domain.chain.ops
        (index,) = _divisions(ops)
        products = self.levels.without_factors(new)
        assert products.scale is not None
        scale = constant(products.scale)
        zero = constant(np.zeros((), np.float32))
        value = DequantizeOp(products.levels, scale, zero, ops[index].results[0].type)
        new += [scale, zero]
        return Chain(products.levels, (value, *ops[index + 1 :]))

    def multiplied(self, new: list[Operation]) -> ChainDomain:
        """The domain on the products; the ops that give them are appended to `new`."""
        levels = self.levels.without_factors(new).levels
        return replace(self.domain, chain=Chain(levels, self.domain.chain.ops))


def _divisions(ops: Sequence[Operation]) -> list[int]:
    """Where a chain divides by unequal counts."""
    return [
        index
        for index, op in enumerate(ops)
        if (step := scaling(op)) is not None and step.factors is not None
    ]


def uneven_average(chain: Chain) -> UnevenAverage | None:
    """The average over unequal counts that a chain begins with, or None.

    Every other parameter of the chain may vary along one axis, where the counts do not.
    """
    divisions = _divisions(chain.ops)
    if chain.reshapes or len(divisions) != 1:
        return None
    levels = scaled_levels(chain.ops[divisions[0]].results[0])
    if levels is None or levels.levels is not chain.root or levels.factors is None:
        return None
    others = chain.ops[: divisions[0]] + chain.ops[divisions[0] + 1 :]
    axes = Chain(chain.root, others).varying_axes() - {0}
    shape = shape_of(chain.root)
    axis = min(axes, default=min(1, len(shape) - 1))
    factors = levels.factors
    along = (1,) * (len(shape) - factors.ndim) + factors.shape
    if len(axes) > 1 or along[axis] != 1:
        return None
    inner = tuple(n if i == axis else 1 for i, n in enumerate(shape) if i > 0)
    return UnevenAverage(levels, ChainDomain(chain, axis, shape[axis], inner))
