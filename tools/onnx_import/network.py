"""A graph to a module: goes through its nodes and builds `@main`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region

from qdialect.types import is_real
from tools.onnx_import.accepted import ACCEPTED_TEXT, OPS
from tools.onnx_import.annotations import annotated_weights, as_annotated
from tools.onnx_import.emitter import Emitter, erase_unused, frame_type
from tools.onnx_import.folding import FOLDS, fold
from tools.onnx_import.graph import Graph
from tools.onnx_import.node import STANDARD_DOMAINS, Node
from tools.onnx_import.patches import with_patches_joined
from tools.onnx_import.refusal import ImportRefused
from tools.onnx_import.tensors import (
    INTEGER_ELEMENTS,
    MAX_ELEMENTS,
    stored_array,
    too_large,
)
from tools.onnx_import.values import Constant, Tensor, Value

# Numbers of inputs that a message lists one by one.
_MOST_NAMED = 4


def build_module(graph: Graph) -> ModuleOp:
    """The module of a graph.

    Raises:
        ImportRefused: a node is not one that the importer takes.
    """
    types = [frame_type(item.shape, item.element) for item in graph.inputs]
    block = Block(arg_types=types)
    emitter = Emitter(block, graph.batch)
    named = _NamedValues(graph)
    for argument, item in zip(block.args, graph.inputs, strict=True):
        emitter.at(item.name)
        argument.location = emitter.location
        tensor = emitter.tensor(argument, item.shape)
        if item.annotation is not None and is_real(item.element):
            where = f"{graph.file}: input '{item.name}'"
            tensor = as_annotated(emitter, where, item.annotation, tensor)
        named.values[item.name] = tensor
    for node in with_patches_joined(graph.nodes, graph.outputs):
        emitter.at(node.name)
        inputs = [named.input(node, name) for name in node.inputs]
        results = _import_node(emitter, node, inputs)
        named.values.update(zip(node.outputs, results, strict=False))
    results = [named.output(name).value for name in graph.outputs]
    emitter.at(graph.file)
    emitter.insert(ReturnOp(*results))
    erase_unused(block)
    function = FuncOp("main", (types, [value.type for value in results]), Region(block))
    function.attributes["qnn.inputs"] = _names(item.name for item in graph.inputs)
    function.attributes["qnn.outputs"] = _names(graph.outputs)
    return ModuleOp([*emitter.weights, function])


def _names(names: Iterable[str]) -> ArrayAttr[StringAttr]:
    return ArrayAttr([StringAttr(name) for name in names])


class _NamedValues:
    """The tensors met so far; initialisers are read when a node asks for them."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.values: dict[str, Value] = {}

    def input(self, node: Node, name: str) -> Value | None:
        """What an input of `node` is; None where it is left out."""
        if not name:
            return None
        if name not in self.values and name in self.graph.initialisers:
            self.values[name] = self._initialiser(name)
        if name not in self.values:
            raise node.refusal(
                f"its input '{name}' is an optional output that is not accepted"
            )
        return self.values[name]

    def output(self, name: str) -> Tensor:
        """What an output of the graph is."""
        value = self.values.get(name)
        if isinstance(value, Tensor):
            return value
        if value is None and name not in self.graph.initialisers:
            reason = "is an optional output of its node that is not accepted"
        else:
            reason = "is constant; expected one that depends on an input"
        raise ImportRefused(f"{self.graph.file}: output '{name}' {reason}")

    def _initialiser(self, name: str) -> Constant:
        tensor = self.graph.initialisers[name]
        where = f"{self.graph.file}: initialiser '{name}'"
        array = stored_array(tensor, where, self.graph.folder)
        if (annotation := self.graph.annotations.get(name)) is not None:
            array = annotated_weights(where, annotation, array)
        return Constant(name, array, INTEGER_ELEMENTS.get(tensor.data_type))


def _import_node(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    if node.op_type in FOLDS and node.domain in STANDARD_DOMAINS:
        constants = [value for value in inputs if not isinstance(value, Tensor)]
        if len(constants) == len(inputs):
            results: Sequence[Value] = [fold(node, constants)]
            _refuse_unread_attributes(node)
            return results
    op = OPS.get(node.op_type)
    if op is None:
        raise _not_accepted(node)
    if node.domain not in op.domains:
        domains = ", ".join(f"'{domain}'" for domain in sorted(op.domains))
        raise node.refusal(f"is of the domain '{node.domain}'; accepted are {domains}")
    if len(inputs) not in op.inputs:
        expected = " or ".join(map(str, op.inputs))
        if len(op.inputs) > _MOST_NAMED:
            expected = f"{min(op.inputs)} or more"
        raise node.refusal(f"has {len(inputs)} inputs; expected {expected}")
    results = op.handler(emitter, node, inputs)
    for result in results:
        if too_large(result.shape):
            raise node.refusal(
                f"its result of shape {list(result.shape)} has more than "
                f"{MAX_ELEMENTS:,} elements"
            )
    # What QONNX's tools note on their nodes is theirs; an attribute that ONNX defines
    # may change the meaning.
    if op.domains <= STANDARD_DOMAINS:
        _refuse_unread_attributes(node)
    return results


def _not_accepted(node: Node) -> ImportRefused:
    if node.op_type in FOLDS and node.domain in STANDARD_DOMAINS:
        return node.refusal("is accepted on constants only; an input of it is computed")
    domain = f" (domain '{node.domain}')" if node.domain else ""
    hint = f"accepted here: {ACCEPTED_TEXT}"
    return node.refusal(f"not supported{domain}", hint=hint)


def _refuse_unread_attributes(node: Node) -> None:
    if node.unread:
        raise node.refusal(
            f"the attribute '{node.unread[0]}' is not known for opset {node.opset}"
        )
