"""Ratios of small whole numbers next to a given one."""

from __future__ import annotations

from collections.abc import Iterator


def simple_ratios(numerator: int, denominator: int) -> Iterator[tuple[int, int]]:
    """Ever closer fractions, by rising denominator; the last one is equal.

    These are all nodes of the Stern-Brocot tree on the way there, from the whole numbers
    on both sides on: of the fractions in any interval around the number, one of the
    least denominator is among them.

    >>> list(simple_ratios(10, 7))
    [(1, 1), (2, 1), (3, 2), (4, 3), (7, 5), (10, 7)]

    Args:
        numerator: positive.
        denominator: positive.
    """
    whole, rest = divmod(numerator, denominator)
    low, high = (whole, 1), (whole + 1, 1)
    if whole:
        yield low
    if not rest:
        return
    yield high
    while True:
        node = (low[0] + high[0], low[1] + high[1])
        yield node
        side = node[0] * denominator - numerator * node[1]
        if side == 0:
            return
        low, high = (node, high) if side < 0 else (low, node)
