"""Random convolutions on every target, against ONNX Runtime on plain ONNX.

They stand side by side in one model, which is compiled once: its inputs and outputs are
those of the convolutions, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import pytest
from convolution_twins import ConvolutionCase, TwinGraph, draw_case
from integer_cores import core_of
from onnx_graphs import by_onnx_runtime
from pass_agreement import apply
from simulators import needs_simulator
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Core, Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.folding_choices import possible_folds
from passes.insert_fifos import InsertFifosPass
from qdialect import qflow
from qdialect.beats import beat_times
from qdialect.data import Array
from qdialect.units import units
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import find_pipeline

# Convolutions of a model.
_TOGETHER = 10
FRAMES = 12
RTL_FRAMES = 3


batches = pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.slow] if first >= 30 else [])
        for first in range(0, 330, _TOGETHER)
    ],
)


class Batch:
    """The cases of some seeds as one network, and what it gives on frames of theirs.

    Attributes:
        cases: in the order of inputs and outputs.
        network: as imported.
        inputs: an array [FRAMES, ..] a case.
        expected: what ONNX Runtime computes from the twin.
    """

    def __init__(self, seeds: Sequence[int]):
        self.cases = [draw_case(seed) for seed in seeds]
        graph = TwinGraph()
        for case in self.cases:
            graph.append(case)
        quantised, plain = graph.models()
        self.network = import_onnx(quantised.SerializeToString(), name="cases.onnx")
        self.network.verify()
        self.inputs = [case.frames(FRAMES) for case in self.cases]
        self.expected = by_onnx_runtime(plain, *self.inputs)

    def check(self, module: ModuleOp, core: Core | None, frames: int) -> None:
        """A module gives on the first frames what is expected, in every case."""
        interpreter = Interpreter(module, core=core)
        found = interpreter.run([array[:frames] for array in self.inputs])
        different = [
            difference(case, a, b[:frames])
            for case, a, b in zip(self.cases, found, self.expected, strict=True)
            if not np.array_equal(a, b[:frames])
        ]
        assert not different, "\n".join(different)


def difference(case: ConvolutionCase, found: Array, expected: Array) -> str:
    """What differs in a case, with all that makes it again."""
    if found.shape != expected.shape:
        return f"{case}: shape {found.shape}, expected {expected.shape}"
    places = np.argwhere(found != expected)
    first = tuple(places[0])
    return (
        f"{case}: {len(places)} of {found.size} values differ, first at "
        f"{[int(index) for index in first]}: {found[first]}, expected {expected[first]}"
    )


@cache
def batch(first: int) -> Batch:
    return Batch(range(first, first + _TOGETHER))


def compiled(first: int, pipeline: str) -> ModuleOp:
    return apply(batch(first).network, *find_pipeline(pipeline).passes)


@batches
def test_network(first: int) -> None:
    batch(first).check(batch(first).network, None, FRAMES)


@batches
def test_integer_level(first: int) -> None:
    batch(first).check(compiled(first, "bnn-integer"), None, FRAMES)


@batches
def test_c(first: int) -> None:
    module = compiled(first, "bnn-c")
    batch(first).check(module, CEngine(module), FRAMES)


@needs_simulator
@batches
def test_rtl(first: int) -> None:
    """With units of few lanes and of many, from batch to batch; with stalls, too."""
    streams = compiled(first, "bnn-integer")
    streams = apply(streams, ConvertToQflowPass())
    choices = (least_cycles(streams), None, 5000)
    fold = FoldPass(max_cycles=choices[first // _TOGETHER % len(choices)])
    streams = apply(streams, fold, InsertFifosPass())
    module = apply(streams, ConvertQflowToHwPass())
    engine = RtlEngine(module)
    batch(first).check(module, engine, RTL_FRAMES)
    assert last_cycles(engine) == beat_times(core_of(streams), RTL_FRAMES).last_beats()
    stalled = partial(engine, pause_in_percent=40, pause_out_percent=60, seed=first)
    batch(first).check(module, stalled, RTL_FRAMES)


def least_cycles(module: ModuleOp) -> int:
    """Cycles a frame of the slowest unit with as many lanes as it can have."""
    bits = FoldPass().max_weight_bits
    folds = [
        possible_folds(op, bits)
        for op in units(core_of(module))
        if not isinstance(op, qflow.ForkOp)
    ]
    return max(min(fold.cycles for fold in choices) for choices in folds)


def last_cycles(engine: RtlEngine) -> list[int]:
    """The cycle of every frame's last beat in the last run, from its first beat on."""
    assert engine.run is not None
    times = engine.run.times.items()
    start = min(seen.first[0] for name, seen in times if name.startswith("s_axis"))
    ends = [seen.last for name, seen in times if name.startswith("m_axis")]
    return [max(cycles) - start for cycles in zip(*ends, strict=True)]


def test_cases_are_varied() -> None:
    """What is easily wrong is drawn often."""
    cases = [draw_case(seed) for seed in range(330)]

    def share(holds: Callable[[ConvolutionCase], bool]) -> float:
        return sum(map(holds, cases)) / len(cases)

    assert share(lambda case: case.inputs.is_bipolar and any(case.pads)) > 0.25
    assert share(lambda case: case.channels == case.groups > 1) > 0.25
    assert share(lambda case: len(case.kernel) == 1) > 0.2
    assert share(lambda case: case.transposed) > 0.05
    assert share(lambda case: case.activation is None) > 0.3
    assert share(lambda case: case.pooling is not None) > 0.2
    assert share(lambda case: case.zero != 0) > 0.03
