"""The foldings that a unit can take, with their cycles and costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from xdsl.ir import Operation

from qdialect import qflow
from qdialect.costs import MvuCosts, lanes_cost
from qdialect.streams import stream_type


class FoldingError(Exception):
    """A unit that cannot be folded as asked; the rest of a sentence about it."""


class Fold(NamedTuple):
    """One folding of a unit.

    Attributes:
        cycles: cycles a frame.
        pe: output lanes.
        simd: input lanes.
        weight: estimated cost.
    """

    cycles: int
    pe: int
    simd: int
    weight: float


def useful_lanes(elements: int) -> list[int]:
    """The least lanes for each number of beats that a vector of `elements` can take.

    Of all lanes with one number of beats the least do the same work in the same time
    with less. Neither they nor the beats need to divide `elements`.

    >>> useful_lanes(10)
    [1, 2, 3, 4, 5, 10]
    """
    beats = {-(-elements // n): n for n in range(elements, 0, -1)}
    return sorted(beats.values())


def possible_folds(
    op: Operation,
    max_weight_bits: int,
    *,
    pe: int | None = None,
    simd: int | None = None,
) -> list[Fold]:
    """Every folding of a unit that may be the best one.

    Args:
        op: a unit with one input and one output stream.
        max_weight_bits: widest word of a weight memory, unless `pe` and `simd` ask for
            more.
        pe: output lanes, where they are given.
        simd: input lanes, where they are given.

    Raises:
        FoldingError: `pe` or `simd` are not possible.
    """
    source, out = stream_type(op.operands[0]), stream_type(op.results[0])
    columns = _candidates("simd", simd, source.elements)
    rows = _candidates("pe", pe, out.elements)
    match op:
        case qflow.MvuOp():
            return _mvu_folds(op, max_weight_bits, rows, columns, pe, simd)
        case qflow.ThresholdOp() | qflow.LookupOp():
            if pe is not None and simd is not None and pe != simd:
                raise FoldingError(f"pe and simd must be equal, got {pe} and {simd}")
            lanes = columns if pe is None else rows
            return [
                Fold(
                    source.vectors * -(-source.elements // n),
                    n,
                    n,
                    lanes_cost(op, n).weight,
                )
                for n in lanes
            ]
        case qflow.TopKOp():
            if pe not in (None, 1):
                raise FoldingError(f"it gives an index a beat, pe must be 1, got {pe}")
            return [
                Fold(
                    source.vectors * max(-(-source.elements // n), out.elements),
                    1,
                    n,
                    lanes_cost(op, n).weight,
                )
                for n in columns
            ]
        case _:
            raise FoldingError("no folding is known for it")


def _candidates(what: str, given: int | None, elements: int) -> list[int]:
    if given is None:
        return useful_lanes(elements)
    if not 1 <= given <= elements:
        raise FoldingError(f"{what} must be in [1, {elements}], got {given}")
    return [given]


def _mvu_folds(
    op: qflow.MvuOp,
    max_weight_bits: int,
    rows: Iterable[int],
    columns: list[int],
    pe: int | None,
    simd: int | None,
) -> list[Fold]:
    source, out = stream_type(op.input), stream_type(op.out)
    costs = MvuCosts.of(op)
    widest = max_weight_bits // costs.weight_bits
    if pe is not None and simd is not None:
        widest = max(widest, pe * simd)
    folds = [
        Fold(
            source.vectors * -(-source.elements // s) * -(-out.elements // p),
            p,
            s,
            costs.at(p, s).weight,
        )
        for p in rows
        for s in columns
        if p * s <= widest
    ]
    if not folds:
        raise FoldingError(
            f"no folding keeps its weight words within {max_weight_bits} bits; raise "
            "max-weight-bits"
        )
    return folds
