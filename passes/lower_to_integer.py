"""`lower-to-integer`: turn products of quantised real tensors into integer products."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriteWalker,
)

from passes.falling_pools import PoolFalling
from passes.integer_elementwise import IntegerAbs, IntegerMul
from passes.integer_products import FoldPadding, IntegerProduct, refuse_real_product
from passes.integer_sums import (
    IntegerConcat,
    IntegerPad,
    IntegerSum,
    IntegerSumPool,
)
from passes.posit_levels import PositToLevels
from passes.towards_levels import AffineChainToDequantize, MoveTowardsLevels
from qdialect.convolution import ConvOp
from qdialect.linear import MatMulOp
from qdialect.types import element_of, is_real


@dataclass(frozen=True)
class LowerToIntegerPass(ModulePass):
    """Turn every real product and convolution of quantised tensors into an integer one.

    1. What only moves elements, and max pools, move towards the levels that a value is
       made from; where a channel falls, a max pool moves onto the negated levels.
    2. An affine chain of a tensor of levels becomes one dequantiser.
    3. The product, sum or concatenation is taken of the levels; its scale follows it.
       Levels of unequal scales are first brought onto the grid that both share.
    4. So are absolute values that are summed, and products of two computed tensors:
       their scales multiply.

    Exact. A product or convolution of tensors that are not quantised is refused.
    """

    name = "lower-to-integer"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(
            GreedyRewritePatternApplier([FoldPadding(), PositToLevels()])
        ).rewrite_module(op)
        patterns = GreedyRewritePatternApplier(
            [
                MoveTowardsLevels(),
                PoolFalling(),
                AffineChainToDequantize(),
                IntegerProduct(),
                IntegerSum(),
                IntegerSumPool(),
                IntegerConcat(),
                IntegerPad(),
                IntegerAbs(),
                IntegerMul(),
            ]
        )
        PatternRewriteWalker(patterns).rewrite_module(op)
        for inner in op.walk():
            if isinstance(inner, MatMulOp | ConvOp) and is_real(element_of(inner.out)):
                refuse_real_product(inner)
