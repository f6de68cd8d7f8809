"""`ternarise-weights`: real weights as -1, 0 and +1, or as -2..2, with scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from passes.real_weights import real_weights, replace_by_levels
from passes.weights_record import lines_about
from qdialect.data import Array
from qdialect.types import TernaryType, signed


def ternary(rows: Array, delta: float) -> tuple[Array, Array]:
    """Levels of {-1, 0, +1} and scales of rows of weights, by a threshold.

    Args:
        rows: real, [R, I].
        delta: the threshold of a row, over the mean of |w| there.

    Returns:
        Levels [R, I], and float32 scales [R]: the mean of |w| beyond the threshold.
    """
    sizes = np.abs(rows)
    kept = sizes > delta * sizes.mean(axis=1, keepdims=True)
    levels = (np.sign(rows) * kept).astype(np.int8)
    count = kept.sum(axis=1)
    return levels, _over((sizes * kept).sum(axis=1), count)


def five_levels(rows: Array) -> tuple[Array, Array]:
    """The levels of {-2..2} and scales of rows that are nearest to them.

    As alpha falls from infinity, the level nearest to |w| / alpha rises to 1 at 2 |w|
    and to 2 at |w| / 1.5. Between two such events levels stay, and the best alpha for
    them is the quotient of sum |w| q and sum q**2; what that leaves of the squared
    error is sum w**2 less (sum |w| q)**2 / sum q**2. The least of all is taken.

    Args:
        rows: real, [R, I].

    Returns:
        Levels [R, I], and float32 scales [R].
    """
    sizes = np.abs(rows)
    events = np.concatenate([sizes * 2, sizes / 1.5], axis=1)
    order = np.argsort(-events, axis=1, kind="stable")
    added = np.take_along_axis(np.concatenate([sizes, sizes], axis=1), order, axis=1)
    # The square of a level grows by 1, then by 3.
    squares = np.where(order < sizes.shape[1], 1, 3)
    products, powers = added.cumsum(axis=1), squares.cumsum(axis=1)
    best = np.argmax(np.square(products) / powers, axis=1)[:, None]
    scale = _over(
        np.take_along_axis(products, best, axis=1).ravel(),
        np.take_along_axis(powers, best, axis=1).ravel(),
    )
    steps = np.minimum(np.rint(sizes / scale[:, None]), 2)
    return (np.sign(rows) * steps).astype(np.int8), scale


def _over(total: Array, count: Array) -> Array:
    """`total / count` as float32; 1 where that is no positive number."""
    scale = (total / np.maximum(count, 1)).astype(np.float32)
    return np.where(scale > 0, scale, np.float32(1))


@dataclass(frozen=True)
class TernariseWeightsPass(ModulePass):
    """Replace real constant weights W by alpha times -1, 0 and +1, or times -2..2.

    1. With three levels, what is beyond delta times the mean of |W| keeps its sign and
       the rest is 0. alpha is the mean of |W| over what is not 0.
    2. With `levels=5`, alpha and the levels of {-2, -1, 0, +1, +2} have the least
       squared error of all; delta counts for nothing. A product with 2 is a shift.
    3. Means are taken, and alpha applies, for each output channel.

    Not exact: the error is an attribute of the module, and a note. What follows is.

    Source: Li et al. 2016, "Ternary Weight Networks", arXiv:1605.04711, equations 4
    to 6.
    """

    name = "ternarise-weights"
    is_exact: ClassVar[bool] = False

    delta: int | float = 0.7
    """Threshold of a weight over the mean of |W|."""
    levels: Literal[3, 5] = 3
    """How many levels there are."""
    per_tensor: bool = False
    """One threshold and alpha for a layer instead of one for each output channel."""
    layers: tuple[str, ...] = ()
    """Names of the layers, with * and ?; without it, all."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not 0 <= self.delta < float("inf"):
            raise PassFailedException(
                f"{self.name}: delta must not be negative, got {self.delta}"
            )
        element = TernaryType() if self.levels == 3 else signed(3)
        for weights in real_weights(self, op, self.layers):
            rows = weights.rows.reshape(1, -1) if self.per_tensor else weights.rows
            found = five_levels(rows) if self.levels == 5 else ternary(rows, self.delta)
            levels, scale = found[0].reshape(weights.array.shape), found[1]
            replace_by_levels(self, op, weights, levels, element, scale)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each layer: the size of its weights, and their error."""
        return lines_about(self, module)
