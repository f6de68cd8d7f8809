"""The top-k unit against a stable sort, in Verilated SystemVerilog."""

from __future__ import annotations

import numpy as np
import pytest
from integer_cores import random_levels
from stream_bench import Case, Trace, check, simulate, stream
from xdsl.ir import Attribute

from lowering.hw.units.topk import TopK
from qdialect.types import BipolarType, signed, unsigned

VECTORS = 25


def _case(
    element: Attribute,
    elements: int,
    lanes: int,
    k: int = 1,
    *,
    smallest: bool = False,
    index_bits: int | None = None,
) -> Case:
    index_bits = index_bits or max(1, (elements - 1).bit_length())
    spec = TopK(element, elements, lanes, index_bits, k, smallest)
    name = f"top{k}_of_{elements}_by_{lanes}"
    rng = np.random.default_rng(elements)
    inputs = random_levels(rng, element, (VECTORS, elements))
    values = inputs.astype(np.int64)
    order = np.argsort(values if smallest else -values, axis=1, kind="stable")
    return Case(
        name,
        spec.build(name),
        stream(element, elements, lanes),
        inputs,
        stream(unsigned(index_bits), k, 1),
        order[:, :k],
        spec.cycles_per_vector,
        spec.latency_cycles,
    )


CASES = [
    _case(signed(4), 10, 1),
    _case(signed(11), 10, 4, index_bits=8),
    _case(unsigned(3), 10, 10),
    _case(signed(3), 7, 3, 3),
    _case(signed(3), 9, 9, 5),
    _case(unsigned(2), 6, 1, 6, smallest=True),
    _case(signed(3), 12, 4, 2, smallest=True),
    _case(signed(5), 1, 1),
    _case(BipolarType(), 5, 2, 2),
    _case(signed(4), 33, 5, 4),
    _case(signed(20), 300, 7, index_bits=32),
]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trace]]:
    return simulate(CASES, tmp_path_factory.mktemp("topk"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_agrees_with_stable_sort(case: Case, traces: dict[str, list[Trace]]) -> None:
    check(case, traces[case.name])


def test_refuses() -> None:
    with pytest.raises(ValueError, match=r"k must be in \[1, 4\], got 5"):
        TopK(signed(4), 4, 1, 2, 5)
