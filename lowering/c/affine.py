"""A value as a count and what the types add to it.

A popcount gives a dot product only up to a factor and a summand that are known when the
source is written. They are kept apart as long as possible: a threshold that follows
takes them into its constants.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Operation

from lowering.c.scalars import Scalar, compute_ctype, literal
from lowering.c.step import StepFunction
from qdialect.data import Array


@dataclass(frozen=True)
class Affine:
    """The number `slope * scalar + offset`.

    Attributes:
        scalar: what is computed.
        low: least value of the number.
        high: greatest value of the number.
        slope: a constant, not 0.
        offset: a constant, or one for each index of the last axis.
    """

    scalar: Scalar
    low: int
    high: int
    slope: int = 1
    offset: int | Array = 0

    @classmethod
    def of(cls, scalar: Scalar) -> Affine:
        """A number that is computed as it is."""
        return cls(scalar, scalar.low, scalar.high)

    def number(self, step: StepFunction, op: Operation, channel: str) -> Scalar:
        """An expression of the number; `channel` is the index along the last axis."""
        if self.slope == 1 and isinstance(self.offset, int) and self.offset == 0:
            return self.scalar
        least, greatest = self._offset_range()
        ends = [self.slope * self.scalar.low, self.slope * self.scalar.high]
        # The sum is within [low, high]; its summands may be larger.
        ctype = compute_ctype(
            op,
            min(*ends, least, self.low, self.scalar.low, self.slope),
            max(*ends, greatest, self.high, self.scalar.high, self.slope),
        )
        product = self.scalar.as_type(op, ctype)
        if self.slope != 1:
            product = f"{literal(self.slope)} * {product}"
        if isinstance(self.offset, int):
            offset = literal(self.offset)
        else:
            table = step.table(self.offset, "sums of each row's weights")
            offset = f"{table}[{channel}]"
        # The offset first: what is left of a product of signs is a difference.
        text = f"({offset} + {product})"
        if Scalar("", self.low, self.high).ctype(op) != ctype:
            narrow = Scalar("", self.low, self.high).ctype(op)
            text = f"({narrow.name}){text}"
        return step.variable(op, Scalar(text, self.low, self.high))

    def _offset_range(self) -> tuple[int, int]:
        if isinstance(self.offset, int):
            return self.offset, self.offset
        return int(self.offset.min()), int(self.offset.max())
