"""What a frame takes from idle, predicted and simulated, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from first_frame import first_frame_times
from onnx_graphs import OnnxGraph
from pass_agreement import TO_INTEGER, apply
from simulators import needs_simulator

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect.timing import frame_times
from qdialect.units import stream_functions
from tools.build.agreement import reference_run
from tools.onnx_import.frontend import import_onnx


@needs_simulator
@pytest.mark.parametrize("zero_point", [0, -5])
def test_padded_convolution(zero_point: int) -> None:
    """A zero point that is not 0 is padded in front, before the first beat is taken."""
    graph = OnnxGraph()
    x = graph.input((1, 2, 6, 6))
    levels = graph.quant(x, 0.25, zero_point, 8)
    weights = np.random.default_rng(0).integers(-7, 8, (3, 2, 3, 3))
    stored = graph.quant(graph.constant(weights), 1, 0, 4)
    sums = graph.op("Conv", levels, stored, pads=[1, 1, 1, 1])
    model = graph.model(graph.quant(sums, 2, 0, 4))
    module = apply(import_onnx(model.SerializeToString()), *TO_INTEGER)
    frames = np.random.default_rng(1).normal(0, 10, (2, 2, 6, 6)).astype(np.float32)
    reference = reference_run(module, [frames])
    streams = apply(module, ConvertToQflowPass(), FoldPass(), InsertFifosPass())
    engine = RtlEngine(apply(streams, ConvertQflowToHwPass()))
    (found,) = engine(reference.core_inputs)
    np.testing.assert_array_equal(found, reference.core_outputs[0])
    (function,) = stream_functions(streams)
    assert first_frame_times(engine) == frame_times(function)
