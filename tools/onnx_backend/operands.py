"""Which inputs of a graph are data, and which are parameters of its nodes."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import GraphProto, NodeProto

# Inputs that may be computed; of all other ops only the first.
_DATA = {
    "Add": (0, 1),
    "Sub": (0, 1),
    "Mul": (0, 1),
    "Div": (0, 1),
    "QLinearAdd": (0, 3),
    "QLinearMul": (0, 3),
}
_ALL_DATA = {"Concat", "Sum"}


def data_inputs(graph: GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> set[str]:
    """Names of the graph's inputs that are read as data by some node.

    The others are parameters: weights, scales, shapes, axes. A compiler needs them as
    constants.

    Args:
        graph: as the model has it.
        shapes: of the arrays given for the inputs, by name.
    """
    read: set[str] = set()
    for node in graph.node:
        read.update(node.input[index] for index in _data_of(node, shapes))
    return read & shapes.keys()


def _data_of(node: NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> list[int]:
    count = len(node.input)
    if node.op_type in _ALL_DATA:
        return list(range(count))
    if node.op_type == "QLinearConcat":
        return list(range(2, count, 3))
    if node.op_type == "Gemm" and count > 2:
        # C is a bias, or a matrix with a row for each of A's.
        data, bias = (shapes.get(node.input[index], ()) for index in (0, 2))
        return [0, 2] if len(bias) == 2 and bias[:1] == data[:1] != (1,) else [0]
    return [index for index in _DATA.get(node.op_type, (0,)) if index < count]
