"""Nodes of exporters' and FINN's dialects that cannot be imported."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from broken_onnx import Broken, assert_refused, graph_of, on_input, refusal
from onnx_graphs import QONNX, OnnxGraph

INT = np.int64


def gather(indices: npt.ArrayLike, axis: int = 1) -> Broken:
    def build(graph: OnnxGraph, x: str) -> str:
        return graph.op("Gather", x, graph.constant(indices, INT), name="g", axis=axis)

    return on_input(build, [1, 200])


def patches(rows: int = 18, **attributes: Any) -> Broken:
    attributes = {"kernel_size": [3, 3], "stride": [1, 1], **attributes}

    def build(graph: OnnxGraph, x: str) -> str:
        columns = graph.op("Im2Col", x, domain=QONNX, **attributes)
        return graph.op("MatMul", columns, graph.constant(np.ones((rows, 4))), name="p")

    return on_input(build, [1, 6, 6, 2])


def pool(**attributes: Any) -> Broken:
    attributes = {"kernel": 2, "stride": 2, "ibits": 4, "obits": 4, **attributes}
    return on_input(
        lambda g, x: g.op("QuantAvgPool2d", x, name="a", domain=QONNX, **attributes),
        [1, 2, 4, 4],
    )


def float_quant(
    weights: npt.ArrayLike | None,
    saturation: int = 1,
    *,
    scale: float = 1,
    bias: float = 1,
) -> Broken:
    def build(graph: OnnxGraph, x: str) -> str:
        data = x if weights is None else graph.constant(weights)
        parts = [graph.constant(value) for value in (scale, 2, 1, bias, 6)]
        node = graph.op("FloatQuant", data, *parts, name="f", domain=QONNX,
                        saturation=saturation)  # fmt: skip
        return graph.op("Add", x, node)

    return graph_of(build)


CASES: dict[str, tuple[Broken, tuple[str, ...]]] = {
    "index-out-of-range": (gather([1, 200]), ("node 'g' (Gather)", "200", "199")),
    "gather-of-the-batch": (gather([0], axis=0), ("node 'g'", "axis 0, the batch")),
    "gather-by-a-matrix": (gather([[0, 1]]), ("node 'g'", "[1, 2]", "a list")),
    "gather-in-many-pieces": (
        gather(np.random.default_rng(0).permutation(200)),
        ("node 'g'", "pieces", "up to 64"),
    ),
    "expanded-frames": (
        graph_of(
            lambda g, x: g.op("Expand", x, g.constant([3, 1, 4], INT), name="e")
        ),
        ("node 'e' (Expand)", "[3, 1, 4]", "leave the shape"),
    ),
    "tiled-frames": (
        graph_of(lambda g, x: g.op("Tile", x, g.constant([1, 2], INT), name="t")),
        ("node 't' (Tile)", "[1, 8]", "leave the shape"),
    ),
    "repeats-of-another-rank": (
        graph_of(lambda g, x: g.op("Tile", x, g.constant([1], INT), name="t")),
        ("node 't' (Tile)", "[1]", "one an axis"),
    ),
    "greater-of-two-computed": (
        graph_of(lambda g, x: g.op("Max", x, g.op("Neg", x), name="m")),
        ("node 'm' (Max)", "2 computed inputs"),
    ),
    "least-of-a-vector": (
        graph_of(lambda g, x: g.op("Min", x, g.constant([1, 2, 3, 4]), name="m")),
        ("node 'm' (Min)", "[4]", "expected a scalar"),
    ),
    "computed-slopes": (
        graph_of(lambda g, x: g.op("PRelu", x, x, name="p")),
        ("node 'p' (PRelu)", "'x' is computed", "constant"),
    ),
    "slopes-of-another-shape": (
        graph_of(lambda g, x: g.op("PRelu", x, g.constant(np.ones((3, 1, 4))), name="p")),
        ("node 'p' (PRelu)", "[3, 1, 4]"),
    ),
    "approximate-gelu": (
        graph_of(lambda g, x: g.op("Gelu", x, name="g", approximate="tanh"), 20),
        ("node 'g' (Gelu)", "tanh", "none"),
    ),
    "weights-of-other-patches": (
        patches(17), ("node 'p'", "[17, 4]", "3 x 3 x 2", "[18, MH]")
    ),
    "patches-of-no-stride": (
        patches(stride=[0, 1]), ("node 'p'", "strides (0, 1)", "positive")
    ),
    "patches-larger-than-the-map": (
        patches(98, kernel_size=[7, 7]), ("node 'p'", "(7, 7)", "larger")
    ),
    "patches-with-three-pads": (
        patches(pad_amount=[1, 1, 1]), ("node 'p'", "pad_amount", "4 integers")
    ),
    "patches-of-a-vast-padding": (
        patches(pad_amount=2**40), ("node 'p'", "result of shape", "268,435,456 elements")
    ),
    "repeats-of-too-many-axes": (
        graph_of(
            lambda g, x: g.op("Tile", x, g.constant(np.arange(50), INT), name="t")
        ),
        ("node 't' (Tile)", "[0, 1, 2, 3, 4, 5, 6, 7, ..]", "one an axis"),
    ),
    "truth-values-that-are-clipped": (
        graph_of(lambda g, x: g.op("Add", x, g.op("Clip", g.constant([True], np.bool_),
                                                  g.constant(0), name="c"))),
        ("node 'c' (Clip)", "bool", "expected numbers"),
    ),
    "float-of-vast-exponents": (
        float_quant([1.0], bias=1e9), ("node 'f' (FloatQuant)", "1000000000", "bias")
    ),
    "float-of-a-vast-value": (
        float_quant([3e38], scale=1e-3), ("node 'f' (FloatQuant)", "beyond float32")
    ),
    "truncation-of-distant-scales": (
        graph_of(
            lambda g, x: g.op(
                "Trunc", x, *(g.constant(v) for v in (1e-30, 0, 8, 1e30, 4)),
                name="t", domain=QONNX,
            )
        ),
        ("node 't' (Trunc)", "too far apart"),
    ),
    "pool-larger-than-the-map": (pool(kernel=5), ("node 'a'", "kernel 5", "larger")),
    "pool-of-wide-integers": (pool(ibits=20), ("node 'a'", "ibits 20", "16 at most")),
    "pool-in-another-layout": (
        pool(data_layout="CNHW"), ("node 'a' (QuantAvgPool2d)", "'CNHW'", "NHWC")
    ),
    "float-activations": (
        float_quant(None), ("node 'f' (FloatQuant)", "not uniform", "weights")
    ),
    "float-overflow": (
        float_quant([[1, 2, 99, 4]], 0), ("node 'f'", "6.0", "saturation = 1")
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refusal_is_short_and_names_the_fault(case: str) -> None:
    assert_refused(*CASES[case])


def test_messages_differ() -> None:
    assert len({refusal(make()) for make, _ in CASES.values()}) == len(CASES)
