"""`insert-fifos`: the rate of the slowest unit, with as little storage as that takes."""

from __future__ import annotations

import pytest
from pass_agreement import TO_INTEGER, apply, assert_same
from random_networks import random_frames, random_mlp
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64

from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect.qflow import FifoOp
from qdialect.timing import MIN_FIFO_DEPTH, bottleneck_cycles, frame_interval
from qdialect.units import stream_functions

seeds = pytest.mark.parametrize("seed", range(6))


def folded(seed: int) -> tuple[ModuleOp, ModuleOp]:
    """A network as trained, and on streams without FIFOs."""
    module = random_mlp(seed, widths=(14, 11, 9, 6))
    fold = FoldPass(max_cycles=12 + 7 * seed)
    return module, apply(module, *TO_INTEGER, ConvertToQflowPass(), fold)


@seeds
def test_values_stay(seed: int) -> None:
    module, streams = folded(seed)
    after = apply(streams, InsertFifosPass())
    assert any(isinstance(op, FifoOp) for op in after.walk())
    assert_same(module, after, [random_frames(module, 100, seed)])


@seeds
def test_the_slowest_unit_never_waits(seed: int) -> None:
    (function,) = stream_functions(apply(folded(seed)[1], InsertFifosPass()))
    assert frame_interval(function) == bottleneck_cycles(function)


@seeds
def test_no_fifo_can_be_shallower(seed: int) -> None:
    module = apply(folded(seed)[1], InsertFifosPass())
    (function,) = stream_functions(module)
    for fifo in [op for op in function.walk() if isinstance(op, FifoOp)]:
        depth = fifo.depth.value.data
        if depth == MIN_FIFO_DEPTH:
            continue
        fifo.depth = IntegerAttr(depth - 1, i64)
        slower = frame_interval(function)
        fifo.depth = IntegerAttr(depth, i64)
        # Deep enough for the rate, or as deep as the hardware's least FIFO.
        assert slower > bottleneck_cycles(function) or depth <= 2, str(fifo)
