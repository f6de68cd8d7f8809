"""`quantize-weights`: real weights as integers of k bits, with scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from passes.real_weights import real_weights, replace_by_levels
from passes.weights_record import lines_about
from qdialect.data import Array
from qdialect.quantisers import Rounding
from qdialect.semantics import quantize_levels
from qdialect.types import TernaryType, signed

# Levels beyond are not exact in the float32 of a quantiser.
_MOST_BITS = 24


def _scale(greatest: Array, top: int, *, power_of_two: bool) -> Array:
    """The least scales at which `greatest` is at most level `top`, float32."""
    safe = np.where(greatest > 0, greatest, np.float32(top))
    scale = (safe / np.float32(top)).astype(np.float32)
    if not power_of_two:
        return scale
    mantissa, exponent = np.frexp(scale)
    return np.ldexp(np.float32(1), exponent - (mantissa == 0.5)).astype(np.float32)


@dataclass(frozen=True)
class QuantizeWeightsPass(ModulePass):
    """Replace real constant weights by the nearest of 2**bits - 1 levels around 0.

    As a QONNX `Quant` (narrow, zero point 0, ties to even) of the weights does, whose
    scale is the greatest |W| of an output channel over 2**(bits - 1) - 1.

    Not exact: the error is an attribute of the module, and a note. What follows is.

    Source: Krishnamoorthi 2018, arXiv:1806.08342, section 2.4 (symmetric, per channel).
    """

    name = "quantize-weights"
    is_exact: ClassVar[bool] = False

    bits: int = 8
    """Bits of a weight."""
    per_tensor: bool = False
    """One scale for a layer instead of one for each output channel."""
    power_of_two: bool = False
    """Whether scales are rounded up to powers of two."""
    layers: tuple[str, ...] = ()
    """Names of the layers, with * and ?; without it, all."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not 2 <= self.bits <= _MOST_BITS:
            raise PassFailedException(
                f"{self.name}: bits must be from 2 to {_MOST_BITS}, got {self.bits}; "
                "binarise-weights makes weights of one bit"
            )
        element = TernaryType() if self.bits == 2 else signed(self.bits)
        high = (1 << (self.bits - 1)) - 1
        for weights in real_weights(self, op, self.layers):
            rows = weights.array.reshape(
                1 if self.per_tensor else len(weights.array), -1
            )
            greatest = np.abs(rows).max(axis=1)
            scale = _scale(greatest, high, power_of_two=self.power_of_two)
            levels = quantize_levels(
                rows,
                scale[:, None],
                np.zeros((), np.float32),
                Rounding.HALF_EVEN,
                element,
                (-high, high),
            ).reshape(weights.array.shape)
            replace_by_levels(self, op, weights, levels, element, scale)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each layer: the size of its weights, and their error."""
        return lines_about(self, module)
