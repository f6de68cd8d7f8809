"""`posit-weights`: real weights as posits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from passes.real_weights import RealWeights, real_weights, record_weights
from passes.weights_record import lines_about
from qdialect.from_posit import FromPositOp
from qdialect.location import where
from qdialect.posit import (
    EXPONENT_SIZES,
    WIDTHS,
    PositType,
    Reals,
    dyadic,
    posit_codes,
    posit_values,
)


@dataclass(frozen=True)
class _Rounded:
    """Weights as posits of one type: the values, and their error."""

    type: PositType
    values: Reals
    squared_error: float


def _rounded(weights: RealWeights, type_: PositType) -> _Rounded:
    values = posit_values(posit_codes(weights.array, type_), type_)
    error = float(np.square(values - weights.array).sum())
    return _Rounded(type_, values, error)


def _misfit(values: Reals) -> str | None:
    """Why values are no integers of 64 bits times one power of two, if they are not."""
    try:
        dyadic(values)
    except OverflowError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class PositWeightsPass(ModulePass):
    """Replace real constant weights by the nearest posits of n bits.

    1. Weights are rounded by the rule of the standard (`posit_codes`): on the bit
       string, ties to even; none but 0 becomes 0.
    2. With `es=auto`, each layer takes the es of the least squared error, of equal ones
       the smallest.
    3. What follows is exact: posits are integers times a power of two, so that
       `lower-to-integer` sums integers. C stores codes of up to 8 bits, and a table.

    Not exact; the error is an attribute of the module, and a note.

    Source: Standard for Posit Arithmetic (2022), which has es = 2; Langroudi et al.
    2018, arXiv:1805.08624, for posits as the weights of neural networks.
    """

    name = "posit-weights"
    is_exact: ClassVar[bool] = False

    n: int = 8
    """Bits of a weight."""
    es: int | Literal["auto"] = 1
    """Bits of its exponent, or auto."""
    layers: tuple[str, ...] = ()
    """Names of the layers, with * and ?; without it, all."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        self._check_options()
        for weights in real_weights(self, op, self.layers):
            found = self._nearest(weights)
            source = weights.constant(found.values, found.type, "posit")
            value = FromPositOp(source, weights.op.weights.type)
            value.location = weights.op.location
            Rewriter.insert_op(value, InsertPoint.before(weights.op))
            bits = found.type.n * weights.array.size
            record_weights(self, op, weights, str(found.type), found.values, bits)
            weights.replace(value.out)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each layer: the size of its weights, and their error."""
        return lines_about(self, module)

    def _check_options(self) -> None:
        if self.n not in WIDTHS:
            raise PassFailedException(
                f"{self.name}: n must be from {WIDTHS[0]} to {WIDTHS[-1]}, got {self.n}"
            )
        if self.es != "auto" and self.es not in EXPONENT_SIZES:
            raise PassFailedException(
                f"{self.name}: es must be auto, or from {EXPONENT_SIZES[0]} to "
                f"{EXPONENT_SIZES[-1]}, got {self.es}"
            )

    def _nearest(self, weights: RealWeights) -> _Rounded:
        sizes = EXPONENT_SIZES if self.es == "auto" else (self.es,)
        found = [_rounded(weights, PositType.of(self.n, es)) for es in sizes]
        misfits = [_misfit(candidate.values) for candidate in found]
        if None not in misfits:
            raise PassFailedException(
                f"{self.name}: {where(weights.op)}: {misfits[0]}; choose a smaller n or "
                "es, or quantize-weights"
            )
        fitting = [c for c, why in zip(found, misfits, strict=True) if why is None]
        return min(fitting, key=lambda candidate: candidate.squared_error)
