"""Networks of units that skip zeros, in Verilator: values, and the cycle of every frame."""

from __future__ import annotations

import pytest
from integer_cores import CoreBuilder, called, core_of
from map_cores import SAME, MapCore
from pass_agreement import apply
from pruned import pruned
from simulators import needs_simulator
from stream_functions import check_simulation
from xdsl.dialects.builtin import ModuleOp

from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect import qflow
from qdialect.beats import beat_times
from qdialect.timing import bottleneck_cycles, frame_interval, unit_cycles
from qdialect.types import BipolarType, TernaryType, signed, unsigned
from qdialect.units import units

pytestmark = needs_simulator
BIPOLAR, TERNARY = BipolarType(), TernaryType()


def check(module: ModuleOp, cycles: int) -> None:
    """A network on streams, folded and with FIFOs; at least one unit skips zeros."""
    folded = apply(module, FoldPass(max_cycles=cycles), InsertFifosPass())
    function = core_of(folded)
    products = [op for op in units(function) if isinstance(op, qflow.MvuOp)]
    assert any(op.skips_zeros for op in products)
    interval = bottleneck_cycles(function)
    assert interval == max(map(unit_cycles, units(function))) <= cycles
    assert frame_interval(function) == interval
    ends = beat_times(function, 12).last_beats()
    assert ends[-1] - ends[-2] == interval
    check_simulation(folded)


@pytest.mark.slow
def test_layers_of_vectors() -> None:
    builder = CoreBuilder(3)
    x = builder.argument(unsigned(3), 1, 40)
    for width in (36, 24):
        x = builder.threshold(builder.linear(x, width, signed(4)), unsigned(2))
    module = builder.module(builder.linear(x, 10, signed(4)))
    streams = apply(called(module), ConvertToQflowPass())
    check(pruned(streams, 0.2, (2, 4)), 60)


def test_padded_convolutions() -> None:
    """Bipolar maps, whose padding is taken back out by place; a tap a cycle."""
    builder = MapCore(5)
    x = builder.argument(BIPOLAR, 1, 5, 4, 8)
    for width in (12, 16):
        x = builder.levels(builder.conv(x, width, TERNARY, SAME), BIPOLAR)
    module = builder.module(builder.conv(x, 6, TERNARY, SAME))
    streams = apply(called(module), ConvertToQflowPass())
    check(pruned(streams, 0.1, (4, 4)), 500)


@pytest.mark.slow
@pytest.mark.parametrize("cycles", [560, 1000, 2000])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_more_convolutions(share: float, cycles: int) -> None:
    builder = MapCore(7)
    x = builder.argument(unsigned(2), 1, 6, 5, 8)
    x = builder.levels(builder.conv(x, 16, signed(3), SAME), signed(3))
    x = builder.levels(builder.conv(x, 16, signed(4), SAME, groups=2), BIPOLAR)
    x = builder.levels(builder.conv(x, 10, signed(4), SAME), unsigned(2))
    module = builder.module(x)
    streams = apply(called(module), ConvertToQflowPass())
    check(pruned(streams, share, (4, 4)), cycles)
