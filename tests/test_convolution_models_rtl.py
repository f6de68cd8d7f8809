"""Convolutional networks as simulated SystemVerilog: values, cycles and latency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from pass_agreement import TO_INTEGER, apply
from shared_models import CONVOLUTION
from topologies import TOPOLOGIES, random_images, topology_model
from xdsl.dialects.builtin import ModuleOp

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.hw.verilate import SimulatorMissingError, find_simulator
from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.data import Array
from qdialect.timing import frame_interval, frame_latency
from qdialect.units import stream_functions
from tools.onnx_import.frontend import import_onnx

# Share of the latency that a prediction may be wrong by; the interval is exact.
LATENCY_ERROR = 0.02

MODELS = {model.name: model for model in CONVOLUTION}
NETWORKS = {topology.name: topology for topology in TOPOLOGIES}


def _has_simulator() -> bool:
    try:
        find_simulator()
    except SimulatorMissingError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_simulator(), reason="needs Verilator and g++")


def check(trained: ModuleOp, frames: Array, fold: FoldPass) -> None:
    """The circuit gives the interpreter's values, freely and with pauses on both sides.

    Freely, frames pass in exactly the predicted cycles, and the first takes the
    predicted latency or nearly so.
    """
    meaning = apply(trained, QuantizeInputsPass())
    (expected,) = Interpreter(meaning).run([frames])
    streams = apply(meaning, *TO_INTEGER, ConvertToQflowPass(), fold, InsertFifosPass())
    (function,) = stream_functions(streams)
    module = apply(streams, ConvertQflowToHwPass())
    engine = RtlEngine(module)
    (found,) = Interpreter(module, core=engine).run([frames])
    np.testing.assert_array_equal(found, expected)
    assert engine.cycles_per_frame == frame_interval(function)
    latency = first_frame_cycles(engine)
    assert latency == pytest.approx(frame_latency(function), rel=LATENCY_ERROR)

    def with_pauses(arrays: Sequence[Array]) -> list[Array]:
        return engine(arrays, pause_in_percent=30, pause_out_percent=40, seed=5)

    (found,) = Interpreter(module, core=with_pauses).run([frames])
    np.testing.assert_array_equal(found, expected)


def first_frame_cycles(engine: RtlEngine) -> int:
    """Cycles from the first input beat of the last run to the end of its first frame."""
    assert engine.run is not None
    times = engine.run.times
    start = min(t.first[0] for name, t in times.items() if name.startswith("s_axis"))
    end = max(t.last[0] for name, t in times.items() if name.startswith("m_axis"))
    return end - start


@pytest.mark.parametrize("name", ["qkeras_cnn", "cnv_w1a1"])
def test_trained_networks(name: str) -> None:
    model = MODELS[name]
    check(import_onnx(model.path), model.data()[:5], FoldPass())


# As they fold by default; four times faster, or as fast as they can be; and four times
# slower. Of the maps of 512 x 512 pixels a few frames are many beats already.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "frames", "max_cycles"),
    [
        (name, frames, max_cycles)
        for name, frames, foldings in (
            ("cnv_w1a1", 32, (None, 14_400, 230_400)),
            ("qkeras_cnn", 32, (None, 784, 4_000)),
        )
        for max_cycles in foldings
    ],
)
def test_trained_networks_at_three_foldings(
    name: str, frames: int, max_cycles: int | None
) -> None:
    model = MODELS[name]
    data = np.resize(model.data(), (frames, *model.data().shape[1:]))
    check(import_onnx(model.path), data, FoldPass(max_cycles=max_cycles))


def generated(name: str, divisor: int) -> ModuleOp:
    """A network of a published topology with a share of its channels."""
    model = topology_model(NETWORKS[name], divisor=divisor).SerializeToString()
    return import_onnx(model, name=f"{name}.onnx")


@pytest.mark.parametrize("name", NETWORKS)
def test_generated_networks_of_few_channels(name: str) -> None:
    check(generated(name, 16), random_images(4), FoldPass())


@pytest.mark.slow
@pytest.mark.parametrize("divisor", [4, 1])
@pytest.mark.parametrize("name", NETWORKS)
def test_generated_networks_of_many_channels(name: str, divisor: int) -> None:
    check(generated(name, divisor), random_images(4), FoldPass())
