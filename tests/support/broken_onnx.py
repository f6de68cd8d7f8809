"""Makes broken ONNX models, and checks how they are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest
from onnx import ModelProto, TensorProto
from onnx_graphs import OnnxGraph

from tools.onnx_import.frontend import import_onnx
from tools.onnx_import.refusal import ImportRefused

NAN, INFINITY = float("nan"), float("inf")

# Makes the bytes of a broken model.
Broken: TypeAlias = Callable[[], bytes]


def graph_of(build: Callable[[OnnxGraph, str], object], opset: int = 13) -> Broken:
    """A graph on an input [1, 4]; `build` gives the output, or the outputs."""

    def make() -> bytes:
        graph = OnnxGraph(opset=opset)
        result = build(graph, graph.input((1, 4)))
        return graph.bytes(str(result))

    return make


def on_input(
    build: Callable[[OnnxGraph, str], str],
    shape: list[int | str | None] | None,
    **options: Any,
) -> Broken:
    def make() -> bytes:
        graph = OnnxGraph()
        dtype = options.get("dtype", TensorProto.FLOAT)
        annotation = options.get("annotation")
        assert isinstance(dtype, int)
        assert annotation is None or isinstance(annotation, str)
        x = graph.input(shape, dtype=dtype, annotation=annotation)
        return graph.bytes(build(graph, x))

    return make


def edited(
    edit: Callable[[ModelProto], object],
    build: Callable[[OnnxGraph, str], str] = lambda g, x: g.op("Relu", x, name="act"),
) -> Broken:
    """A sound model after `edit`."""

    def make() -> bytes:
        graph = OnnxGraph()
        model = graph.model(build(graph, graph.input((1, 4))))
        edit(model)
        return model.SerializeToString()

    return make


def relu(graph: OnnxGraph, x: str) -> str:
    return graph.op("Relu", x, name="act")


def affine(graph: OnnxGraph, x: str) -> str:
    return graph.op("Add", x, graph.constant([1, 2, 3, 4], name="bias"), name="add")


def refusal(source: bytes) -> str:
    """The message with which the bytes of a model are refused."""
    with pytest.raises(ImportRefused) as caught:
        import_onnx(source, name="net.onnx")
    return str(caught.value)


def assert_refused(make: Broken, expected: Sequence[str]) -> None:
    """The model is refused in one or two lines that hold every text of `expected`."""
    message = refusal(make())
    assert message.startswith("net.onnx: ")
    assert message.count("\n") <= 1
    for text in expected:
        assert text in message
