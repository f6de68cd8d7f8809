"""`fold-batch-norm`: write batch normalisation as a multiplication and an addition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from qdialect.constants import constant, constant_array
from qdialect.elementwise import AddOp, BatchNormOp, MulOp
from qdialect.semantics import along_axis, batch_norm_affine
from qdialect.types import shape_of


class FoldBatchNorm(RewritePattern):
    """`batch_norm(x)` becomes `x * slope + intercept`, constants of each channel.

    Exact: slope and intercept are rounded as the definition of `qnn.batch_norm` rounds
    them, and the two operations left are its last two.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: BatchNormOp, rewriter: PatternRewriter, /) -> None:
        parameters = [
            constant_array(value) for value in (op.gamma, op.beta, op.mean, op.variance)
        ]
        gamma, beta, mean, variance = parameters
        if gamma is None or beta is None or mean is None or variance is None:
            return
        affine = batch_norm_affine(
            gamma.astype(np.float32),
            beta.astype(np.float32),
            mean.astype(np.float32),
            variance.astype(np.float32),
            op.epsilon.value.data,
        )
        rank, axis = len(shape_of(op.input)), op.axis.value.data
        slope, intercept = (constant(along_axis(p, rank, axis)) for p in affine)
        product = MulOp(op.input, slope, op.out.type)
        result = AddOp(product, intercept, op.out.type)
        for new in (slope, intercept, product, result):
            new.location = op.location
        rewriter.replace(op, (slope, intercept, product, result), result.results)


@dataclass(frozen=True)
class FoldBatchNormPass(ModulePass):
    """Write every `qnn.batch_norm` of constant parameters as `qnn.mul` and `qnn.add`.

    Bit for bit the same: the two operations are the definition's own. Leaves a batch
    normalisation whose parameters are computed.
    """

    name = "fold-batch-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(FoldBatchNorm(), apply_recursively=False).rewrite_module(
            op
        )
