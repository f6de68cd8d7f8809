"""`binarise-weights`: real weights as their signs, with a scale for each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from passes.real_weights import real_weights, replace_by_levels
from passes.weights_record import lines_about
from qdialect.types import BipolarType


@dataclass(frozen=True)
class BinariseWeightsPass(ModulePass):
    """Replace real constant weights W by alpha * sign(W), where the sign of 0 is +1.

    alpha is the mean of |W| over the weights of an output channel, rounded to float32:
    of all alpha * B with B of -1 and +1 that is the nearest to W. It follows the sums
    as the scale of quantised weights does, and goes into thresholds.

    Not exact: the error is an attribute of the module, and a note. What follows is.

    Source: Rastegari et al. 2016, "XNOR-Net", arXiv:1603.05279, section 3.1 (Binary
    Weight Networks).
    """

    name = "binarise-weights"
    is_exact: ClassVar[bool] = False

    per_tensor: bool = False
    """One alpha for a layer instead of one for each output channel."""
    layers: tuple[str, ...] = ()
    """Names of the layers, with * and ?; without it, all."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for weights in real_weights(self, op, self.layers):
            rows = weights.array.reshape(1, -1) if self.per_tensor else weights.rows
            scale = np.abs(rows, dtype=np.float64).mean(axis=1).astype(np.float32)
            levels = np.where(weights.array >= 0, np.int8(1), np.int8(-1))
            replace_by_levels(self, op, weights, levels, BipolarType(), scale)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each layer: the size of its weights, and their error."""
        return lines_about(self, module)
