"""Each ONNX op the importer takes, against ONNX Runtime."""

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto, TensorProto
from onnx_graphs import OnnxGraph, by_onnx_runtime, interpreted

from qdialect.semantics import Real

FRAMES, CHANNELS = 16, 12
RNG = np.random.default_rng(7)
SLOPES = np.linspace(-1, 2, CHANNELS)

# Builds a graph on an input of FRAMES x CHANNELS and gives the name of its output.
Build = Callable[[OnnxGraph, str], str]


def frames(*shape: int) -> Real:
    values = RNG.normal(size=(FRAMES, *(shape or (CHANNELS,))))
    return (values * 4).round(2).astype(np.float32)


def model_of(build: Build, opset: int, *shape: int) -> ModelProto:
    graph = OnnxGraph(opset=opset)
    x = graph.input((FRAMES, *(shape or (CHANNELS,))))
    return graph.model(build(graph, x))


def row(graph: OnnxGraph, *shape: int) -> str:
    return graph.constant(RNG.normal(size=shape or (CHANNELS,)).round(2) + 3)


EXACT: dict[str, tuple[int, Build]] = {
    "add": (13, lambda g, x: g.op("Add", x, row(g))),
    "add-from-the-left": (13, lambda g, x: g.op("Add", row(g), x)),
    "sub": (13, lambda g, x: g.op("Sub", x, row(g))),
    "sub-from-the-left": (13, lambda g, x: g.op("Sub", row(g), x)),
    "mul-scalar": (13, lambda g, x: g.op("Mul", x, g.constant(0.3))),
    "div": (7, lambda g, x: g.op("Div", x, row(g))),
    "div-from-the-left": (
        13,
        lambda g, x: g.op("Div", row(g), g.op("Add", x, g.constant(99))),
    ),
    "two-computed": (13, lambda g, x: g.op("Add", g.op("Relu", x), g.op("Neg", x))),
    "relu": (13, lambda g, x: g.op("Relu", x)),
    "leaky-relu": (13, lambda g, x: g.op("LeakyRelu", x)),
    "prelu": (13, lambda g, x: g.op("PRelu", x, g.constant(SLOPES))),
    "prelu-scalar": (13, lambda g, x: g.op("PRelu", x, g.constant([0.25]))),
    "min": (13, lambda g, x: g.op("Min", g.constant(3.5), x, g.constant(1.5))),
    "max": (13, lambda g, x: g.op("Max", x, g.constant(-1.5), g.constant([-2]))),
    "gather": (
        13,
        lambda g, x: g.op("Gather", x, g.constant([2, 4, 6, -1, 0], np.int64), axis=1),
    ),
    "gather-one": (
        13,
        lambda g, x: g.op("Gather", x, g.constant([-2], np.int64), axis=1),
    ),
    "leaky-relu-alpha": (13, lambda g, x: g.op("LeakyRelu", x, alpha=0.3)),
    "abs": (13, lambda g, x: g.op("Abs", x)),
    "neg": (13, lambda g, x: g.op("Neg", x)),
    "floor": (13, lambda g, x: g.op("Floor", x)),
    "ceil": (13, lambda g, x: g.op("Ceil", x)),
    "round": (13, lambda g, x: g.op("Round", g.op("Mul", x, g.constant(50)))),
    "sqrt": (13, lambda g, x: g.op("Sqrt", g.op("Abs", x))),
    "hard-sigmoid": (13, lambda g, x: g.op("HardSigmoid", x)),
    "hard-sigmoid-alpha": (13, lambda g, x: g.op("HardSigmoid", x, alpha=0.25)),
    "clip-6": (10, lambda g, x: g.op("Clip", x, min=0.0, max=6.0)),
    "clip-6-no-bounds": (6 + 1, lambda g, x: g.op("Clip", x)),
    "clip-6-min": (10, lambda g, x: g.op("Clip", x, min=-1.5)),
    "clip-11": (11, lambda g, x: g.op("Clip", x, g.constant(-1), g.constant(1))),
    "clip-13-max": (13, lambda g, x: g.op("Clip", x, "", g.constant(1.25))),
    "clip-13-min": (13, lambda g, x: g.op("Clip", x, g.constant(0.5))),
    "identity": (13, lambda g, x: g.op("Identity", g.op("Relu", x))),
    "dropout-7": (10, lambda g, x: g.op("Dropout", g.op("Relu", x), ratio=0.5)),
    "dropout-13": (13, lambda g, x: g.op("Dropout", g.op("Relu", x))),
    "cast-to-float": (13, lambda g, x: g.op("Cast", x, to=TensorProto.FLOAT)),
    "reshape": (
        13,
        lambda g, x: g.op("Reshape", x, g.constant([FRAMES, 3, -1], np.int64)),
    ),
    "reshape-0": (
        13,
        lambda g, x: g.op("Reshape", x, g.constant([0, 2, 3, -1], np.int64)),
    ),
    "reshape-batch-open": (
        7,
        lambda g, x: g.op("Reshape", x, g.constant([-1, 4, 3], np.int64)),
    ),
    "reshape-computed": (
        11,
        lambda g, x: g.op("Reshape", x, shape_with_batch(g, x, [4, -1])),
    ),
    "unsqueeze-11": (11, lambda g, x: g.op("Unsqueeze", x, axes=[1, 3])),
    "unsqueeze-13": (
        13,
        lambda g, x: g.op("Unsqueeze", x, g.constant([-1], np.int64)),
    ),
    "squeeze-11": (
        11,
        lambda g, x: g.op("Squeeze", g.op("Unsqueeze", x, axes=[1]), axes=[1]),
    ),
    "squeeze-all": (
        11,
        lambda g, x: g.op("Squeeze", g.op("Unsqueeze", x, axes=[1, 2])),
    ),
    "arg-max": (13, lambda g, x: g.op("ArgMax", x, axis=1)),
    "arg-max-flat": (13, lambda g, x: g.op("ArgMax", x, axis=-1, keepdims=0)),
    "arg-min": (13, lambda g, x: g.op("ArgMin", x, axis=1)),
    "arg-max-of-ties": (
        13,
        lambda g, x: g.op("ArgMax", g.op("Relu", g.op("Neg", g.op("Abs", x))), axis=1),
    ),
}


