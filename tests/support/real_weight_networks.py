"""Small networks whose activations are quantised and whose weights are real numbers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from onnx_graphs import OnnxGraph
from xdsl.dialects.builtin import (
    FunctionType,
    ModuleOp,
    NameLoc,
    NoneAttr,
    StringAttr,
    TensorType,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region, SSAValue

from qdialect.constants import constant
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.quantisers import DequantizeOp
from qdialect.types import F32, shape_of
from tools.onnx_import.frontend import import_onnx

# Levels of the input, which is quantised to 4 bits.
_INPUT_STEP = 0.25


def layer(weights: Array, element: Attribute = F32) -> ModuleOp:
    """`@main`: a vector, of real numbers or of levels, times real weights [O, I]."""
    rows, columns = weights.shape
    block = Block(arg_types=[TensorType(element, (1, columns))])
    x: SSAValue = block.args[0]
    if element != F32:
        scale = constant(np.array(1, np.float32))
        zero = constant(np.array(0, np.float32))
        values = DequantizeOp(x, scale, zero, TensorType(F32, (1, columns)))
        block.add_ops([scale, zero, values])
        x = values.out
    source = constant(weights.astype(np.float32))
    product = MatMulOp(x, source, TensorType(F32, (1, rows)))
    product.location = NameLoc(StringAttr("fc"), NoneAttr())
    block.add_ops([source, product, ReturnOp(product)])
    type_ = FunctionType.from_lists([block.args[0].type], [product.out.type])
    return ModuleOp([FuncOp("main", type_, Region(block))])


def _imported(graph: OnnxGraph, output: str) -> ModuleOp:
    module = import_onnx(graph.bytes(output), name="real.onnx")
    module.verify()
    return module


def _norm(graph: OnnxGraph, x: str, channels: int, rng: np.random.Generator) -> str:
    """A batch norm whose slopes have both signs, and a ReLU of three bits."""
    gamma = rng.uniform(0.5, 1.5, channels) * rng.choice([-1, 1], channels)
    parameters = [
        gamma,
        rng.normal(0, 0.5, channels),
        rng.normal(0, 0.5, channels),
        rng.uniform(0.5, 2, channels),
    ]
    names = [graph.constant(values) for values in parameters]
    y = graph.op("Relu", graph.op("BatchNormalization", x, *names))
    return graph.quant(y, 0.3, 0, 3, signed=0)


def dense_network(seed: int, widths: tuple[int, ...] = (11, 9, 7, 4)) -> ModuleOp:
    """Fully connected layers `fc1` and on, the last with a bias and without levels."""
    rng = np.random.default_rng(seed)
    graph = OnnxGraph()
    x = graph.quant(graph.input((1, widths[0])), _INPUT_STEP, 0, 4)
    layers = list(pairwise(widths))
    for number, (inputs, outputs) in enumerate(layers, 1):
        weights = graph.constant(rng.normal(0, 0.4, (inputs, outputs)))
        x = graph.op("MatMul", x, weights, name=f"fc{number}")
        if number < len(layers):
            x = _norm(graph, x, outputs, rng)
    return _imported(graph, graph.op("Add", x, graph.constant(rng.normal(size=4))))


def map_network(seed: int) -> ModuleOp:
    """A convolution, a depthwise one, a pool and a fully connected layer on maps."""
    rng = np.random.default_rng(seed)
    graph = OnnxGraph()
    x = graph.quant(graph.input((1, 2, 6, 6)), _INPUT_STEP, 0, 4)
    weights = graph.constant(rng.normal(0, 0.3, (5, 2, 3, 3)))
    x = _norm(graph, graph.op("Conv", x, weights, name="conv1", pads=[1] * 4), 5, rng)
    weights = graph.constant(rng.normal(0, 0.3, (5, 1, 3, 3)))
    x = _norm(graph, graph.op("Conv", x, weights, name="conv2", group=5), 5, rng)
    x = graph.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = graph.op("Flatten", x)
    weights = graph.constant(rng.normal(0, 0.3, (20, 3)))
    return _imported(graph, graph.op("MatMul", x, weights, name="fc"))


def frames_of(module: ModuleOp, count: int, seed: int = 0) -> Array:
    """Inputs on ties of the quantiser, within and beyond its range."""
    function = next(op for op in module.body.block.ops if isinstance(op, FuncOp))
    shape = shape_of(function.args[0])[1:]
    rng = np.random.default_rng(seed)
    steps = rng.integers(-20, 21, (count, *shape))
    return (steps * (_INPUT_STEP / 2)).astype(np.float32)
