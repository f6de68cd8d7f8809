"""`insert-fifos`: full rate, no beat of depth too much, no deadlock; timing on its own."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from convolution_cores import MapBuilder
from integer_cores import CoreBuilder, core_of, random_core, random_frames
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect import qflow
from qdialect.beats import beat_times
from qdialect.timing import (
    MIN_FIFO_DEPTH,
    bottleneck_cycles,
    busy,
    frame_interval,
    frame_latency,
    unit_cycles,
)
from qdialect.types import BipolarType, TernaryType, signed
from qdialect.units import units

CASES = [(seed, cycles) for seed in range(8) for cycles in (3, 25, 160, 2500)]


def folded(seed: int, cycles: int) -> ModuleOp:
    fold = FoldPass(max_cycles=cycles, max_weight_bits=1 << 20)
    return apply(random_core(seed), ConvertToQflowPass(), fold)


def fifos(function: FuncOp) -> dict[Operation, int]:
    return {
        op: op.depth.value.data
        for op in units(function)
        if isinstance(op, qflow.FifoOp)
    }


@pytest.mark.parametrize(("seed", "cycles"), CASES)
def test_full_rate_from_the_first_frames_on(seed: int, cycles: int) -> None:
    function = core_of(apply(folded(seed, cycles), InsertFifosPass()))
    interval = bottleneck_cycles(function)
    assert frame_interval(function) == interval
    # Far beyond what the pass itself looks at.
    ends = beat_times(function, 150).last_beats()
    assert {b - a for a, b in pairwise(ends[20:])} == {interval}
    assert max(busy(function).values()) == 1


@pytest.mark.parametrize(("seed", "cycles"), CASES[::3])
def test_every_fifo_is_as_shallow_as_it_can_be(seed: int, cycles: int) -> None:
    function = core_of(apply(folded(seed, cycles), InsertFifosPass()))
    interval = bottleneck_cycles(function)
    depths = fifos(function)
    for op, depth in depths.items():
        if depth > MIN_FIFO_DEPTH:
            shallower = {**depths, op: depth - 1}
            ends = beat_times(function, 200, depths=shallower).last_beats()
            assert ends[-1] - ends[99] > 100 * interval


@pytest.mark.parametrize("seed", range(6))
def test_any_depth_is_free_of_deadlock(seed: int) -> None:
    """Streams fork and never join again: less storage is slower, not stuck."""
    function = core_of(apply(folded(seed, 25), InsertFifosPass()))
    ends = beat_times(function, 20, depths=dict.fromkeys(fifos(function), 1))
    assert len(ends.last_beats()) == 20


@pytest.mark.parametrize("seed", range(4))
def test_values_stay(seed: int) -> None:
    before = folded(seed, 40)
    after = apply(before, InsertFifosPass())
    inputs = random_frames(random_core(seed), 20)
    expected = Interpreter(before).run(inputs, "core")
    for a, b in zip(expected, Interpreter(after).run(inputs, "core"), strict=True):
        np.testing.assert_array_equal(a, b)


def two_layers(first: FoldPass) -> ModuleOp:
    builder = CoreBuilder(1)
    x = builder.argument(signed(3), 1, 24)
    y = builder.threshold(builder.linear(x, 16, TernaryType()), signed(2))
    module = builder.module(builder.linear(y, 10, TernaryType()))
    return apply(module, ConvertToQflowPass(), first)


def test_a_fifo_stands_behind_the_converter_and_not_at_the_ends() -> None:
    module = apply(two_layers(FoldPass(max_cycles=20)), InsertFifosPass())
    names = [op.name.removeprefix("qflow.") for op in units(core_of(module))]
    assert names == ["mvu", "dwc", "fifo", "mvu"]


def test_inserting_again_starts_afresh() -> None:
    once = apply(two_layers(FoldPass(max_cycles=40)), InsertFifosPass())
    assert str(apply(once, InsertFifosPass())) == str(once)


def test_latency_is_that_of_one_frame() -> None:
    """One lane each: the second layer ends 24 * 16 cycles and its own work later."""
    module = apply(two_layers(FoldPass(max_cycles=24 * 16)), InsertFifosPass())
    function = core_of(module)
    first, second = (op for op in units(function) if isinstance(op, qflow.MvuOp))
    assert (first.pe, first.simd, second.pe, second.simd) == (1, 1, 1, 1)
    latency = frame_latency(function)
    work = unit_cycles(first) + unit_cycles(second) - second.synapse_fold
    # What is over are the registers of the two units and of the FIFO.
    assert work < latency < work + 25


@pytest.mark.parametrize(
    ("rows", "has_fifo"), [(1, False), (2, True), (4, True), (7, False)]
)
def test_few_windows_in_front_of_a_slow_unit_keep_the_rate(
    rows: int, has_fifo: bool
) -> None:
    """The window's store is free for the next frame when its last window is read.

    At 2 and 4 rows that is too late, unless a FIFO takes the window out of the store.
    """
    builder = MapBuilder(rows)
    x = builder.argument(BipolarType(), 1, 6, 5, 3)
    sums = builder.conv(x, rows, signed(3), (5, 1), strides=(3, 3))
    streams = apply(builder.module(sums), ConvertToQflowPass(), FoldPass())
    function = core_of(apply(streams, InsertFifosPass()))
    interval = bottleneck_cycles(function)
    ends = beat_times(function, 60).last_beats()
    assert {b - a for a, b in pairwise(ends[20:])} == {interval}
    windows = next(op for op in units(function) if isinstance(op, qflow.SwuOp))
    behind = {type(use.operation) for use in windows.out.uses}
    assert (qflow.FifoOp in behind) == has_fifo
