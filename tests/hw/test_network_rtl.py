"""Whole networks in Verilator: values, the cycle of every frame, stalls, FIFO depths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from integer_cores import CoreBuilder, called, core_of, random_core, random_frames
from pass_agreement import apply
from simulators import needs_simulator
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, TensorType, i64
from xdsl.passes import ModulePass

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect import qflow
from qdialect.beats import beat_times
from qdialect.data import Array
from qdialect.selection import TopKOp
from qdialect.timing import (
    MIN_FIFO_DEPTH,
    bottleneck_cycles,
    frame_interval,
    frame_latency,
)
from qdialect.types import BipolarType, TernaryType, element_of, signed, unsigned
from qdialect.units import units

FRAMES = 24


pytestmark = needs_simulator


def streams(module: ModuleOp, *passes: ModulePass) -> ModuleOp:
    return apply(called(module.clone()), ConvertToQflowPass(), *passes)


def rtl(module: ModuleOp) -> RtlEngine:
    return RtlEngine(apply(module, ConvertQflowToHwPass()))


def assert_equal(found: Sequence[Array], expected: Sequence[Array]) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def check_values_and_cycles(module: ModuleOp, folded: ModuleOp) -> None:
    """Values with and without stalls; every frame leaves in the predicted cycle."""
    inputs = random_frames(module, FRAMES)
    expected = Interpreter(module).run(inputs, "core")
    function = core_of(folded)
    predicted = beat_times(function, FRAMES)
    engine = rtl(folded)
    assert_equal(engine(inputs), expected)
    assert engine.run is not None
    times = engine.run.times
    start = min(t.first[0] for name, t in times.items() if name.startswith("s_axis"))
    ends = zip(
        *(t.last for name, t in times.items() if name.startswith("m_axis")), strict=True
    )
    assert [max(cycles) - start for cycles in ends] == predicted.last_beats()
    assert predicted.last_beats()[0] == frame_latency(function)
    if any(isinstance(op, qflow.FifoOp) for op in units(function)):
        assert engine.cycles_per_frame == bottleneck_cycles(function)
    for seed, (pause_in, pause_out) in enumerate([(50, 0), (0, 70), (40, 60), (95, 5)]):
        paused = engine(
            inputs, pause_in_percent=pause_in, pause_out_percent=pause_out, seed=seed
        )
        assert_equal(paused, expected)


def slow(*values: int) -> ParameterSet:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("seed", "cycles"),
    [(0, 30), (8, 2), slow(1, 9), slow(3, 120), slow(4, 55), slow(5, 17), slow(6, 400)],
)
def test_cores_with_forks_and_several_results(seed: int, cycles: int) -> None:
    module = random_core(seed)
    fold = FoldPass(max_cycles=cycles, max_weight_bits=1 << 20)
    check_values_and_cycles(module, streams(module, fold, InsertFifosPass()))


def classifier(*widths: int, k: int, vectors: int = 1) -> ModuleOp:
    """A network of ternary layers that ends in a top-k."""
    builder = CoreBuilder(len(widths))
    lead = (1,) if vectors == 1 else (1, vectors)
    x = builder.argument(BipolarType(), *lead, widths[0])
    for width in widths[1:-1]:
        x = builder.threshold(builder.linear(x, width, TernaryType()), signed(2))
    x = builder.linear(x, widths[-1], TernaryType())
    types = [TensorType(t, (*lead, k)) for t in (element_of(x), unsigned(5))]
    top = TopKOp(x, *types, axis=len(lead))
    builder.add(top)
    return builder.module(top.indices)


@pytest.mark.parametrize(
    ("widths", "cycles", "k", "vectors"),
    [((37, 23, 17, 10), 60, 1, 1), ((20, 11, 13), 14, 3, 1), ((9, 7, 5), 20, 2, 4)],
)
def test_classifiers(
    widths: tuple[int, ...], cycles: int, k: int, vectors: int
) -> None:
    module = classifier(*widths, k=k, vectors=vectors)
    fold = FoldPass(max_cycles=cycles)
    check_values_and_cycles(module, streams(module, fold, InsertFifosPass()))


def test_two_inputs_and_one_that_passes_through() -> None:
    builder = CoreBuilder(9)
    x = builder.argument(signed(3), 1, 11)
    y = builder.argument(BipolarType(), 1, 6)
    sums = builder.linear(x, 5, TernaryType())
    levels = builder.threshold(builder.linear(y, 7, signed(3)), unsigned(2))
    module = builder.module(builder.linear(levels, 3, TernaryType()), sums, y)
    fold = FoldPass(max_cycles=20)
    check_values_and_cycles(module, streams(module, fold, InsertFifosPass()))


def test_without_fifos_the_schedule_is_still_exact() -> None:
    """Units joined by wires wait for each other: slower, and predicted so."""
    module = classifier(37, 23, 17, 10, k=1)
    folded = streams(module, FoldPass(max_cycles=60))
    function = core_of(folded)
    assert frame_interval(function) > bottleneck_cycles(function)
    check_values_and_cycles(module, folded)


def test_a_fifo_one_beat_shallower_costs_cycles() -> None:
    module = classifier(40, 30, 24, 10, k=1)
    folded = streams(module, FoldPass(max_cycles=150), InsertFifosPass())
    function = core_of(folded)
    interval = bottleneck_cycles(function)
    assert frame_interval(function) == interval
    fifos = [op for op in units(function) if isinstance(op, qflow.FifoOp)]
    fifo = max(fifos, key=lambda op: op.depth.value.data)
    depth = fifo.depth.value.data
    assert depth > MIN_FIFO_DEPTH
    fifo.depth = IntegerAttr(depth - 1, i64)
    slower = frame_interval(function)
    assert slower > interval
    engine = rtl(folded)
    engine(random_frames(module, 4 * FRAMES))
    assert engine.cycles_per_frame > interval
    assert -(-engine.cycles_per_frame // 1) == slower
