"""Convolutional networks as simulated SystemVerilog: values, cycles and latency."""

from __future__ import annotations

import numpy as np
import pytest
from first_frame import first_frame_times
from pass_agreement import TO_INTEGER, apply
from shared_models import CONVOLUTION
from simulators import needs_simulator
from topologies import TOPOLOGIES, random_images, topology_model
from xdsl.dialects.builtin import ModuleOp

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.data import Array
from qdialect.timing import frame_interval, frame_latency
from qdialect.units import stream_functions
from tools.build.agreement import reference_run
from tools.onnx_import.frontend import import_onnx

# Share of the latency that a prediction may be wrong by; the interval is exact.
LATENCY_ERROR = 0.02

MODELS = {model.name: model for model in CONVOLUTION}
NETWORKS = {topology.name: topology for topology in TOPOLOGIES}


pytestmark = needs_simulator


def check(trained: ModuleOp, frames: Array, fold: FoldPass) -> None:
    """The circuit gives the interpreter's values, freely and with pauses on both sides.

    Freely, frames pass in exactly the predicted cycles, and the first takes the
    predicted latency or nearly so.
    """
    (expected,) = Interpreter(apply(trained, QuantizeInputsPass())).run([frames])
    integer = apply(trained, *TO_INTEGER)
    reference = reference_run(integer, [frames])
    np.testing.assert_array_equal(reference.outputs[0], expected)
    streams = apply(integer, ConvertToQflowPass(), fold, InsertFifosPass())
    (function,) = stream_functions(streams)
    engine = RtlEngine(apply(streams, ConvertQflowToHwPass()))
    inputs, (levels,) = reference.core_inputs, reference.core_outputs
    (found,) = engine(inputs)
    np.testing.assert_array_equal(found, levels)
    assert engine.cycles_per_frame == frame_interval(function)
    latency = first_frame_times(engine).latency
    assert latency == pytest.approx(frame_latency(function), rel=LATENCY_ERROR)
    (found,) = engine(inputs, pause_in_percent=30, pause_out_percent=40, seed=5)
    np.testing.assert_array_equal(found, levels)


def frames_of(name: str, count: int) -> Array:
    """Frames of the data at hand; where they are too few, moved along an axis."""
    data = MODELS[name].data()
    axis = int(np.argmax(data.shape[1:]))
    frames = [
        np.roll(data[index % len(data)], 3 * (index // len(data)), axis)
        for index in range(count)
    ]
    return np.stack(frames)


@pytest.mark.parametrize("name", ["qkeras_cnn", "cnv_w1a1"])
def test_trained_networks(name: str) -> None:
    check(import_onnx(MODELS[name].path), frames_of(name, 5), FoldPass())


# Frames, and cycles of each: as networks fold by default; four times faster, or as fast
# as they can be; and four times slower.
_FOLDINGS: dict[str, tuple[int, tuple[int, ...]]] = {
    "cnv_w1a1": (32, (57_600, 14_400, 230_400)),
    "qkeras_cnn": (32, (1_024, 784, 4_096)),
    "espcn": (4, (1_015_808, 294_912, 4_063_232)),
    "separable": (4, (2_359_296, 9_437_184)),
    "radioml_vgg10": (32, (12_288, 6_144, 49_152)),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "max_cycles"),
    [(name, cycles) for name, (_, all_) in _FOLDINGS.items() for cycles in all_],
)
def test_trained_networks_at_three_foldings(name: str, max_cycles: int) -> None:
    frames, _ = _FOLDINGS[name]
    fold = FoldPass(max_cycles=max_cycles)
    check(import_onnx(MODELS[name].path), frames_of(name, frames), fold)


def generated(name: str, divisor: int) -> ModuleOp:
    """A network of a published topology with a share of its channels."""
    model = topology_model(NETWORKS[name], divisor=divisor).SerializeToString()
    return import_onnx(model, name=f"{name}.onnx")


# CNV as trained is above.
@pytest.mark.parametrize("name", ["binarynet", "cnv_w2a2"])
def test_generated_networks_of_few_channels(name: str) -> None:
    check(generated(name, 16), random_images(4), FoldPass())


@pytest.mark.slow
@pytest.mark.parametrize("divisor", [4, 1])
@pytest.mark.parametrize("name", NETWORKS)
def test_generated_networks_of_many_channels(name: str, divisor: int) -> None:
    check(generated(name, divisor), random_images(4), FoldPass())
