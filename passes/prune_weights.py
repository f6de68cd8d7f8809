"""`prune-weights`: make the small weights of every layer zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from passes.constant_weights import ConstantWeights, LevelWeights, constant_weights
from passes.drop_unused_weights import DropUnusedWeightsPass
from passes.real_weights import record_weights
from passes.weights_record import lines_about
from qdialect.data import Array
from qdialect.location import where
from qdialect.types import (
    F32,
    BipolarType,
    TernaryType,
    element_of,
    value_range,
    width_bits,
)


@dataclass(frozen=True)
class PruneWeightsPass(ModulePass):
    """Set weights of small magnitude to 0, layer by layer.

    1. What is below `threshold` times the standard deviation of the layer's weights
       becomes 0; with `absolute`, what is below `threshold`.
    2. With `density`, the threshold of each layer is the greatest that keeps that share
       of its weights. Weights as great as the threshold stay, so that of levels, many
       of which are alike, more may be left.
    3. Weights that are levels already count as what they are dequantised to. Bipolar
       ones, of which none can be 0, become ternary.

    Not exact: the network computes something else, and was best trained again with the
    zeros. The error is an attribute of the module, and a note. What zeros are worth in
    store, `compress-weights` shows.

    Source: Han et al. 2015, "Learning both Weights and Connections for Efficient Neural
    Networks", arXiv:1506.02626; Han et al. 2016, Deep Compression, arXiv:1510.00149,
    section 2.
    """

    name = "prune-weights"
    is_exact: ClassVar[bool] = False

    threshold: int | float = 1.0
    """Least magnitude of what is kept, in standard deviations of the layer."""
    absolute: bool = False
    """Whether the threshold is a weight, and not a number of standard deviations."""
    density: int | float | None = None
    """Share of the weights of a layer that is kept; then the threshold does not count."""
    layers: tuple[str, ...] = ()
    """Names of the layers, with * and ?; without it, all."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not 0 <= self.threshold < float("inf"):
            raise PassFailedException(
                f"{self.name}: threshold must not be negative, got {self.threshold}"
            )
        if self.density is not None and not 0 < self.density <= 1:
            raise PassFailedException(
                f"{self.name}: density must be above 0 and at most 1, got {self.density}"
            )
        found = constant_weights(self, op, self.layers)
        for weights in found:
            self._prune(op, weights)
        if found:
            DropUnusedWeightsPass().apply(ctx, op)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each layer: how many weights are 0, and the error."""
        return lines_about(self, module)

    def _prune(self, module: ModuleOp, weights: ConstantWeights) -> None:
        real, quantised = weights.real, weights.quantised
        sizes = np.abs(real.array.astype(np.float64))
        is_pruned = sizes < self._least(sizes, real.array)
        if quantised is None:
            after = np.where(is_pruned, np.float32(0), real.array)
            value, bits = real.constant(after, F32, "pruned"), 32
        else:
            element = element_of(quantised.value)
            if isinstance(element, BipolarType) and is_pruned.any():
                element = TernaryType()
            zero = self._zero(weights, quantised)
            levels = np.where(is_pruned, zero, quantised.levels.astype(np.int64))
            after = quantised.real(levels)
            value = quantised.constant(levels, "pruned", element)
            bits = width_bits(element)
        share = 1 - np.count_nonzero(after) / after.size
        scheme = f"{element_of(value)}, {share:.1%} of them 0"
        record_weights(self, module, real, scheme, after, bits * after.size)
        if quantised is None:
            real.replace(value)
        else:
            quantised.replace(real, value)

    def _least(self, sizes: Array, weights: Array) -> float:
        """The least magnitude that is kept."""
        if self.density is not None:
            kept = max(1, round(self.density * sizes.size))
            return float(np.partition(sizes.ravel(), -kept)[-kept])
        if self.absolute:
            return float(self.threshold)
        return float(self.threshold * weights.astype(np.float64).std())

    def _zero(self, weights: ConstantWeights, quantised: LevelWeights) -> Array:
        """The level that counts as 0."""
        element = element_of(quantised.value)
        low, high = value_range(element)
        zero = np.rint(quantised.zero).astype(np.int64)
        if (zero != quantised.zero).any() or (zero < low).any() or (zero > high).any():
            raise PassFailedException(
                f"{self.name}: {where(weights.real.op)}: no level of its weights "
                f"counts as 0, the zero point of {element} is no level"
            )
        return zero
