"""Networks on streams whose weights are pruned after the fact, in blocks."""

from __future__ import annotations

import numpy as np
from integer_cores import core_of
from xdsl.dialects.builtin import ModuleOp
from xdsl.rewriter import InsertPoint, Rewriter

from qdialect import qflow
from qdialect.constants import constant, constant_array
from qdialect.types import element_of
from qdialect.units import units


def pruned(
    module: ModuleOp, share: float, block: tuple[int, int] = (1, 1), seed: int = 0
) -> ModuleOp:
    """A copy in which matrix-vector units keep a share of the blocks of their weights.

    Their sums stay in the range that they had: each product had 0 in its own.
    """
    rng, copy = np.random.default_rng(seed), module.clone()
    for op in list(units(core_of(copy))):
        if not isinstance(op, qflow.MvuOp) or op.zero_skip_obstacle:
            continue
        weights = constant_array(op.weights)
        assert weights is not None
        blocks = [-(-n // size) for n, size in zip(weights.shape, block, strict=True)]
        kept = rng.random(blocks) < share
        for axis, size in enumerate(block):
            kept = kept.repeat(size, axis=axis)
        kept = kept[: weights.shape[0], : weights.shape[1]]
        zeroed = constant(np.where(kept, weights, 0), element_of(op.weights))
        Rewriter.insert_op(zeroed, InsertPoint.before(op))
        op.operands[1] = zeroed.out
    copy.verify()
    return copy
