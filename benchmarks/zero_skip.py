"""Matrix-vector units that skip zeros: cycles predicted and simulated, LUTs by Yosys.

Ternary weights in front of 2-bit inputs and outputs, the shares of weights other than 0
being those of the first column: drawn weight by weight, or in whole blocks of 8 x 16, as
structured pruning leaves them. First at one folding, then at what `fold` chooses for a
frame in as many cycles, with and without leave to skip. `skips` is how many lanes go
together, see `qflow.mvu`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from area import Area, synthesised
from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, IntegerAttr, ModuleOp, TensorType, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region
from xdsl.passes import ModulePass

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine, top_module
from lowering.hw.units.mvu import Mvu
from lowering.interpreter.engine import Interpreter
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect import qflow
from qdialect.calls import CallOp
from qdialect.constants import constant
from qdialect.costs import Cost, unit_cost
from qdialect.streams import stream_of
from qdialect.timing import bottleneck_cycles
from qdialect.types import TernaryType, signed, unsigned
from qdialect.units import stream_functions, units

Ints = npt.NDArray[np.int64]
ROWS, COLUMNS = 256, 512
BLOCK = (8, 16)
DENSITIES = (1.0, 0.5, 0.2, 0.1)
MOST_CYCLES = 1024
FRAMES = 12
INPUT, ACCUMULATOR = unsigned(2), signed(12)


@dataclass(frozen=True)
class Case:
    """A matrix of weights.

    Attributes:
        density: share of weights other than 0.
        block: rows and columns that are 0 together.
        lanes: PE and SIMD of the table at one folding.
        together: lanes that go together in that table.
    """

    density: float
    block: tuple[int, int]
    lanes: tuple[int, int]
    together: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        return (
            "single weights"
            if self.block == (1, 1)
            else "blocks of {}x{}".format(*self.block)
        )

    def weights(self) -> Ints:
        """Of as many rows and columns as all have, about half of them 1."""
        rng = np.random.default_rng(0)
        high, wide = self.block
        kept = rng.random((ROWS // high, COLUMNS // wide)) < self.density
        signs = rng.choice([-1, 1], (ROWS, COLUMNS))
        return signs * kept.repeat(high, axis=0).repeat(wide, axis=1)


CASES = tuple(
    Case(density, block, lanes, together)
    for block, lanes, together in (((1, 1), (2, 16), 1), (BLOCK, BLOCK, 16))
    for density in DENSITIES
)


def network(case: Case, lanes: tuple[int, int] = (1, 1)) -> ModuleOp:
    """A function on streams with one unit, and an entry that calls it."""
    pe, simd = lanes
    weights = case.weights()
    spread = max(2.0, np.sqrt(case.density * COLUMNS))
    steps = np.tile([-spread, 0, spread], (ROWS, 1)) + 1.5 * weights.sum(1)[:, None]
    tensors = TensorType(INPUT, (1, COLUMNS)), TensorType(INPUT, (1, ROWS))
    source, out = stream_of(tensors[0], simd), stream_of(tensors[1], pe)
    inner = Block(arg_types=[source])
    stored = constant(weights, TernaryType())
    thresholds = constant(steps.round().astype(np.int64), ACCUMULATOR)
    unit = qflow.MvuOp(
        inner.args[0], stored, out, accumulator=ACCUMULATOR, thresholds=thresholds
    )
    inner.add_ops([stored, thresholds, unit, ReturnOp(unit.out)])
    outer = Block(arg_types=[tensors[0]])
    call = CallOp("net", outer.args, [tensors[1]])
    outer.add_ops([call, ReturnOp(*call.outs)])
    types = FunctionType.from_lists
    module = ModuleOp(
        [
            FuncOp("net", types([source], [out]), Region(inner)),
            FuncOp("main", types(tensors[:1], tensors[1:]), Region(outer)),
        ]
    )
    module.verify()
    return module


def unit_of(module: ModuleOp) -> qflow.MvuOp:
    """The matrix-vector unit of a network."""
    (function,) = stream_functions(module)
    return next(op for op in units(function) if isinstance(op, qflow.MvuOp))


@dataclass(frozen=True)
class Measured:
    """A unit as it is folded.

    Attributes:
        lanes: PE and SIMD.
        together: lanes that go together where it skips zeros, else 0.
        predicted: cycles a frame.
        simulated: cycles a frame.
        same: whether it gave what the interpreter gives.
        area: by Yosys.
        estimate: by which `fold` chooses.
    """

    lanes: tuple[int, int]
    together: int
    predicted: int
    simulated: float
    same: bool
    area: Area
    estimate: Cost

    @staticmethod
    def of(module: ModuleOp) -> Measured:
        """Simulate and synthesise a network on streams."""
        unit, (function,) = unit_of(module), stream_functions(module)
        lanes, together = (unit.pe, unit.simd), unit.skip_lanes
        predicted, estimate = bottleneck_cycles(function), unit_cost(unit)
        frames = np.random.default_rng(1).integers(0, 4, (FRAMES, COLUMNS))
        (expected,) = Interpreter(module).run([frames])
        ConvertQflowToHwPass().apply(Context(), module)
        engine = RtlEngine(module)
        (found,) = engine([frames])
        area = synthesised(module, top_module(module).sym_name.data)
        return Measured(
            lanes,
            together,
            predicted,
            engine.cycles_per_frame,
            bool((found == expected).all()),
            area,
            estimate,
        )

    def text(self, case: Case) -> str:
        """A line of the table."""
        ok = self.same and self.predicted == self.simulated
        lanes = "{}x{}".format(*self.lanes)
        return (
            f"{case.density:7.1f} {case.name:>16s} {lanes:>8s} "
            f"{self.together or 'no':>5} {self.predicted:9d} "
            f"{self.simulated:9g} {self.area.logic_luts:6d} {self.area.memory_luts:7d} "
            f"{self.area.registers:6d} {self.area.rams:7d} {self.estimate.luts:9.0f} "
            f"{self.estimate.block_rams:7d} {'ok' if ok else 'DIFFERS'}"
        )


def at_one_folding(case: Case) -> Iterator[ModuleOp]:
    """Without and with zeros skipped."""
    yield network(case, case.lanes)
    module = network(case, case.lanes)
    unit_of(module).zero_skip = IntegerAttr(case.together, i64)
    yield module


def as_folded(case: Case) -> Iterator[ModuleOp]:
    """Without and with leave to skip."""
    for may_skip in (False, True):
        module = network(case)
        fold: ModulePass = FoldPass(max_cycles=MOST_CYCLES, zero_skip=may_skip)
        for pass_ in (fold, InsertFifosPass()):
            pass_.apply(Context(), module)
        yield module


def lanes_row(zero_lanes: int) -> str:
    """A dense unit in which some of the SIMD lanes have a weight of 0 in every slice."""
    case = Case(0.5, (1, 1), BLOCK, 1)
    simd = case.lanes[1]
    weights = case.weights()
    weights[:, np.arange(COLUMNS) % simd < zero_lanes] = 0
    unit = Mvu(weights, INPUT, *case.lanes, accumulator_type=ACCUMULATOR).build("unit")
    area = synthesised(ModuleOp([*unit.modules, *unit.images]), "unit")
    return (
        f"{zero_lanes:4d} of {simd} {area.luts:6d} {area.registers:6d} {area.rams:7d}"
    )


def main() -> None:
    """Print a row for each case and way."""
    print("always 0    LUT     FF  RAMB18  (SIMD lanes of a unit that skips nothing)")
    for zero_lanes in (0, 4, 8, 12, 15):
        print(lanes_row(zero_lanes), flush=True)
    for title, modules in (
        ("at one folding", at_one_folding),
        (f"folded for {MOST_CYCLES} cycles", as_folded),
    ):
        print(f"{ROWS} rows of {COLUMNS} ternary weights, {title}")
        print(
            f"{'density':>7s} {'zeros':>16s} {'PExSIMD':>8s} {'skips':>5s} "
            f"{'predicted':>9s} {'simulated':>9s} {'LUT':>6s} {'LUTRAM':>7s} {'FF':>6s} "
            f"{'RAMB18':>7s} {'estimate':>9s} {'RAMB18':>7s}"
        )
        for case in CASES:
            for module in modules(case):
                print(Measured.of(module).text(case), flush=True)


if __name__ == "__main__":
    main()
