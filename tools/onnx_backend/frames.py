"""An op without a batch axis, with one added: its whole tensor becomes one frame.

Ops on maps (Conv, pools, ..) and Gemm say themselves that axis 0 is the batch. To all
others of ONNX it is an axis like any; the compiler, to which it is the frames', takes
them behind a leading axis of extent 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, NodeProto, helper

from qdialect.data import Array

_POINTWISE = {
    "Abs", "Add", "Cast", "Ceil", "Clip", "Constant", "Div", "Dropout",
    "DynamicQuantizeLinear", "Elu", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "Log", "MatMul", "MatMulInteger", "Max", "Min", "Mul",
    "Neg", "PRelu", "Pow", "QLinearMatMul", "Reciprocal", "Relu", "Round", "Selu",
    "Sigmoid", "Sign", "Softplus", "Sqrt", "Sub", "Sum", "Tanh",
}  # fmt: skip


@dataclass
class _Op:
    """The only node of a graph, whose attributes and constants are to be changed."""

    node: NodeProto
    opset: int
    shape: tuple[int, ...]
    constants: dict[str, Array]

    def attribute(self, name: str) -> object:
        """The value of an attribute, or None."""
        for item in self.node.attribute:
            if item.name == name:
                return helper.get_attribute_value(item)
        return None

    def numbers(self, name: str) -> list[int] | None:
        """An attribute that is a list of integers, or None."""
        for item in self.node.attribute:
            if item.name == name:
                return list(item.ints)
        return None

    def set(self, name: str, value: int | Sequence[int] | Sequence[float]) -> None:
        """Give an attribute a value."""
        for index, item in enumerate(self.node.attribute):
            if item.name == name:
                del self.node.attribute[index]
                break
        self.node.attribute.append(helper.make_attribute(name, value))

    def input(self, index: int) -> Array | None:
        """The constant at an input; None where it is left out."""
        if index >= len(self.node.input):
            return None
        return self.constants.get(self.node.input[index])

    def set_input(self, index: int, values: npt.ArrayLike) -> None:
        """Give an input a constant of its own."""
        while len(self.node.input) <= index:
            self.node.input.append("")
        name = f"{self.node.output[0]}_frame_{index}"
        self.node.input[index] = name
        self.constants[name] = np.asarray(values)


def frame_constants(
    graph: GraphProto,
    opset: int,
    shapes: Sequence[tuple[int, ...]],
    constants: dict[str, Array],
) -> bool:
    """Change a graph so that its computed tensors have a leading axis of extent 1.

    Args:
        graph: changed where it is one that has no batch axis.
        opset: the version of its ops.
        shapes: of its computed inputs, without the axis.
        constants: of its parameters, by name; changed with it.

    Returns:
        Whether the graph has no batch axis: it is one op that treats axis 0 as any
        other, or ops that work element by element.
    """
    if any(node.domain not in ("", "ai.onnx") for node in graph.node):
        return False
    if all(node.op_type in _POINTWISE for node in graph.node):
        return True
    change = _CHANGES.get(graph.node[0].op_type) if len(graph.node) == 1 else None
    if change is None or not shapes:
        return False
    change(_Op(graph.node[0], opset, shapes[0], constants))
    return True


def _behind(axes: Sequence[int]) -> list[int]:
    """Axes as they are behind a new first one; those from the end stay as they are."""
    return [axis + 1 if axis >= 0 else axis for axis in axes]


def _along(default: int | None) -> Callable[[_Op], None]:
    def change(op: _Op) -> None:
        axis = op.attribute("axis")
        axis = default if axis is None else axis
        if isinstance(axis, int):
            op.set("axis", _behind([axis])[0])

    return change


def _over(index: int, otherwise: Callable[[_Op], None]) -> Callable[[_Op], None]:
    """Axes from the attribute or an input; what to do where they are left out."""

    def change(op: _Op) -> None:
        attribute, given = op.numbers("axes"), op.input(index)
        if attribute is not None:
            op.set("axes", _behind(attribute))
        elif given is not None and given.size:
            op.set_input(index, np.where(given >= 0, given + 1, given))
        else:
            otherwise(op)

    return change


def _of_quantiser(op: _Op) -> None:
    _along(1)(op)
    if op.attribute("block_size"):
        for index in (1, 2):
            parameter = op.input(index)
            if parameter is not None and parameter.ndim:
                op.set_input(index, parameter[np.newaxis])


def _all_axes(op: _Op) -> None:
    if op.attribute("noop_with_empty_axes"):
        return
    axes = list(range(1, len(op.shape) + 1))
    if op.opset < (13 if op.node.op_type == "ReduceSum" else 18):
        op.set("axes", axes)
    else:
        op.set_input(1, np.array(axes, np.int64))


def _first_axes(op: _Op) -> None:
    """Slice counts its axes from the first where it is not told them."""
    starts = op.input(1) if op.opset >= 10 else op.numbers("starts")
    axes = list(range(1, (0 if starts is None else len(starts)) + 1))
    if op.opset < 10:
        op.set("axes", axes)
    else:
        op.set_input(3, np.array(axes, np.int64))


def _all_pads(op: _Op) -> None:
    pads = op.numbers("pads") if op.opset < 11 else op.input(1)
    if pads is None:
        return
    low, high = np.split(np.asarray(pads), 2)
    padded = [0, *map(int, low), 0, *map(int, high)]
    if op.opset < 11:
        op.set("pads", padded)
    else:
        op.set_input(1, np.array(padded, np.int64))


def _all_factors(op: _Op) -> None:
    regions, scales, sizes = (op.input(index) for index in (1, 2, 3))
    if regions is not None and regions.size:
        low, high = np.split(regions, 2)
        op.set_input(1, np.concatenate([[0], low, [1], high]).astype(regions.dtype))
    for index, given in ((2, scales), (3, sizes)):
        if given is not None and given.size:
            op.set_input(index, np.concatenate([[1], given]).astype(given.dtype))


def _perm(op: _Op) -> None:
    perm = op.numbers("perm")
    perm = list(reversed(range(len(op.shape)))) if perm is None else perm
    op.set("perm", [0, *_behind(perm)])


def _target(op: _Op) -> None:
    target = op.input(1)
    if target is not None:
        # An extent of 0 is taken from the same axis, which has moved with it.
        op.set_input(1, np.concatenate([[1], target]).astype(np.int64))


def _repeats(op: _Op) -> None:
    repeats = op.input(1)
    if repeats is not None:
        op.set_input(1, np.concatenate([[1], repeats]).astype(np.int64))


def _expanded(op: _Op) -> None:
    target = op.input(1)
    if target is not None:
        ones = [1] * max(1, len(op.shape) + 1 - target.size)
        op.set_input(1, np.concatenate([ones, target]).astype(np.int64))


def _flattened(op: _Op) -> None:
    axis = op.attribute("axis")
    axis = axis if isinstance(axis, int) else 1
    axis += len(op.shape) if axis < 0 else 0
    del op.node.attribute[:]
    op.node.op_type = "Reshape"
    op.set_input(1, np.array([1, prod(op.shape[:axis]), prod(op.shape[axis:])]))


def _nothing(op: _Op) -> None:
    """Squeeze without axes leaves the frames in any case."""


_CHANGES: dict[str, Callable[[_Op], None]] = {
    "ArgMax": _along(0),
    "ArgMin": _along(0),
    "Concat": _along(None),
    "DequantizeLinear": _of_quantiser,
    "Expand": _expanded,
    "Flatten": _flattened,
    "Gather": _along(0),
    "Pad": _over(3, _all_pads),
    "QuantizeLinear": _of_quantiser,
    "ReduceL1": _over(1, _all_axes),
    "ReduceMax": _over(1, _all_axes),
    "ReduceMean": _over(1, _all_axes),
    "ReduceSum": _over(1, _all_axes),
    "Reshape": _target,
    "Resize": _over(4, _all_factors),
    "Slice": _over(3, _first_axes),
    "Softmax": _along(-1),
    "Split": _along(0),
    "Squeeze": _over(1, _nothing),
    "Tile": _repeats,
    "TopK": _along(-1),
    "Transpose": _perm,
    "Unsqueeze": _over(1, _nothing),
}
