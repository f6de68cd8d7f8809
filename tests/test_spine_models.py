"""Trained networks of others: golden outputs, and all targets alike, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from model_levels import imported
from pass_agreement import TO_INTEGER, apply
from shared_models import SPINE, SharedModel, mnist_labels
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.data import Array
from qdialect.timing import frame_interval
from qdialect.units import stream_functions

models = pytest.mark.parametrize("model", SPINE, ids=lambda m: m.name)


def meaning(path: Path) -> ModuleOp:
    """The network as every engine means it: raw inputs on their grid."""
    return apply(imported(path), QuantizeInputsPass())


def expected_on(model: SharedModel, frames: Array) -> Array:
    (outputs,) = Interpreter(meaning(model.path)).run([frames])
    return outputs


@models
def test_golden_outputs(model: SharedModel) -> None:
    golden = model.golden()
    (found,) = Interpreter(imported(model.path)).run([golden.inputs])
    if golden.exact:
        np.testing.assert_array_equal(found, golden.outputs)
    else:
        # The reference summed float32 products in an order of its own: a few units in
        # the last place of the largest term. A level that differed would show as a
        # whole step, some thousand times as much.
        scale = float(np.abs(golden.outputs).max())
        np.testing.assert_allclose(found, golden.outputs, rtol=0, atol=2e-6 * scale)


@models
def test_integer_level_on_all_data(model: SharedModel) -> None:
    frames = model.data()
    integer = apply(meaning(model.path), *TO_INTEGER)
    (found,) = Interpreter(integer).run([frames])
    expected = expected_on(model, frames)
    np.testing.assert_array_equal(found, expected)
    if model.accuracy is not None:
        answers = found[:, :10].argmax(axis=1) if found.shape[1] > 1 else found[:, 0]
        share = float((answers == mnist_labels()[: len(answers)]).mean())
        assert share == pytest.approx(model.accuracy, abs=1.1e-4)


@models
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_qonnx_executor_frame_by_frame(model: SharedModel) -> None:
    """Fresh inputs, not the recorded ones: bits of the golden ones in another order."""
    modelwrapper = pytest.importorskip("qonnx.core.modelwrapper")
    onnx_exec = pytest.importorskip("qonnx.core.onnx_exec")
    cleanup = pytest.importorskip("qonnx.util.cleanup")
    golden = model.golden()
    rng = np.random.default_rng(3)
    frames = golden.inputs[:4].reshape(4, -1)
    frames = rng.permuted(frames, axis=1).reshape(golden.inputs[:4].shape)
    wrapped = cleanup.cleanup_model(modelwrapper.ModelWrapper(str(model.path)))
    name_in, name_out = wrapped.graph.input[0].name, wrapped.graph.output[0].name
    shape = wrapped.get_tensor_shape(name_in)
    (found,) = Interpreter(imported(model.path)).run([frames])
    for frame, ours in zip(frames, found, strict=True):
        context = {name_in: frame.reshape(shape).astype(np.float32)}
        theirs = onnx_exec.execute_onnx(wrapped, context)[name_out][0]
        if golden.exact:
            np.testing.assert_array_equal(ours, theirs)
        else:
            scale = float(np.abs(golden.outputs).max())
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * scale)


@models
def test_c_on_all_data(model: SharedModel) -> None:
    module = apply(meaning(model.path), *TO_INTEGER, BitpackPass())
    frames = model.data()
    (found,) = Interpreter(module, core=CEngine(module)).run([frames])
    np.testing.assert_array_equal(found, expected_on(model, frames))


TO_CIRCUIT = (
    ConvertToQflowPass(),
    FoldPass(),
    InsertFifosPass(),
)


@models
def test_simulated_systemverilog(model: SharedModel) -> None:
    """500 frames, freely and with pauses on both sides; cycles as predicted."""
    frames = model.data()
    frames = np.resize(frames, (500, *frames.shape[1:]))
    streams = apply(meaning(model.path), *TO_INTEGER, *TO_CIRCUIT)
    (function,) = stream_functions(streams)
    module = apply(streams, ConvertQflowToHwPass())
    engine = RtlEngine(module)
    expected = expected_on(model, frames)
    (found,) = Interpreter(module, core=engine).run([frames])
    np.testing.assert_array_equal(found, expected)
    assert engine.cycles_per_frame == frame_interval(function)

    def with_pauses(arrays: Sequence[Array]) -> list[Array]:
        return engine(arrays, pause_in_percent=30, pause_out_percent=40, seed=5)

    (found,) = Interpreter(module, core=with_pauses).run([frames])
    np.testing.assert_array_equal(found, expected)
