"""`fold`: choose PE and SIMD of every unit for a frame rate, at the least cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, prod

from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, IntegerAttr, ModuleOp, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from passes.folding_choices import Fold, FoldingError, possible_folds
from passes.folding_file import FoldingFile
from qdialect import qflow
from qdialect.costs import dwc_cost
from qdialect.streams import stream_operands, stream_type, with_lanes
from qdialect.types import shape_of
from qdialect.units import stream_functions, unit_names, units

_DEFAULT_CYCLES = 1024
_DEFAULT_MACS_A_CYCLE = 1024


def _joins(op: Operation) -> bool:
    """Whether a unit reads several streams."""
    return len(stream_operands(op)) > 1


class _Solver:
    """The cheapest folds of a tree of units, converters between them included.

    Every stream has one reader, so from each argument the units form a tree, up to those
    that join streams, from whose results it goes on: the folding of these is chosen
    before. The least cost of all that reads a stream depends on its lanes alone.
    """

    def __init__(self, folds: dict[Operation, list[Fold]]):
        self._folds = folds
        self._costs: dict[tuple[SSAValue, int], float] = {}
        self._by_simd: dict[Operation, list[tuple[float, Fold]]] = {}
        self._chosen: dict[tuple[Operation, int], tuple[float, Fold]] = {}

    def readers_cost(self, stream: SSAValue, lanes: int) -> float:
        """Least cost of all that reads `stream`, given its lanes."""
        key = (stream, lanes)
        if key not in self._costs:
            self._costs[key] = sum(
                self._reader_cost(use.operation, stream, lanes) for use in stream.uses
            )
        return self._costs[key]

    def _reader_cost(self, op: Operation, stream: SSAValue, lanes: int) -> float:
        match op:
            case ReturnOp():
                return 0.0
            case qflow.ForkOp():
                return sum(self.readers_cost(out, lanes) for out in op.outs)
            case _ if _joins(op):
                source = with_lanes(stream_type(stream), lanes)
                return dwc_cost(source, self._folds[op][0].simd).weight
            case _:
                return self._best(op, stream, lanes)[0]

    def _best(self, op: Operation, stream: SSAValue, lanes: int) -> tuple[float, Fold]:
        """Cost and fold of a unit and all behind it, fed with `lanes` lanes."""
        key = (op, lanes)
        if key not in self._chosen:
            source = with_lanes(stream_type(stream), lanes)
            self._chosen[key] = min(
                (dwc_cost(source, fold.simd).weight + cost, fold)
                for cost, fold in self._best_by_simd(op)
            )
        return self._chosen[key]

    def _best_by_simd(self, op: Operation) -> list[tuple[float, Fold]]:
        """For each number of input lanes the best fold, and its cost to the end."""
        if op not in self._by_simd:
            best: dict[int, tuple[float, Fold]] = {}
            for fold in self._folds[op]:
                cost = fold.weight + self.readers_cost(op.results[0], fold.pe)
                candidate = (cost, fold)
                best[fold.simd] = min(best.get(fold.simd, candidate), candidate)
            self._by_simd[op] = list(best.values())
        return self._by_simd[op]

    def best_lanes(self, stream: SSAValue) -> int:
        """Lanes of an argument with which its readers cost least."""
        candidates = sorted(self._reader_lanes(stream))
        return min(candidates, key=lambda n: (self.readers_cost(stream, n), n))

    def _reader_lanes(self, stream: SSAValue) -> set[int]:
        found: set[int] = set()
        for use in stream.uses:
            op = use.operation
            if isinstance(op, qflow.ForkOp):
                found |= {n for out in op.outs for n in self._reader_lanes(out)}
            elif op in self._folds:
                found |= {fold.simd for fold in self._folds[op]}
        return found or {1}

    def chosen(self, op: Operation, stream: SSAValue, lanes: int) -> Fold:
        """The fold of a unit that is fed with `lanes` lanes."""
        if _joins(op):
            return self._folds[op][0]
        return self._best(op, stream, lanes)[1]


def _apply(solver: _Solver, stream: SSAValue, lanes: int) -> None:
    """Give `stream` its lanes, and fold everything behind it."""
    type_ = with_lanes(stream_type(stream), lanes)
    uses = list(stream.uses)
    folds = {
        use.operation: solver.chosen(use.operation, stream, lanes)
        for use in uses
        if not isinstance(use.operation, ReturnOp | qflow.ForkOp)
    }
    Rewriter.replace_value_with_new_type(stream, type_)
    for use in uses:
        op = use.operation
        if isinstance(op, qflow.ForkOp):
            for out in op.outs:
                _apply(solver, out, lanes)
        elif op in folds:
            fold = folds[op]
            if isinstance(op, qflow.MvuOp):
                together = IntegerAttr(fold.zero_skip, i64) if fold.zero_skip else None
                op.zero_skip = together
            if fold.simd != lanes:
                _convert_lanes(op, use.index, fold.simd)
            if not _joins(op):
                _apply(solver, op.results[0], fold.pe)


def _convert_lanes(op: Operation, index: int, lanes: int) -> None:
    """Put a converter in front of an operand."""
    stream = op.operands[index]
    converter = qflow.DwcOp(stream, with_lanes(stream_type(stream), lanes))
    converter.location = op.location
    Rewriter.insert_op(converter, InsertPoint.before(op))
    op.operands[index] = converter.out


def _drop_converters(function: FuncOp) -> None:
    """Take out the converters and FIFOs of an earlier run, and fold back to one lane."""
    for op in list(units(function)):
        if isinstance(op, qflow.DwcOp | qflow.FifoOp):
            op.out.replace_all_uses_with(op.input)
            Rewriter.erase_op(op)


def _macs(function: FuncOp) -> int:
    """Products that a frame takes."""
    total = 0
    for op in units(function):
        match op:
            case qflow.MvuOp():
                source = stream_type(op.input)
                total += source.vectors * source.elements * stream_type(op.out).elements
            case qflow.VvuOp():
                taps = shape_of(op.weights)[1]
                total += prod(stream_type(op.out).tensor.get_shape()) * taps
            case _:
                pass
    return total


@dataclass(frozen=True)
class FoldPass(ModulePass):
    """Choose PE and SIMD of every unit, and put converters between unequal neighbours.

    Of all foldings, PE and SIMD that do not divide their axis included, the one is taken
    whose estimated LUTs (units, weight memories and converters together, see
    `qdialect/costs.py`) are fewest while no unit takes more cycles a frame than allowed:

    1. `target-fps`: clock / target-fps cycles;
    2. `max-cycles`: as many;
    3. otherwise, with a folding file that names a unit: as many as the slowest unit
       takes at the least;
    4. otherwise 1024, or more where a network of that speed would need over 1024
       products a cycle: products a frame / 1024; or more where some unit takes longer
       whatever its folding.

    What joins streams is as narrow as is fast enough. A matrix-vector unit skips
    weights of 0 (`zero_skip` of `qflow.mvu`) where it costs least so: where there are
    many, fewer lanes are fast enough, at the price of a buffer.

    A stream at the edge of the function takes the lanes of the unit there. Converters
    and FIFOs of an earlier run are dropped first. Exact: lanes change when an element
    passes, not what it is. A rate that no folding reaches is refused.
    """

    name = "fold"

    target_fps: int | float | None = None
    """Frames a second to reach."""
    clock_mhz: int | float = 100
    """Clock frequency that `target-fps` is meant at."""
    max_cycles: int | None = None
    """Cycles a frame to keep to, instead of a frame rate."""
    folding_file: str | None = None
    """JSON: unit name -> {"pe": .., "simd": .., "zero_skip": ..}, each may be left out;
    zeros are skipped where `zero_skip` is not 0, see `qflow.mvu`. Units are named after
    the nodes of the source model, see `qdialect/units.py`."""
    max_weight_bits: int = 8192
    """Widest word of a weight memory, in bits."""
    zero_skip: bool = True
    """Whether matrix-vector units may skip weights of 0."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in stream_functions(op):
            _drop_converters(function)
            self._fold(function)

    def _fold(self, function: FuncOp) -> None:
        names = unit_names(function)
        pinned = FoldingFile.read(self.folding_file, names)
        folds: dict[Operation, list[Fold]] = {}
        for op in names:
            if not isinstance(op, qflow.ForkOp):
                folds[op] = self._possible(op, names[op], pinned)
        cycles = self._allowed_cycles(function, folds, pinned)
        # The slowest first, so that a refusal names the unit that sets the best rate.
        for op in sorted(folds, key=lambda op: -min(fold.cycles for fold in folds[op])):
            choices = folds[op]
            if fast := [fold for fold in choices if fold.cycles <= cycles]:
                folds[op] = fast
            else:
                raise self._unreachable(names[op], choices, folds, cycles)
        joins = [op for op in folds if _joins(op)]
        for op in joins:
            # As narrow as is fast enough.
            folds[op] = [min(folds[op], key=lambda fold: fold.simd)]
        solver = _Solver(folds)
        for argument in function.body.block.args:
            _apply(solver, argument, solver.best_lanes(argument))
        for op in joins:
            _apply(solver, op.results[0], folds[op][0].pe)
        end = function.body.block.last_op
        assert end is not None
        function.function_type = FunctionType.from_lists(
            [argument.type for argument in function.body.block.args],
            [operand.type for operand in end.operands],
        )

    def _possible(self, op: Operation, name: str, pinned: FoldingFile) -> list[Fold]:
        given = pinned.folds.get(op)
        pe, simd, zero_skip = given or (None, None, None if self.zero_skip else 0)
        try:
            return possible_folds(
                op, self.max_weight_bits, pe=pe, simd=simd, zero_skip=zero_skip
            )
        except FoldingError as error:
            raise PassFailedException(f"fold: unit {name}: {error}") from None

    def _allowed_cycles(
        self,
        function: FuncOp,
        folds: dict[Operation, list[Fold]],
        pinned: FoldingFile,
    ) -> int:
        if self.target_fps is not None:
            if self.target_fps <= 0 or self.clock_mhz <= 0:
                raise PassFailedException(
                    "fold: target-fps and clock-mhz must be positive, got "
                    f"{self.target_fps} and {self.clock_mhz}"
                )
            return floor(self.clock_mhz * 1e6 / self.target_fps)
        if self.max_cycles is not None:
            return self.max_cycles
        if pinned.folds:
            return max(min(fold.cycles for fold in f) for f in folds.values())
        fewest = max(min(fold.cycles for fold in f) for f in folds.values())
        products = -(-_macs(function) // _DEFAULT_MACS_A_CYCLE)
        return max(_DEFAULT_CYCLES, products, fewest)

    def _unreachable(
        self,
        name: str,
        choices: list[Fold],
        folds: dict[Operation, list[Fold]],
        cycles: int,
    ) -> PassFailedException:
        fewest = min(fold.cycles for fold in choices)
        best = max(min(fold.cycles for fold in f) for f in folds.values())
        reach = f"{best} cycles a frame"
        if self.target_fps is not None:
            rate = floor(self.clock_mhz * 1e6 / best)
            reach = f"{rate} frames a second at {self.clock_mhz} MHz, {reach}"
        return PassFailedException(
            f"fold: unit {name} takes at least {fewest} cycles a frame, {cycles} are "
            f"allowed; the best reachable is {reach}"
        )
