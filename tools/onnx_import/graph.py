"""The graph of a model: what stands in it, in order, with its names checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto
from xdsl.ir import Attribute

from qdialect.types import F32
from tools.onnx_import.annotations import annotations_of
from tools.onnx_import.model_file import standard_opset
from tools.onnx_import.node import Node, read_node
from tools.onnx_import.refusal import ImportRefused
from tools.onnx_import.tensors import INTEGER_ELEMENTS, dtype_name, too_large


@dataclass(frozen=True)
class GraphInput:
    """An input that is not an initialiser.

    `shape` is as the model has it, with 1 for a batch that it leaves open;
    `annotation` is its data type in the manner of FINN, or None.
    """

    name: str
    shape: tuple[int, ...]
    element: Attribute
    annotation: str | None


@dataclass(frozen=True)
class Graph:
    """What the importer needs of a model.

    `nodes` are those that the outputs depend on, each after what it reads; `batch` is
    the extent of the leading axis of the inputs as the model was exported;
    `annotations` are data types of tensors in the manner of FINN.
    """

    file: str
    folder: Path | None
    batch: int
    inputs: list[GraphInput]
    outputs: list[str]
    initialisers: dict[str, TensorProto]
    nodes: list[Node]
    annotations: dict[str, str]


def read_graph(model: ModelProto, file: str, folder: Path | None) -> Graph:
    """The graph of `model`.

    Args:
        model: as parsed.
        file: what messages call it.
        folder: where tensors outside the file are looked for, if anywhere.

    Raises:
        ImportRefused: names are missing or given twice, there is a cycle, or the inputs
            are not ones that the importer takes.
    """
    opset = standard_opset(model, file)
    graph = model.graph
    if len(graph.node) == 0:
        raise ImportRefused(f"{file}: the graph is empty; expected at least one node")
    if len(graph.sparse_initializer) > 0:
        raise ImportRefused(
            f"{file}: has sparse initialisers; accepted are dense ones only"
        )
    _expect_distinct(file, "initialiser", (item.name for item in graph.initializer))
    initialisers = {item.name: item for item in graph.initializer}
    inputs = _read_inputs(graph, initialisers, file)
    outputs = [item.name for item in graph.output]
    if not outputs:
        raise ImportRefused(f"{file}: the graph has no output")
    nodes = [read_node(node, file, opset) for node in graph.node]
    _refuse_local_functions(model, nodes)
    available = initialisers.keys() | {item.name for item in inputs}
    return Graph(
        file=file,
        folder=folder,
        batch=_batch(inputs, file),
        inputs=inputs,
        outputs=outputs,
        initialisers=initialisers,
        nodes=_in_order(nodes, available, outputs, file),
        annotations=annotations_of(graph),
    )


def _expect_distinct(file: str, kind: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ImportRefused(
                f"{file}: {count} tensors are called '{name}' ({kind}); names must be "
                "distinct"
            )


def _read_inputs(
    graph: GraphProto, initialisers: dict[str, TensorProto], file: str
) -> list[GraphInput]:
    # Up to IR version 3 every initialiser is listed as an input too.
    protos = [item for item in graph.input if item.name not in initialisers]
    if not protos:
        raise ImportRefused(f"{file}: the graph has no input")
    _expect_distinct(file, "input", (item.name for item in protos))
    annotations = annotations_of(graph)
    return [_read_input(item, annotations.get(item.name), file) for item in protos]


def _read_input(proto: ValueInfoProto, annotation: str | None, file: str) -> GraphInput:
    where = f"{file}: input '{proto.name}'"
    if proto.type.WhichOneof("value") != "tensor_type":
        raise ImportRefused(f"{where} is not a tensor; accepted are dense tensors")
    tensor = proto.type.tensor_type
    code = tensor.elem_type
    if code != TensorProto.FLOAT and code not in INTEGER_ELEMENTS:
        raise ImportRefused(
            f"{where} has elements of {dtype_name(code)}; accepted are float, bool and "
            "integers of 2 to 32 bits"
        )
    element = F32 if code == TensorProto.FLOAT else INTEGER_ELEMENTS[code]
    return GraphInput(proto.name, _input_shape(proto, where), element, annotation)


def _input_shape(proto: ValueInfoProto, where: str) -> tuple[int, ...]:
    tensor = proto.type.tensor_type
    if not tensor.HasField("shape"):
        raise ImportRefused(f"{where} has no shape; expected [batch, ..]")
    extents = [dim.dim_value for dim in tensor.shape.dim]
    if len(extents) < 2:
        raise ImportRefused(
            f"{where} has {len(extents)} axes; expected the batch axis and one or more "
            "others"
        )
    for axis, dim in enumerate(tensor.shape.dim):
        if dim.dim_value < 0 or (axis > 0 and dim.dim_value == 0):
            found = f"'{dim.dim_param}'" if dim.dim_param else dim.dim_value
            raise ImportRefused(
                f"{where}: axis {axis} has the extent {found}; expected a positive "
                "number (only axis 0, the batch, may be open)"
            )
    shape = (extents[0] or 1, *extents[1:])
    if too_large(shape):
        raise ImportRefused(
            f"{where} has shape {list(shape)}; accepted are up to 2^28 elements"
        )
    return shape


def _batch(inputs: list[GraphInput], file: str) -> int:
    extents = {item.shape[0] for item in inputs}
    if len(extents) > 1:
        raise ImportRefused(
            f"{file}: the inputs have different batches, {sorted(extents)}; export the "
            "model with batch 1"
        )
    return extents.pop()


def _refuse_local_functions(model: ModelProto, nodes: list[Node]) -> None:
    functions = {(function.domain, function.name) for function in model.functions}
    for node in nodes:
        if (node.domain, node.op_type) in functions:
            raise node.refusal(
                "is a function of the model itself; export the model with functions "
                "inlined"
            )


def _in_order(
    nodes: list[Node], available: set[str], outputs: list[str], file: str
) -> list[Node]:
    """The nodes that `outputs` need, each after those it reads from."""
    producer = _producers(nodes, available)
    needs = [_read_from(node, producer, available) for node in nodes]
    order = _topological_order(nodes, needs)
    needed: set[int] = set()
    for name in outputs:
        if name not in producer and name not in available:
            raise ImportRefused(
                f"{file}: output '{name}' is not made by any node of the graph"
            )
        if name in producer:
            needed.add(producer[name])
    for index in reversed(order):
        if index in needed:
            needed |= needs[index]
    return [nodes[index] for index in order if index in needed]


def _producers(nodes: list[Node], available: set[str]) -> dict[str, int]:
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.outputs:
            if name in producer or name in available:
                other = (
                    f"made by node '{nodes[producer[name]].name}'"
                    if name in producer
                    else "an input or initialiser of the graph"
                )
                raise node.refusal(
                    f"its output '{name}' is also {other}; names must be distinct"
                )
            if name:
                producer[name] = index
    return producer


def _read_from(node: Node, producer: dict[str, int], available: set[str]) -> set[int]:
    for name in node.inputs:
        if name and name not in producer and name not in available:
            raise node.refusal(
                f"its input '{name}' is neither an initialiser, an input of the graph "
                "nor the output of a node"
            )
    return {producer[name] for name in node.inputs if name in producer}


def _topological_order(nodes: list[Node], needs: list[set[int]]) -> list[int]:
    indices = list(range(len(nodes)))
    if all(need < index for index in indices for need in needs[index]):
        return indices
    try:
        return list(TopologicalSorter(dict(enumerate(needs))).static_order())
    except CycleError as error:
        cycle: list[int] = error.args[1]
        raise nodes[cycle[0]].refusal(
            "stands in a cycle: "
            + " -> ".join(f"'{nodes[index].name}'" for index in reversed(cycle))
        ) from error
