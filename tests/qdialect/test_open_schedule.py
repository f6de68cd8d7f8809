"""FIFO depths from the open schedule keep the rate; its latency is the exact one's."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from integer_cores import core_of
from pass_agreement import TO_INTEGER, apply
from topologies import BINARYNET, CNV_W1A1, CNV_W2A2, Topology, topology_model
from xdsl.dialects.builtin import ModuleOp

from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect import timing
from qdialect.beats import beat_times
from qdialect.timing import bottleneck_cycles, frame_interval, frame_latency
from tools.onnx_import.frontend import import_onnx

MODELS = Path(__file__).parents[2] / "models"
FRAMES = 8


@cache
def shipped(name: str) -> ModuleOp:
    module = import_onnx(MODELS / f"{name}.onnx")
    return apply(module, *TO_INTEGER, ConvertToQflowPass())


def check(module: ModuleOp, cycles: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No exact schedule helps to choose the depths; then one judges them."""
    for limit in ("_MAX_CHECKED_BEATS", "_MAX_TIMED_BEATS"):
        monkeypatch.setattr(timing, limit, 0)
    folded = apply(module, FoldPass(max_cycles=cycles), InsertFifosPass())
    function = core_of(folded)
    exact = beat_times(function, FRAMES).last_beats()
    interval = bottleneck_cycles(function)
    assert {b - a for a, b in list(pairwise(exact))[-2:]} == {interval}
    assert frame_interval(function) == interval
    assert frame_latency(function) == pytest.approx(exact[0], rel=0.02)


@pytest.mark.parametrize("cycles", [128, 200, 336, 1024, 3000])
@pytest.mark.parametrize("name", ["digits_cnn_w1a1", "digits_resnet_w2a2"])
def test_shipped_networks(
    name: str, cycles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(shipped(name), cycles, monkeypatch)


@pytest.mark.parametrize(
    ("topology", "cycles"),
    [
        (CNV_W1A1, 1100),
        (CNV_W2A2, 8000),
        (BINARYNET, 10_000),
        pytest.param(BINARYNET, 1500, marks=pytest.mark.slow),
        pytest.param(CNV_W1A1, 3000, marks=pytest.mark.slow),
        pytest.param(CNV_W1A1, 30_000, marks=pytest.mark.slow),
    ],
    ids=lambda value: value.name if isinstance(value, Topology) else str(value),
)
def test_published_topologies(
    topology: Topology, cycles: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(topology_model(topology, divisor=16).SerializeToString())
    module = apply(import_onnx(path), *TO_INTEGER, ConvertToQflowPass())
    check(module, cycles, monkeypatch)
