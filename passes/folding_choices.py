"""The foldings that a unit can take, with their cycles and costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from xdsl.ir import Block, Operation
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import VerifyException

from qdialect import qflow
from qdialect.costs import MvuCosts, unit_cost
from qdialect.streams import StreamType, stream_operands, stream_type, with_lanes
from qdialect.timing import unit_cycles


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
        op: a unit with one output stream; all its inputs have the same lanes.
        max_weight_bits: widest word of a weight memory, unless `pe` and `simd` ask for
            more.
        pe: output lanes, where they are given.
        simd: input lanes, where they are given.

    Raises:
        FoldingError: `pe` or `simd` are not possible.
    """
    source, out = stream_type(op.operands[0]), stream_type(op.results[0])
    match op:
        case qflow.MvuOp():
            columns = _candidates("simd", simd, source.elements)
            rows = _candidates("pe", pe, out.elements)
            return _mvu_folds(op, max_weight_bits, rows, columns, pe, simd)
        case qflow.TopKOp():
            _candidates("pe", pe, out.elements)
            if pe not in (None, 1):
                raise FoldingError(f"it gives an index a beat, pe must be 1, got {pe}")
            lanes = [(n, 1) for n in _candidates("simd", simd, source.elements)]
        case qflow.SwuOp():
            lanes = _window_lanes(op, pe, simd)
        case _:
            if pe is not None and simd is not None and pe != simd:
                raise FoldingError(f"pe and simd must be equal, got {pe} and {simd}")
            given = simd if pe is None else pe
            what = "simd" if pe is None else "pe"
            values = (*stream_operands(op), *op.results)
            most = min(stream_type(value).elements for value in values)
            lanes = [(n, n) for n in _candidates(what, given, most)]
    folds = [fold for pair in lanes if (fold := _fold_at(op, *pair)) is not None]
    if not folds:
        raise FoldingError(f"pe {pe} and simd {simd} are no lanes that it can have")
    return folds


def _window_lanes(
    op: qflow.SwuOp, pe: int | None, simd: int | None
) -> list[tuple[int, int]]:
    """Input and output lanes: a tap a cycle, or the whole window."""
    source, out = stream_type(op.input), stream_type(op.out)
    lanes = [(n, n) for n in _divisors(source.elements // op.group_count)]
    lanes.append((source.elements, out.elements))
    return [
        (n, m) for n, m in dict.fromkeys(lanes) if simd in (None, n) and pe in (None, m)
    ]


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


def _fold_at(op: Operation, simd: int, pe: int) -> Fold | None:
    """The folding of a unit with these lanes, or None where it cannot have them."""
    inputs = Block()
    trial = op.clone(
        {
            value: inputs.insert_arg(with_lanes(stream_type(value), simd), i)
            for i, value in enumerate(op.operands)
            if isinstance(value.type, StreamType)
        }
    )
    for result in trial.results:
        # Until the clone is whole, its lanes may be more than its elements.
        lanes = min(pe, stream_type(result).elements)
        Rewriter.replace_value_with_new_type(
            result, with_lanes(stream_type(result), lanes)
        )
    try:
        trial.verify()
        return Fold(unit_cycles(trial), pe, simd, unit_cost(trial).weight)
    except VerifyException:
        return None
    finally:
        trial.erase()


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
