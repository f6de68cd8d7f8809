"""Products of levels that cannot be imported: operands, scales, zero points, sums."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from broken_onnx import Broken, assert_refused, graph_of, refusal
from onnx_graphs import OnnxGraph

RUNTIME = "com.microsoft"
X_SCALE, Y_SCALE = 0.5, 0.25
ONES = np.ones((4, 2))


def levels(graph: OnnxGraph, x: str) -> str:
    zero = graph.constant(3, np.uint8)
    return graph.op("QuantizeLinear", x, graph.constant(X_SCALE), zero)


def product(
    op_type: str = "QLinearMatMul",
    *,
    weights: npt.ArrayLike = ONES,
    dtype: npt.DTypeLike = np.int8,
    a_scale: npt.ArrayLike = X_SCALE,
    scale: npt.ArrayLike = 0.5,
    zero: npt.ArrayLike = 0,
    y_scale: npt.ArrayLike = Y_SCALE,
    y_zero: tuple[npt.ArrayLike, npt.DTypeLike] = (0, np.uint8),
    bias: npt.ArrayLike | None = None,
    bias_dtype: npt.DTypeLike = np.int32,
    real: bool = False,
    **attributes: Any,
) -> Broken:
    """A product with the one part changed that is given."""

    def build(graph: OnnxGraph, x: str) -> str:
        x = x if real else levels(graph, x)
        a = (x, graph.constant(a_scale), graph.constant(3, np.uint8))
        b = (
            graph.constant(weights, dtype, name="w"),
            graph.constant(scale, name="w_scale"),
            graph.constant(zero, np.int8, name="w_zero"),
        )
        y = graph.constant(y_scale), graph.constant(*y_zero)
        c = () if bias is None else (graph.constant(bias, bias_dtype, name="c"),)
        domain = RUNTIME if op_type == "QGemm" else ""
        inputs = (*a, *b, *c, *y) if op_type == "QGemm" else (*a, *b, *y, *c)
        return graph.op(op_type, *inputs, name="p", domain=domain, **attributes)

    return graph_of(build)


def integer_product(weights: npt.ArrayLike, *zeros: npt.ArrayLike) -> Broken:
    def build(graph: OnnxGraph, x: str) -> str:
        parts = [graph.constant(zero, np.uint8) for zero in zeros]
        matrix = graph.constant(weights, np.int8)
        return graph.op("MatMulInteger", levels(graph, x), matrix, *parts, name="p")

    return graph_of(build)


def sum_of(op_type: str, *scales: npt.ArrayLike) -> Broken:
    def build(graph: OnnxGraph, x: str) -> str:
        x = levels(graph, x)
        inputs: list[str] = []
        for index, scale in enumerate(scales):
            part = graph.constant(scale), graph.constant(0, np.uint8)
            inputs += [x, *part] if index < len(scales) - 1 else part
        return graph.op(op_type, *inputs, name="s", domain=RUNTIME)

    return graph_of(build)


CASES: dict[str, tuple[Broken, tuple[str, ...]]] = {
    "real-input": (product(real=True), ("node 'p'", "is float", "QuantizeLinear")),
    "real-weights": (product(dtype=np.float32), ("'w'", "float32", "integers")),
    "inner-extents": (
        product(weights=np.ones((3, 2))), ("node 'p'", "3 elements", "inner extents")
    ),
    "stack-of-matrices": (
        product(weights=np.ones((2, 4, 2))), ("[2, 4, 2]", "one matrix")
    ),
    "zero-points-of-other-rows": (
        product(zero=[1, 2, 3]), ("zero point of shape [3]", "2 outputs")
    ),
    "scales-of-other-rows": (
        product(scale=[1, 2, 3]), ("'w_scale'", "[3]", "2 outputs")
    ),
    "scale-a-frame": (product(a_scale=[1, 2]), ("shape [2]", "all frames")),
    "scale-of-the-result": (
        product(y_scale=[1, 2]), ("shape [2]", "expected one number")
    ),
    "scale-0": (product(scale=0), ("'w_scale'", "positive")),
    "ratio-beyond-float32": (
        product(scale=1e-30, y_scale=1e30), ("ratio of its scales",)
    ),
    "real-zero-point": (
        product(y_zero=(0.0, np.float32)), ("node 'p'", "float32", "integers")
    ),
    "transposed-input": (product("QGemm", transA=1), ("node 'p' (QGemm)", "transA")),
    "bias-of-other-rows": (
        product("QGemm", bias=[1, 2, 3]), ("'c'", "[3]", "shape [2]")
    ),
    "real-bias": (
        product("QGemm", bias=[1, 2], bias_dtype=np.float32),
        ("'c'", "float32", "integers"),
    ),
    "zero-point-a-frame": (
        integer_product(np.ones((4, 2)), [1, 2]), ("shape [2]", "one number")
    ),
    "sums-beyond-32-bits": (
        graph_of(
            lambda g, x: g.op(
                "MatMulInteger", levels(g, x),
                g.constant(np.full((4, 1), 1 << 24), np.int32), name="p",
            )
        ),
        ("node 'p' (MatMulInteger)", "17112760320", "32 bits"),
    ),
    "sum-that-wraps-round": (
        graph_of(
            lambda g, x: g.op("Add", levels(g, x), g.constant(1, np.uint8), name="p")
        ),
        ("node 'p' (Add)", "from 1 to 256", "beyond ui8", "wrap round"),
    ),
    "map-of-a-vector": (
        graph_of(
            lambda g, x: g.op(
                "ConvInteger", levels(g, x), g.constant(np.ones((2, 4, 1)), np.int8),
                name="p",
            )
        ),
        ("node 'p' (ConvInteger)", "map of one or two axes"),
    ),
    "scale-of-channels-in-a-sum": (
        sum_of("QLinearAdd", 1, [1, 2, 3, 4], 1), ("node 's'", "one number each", "[4]")
    ),
    "concat-of-pairs": (
        graph_of(
            lambda g, x: g.op(
                "QLinearConcat", *(g.constant(1) for _ in range(6)), name="s",
                domain=RUNTIME, axis=1,
            )
        ),
        ("node 's' (QLinearConcat)", "6 inputs", "three for each part"),
    ),
    "real-part-of-a-sum": (
        graph_of(
            lambda g, x: g.op(
                "QLinearSigmoid", x, g.constant(1), g.constant(0, np.uint8),
                g.constant(1), g.constant(0, np.uint8), name="s", domain=RUNTIME,
            )
        ),
        ("node 's' (QLinearSigmoid)", "is float", "QuantizeLinear"),
    ),
    "pair-of-inputs": (
        graph_of(
            lambda g, x: g.op("QLinearConcat", x, x, name="s", domain=RUNTIME, axis=1)
        ),
        ("node 's' (QLinearConcat)", "2 inputs", "expected 5 or more"),
    ),
    "softmax-of-joined-axes": (
        graph_of(
            lambda g, x: g.op(
                "QLinearSoftmax", levels(g, x), g.constant(X_SCALE),
                g.constant(3, np.uint8), g.constant(Y_SCALE), g.constant(0, np.uint8),
                name="s", domain=RUNTIME, axis=0, opset=12,
            )
        ),
        ("node 's' (QLinearSoftmax)", "axis 0"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refusal_is_short_and_names_the_fault(case: str) -> None:
    assert_refused(*CASES[case])


def test_messages_differ() -> None:
    assert len({refusal(make()) for make, _ in CASES.values()}) == len(CASES)
