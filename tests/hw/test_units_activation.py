"""The threshold and lookup units against the semantics, in Verilated SystemVerilog."""

from __future__ import annotations

import numpy as np
import pytest
from integer_cores import random_levels
from stream_bench import Case, Trace, check, simulate, stream
from xdsl.ir import Attribute

from lowering.hw.units.activation import Activation
from lowering.hw.units.lookup import Lookup
from lowering.hw.units.threshold import Threshold
from qdialect.semantics import lookup_levels, threshold_levels
from qdialect.types import BipolarType, TernaryType, signed, unsigned, value_range

VECTORS = 15
BIPOLAR, TERNARY = BipolarType(), TernaryType()


def _threshold(
    name: str,
    size: tuple[int, int, int],
    types: tuple[Attribute, Attribute],
    offset: int = 0,
    falling: float = 0,
    *,
    same: bool = False,
    margin: int = 0,
) -> Case:
    """A case of `size` channels, thresholds and lanes.

    Thresholds are drawn from the values of the input type and `margin` beyond.
    """
    channels, count, lanes = size
    input_type, output_type = types
    rng = np.random.default_rng(channels * 1000 + count)
    low, high = value_range(input_type)
    thresholds = rng.integers(low - margin, high + 2 + margin, (channels, count))
    thresholds = np.sort(thresholds, axis=1)
    if same:
        thresholds[:] = thresholds[0]
    falls = (rng.random(channels) < falling).astype(np.int64) if falling else None
    spec = Threshold(
        input_type, Activation(thresholds, output_type, offset, falls), lanes
    )
    inputs = random_levels(rng, input_type, (VECTORS, channels))
    return Case(
        name,
        spec.build(name),
        stream(input_type, channels, lanes),
        inputs,
        stream(output_type, channels, lanes),
        threshold_levels(inputs, thresholds, falls, offset, 1, output_type),
        spec.cycles_per_vector,
        spec.latency_cycles,
    )


def _lookup(
    name: str,
    size: tuple[int, int],
    types: tuple[Attribute, Attribute],
    *,
    same: bool = False,
) -> Case:
    """A case of `size` channels and lanes, with a table over all inputs."""
    channels, lanes = size
    input_type, output_type = types
    rng = np.random.default_rng(channels)
    low, high = value_range(input_type)
    table = random_levels(rng, output_type, (channels, high - low + 1)).astype(np.int64)
    if same:
        table[:] = table[0]
    spec = Lookup(input_type, output_type, table, low, lanes)
    inputs = random_levels(rng, input_type, (VECTORS, channels))
    return Case(
        name,
        spec.build(name),
        stream(input_type, channels, lanes),
        inputs,
        stream(output_type, channels, lanes),
        lookup_levels(inputs, table, low, 1),
        spec.cycles_per_vector,
        spec.latency_cycles,
    )


CASES = [
    _threshold("t_sign", (7, 1, 3), (signed(8), BIPOLAR)),
    _threshold("t_reach", (7, 3, 3), (unsigned(8), unsigned(2)), margin=200),
    _threshold("t_mixed", (20, 15, 4), (signed(12), signed(4)), -8, 0.5),
    _threshold("t_falling", (9, 6, 9), (unsigned(4), signed(5)), -3, 1, margin=9),
    _threshold("t_shared", (5, 255, 1), (signed(10), unsigned(8)), same=True),
    _threshold("t_deep", (5, 255, 2), (signed(10), unsigned(8)), falling=0.5),
    _threshold("t_ternary", (6, 2, 2), (TERNARY, TERNARY), -1),
    _threshold("t_bipolar", (6, 1, 4), (BIPOLAR, BIPOLAR), 0, 0.5, margin=2),
    _threshold("t_wide", (3, 7, 2), (signed(32), unsigned(3))),
    _threshold("t_none", (4, 0, 3), (signed(4), unsigned(2)), 2),
    _threshold("t_many_rows", (80, 3, 1), (signed(6), unsigned(2)), 0, 0.3),
    _lookup("l_own", (7, 3), (signed(5), unsigned(3))),
    _lookup("l_shared", (4, 4), (unsigned(4), BIPOLAR), same=True),
    _lookup("l_serial", (5, 1), (signed(3), signed(9))),
    _lookup("l_large", (40, 3), (unsigned(9), signed(7))),
]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trace]]:
    return simulate(CASES, tmp_path_factory.mktemp("activation"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_agrees_with_semantics(case: Case, traces: dict[str, list[Trace]]) -> None:
    check(case, traces[case.name])


def test_refuses_lanes() -> None:
    activation = Activation(np.zeros((4, 1), np.int64), BIPOLAR)
    with pytest.raises(ValueError, match=r"lanes must be in \[1, 4\], got 5"):
        Threshold(signed(4), activation, 5)
    with pytest.raises(ValueError, match=r"lanes must be in \[1, 2\], got 0"):
        Lookup(unsigned(1), unsigned(1), np.zeros((2, 2), np.int64), 0, 0)
