"""Trained int8 networks of others, as QDQ: against ONNX Runtime, and on every target.

A level is decided on the exact sum of integers, scaled once. ONNX Runtime adds up
products of float32, rounding each, so that its level is the next one where a sum lies
within that error of a tie. Layer by layer such levels are counted; through a network a
single one changes many that are computed from it.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from first_frame import first_frame_times
from model_levels import imported, integer, run
from onnx import ModelProto, TensorProto, helper, shape_inference
from onnx_graphs import by_onnx_runtime
from pass_agreement import apply
from shared_models import SCHEMES, SharedModel, cifar10_labels
from simulators import needs_simulator

from lowering.c.engine import CEngine
from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.elementwise import AddOp, MulOp
from qdialect.timing import frame_interval, frame_times
from qdialect.types import element_of, is_level, width_bits
from qdialect.units import stream_functions
from tools.build.agreement import reference_run
from tools.onnx_import.frontend import import_onnx

models = pytest.mark.parametrize("model", SCHEMES, ids=lambda m: m.name)

# Levels that a layer decides otherwise than ONNX Runtime.
_OTHER_LEVELS = 1e-5
# Outputs that differ at the end. ONNX Runtime does not give the recorded outputs of the
# second network on every machine: where it does not, as many of its own differ.
_OTHER_OUTPUTS = {"resnet8_int8": 0.03, "dscnn_int8": 0.15}


@models
def test_golden_outputs(model: SharedModel) -> None:
    golden = model.golden()
    found = run(imported(model.path), golden.inputs)
    np.testing.assert_array_equal(found.argmax(axis=1), golden.outputs.argmax(axis=1))
    assert np.mean(found != golden.outputs) <= _OTHER_OUTPUTS[model.name]


def between_quantisers(model: ModelProto) -> list[tuple[str, list[str]]]:
    """Each tensor of quantised levels, and those that it is computed from."""
    quantised = [n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear"]
    known = {*quantised, *(item.name for item in model.graph.input)}
    makers = {name: node for node in model.graph.node for name in node.output}
    found: list[tuple[str, list[str]]] = []
    for name in quantised:
        sources: set[str] = set()
        pending = list(makers[name].input)
        while pending:
            value = pending.pop()
            if value in known:
                sources.add(value)
            elif value in makers:
                pending += makers[value].input
        found.append((name, sorted(sources)))
    return found


def check_layers(model: SharedModel, frames: Array) -> None:
    """Each layer gives on the levels of ONNX Runtime what ONNX Runtime gives."""
    proto = shape_inference.infer_shapes(onnx.load(model.path))
    layers = between_quantisers(proto)
    extractor = onnx.utils.Extractor(proto)
    every = ModelProto()
    every.CopyFrom(proto)
    del every.graph.output[:]
    every.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.INT8, None)
        for name, _ in layers
    )
    names = [name for name, _ in layers]
    levels = dict(zip(names, by_onnx_runtime(every, frames), strict=True))
    levels[proto.graph.input[0].name] = frames
    differ = total = 0
    for name, sources in layers:
        part = extractor.extract_model(sources, [name])
        for item in part.graph.input:
            item.type.tensor_type.elem_type = TensorProto.INT8
        layer = import_onnx(part.SerializeToString())
        given = [levels[item.name] for item in part.graph.input]
        (found,) = Interpreter(layer).run(given)
        distance = np.abs(found.astype(int) - levels[name].reshape(found.shape))
        assert distance.max() <= 1, name
        differ, total = differ + np.count_nonzero(distance), total + distance.size
    assert differ <= max(_OTHER_LEVELS * total, 2)


@models
def test_each_layer(model: SharedModel) -> None:
    check_layers(model, model.golden().inputs[:4])


@pytest.mark.slow
@models
def test_each_layer_on_all_golden_inputs(model: SharedModel) -> None:
    check_layers(model, model.golden().inputs)


@models
def test_integer_level_and_c(model: SharedModel) -> None:
    frames = model.golden().inputs[:20]
    expected = run(imported(model.path), frames)
    module = integer(model.path)
    np.testing.assert_array_equal(run(module, frames), expected)
    packed = apply(module, BitpackPass())
    (found,) = Interpreter(packed, core=CEngine(packed)).run([frames])
    np.testing.assert_array_equal(found, expected)


def test_residual_sums_are_narrow() -> None:
    """Scales of which one is 24 bits of the other's step: factors of 10 bits will do."""
    module = integer(SCHEMES[0].path)
    sums = [
        op
        for op in module.walk()
        if isinstance(op, AddOp) and is_level(element_of(op.out))
    ]
    assert len(sums) == 3
    assert max(width_bits(element_of(op.out)) for op in sums) <= 18
    factors = [constant_array(op.rhs) for op in module.walk() if isinstance(op, MulOp)]
    assert max(int(f.max()) for f in factors if f is not None) < 1 << 10


@pytest.mark.slow
def test_accuracy() -> None:
    """0.875, where ONNX Runtime has 0.876."""
    (model,) = [model for model in SCHEMES if model.accuracy is not None]
    frames = model.data()
    found = run(integer(model.path), frames)
    share = float((found.argmax(axis=1) == cifar10_labels()[::10]).mean())
    # Two of 1,000 images, whose two best classes are close, are told apart otherwise.
    assert share == pytest.approx(model.accuracy, abs=1.1e-3)


@needs_simulator
@pytest.mark.slow
@models
def test_rtl(model: SharedModel) -> None:
    """Freely, in the predicted cycles a frame, and with pauses on both sides."""
    module = integer(model.path)
    reference = reference_run(module, [model.golden().inputs[:16]])
    streams = apply(module, ConvertToQflowPass(), FoldPass(), InsertFifosPass())
    engine = RtlEngine(apply(streams, ConvertQflowToHwPass()))
    (levels,) = reference.core_outputs
    (found,) = engine(reference.core_inputs)
    np.testing.assert_array_equal(found, levels)
    (function,) = stream_functions(streams)
    assert engine.cycles_per_frame == frame_interval(function)
    assert first_frame_times(engine) == frame_times(function)
    (found,) = engine(reference.core_inputs, pause_in_percent=30, pause_out_percent=40)
    np.testing.assert_array_equal(found, levels)
