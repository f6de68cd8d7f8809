"""The stream level's figures for a unit's timing are those of the hardware unit."""

from __future__ import annotations

import pytest
from integer_cores import CoreBuilder, core_of, random_core
from pass_agreement import apply
from xdsl.dialects.builtin import IntegerAttr, TensorType, i64
from xdsl.ir import Operation

from lowering.hw.unit_specs import unit_spec
from lowering.hw.units.dwc import Dwc
from lowering.hw.units.fifo import Fifo
from lowering.hw.units.lookup import Lookup
from lowering.hw.units.mvu import Mvu
from lowering.hw.units.threshold import Threshold
from lowering.hw.units.topk import TopK
from lowering.hw.units.zero_skip_mvu import ZeroSkipMvu
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from qdialect import qflow
from qdialect.lane_conversion import LaneConversion
from qdialect.pipelines import (
    Pipeline,
    Store,
    fifo_capacity,
    fifo_latency,
    pixel_slots,
    stages_of,
)
from qdialect.selection import TopKOp
from qdialect.streams import stream_of
from qdialect.types import signed, unsigned
from qdialect.units import units


def first_result(op: Operation) -> int:
    """Cycles from taking a vector's first beat to giving its first one."""
    total = 0
    for stage in stages_of(op):
        match stage:
            case Pipeline():
                total += stage.gives[0] - stage.takes[0] + stage.latency
            case LaneConversion() if stage.is_wire:
                pass
            case LaneConversion():
                total += min(-(-stage.out_lanes // stage.in_lanes), stage.in_beats)
            case Store() if stage.reads.needs[0] == 1:
                total += stage.in_beats + 1
            case Store():
                raise AssertionError("test_units_swu looks at units with a store")
    return total


def slowest_stage(op: Operation) -> int:
    """Cycles a vector."""
    return max(
        stage.slots
        if isinstance(stage, Pipeline)
        else max(stage.in_beats, stage.out_beats)
        for stage in stages_of(op)
    )


def check(op: Operation) -> None:
    match spec := unit_spec(op):
        case Mvu() | Threshold() | Lookup() | TopK() | Dwc():
            assert spec.latency_cycles == first_result(op), str(op)
            assert spec.cycles_per_vector == slowest_stage(op), str(op)
        case ZeroSkipMvu():
            assert isinstance(op, qflow.MvuOp)
            assert spec.latency_cycles == first_result(op), str(op)
            assert spec.cycles_per_pixel == pixel_slots(op), str(op)
        case _:
            assert isinstance(op, qflow.ForkOp), str(op)


@pytest.mark.parametrize("seed", range(25))
def test_random_units(seed: int) -> None:
    streams = apply(random_core(seed), ConvertToQflowPass())
    for cycles in (3, 9, 50, 2000, 100_000):
        fold = FoldPass(max_cycles=cycles, max_weight_bits=1 << 20)
        for op in units(core_of(apply(streams, fold))):
            check(op)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("cycles", [5, 7, 13, 100])
def test_top_k(k: int, cycles: int) -> None:
    builder = CoreBuilder()
    x = builder.argument(signed(4), 1, 13)
    types = [TensorType(t, (1, k)) for t in (signed(4), unsigned(4))]
    top = TopKOp(x, *types, axis=1)
    builder.add(top)
    module = builder.module(top.indices)
    folded = apply(module, ConvertToQflowPass(), FoldPass(max_cycles=cycles))
    for op in units(core_of(folded)):
        check(op)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 17, 600])
def test_fifo(depth: int) -> None:
    source = CoreBuilder().block.insert_arg(stream_of(TensorType(signed(4), (1, 3))), 0)
    op = qflow.FifoOp(source, depth)
    assert op.depth == IntegerAttr(depth, i64)
    spec = unit_spec(op)
    assert isinstance(spec, Fifo)
    assert spec.capacity_beats == fifo_capacity(depth)
    assert spec.latency_cycles == fifo_latency(depth)
