"""The foldings that a unit can take, with their cycles and costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from xdsl.ir import Block, Operation
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import VerifyException

from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.costs import MvuCosts, ZeroSkip, unit_cost
from qdialect.streams import StreamType, stream_operands, stream_type, with_lanes
from qdialect.timing import unit_cycles
from qdialect.zero_blocks import ZeroBlocks


class FoldingError(Exception):
    """A unit that cannot be folded as asked; the rest of a sentence about it."""


class Fold(NamedTuple):
    """One folding of a unit.

    Attributes:
        cycles: cycles a frame.
        pe: output lanes.
        simd: input lanes.
        weight: estimated cost.
        zero_skip: lanes that go together where a matrix-vector unit skips zeros, else 0.
    """

    cycles: int
    pe: int
    simd: int
    weight: float
    zero_skip: int = 0


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
    zero_skip: int | None = None,
) -> list[Fold]:
    """Every folding of a unit that may be the best one.

    Args:
        op: a unit with one output stream; all its inputs have the same lanes.
        max_weight_bits: widest word of a weight memory, unless `pe` and `simd` ask for
            more.
        pe: output lanes, where they are given.
        simd: input lanes, where they are given.
        zero_skip: lanes that go together when it skips zeros, 0 to skip none; None for
            whatever may be best.

    Raises:
        FoldingError: `pe`, `simd` or `zero_skip` are not possible.
    """
    if zero_skip and not isinstance(op, qflow.MvuOp):
        raise FoldingError("zero_skip is for matrix-vector units")
    source, out = stream_type(op.operands[0]), stream_type(op.results[0])
    match op:
        case qflow.MvuOp():
            columns = _candidates("simd", simd, source.elements)
            rows = _candidates("pe", pe, out.elements)
            given = pe is not None and simd is not None
            lanes = [(p, s) for p in rows for s in columns]
            return _mvu_folds(op, lanes, None if given else max_weight_bits, zero_skip)
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
    lanes: Iterable[tuple[int, int]],
    max_weight_bits: int | None,
    zero_skip: int | None,
) -> list[Fold]:
    """The folds of a matrix-vector unit.

    Args:
        op: the unit.
        lanes: PE and SIMD.
        max_weight_bits: widest word of the weight memory, None for any.
        zero_skip: as for `possible_folds`.
    """
    source, out = stream_type(op.input), stream_type(op.out)
    costs = MvuCosts.of(op)
    if max_weight_bits is not None:
        widest = max_weight_bits // costs.weight_bits
        lanes = [(p, s) for p, s in lanes if p * s <= widest]
    dense = [
        Fold(
            source.vectors * -(-source.elements // s) * -(-out.elements // p),
            p,
            s,
            costs.at(p, s).weight,
        )
        for p, s in lanes
    ]
    if not dense:
        raise FoldingError(
            f"no folding keeps its weight words within {max_weight_bits} bits; raise "
            "max-weight-bits"
        )
    if zero_skip == 0:
        return dense
    if obstacle := op.zero_skip_obstacle:
        if zero_skip:
            raise FoldingError(f"zero_skip {obstacle}")
        return dense
    weights = constant_array(op.weights)
    if weights is None:
        # A symbol that the module lacks; whoever needs the weights says so.
        return dense
    blocks = ZeroBlocks(weights, op.group_count)
    pixels = source.vectors // op.group_count
    skips = _Skips(costs, blocks, source.elements, pixels)
    if zero_skip is not None:
        return [skips.at(fold, zero_skip) for fold in dense]
    return dense + skips.faster(dense)


# Of more columns than these that hold something, lanes of their own spare no cycle.
_MOST_COLUMNS_HELD = 0.75


@dataclass(frozen=True)
class _Skips:
    """The folds of a matrix-vector unit that skip zeros.

    Attributes:
        costs: of the unit.
        blocks: of its weights.
        columns: inputs per output.
        pixels: of a frame.
    """

    costs: MvuCosts
    blocks: ZeroBlocks
    columns: int
    pixels: int

    def at(self, fold: Fold, zero_skip: int) -> Fold:
        """With the lanes of `fold`, of which `zero_skip` go together, or all there are."""
        together = min(zero_skip, fold.simd)
        schedule = self.blocks.schedule(fold.pe, fold.simd, together)
        return self._fold(fold, ZeroSkip(together, sum(schedule.steps)))

    def faster(self, dense: Iterable[Fold]) -> list[Fold]:
        """With the lanes of some folds, where that takes fewer cycles.

        Either all lanes of a slice go together, or each goes alone.
        """
        if self.blocks.weights.all():
            return []
        found: list[Fold] = []
        for pe, group in groupby(dense, key=lambda fold: fold.pe):
            held = self._columns_held(pe)
            if held == 1:
                continue
            folds = list(group)
            simds = [fold.simd for fold in folds]
            skips = [*map(ZeroSkip, simds, self.blocks.steps(pe, simds))]
            wide = [fold for fold in folds if fold.simd > 1]
            if wide and held <= _MOST_COLUMNS_HELD:
                steps = self.blocks.lane_steps(pe, [fold.simd for fold in wide])
                folds += wide
                skips += [ZeroSkip(1, count) for count in steps]
            found += [
                self._fold(fold, skip)
                for fold, skip in zip(folds, skips, strict=True)
                if self._cycles(fold, skip) < fold.cycles
            ]
        return found

    def _columns_held(self, pe: int) -> float:
        """The share of the columns of all beats of rows that hold something."""
        rows, groups = len(self.blocks.weights), self.blocks.groups
        beats = groups * -(-rows // groups // pe)
        return self.blocks.steps(pe, [1])[0] / (beats * self.columns)

    def _cycles(self, fold: Fold, skip: ZeroSkip) -> int:
        in_beats = self.blocks.groups * -(-self.columns // fold.simd)
        return self.pixels * max(in_beats, skip.steps)

    def _fold(self, fold: Fold, skip: ZeroSkip) -> Fold:
        return fold._replace(
            cycles=self._cycles(fold, skip),
            weight=self.costs.at(fold.pe, fold.simd, skip).weight,
            zero_skip=skip.together,
        )
