"""The beats of an input vector as the elements of a matrix-vector unit take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lowering.hw.builder import Signal, concat, pack
from lowering.hw.stream import StreamBuilder
from lowering.hw.units.encoding import DotProduct


@dataclass(frozen=True, eq=False)
class InputSlices:
    """Turns a beat into a slice: planes of one bit of each lane, or numbers.

    Attributes:
        dot: coding of inputs and weights.
        simd: lanes of a beat.
    """

    dot: DotProduct
    simd: int

    @property
    def count(self) -> int:
        """SF: beats of a vector."""
        return -(-self.dot.weights.shape[1] // self.simd)

    def of(self, m: StreamBuilder, last_beat: Signal) -> Signal:
        """The slice of the beat that a unit is offered.

        Args:
            m: the unit.
            last_beat: one bit, whether it is the last beat of its vector.
        """
        dot, simd = self.dot, self.simd
        bits = dot.input_bits
        top = 1 << (bits - 1) if dot.flips_input_top_bit else 0
        if dot.product.takes_numbers:
            turned = sum(top << (lane * bits) for lane in range(simd))
            return m.in_data ^ m.constant(turned, m.in_data.width)
        lanes = m.in_data.lanes(bits)
        planes = [m.in_data]
        if bits > 1:
            planes = [
                pack([lane.bit(k) for lane in lanes]).named(f"plane{k}")
                for k in range(bits)
            ]
        if top:
            planes[-1] = ~planes[-1]
        surplus = self.count * simd - dot.weights.shape[1]
        if surplus and dot.padding_needs_zero:
            used = m.constant(-1, simd - surplus)
            mask = concat((~last_beat).replicate(surplus), used).named("used_lanes")
            planes = [plane & mask for plane in planes]
        return pack(planes)

    def shares(self, slice_: Signal, together: int) -> list[Signal]:
        """The parts of a slice that hold `together` lanes each, the last one the rest."""
        if self.dot.product.takes_numbers:
            return _parts(slice_, together * self.dot.input_bits)
        planes = [_parts(plane, together) for plane in slice_.lanes(self.simd)]
        return [pack(parts) for parts in zip(*planes, strict=True)]

    def whole(self, shares: Sequence[Signal]) -> Signal:
        """The slice of such parts."""
        if self.dot.product.takes_numbers:
            return pack(shares)
        bits = self.dot.input_bits
        planes = [share.lanes(share.width // bits) for share in shares]
        return pack([pack(parts) for parts in zip(*planes, strict=True)])


def _parts(value: Signal, width: int) -> list[Signal]:
    """Consecutive parts of a width, the last one what is left."""
    lows = range(0, value.width, width)
    return [value.bits(low, min(width, value.width - low)) for low in lows]
