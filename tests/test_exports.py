"""Networks as Brevitas, QKeras, PyTorch and hls4ml export them, without clean-up."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_forms import EXPORTS, Export
from onnx import ModelProto, TensorProto, helper
from onnx_graphs import OnnxGraph, by_onnx_runtime, by_qonnx, interpreted
from pass_agreement import apply
from simulators import needs_simulator
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.data import Array
from qdialect.quantisers import QuantizeOp
from qdialect.types import element_of
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import find_pipeline

# The QONNX executor imports packages that warn.
pytestmark = pytest.mark.filterwarnings("ignore")

INPUTS = Path(__file__).resolve().parent.parent / "filecheck_tests/tools/Inputs"
LIT_NETWORK = INPUTS / "brevitas_qcdq.onnx"

forms = pytest.mark.parametrize("name", EXPORTS)


@cache
def expected(name: str) -> Array:
    """What the executors give; they take one fixed batch."""
    export = EXPORTS[name]
    run = by_qonnx if export.custom else by_onnx_runtime
    model, frames = export.model(), export.frames()
    if export.batch == 1:
        outputs = [run(copy.deepcopy(model), frame[None])[0] for frame in frames]
        return np.concatenate(outputs)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    batch.dim_value = len(frames)
    return run(model, frames)[0]


@forms
def test_the_network_gives_what_executors_give(name: str) -> None:
    export = EXPORTS[name]
    found = interpreted(export.model(), export.frames())[0]
    np.testing.assert_array_equal(found, expected(name))


@forms
def test_the_integer_level_gives_it_too(name: str) -> None:
    module = lowered(EXPORTS[name], "bnn-integer")
    found = Interpreter(module).run([EXPORTS[name].frames()])[0]
    np.testing.assert_array_equal(found, expected(name))


def lowered(export: Export, pipeline: str) -> ModuleOp:
    module = import_onnx(export.model().SerializeToString())
    return apply(module, *find_pipeline(pipeline).passes)


@pytest.mark.parametrize("name", ["brevitas-qcdq", "qkeras", "prelu"])
def test_so_does_c(name: str) -> None:
    module = lowered(EXPORTS[name], "bnn-c")
    found = Interpreter(module, core=CEngine(module)).run([EXPORTS[name].frames()])[0]
    np.testing.assert_array_equal(found, expected(name))


@pytest.mark.slow
@needs_simulator
@pytest.mark.parametrize(
    "name", ["brevitas-qcdq", "qkeras", "tensorflow-pools", "hls4ml", "prelu", "silu"]
)
def test_so_do_circuits(name: str) -> None:
    module = lowered(EXPORTS[name], "bnn-fpga")
    found = Interpreter(module, core=RtlEngine(module)).run([EXPORTS[name].frames()])[0]
    np.testing.assert_array_equal(found, expected(name))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("prelu", LookupOp), ("hard-swish", LookupOp), ("silu", LookupOp),
     ("elu", ThresholdOp), ("softplus", ThresholdOp)],
)  # fmt: skip
def test_activations_become_thresholds_or_tables(name: str, kind: type) -> None:
    """What falls somewhere is a table, what only rises is thresholds."""
    ops = list(lowered(EXPORTS[name], "bnn-integer").walk())
    found = [type(op) for op in ops if isinstance(op, LookupOp | ThresholdOp)]
    assert found == [kind]


def test_levels_that_are_clipped_have_fewer_bits() -> None:
    """Of QuantizeLinear and Clip: a quantiser of the narrower type."""
    module = import_onnx(EXPORTS["brevitas-qcdq"].model().SerializeToString())
    ops = [op for op in module.walk() if isinstance(op, QuantizeOp)]
    assert [str(element_of(op.out)) for op in ops] == ["si6", "ui4"]


def test_the_network_of_the_lit_test() -> None:
    """Its file is the export of this name."""
    model = EXPORTS["brevitas-qcdq"].model()
    assert LIT_NETWORK.read_bytes() == model.SerializeToString()


def clipped(low: int, high: int, dtype: type, zero: int) -> ModelProto:
    graph = OnnxGraph()
    x = graph.input((81, 4))
    parts = [graph.constant(0.5), graph.constant(zero, dtype)]
    levels = graph.op("QuantizeLinear", x, *parts)
    bounds = [graph.constant(value, dtype) for value in (low, high)]
    levels = graph.op("Clip", levels, *bounds)
    return graph.model(graph.op("DequantizeLinear", levels, *parts))


@pytest.mark.parametrize("zero", [0, 2])
@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(-8, 7, np.int8), (-7, 7, np.int8), (-1, 1, np.int8), (0, 15, np.uint8),
     (0, 14, np.uint8), (0, 1, np.uint8), (-3, 9, np.int8), (4, 100, np.uint8),
     (-128, 127, np.int8)],
)  # fmt: skip
def test_levels_clipped_to_any_bounds(
    low: int, high: int, dtype: type, zero: int
) -> None:
    model = clipped(low, high, dtype, zero)
    steps = np.arange(-162, 162, dtype=np.float32).reshape(81, 4) / np.float32(4)
    (found,), (wanted,) = interpreted(model, steps), by_onnx_runtime(model, steps)
    np.testing.assert_array_equal(found, wanted)


def plain(opset: int) -> OnnxGraph:
    """A network of ops whose form changed between opsets."""
    rng = np.random.default_rng(opset)
    graph = OnnxGraph(opset=opset)
    x = graph.input((5, 2, 6, 6))
    weights = graph.constant(rng.integers(-2, 3, (4, 2, 3, 3)))
    x = graph.op("Conv", x, weights, kernel_shape=[3, 3], name="conv")
    parts = [graph.constant(np.full(4, value)) for value in (0.5, 1.0, 2.0, 4.0)]
    x = graph.op("BatchNormalization", x, *parts, epsilon=0.0)
    x = graph.op("Relu", x)
    if opset < 11:
        x = graph.op("Clip", x, min=0.0, max=6.0)
        x = graph.op("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1])
    else:
        x = graph.op("Clip", x, graph.constant(0.0), graph.constant(6.0))
        pads = graph.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
        x = graph.op("Pad", x, pads)
    x = graph.op("Floor", x)
    if opset < 10:
        x = graph.op("Slice", x, axes=[2], starts=[1], ends=[6])
    else:
        x = graph.op("Slice", x, *(graph.constant([n], np.int64) for n in (1, 6, 2)))
    x = graph.op("MaxPool", x, kernel_shape=[5, 6])
    if opset < 13:
        x = graph.op("Unsqueeze", graph.op("Squeeze", x, axes=[2, 3]), axes=[1])
    else:
        x = graph.op("Squeeze", x, graph.constant([2, 3], np.int64))
        x = graph.op("Unsqueeze", x, graph.constant([1], np.int64))
    x = graph.op("Dropout", graph.op("Identity", x))
    x = graph.op("Reshape", x, graph.constant([0, -1], np.int64))
    weights = graph.constant(rng.integers(-3, 4, (4, 3)))
    graph.op("Gemm", x, weights, graph.constant(np.zeros(3)), name="last")
    return graph


def integers(*shape: int) -> Array:
    return np.random.default_rng(0).integers(-3, 4, shape).astype(np.float32)


@pytest.mark.parametrize("opset", range(9, 24))
def test_every_opset(opset: int) -> None:
    model, frames = plain(opset).model("last_out"), integers(5, 2, 6, 6)
    model.ir_version = 11 if opset > 20 else 8
    (wanted,) = by_onnx_runtime(model, frames)
    np.testing.assert_array_equal(interpreted(model, frames)[0], wanted)


@pytest.mark.parametrize("version", range(3, 12))
def test_every_ir_version(version: int) -> None:
    """Up to the third, initialisers are inputs, too."""
    model = plain(9).model("last_out")
    model.ir_version = version
    if version == 3:
        for tensor in model.graph.initializer:
            info = helper.make_tensor_value_info(
                tensor.name, tensor.data_type, tensor.dims
            )
            model.graph.input.append(info)
    (found,) = interpreted(model, integers(5, 2, 6, 6))
    (wanted,) = interpreted(plain(9).model("last_out"), integers(5, 2, 6, 6))
    np.testing.assert_array_equal(found, wanted)


EDITS: dict[str, Callable[[ModelProto], Any]] = {
    "out-of-order": lambda m: _reversed(m.graph.node),
    "unnamed": lambda m: [node.ClearField("name") for node in m.graph.node],
    "input-of-open-batch": lambda m: _open_batch(m),
    "without-opset-of-qonnx": lambda m: m.opset_import.pop(),
    "unused-initialiser": lambda m: m.graph.initializer.add(
        name="unused", data_type=TensorProto.STRING
    ),
    "metadata": lambda m: m.metadata_props.add(key="producer", value="brevitas"),
}


def _reversed(nodes: Any) -> None:
    last_first = list(nodes)[::-1]
    del nodes[:]
    nodes.extend(last_first)


def _open_batch(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", ["brevitas-computed-scales", "hls4ml"])
def test_what_exporters_leave_undone(name: str, edit: str) -> None:
    model = EXPORTS[name].model()
    EDITS[edit](model)
    found = interpreted(model, EXPORTS[name].frames())[0]
    np.testing.assert_array_equal(found, expected(name))
