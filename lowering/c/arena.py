"""Where intermediate values stand: one array a type, reused when a value is dead.

Each type has an array of its own, so that no memory is read as another type than it was
written as, which C99 leaves undefined.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowering.c.plan import Buffer, Plan
from lowering.c.scalars import CType


@dataclass(frozen=True)
class Arena:
    """Numbers of elements, the widest type first: then a struct has no gaps."""

    counts: tuple[tuple[CType, int], ...]

    @property
    def size_bytes(self) -> int:
        """Upper bound of the size of the struct, a multiple of 8."""
        total = sum(ctype.size_bytes * count for ctype, count in self.counts)
        return -(-total // 8) * 8


def lay_out(plan: Plan) -> Arena:
    """Give every buffer of the arena its offset."""
    buffers = plan.arena()
    ctypes = sorted(
        {buffer.ctype for buffer in buffers},
        key=lambda ctype: (-ctype.width_bits, ctype.signed),
    )
    return Arena(
        tuple(
            (ctype, _lay_out_type([b for b in buffers if b.ctype == ctype]))
            for ctype in ctypes
        )
    )


def _lay_out_type(buffers: list[Buffer]) -> int:
    """Offsets by first fit, the largest first; the number of elements needed."""
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda b: -b.count):
        alive = sorted(
            (b for b in placed if b.first <= buffer.last and buffer.first <= b.last),
            key=lambda b: b.offset,
        )
        offset = 0
        for other in alive:
            if offset + buffer.count <= other.offset:
                break
            offset = max(offset, other.offset + other.count)
        buffer.offset = offset
        placed.append(buffer)
    return max(buffer.offset + buffer.count for buffer in placed)
