"""Constants of thresholds, a row a channel, and the op that is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation, SSAValue

from qdialect.activation import ThresholdOp
from qdialect.constants import constant, constant_array
from qdialect.types import (
    element_of,
    is_real,
    shape_of,
    tensor_type,
    unsigned,
    width_bits,
    with_element,
)

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ThresholdRows:
    """The constants of a threshold on integers.

    Attributes:
        op: the threshold that they are of, or replace.
        thresholds: [C, T], each row sorted.
        falling: [C] of 0 and 1.
    """

    op: ThresholdOp
    thresholds: Integers
    falling: Integers

    @classmethod
    def of(cls, op: ThresholdOp) -> ThresholdRows | None:
        """Those of `op`; None where they are computed, real or wider than 64 bits.

        None, too, where an extent is unknown.
        """
        is_unknown = any(extent < 0 for extent in shape_of(op.input))
        if is_unknown or width_bits(element_of(op.thresholds)) > 64:
            return None
        thresholds = constant_array(op.thresholds)
        if is_real(element_of(op.input)) or thresholds is None:
            return None
        falling: Integers | None = np.zeros(len(thresholds), np.int64)
        if op.falling is not None:
            falling = constant_array(op.falling)
        if falling is None:
            return None
        return cls(op, thresholds.astype(np.int64), falling.astype(np.int64))

    def divided(self, factor: int, low: int, high: int) -> ThresholdRows:
        """Those of x in [low, high] in place of `factor * x`."""
        reached = -(-self.thresholds // factor)
        falling = self.falling
        if factor < 0:
            # `factor * x >= t` where x does not reach the next integer.
            reached = (self.thresholds // factor + 1)[:, ::-1]
            falling = 1 - falling
        return replace(
            self, thresholds=np.clip(reached, low, high + 1), falling=falling
        )

    def parts(self, counts: list[int]) -> Iterator[ThresholdRows]:
        """Those of so many channels each."""
        ends = np.cumsum(counts)[:-1]
        rows = zip(
            np.split(self.thresholds, ends), np.split(self.falling, ends), strict=True
        )
        for thresholds, falling in rows:
            yield replace(self, thresholds=thresholds, falling=falling)

    def applied(self, x: SSAValue) -> list[Operation]:
        """The ops of a threshold of `x`; the last one gives the levels."""
        op, thresholds = self.op, constant(self.thresholds)
        new: list[Operation] = [thresholds]
        falling = None
        if bool(self.falling.any()):
            falling = constant(self.falling, unsigned(1))
            new.append(falling)
        result = ThresholdOp(
            x,
            thresholds,
            with_element(tensor_type(x), element_of(op.out)),
            falling=falling,
            offset=op.offset.value.data,
            axis=op.axis.value.data,
        )
        new.append(result)
        for inner in new:
            inner.location = op.location
        return new