def shape_with_batch(graph: OnnxGraph, x: str, rest: list[int]) -> str:
    """[batch of x, *rest], as PyTorch exports it."""
    batch = graph.op(
        "Gather", graph.op("Shape", x), graph.constant(0, np.int64), axis=0
    )
    batch = graph.op("Unsqueeze", batch, axes=[0])
    return graph.op("Concat", batch, graph.constant(rest, np.int64), axis=0)


@pytest.mark.parametrize("case", EXACT)
def test_op_equals_onnx_runtime(case: str):
    opset, build = EXACT[case]
    model, x = model_of(build, opset), frames()
    (found,), (expected,) = interpreted(model, x), by_onnx_runtime(model, x)
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)


CLOSE: dict[str, tuple[int, Build]] = {
    "sigmoid": (13, lambda g, x: g.op("Sigmoid", x)),
    "tanh": (13, lambda g, x: g.op("Tanh", x)),
    "exp": (13, lambda g, x: g.op("Exp", x)),
    "hard-swish": (14, lambda g, x: g.op("HardSwish", x)),
    "silu": (13, lambda g, x: g.op("Mul", g.op("Sigmoid", x), x)),
    "elu": (13, lambda g, x: g.op("Elu", x)),
    "elu-alpha": (13, lambda g, x: g.op("Elu", x, alpha=-0.5)),
    "softplus": (13, lambda g, x: g.op("Softplus", x)),
    "gelu": (20, lambda g, x: g.op("Gelu", x)),
    "softmax-13": (13, lambda g, x: g.op("Softmax", x)),
    "softmax-11": (11, lambda g, x: g.op("Softmax", x)),
    "matmul": (13, lambda g, x: g.op("MatMul", x, row(g, CHANNELS, 5))),
    "matmul-of-one-stack": (
        13,
        lambda g, x: g.op(
            "MatMul", g.op("Unsqueeze", x, g.constant([1], np.int64)),
            row(g, 1, CHANNELS, 5),
        ),
    ),
    "matmul-vector": (13, lambda g, x: g.op("MatMul", x, row(g, CHANNELS))),
    "gemm": (13, lambda g, x: g.op("Gemm", x, row(g, CHANNELS, 5), row(g, 5))),
    "gemm-no-c": (13, lambda g, x: g.op("Gemm", x, row(g, CHANNELS, 5))),
    "gemm-transposed": (
        11,
        lambda g, x: g.op(
            "Gemm", x, row(g, 5, CHANNELS), row(g, 1, 5), transB=1, alpha=0.5, beta=2.0
        ),
    ),
    "gemm-computed-c": (
        13,
        lambda g, x: g.op(
            "Gemm", x, row(g, CHANNELS, CHANNELS), g.op("Relu", x), beta=0.5
        ),
    ),
    "batch-norm": (
        9,
        lambda g, x: g.op(
            "BatchNormalization", x, row(g), row(g), row(g), row(g), momentum=0.9
        ),
    ),
    "batch-norm-15": (
        15,
        lambda g, x: g.op(
            "BatchNormalization", x, row(g), row(g), row(g), row(g), epsilon=0.01,
            training_mode=0,
        ),
    ),
    "batch-norm-wrapped": (
        11,
        lambda g, x: g.op(
            "Squeeze",
            g.op(
                "BatchNormalization", g.op("Unsqueeze", x, axes=[2]),
                row(g), row(g), row(g), row(g),
            ),
            axes=[2],
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOSE)
def test_op_is_close_to_onnx_runtime(case: str):
    opset, build = CLOSE[case]
    model, x = model_of(build, opset), frames()
    (found,), (expected,) = interpreted(model, x), by_onnx_runtime(model, x)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=3e-6, atol=3e-6)


MAPS: dict[str, tuple[int, Build]] = {
    "flatten": (13, lambda g, x: g.op("Flatten", x)),
    "flatten-negative": (13, lambda g, x: g.op("Flatten", x, axis=-3)),
    "transpose": (13, lambda g, x: g.op("Transpose", x, perm=[0, 3, 1, 2])),
    "bias-a-channel": (13, lambda g, x: g.op("Add", x, row(g, 1, 3, 1, 1))),
    "bias-of-lower-rank": (13, lambda g, x: g.op("Add", x, row(g, 3, 1, 1))),
    "batch-norm": (
        13,
        lambda g, x: g.op(
            "BatchNormalization", x, row(g, 3), row(g, 3), row(g, 3), row(g, 3)
        ),
    ),
    "softmax-over-the-rest": (11, lambda g, x: g.op("Softmax", x, axis=2)),
    "softmax-along-an-axis": (13, lambda g, x: g.op("Softmax", x, axis=2)),
    "arg-max": (13, lambda g, x: g.op("ArgMax", x, axis=2, keepdims=0)),
    "mean-of-channels-last": (
        13,
        lambda g, x: g.op("ReduceMean", x, axes=[1, 2]),
    ),
    "sum-of-channels-last": (
        11,
        lambda g, x: g.op("ReduceSum", x, axes=[-2, 1], keepdims=0),
    ),
    "greatest-of-channels-last": (
        13,
        lambda g, x: g.op("ReduceMax", x, axes=[1, 2], keepdims=0),
    ),
    "greatest-of-places": (13, lambda g, x: g.op("ReduceMax", x, axes=[-1, 2])),
    "greatest-of-channels": (
        13,
        lambda g, x: g.op("ReduceMax", x, axes=[1], keepdims=0),
    ),
    "greatest-of-all": (13, lambda g, x: g.op("ReduceMax", x, axes=[1, 2, 3])),
    "matmul": (13, lambda g, x: g.op("MatMul", x, row(g, 5, 7))),
}


@pytest.mark.parametrize("case", MAPS)
def test_op_on_maps_is_close_to_onnx_runtime(case: str):
    opset, build = MAPS[case]
    model, x = model_of(build, opset, 3, 4, 5), frames(3, 4, 5)
    (found,), (expected,) = interpreted(model, x), by_onnx_runtime(model, x)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("largest", [0, 1])
def test_top_k(largest: int):
    graph = OnnxGraph(opset=11)
    x = graph.input((FRAMES, CHANNELS))
    k = graph.constant([3], np.int64)
    values = graph.op("TopK", x, k, outputs=2, largest=largest, axis=-1)
    model, data = graph.model(values, f"{values}_1"), frames()
    for found, expected in zip(
        interpreted(model, data), by_onnx_runtime(model, data), strict=True
    ):
        assert np.array_equal(found, expected)


def test_top_k_of_opset_9():
    graph = OnnxGraph(opset=9)
    x = graph.input((FRAMES, CHANNELS))
    values = graph.op("TopK", x, outputs=2, k=2)
    (found,) = interpreted(graph.model(f"{values}_1"), data := frames())
    assert np.array_equal(found, np.argsort(-data, axis=1, kind="stable")[:, :2])


CONSTANTS: dict[str, Callable[[OnnxGraph, str], str]] = {
    "pow": lambda g, c: g.op("Pow", c, g.constant(0.5)),
    "pow-2": lambda g, c: g.op("Pow", c, g.constant([2])),
    "sqrt": lambda g, c: g.op("Sqrt", c),
    "arithmetic": lambda g, c: g.op(
        "Div", g.op("Mul", c, c), g.op("Sub", g.op("Neg", c), g.constant(0.7))
    ),
    "slice": lambda g, c: g.op(
        "Slice", c, *(g.constant([v], np.int64) for v in (-1, -99, 0, -1))
    ),
    "gather": lambda g, c: g.op(
        "Gather", c, g.constant(list(range(CHANNELS))[::-1], np.int64)
    ),
    "transpose": lambda g, c: g.op("Transpose", g.op("Transpose", c)),
    "constant-of-shape": lambda g, c: g.op(
        "Add", c, g.op("ConstantOfShape", g.op("Shape", c))
    ),
    "range": lambda g, c: g.op(
        "Add", c, g.op("Range", *(g.constant(v) for v in (0, CHANNELS, 1)))
    ),
    "cast": lambda g, c: g.op(
        "Cast", g.op("Cast", c, to=TensorProto.INT32), to=TensorProto.FLOAT
    ),
    "double": lambda g, c: g.op(
        "Cast", g.op("Sqrt", g.op("Cast", c, to=TensorProto.DOUBLE)), to=1
    ),
    "expand": lambda g, c: g.op(
        "Mul", c, g.op("Expand", g.constant([2]), g.op("Shape", c))
    ),
    "where": lambda g, c: g.op(
        "Where", g.op("Less", c, g.constant(3)), c, g.op("Abs", c)
    ),
    "reduce": lambda g, c: g.op("Div", c, g.op("ReduceMax", c, keepdims=1)),
    "max": lambda g, c: g.op("Max", c, g.constant(3), g.constant([2.9])),
    "clip": lambda g, c: g.op("Clip", c, g.constant(2.6), g.constant(3.1)),
    "tile": lambda g, c: g.op(
        "Mul", c, g.op("Tile", g.constant([2]), g.op("Shape", c))
    ),
    "sum-of-few": lambda g, c: g.op(
        "Div", c, g.op("ReduceSum", g.op("Round", g.op("Mul", c, c)), keepdims=0)
    ),
    "mean-of-few": lambda g, c: g.op("Div", c, g.op("ReduceMean", g.op("Round", c))),
    "mod": lambda g, c: g.op("Mod", c, g.constant(0.5), fmod=1),
    "at-least": lambda g, c: g.op(
        "Where", g.op("GreaterOrEqual", c, g.constant(3)), c, g.op("Neg", c)
    ),
}


@pytest.mark.parametrize("case", CONSTANTS)
def test_constants_are_evaluated_as_by_onnx_runtime(case: str):
    def build(graph: OnnxGraph, x: str) -> str:
        return graph.op("Mul", x, CONSTANTS[case](graph, row(graph)))

    model, x = model_of(build, 13), frames()
    (found,), (expected,) = interpreted(model, x), by_onnx_runtime(model, x)
    assert np.array_equal(found, expected)


SUMS: dict[str, Build] = {
    "of-four": lambda g, x: g.op("Sum", row(g), x, g.op("Relu", x), row(g)),
    "constants-first": lambda g, x: g.op("Sum", row(g), row(g), x),
    "of-one": lambda g, x: g.op("Sum", g.op("Relu", x)),
}


@pytest.mark.parametrize("case", SUMS)
def test_sums_are_added_in_their_order(case: str):
    model, x = model_of(SUMS[case], 13), frames()
    (found,), (expected,) = interpreted(model, x), by_onnx_runtime(model, x)
    np.testing.assert_array_equal(found, expected)
