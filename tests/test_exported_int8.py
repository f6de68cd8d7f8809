"""Networks that ONNX Runtime's own quantiser writes, on every target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from onnx import ModelProto
from onnx_graphs import OnnxGraph, by_onnx_runtime
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from pass_agreement import apply
from simulators import needs_simulator

from lowering.c.engine import CEngine
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Core, Interpreter
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import find_pipeline

_SHAPE = (3, 8, 8)


class _Network:
    """A real-valued network, layer by layer."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.graph = OnnxGraph()

    def op(self, op_type: str, *inputs: str) -> str:
        return self.graph.op(op_type, *inputs)

    def conv(self, x: str, inputs: int, outputs: int, kernel: int) -> str:
        """A convolution that keeps the extents, with a bias."""
        shape = (outputs, inputs, kernel, kernel)
        weights = self.rng.normal(0, (inputs * kernel**2) ** -0.5, shape)
        bias = self.rng.normal(0, 0.3, outputs)
        constants = map(self.graph.constant, (weights, bias))
        return self.graph.op("Conv", x, *constants, pads=[kernel // 2] * 4)


def _residual(net: _Network, x: str) -> str:
    return net.op("Relu", net.op("Add", x, net.conv(x, 6, 6, 3)))


def _difference(net: _Network, x: str) -> str:
    return net.op("Sub", x, net.op("Relu", net.conv(x, 6, 6, 1)))


def _three_branches(net: _Network, x: str) -> str:
    inner = net.op("Add", net.conv(x, 6, 6, 1), net.conv(x, 6, 6, 3))
    return net.op("Add", inner, x)


def _concat(net: _Network, x: str) -> str:
    window = partial(net.graph.op, kernel_shape=[2, 2], strides=[2, 2])
    parts = window("AveragePool", x), net.conv(window("MaxPool", x), 6, 4, 1)
    return net.conv(net.graph.op("Concat", *parts, axis=1), 10, 6, 1)


def _gate(net: _Network, x: str) -> str:
    return net.op("Mul", x, net.op("Sigmoid", net.conv(x, 6, 6, 1)))


Block = Callable[[_Network, str], str]

BLOCKS: tuple[Block, ...] = (_residual, _difference, _three_branches, _concat, _gate)


class _Calibration(CalibrationDataReader):
    def __init__(self) -> None:
        self._frames: Iterator[Array] = iter(frames(16).reshape(4, 4, *_SHAPE))

    def get_next(self) -> dict[str, Array]:
        found = next(self._frames, None)
        return {} if found is None else {"x": found}


def frames(count: int) -> Array:
    rng = np.random.default_rng(count)
    return rng.normal(0, 1, (count, *_SHAPE)).astype(np.float32)


@cache
def exported(block: Block, *, signed: bool) -> ModelProto:
    """A convolution, a block and a classifier, quantised for each channel."""
    net = _Network()
    x = net.graph.input(("n", *_SHAPE))
    x = block(net, net.op("Relu", net.conv(x, 3, 6, 3)))
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    matrix = net.graph.constant(net.rng.normal(0, 1, (6, 5)))
    bias = net.graph.constant(net.rng.normal(0, 1, 5))
    model = net.graph.model(net.op("Gemm", x, matrix, bias))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "quantised.onnx"
        quantize_static(
            model,
            path,
            _Calibration(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(path)


def check(model: ModelProto, pipeline: str, make: type[CEngine | RtlEngine]) -> None:
    """The network, its integer level and an engine give the same, bit for bit."""
    network = import_onnx(model.SerializeToString(), name="exported.onnx")
    network.verify()
    given = frames(20)
    (expected,) = Interpreter(network).run([given])
    module = apply(network, *find_pipeline(pipeline).passes)
    engine = make(module)
    cores: list[Core] = [engine]
    if isinstance(engine, RtlEngine):
        cores.append(partial(engine, pause_in_percent=40, pause_out_percent=60))
    for core in cores:
        (found,) = Interpreter(module, core=core).run([given])
        np.testing.assert_array_equal(found, expected)


kinds = pytest.mark.parametrize(
    ("block", "signed"),
    [
        pytest.param(
            block,
            signed,
            id=f"{block.__name__[1:]}-{'int8' if signed else 'uint8'}",
            marks=[] if signed == bool(i % 2) else [pytest.mark.slow],
        )
        for i, block in enumerate(BLOCKS)
        for signed in (True, False)
    ],
)


@kinds
def test_onnx_runtime(block: Block, *, signed: bool) -> None:
    """Equal, but for ties of averages, which float32 sums decide by their error."""
    model = exported(block, signed=signed)
    (expected,) = by_onnx_runtime(model, frames(200))
    network = import_onnx(model.SerializeToString())
    (found,) = Interpreter(network).run([frames(200)])
    step = np.abs(np.diff(np.unique(expected))).min()
    assert np.abs(found - expected).max() <= 3 * step
    assert np.mean(found != expected) <= (0.2 if block is _concat else 0.01)


@kinds
def test_c(block: Block, *, signed: bool) -> None:
    check(exported(block, signed=signed), "bnn-c", CEngine)


@needs_simulator
@pytest.mark.slow
@kinds
def test_rtl(block: Block, *, signed: bool) -> None:
    check(exported(block, signed=signed), "bnn-fpga", RtlEngine)
