"""FIFOs, width converters and forks, in Verilated SystemVerilog."""

from __future__ import annotations

import numpy as np
import pytest
from stream_bench import Case, Trace, check, simulate, stream
from xdsl.dialects.seq import CompRegOp
from xdsl.ir import Operation, SSAValue

from lowering.hw.circt_ops import CompRegClockEnabledOp
from lowering.hw.units.dwc import Dwc
from lowering.hw.units.fifo import Fifo
from lowering.hw.units.fork import Fork
from qdialect.types import unsigned

VECTORS = 15
BEATS = 60


def _dwc(elements: int, in_lanes: int, out_lanes: int, element_bits: int = 3) -> Case:
    spec = Dwc(element_bits, elements, in_lanes, out_lanes)
    name = f"dwc_{elements}_{in_lanes}_{out_lanes}"
    element = unsigned(element_bits)
    rng = np.random.default_rng(elements)
    inputs = rng.integers(0, 1 << element_bits, (VECTORS, elements))
    return Case(
        name,
        spec.build(name),
        stream(element, elements, in_lanes),
        inputs,
        stream(element, elements, out_lanes),
        inputs,
        spec.cycles_per_vector,
        spec.latency_cycles,
    )


def _beats(name: str, spec: Fifo | Fork) -> Case:
    element = unsigned(spec.width_bits)
    rng = np.random.default_rng(spec.width_bits)
    inputs = rng.integers(0, 1 << spec.width_bits, (BEATS, 1))
    one = stream(element, 1, 1)
    latency = spec.latency_cycles
    return Case(name, spec.build(name), one, inputs, one, inputs, 1, latency)


CASES = [
    *(_dwc(12, a, b) for a, b in ((3, 12), (12, 3), (4, 4), (2, 6), (6, 2), (1, 12))),
    *(_dwc(7, a, b) for a, b in ((2, 3), (3, 2), (7, 2), (2, 7), (4, 7), (7, 6))),
    *(_dwc(13, a, b) for a, b in ((5, 8), (8, 5), (12, 11), (1, 9), (9, 1))),
    *(_dwc(5, a, b) for a, b in ((3, 4), (5, 4), (4, 3))),
    *(_dwc(20, a, b) for a, b in ((16, 10), (10, 16))),
    _dwc(64, 3, 5, element_bits=1),
    _dwc(30, 12, 8, element_bits=17),
    *(_beats(f"fifo_{d}", Fifo(w, d)) for w, d in ((4, 1), (4, 2), (9, 3), (40, 4))),
    *(_beats(f"fifo_{d}", Fifo(w, d)) for w, d in ((5, 17), (7, 33), (33, 300))),
    _beats("fork_1", Fork(5, 1)),
    _beats("fork_3", Fork(6, 3)),
]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trace]]:
    return simulate(CASES, tmp_path_factory.mktemp("connections"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_keeps_every_element(case: Case, traces: dict[str, list[Trace]]) -> None:
    check(case, traces[case.name])


def test_store_is_no_larger_than_one_wide_beat_where_lanes_divide() -> None:
    for lanes in ((2, 12), (12, 2)):
        top = Dwc(1, 24, *lanes).build("dwc").top
        registers = [op for op in top.body.block.ops if op.name == "seq.compreg.ce"]
        assert sum("chunk" in str(op.attributes["name"]) for op in registers) == 6


@pytest.mark.parametrize("depth", [1, 2, 3, 40])
def test_fifo_cuts_the_path_from_ready_to_ready(depth: int) -> None:
    body = Fifo(8, depth).build("fifo").top.body.block
    output = body.last_op
    assert output is not None
    pending: list[SSAValue] = [output.operands[0]]
    seen: set[SSAValue] = set()
    while pending:
        value = pending.pop()
        if value in seen:
            continue
        seen.add(value)
        assert isinstance(value.owner, Operation), "in_ready depends on an input"
        if not isinstance(value.owner, CompRegOp | CompRegClockEnabledOp):
            pending += value.owner.operands


def test_refuses() -> None:
    with pytest.raises(ValueError, match=r"lanes must be in \[1, 4\], got 5 and 2"):
        Dwc(1, 4, 5, 2)
    with pytest.raises(ValueError, match="FIFO depth must be at least 1, got 0"):
        Fifo(8, 0)
    with pytest.raises(ValueError, match="at least 1 output, got 0"):
        Fork(8, 0)
