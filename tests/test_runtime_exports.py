"""A network that ONNX Runtime's own tool has quantised, in both of its formats."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper
from onnx_graphs import OnnxGraph, by_onnx_runtime, interpreted
from pass_agreement import TO_INTEGER, apply

from lowering.c.engine import CEngine
from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx

SHAPE = (3, 8, 8)


def float_network() -> ModelProto:
    """Two convolutions with a sum, pools joined, a depthwise one, and a classifier."""
    rng = np.random.default_rng(0)
    graph = OnnxGraph()

    def conv(x: str, rows: int, depth: int, groups: int = 1) -> str:
        weights = graph.constant(rng.normal(size=(rows, depth, 3, 3)) / depth)
        bias = graph.constant(rng.normal(size=rows) / 10)
        return graph.op("Conv", x, weights, bias, pads=[1] * 4, group=groups)

    maps = graph.op("Relu", conv(graph.input(("n", *SHAPE)), 6, 3))
    total = graph.op("Add", maps, graph.op("LeakyRelu", conv(maps, 6, 6), alpha=0.1))
    window: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
    pools = [graph.op(kind, total, **window) for kind in ("MaxPool", "AveragePool")]
    joined = graph.op("Concat", *pools, axis=1)
    gated = graph.op("Sigmoid", conv(joined, 12, 1, 12))
    vector = graph.op("Flatten", graph.op("GlobalAveragePool", gated))
    matrix, bias = (graph.constant(rng.normal(size=s)) for s in ((5, 12), 5))
    output = graph.op("Gemm", vector, matrix, bias, transB=1)
    model = graph.model(output)
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 5])
    )
    return model


def frames(seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(6, *SHAPE)).astype(np.float32)


def quantised(folder: Path, form: str, *, per_channel: bool) -> ModelProto:
    """What the tool makes of the network, calibrated on a few frames."""
    quantization = pytest.importorskip("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._left = [{"x": frames(seed)} for seed in range(3)]

        def get_next(self) -> dict[str, Array] | None:
            return self._left.pop() if self._left else None

    source, target = folder / "float.onnx", folder / "quantised.onnx"
    onnx.save(float_network(), source)
    quantization.quantize_static(
        source,
        target,
        Reader(),
        quant_format=quantization.QuantFormat[form],
        per_channel=per_channel,
        # Weights of 7 bits: some processors add products of 8 in 16, and saturate.
        reduce_range=True,
    )
    return onnx.load(target)


@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
def test_operators_on_levels_equal_onnx_runtime(
    tmp_path: Path, *, per_channel: bool
) -> None:
    model = quantised(tmp_path, "QOperator", per_channel=per_channel)
    ops = {node.op_type for node in model.graph.node}
    assert ops >= {"QLinearConv", "QLinearAdd", "QLinearConcat", "QGemm"}
    data = frames(9)
    (found,), (expected,) = interpreted(model, data), by_onnx_runtime(model, data)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("form", ["QOperator", "QDQ"])
def test_the_targets_agree(tmp_path: Path, form: str) -> None:
    model = quantised(tmp_path, form, per_channel=True)
    module = import_onnx(model.SerializeToString())
    integer = apply(module, *TO_INTEGER)
    (expected,) = Interpreter(module).run([frames(9)])
    for engine in (None, CEngine(integer)):
        (found,) = Interpreter(integer, core=engine).run([frames(9)])
        np.testing.assert_array_equal(found, expected)
