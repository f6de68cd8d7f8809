"""Add, Sub and Mul of levels with constants: exact, where ONNX's do not wrap round."""

from __future__ import annotations

from collections.abc import Sequence

from qdialect import elementwise as ew
from qdialect.types import is_level, value_range
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.values import Constant, Tensor, Value

_OPS = (ew.AddOp, ew.SubOp, ew.MulOp)


def on_levels(
    emitter: Emitter,
    node: Node,
    kind: type[ew.BinaryOp],
    inputs: Sequence[Value | None],
) -> Tensor | None:
    """The result on levels and a constant of integers, which has the constant's type.

    Returns:
        None where the operands are others.

    Raises:
        ImportRefused: the result can leave that type.
    """
    if kind not in _OPS or len(inputs) != 2:
        return None
    elements = [v.integer_element for v in inputs if isinstance(v, Constant)]
    tensors = [v for v in inputs if isinstance(v, Tensor) and is_level(v.element)]
    element = elements[0] if elements else None
    if not tensors or element is None:
        return None
    operands = [value for value in inputs if value is not None]
    shape = emitter.broadcast(node, operands)
    lhs, rhs = (
        emitter.stored(value.name, value.values, element)
        if isinstance(value, Constant)
        else emitter.reshaped(
            value, (1,) * (len(shape) - len(value.shape)) + value.shape
        ).value
        for value in operands
    )
    op = emitter.insert(kind(lhs, rhs, frame_type(shape, element)))
    low, high = _range(
        kind, _bounds(emitter, operands[0]), _bounds(emitter, operands[1])
    )
    limits = value_range(element)
    if low < limits[0] or high > limits[1]:
        raise node.refusal(
            f"its result reaches from {low} to {high}, beyond {element}, where ONNX lets "
            "it wrap round; expected a wider type"
        )
    emitter.bound(op.out, low, high)
    return emitter.tensor(op.out, shape)


def _bounds(emitter: Emitter, value: Value) -> tuple[int, int]:
    if isinstance(value, Tensor):
        return emitter.bounds(value.value)
    values = value.values
    return (int(values.min()), int(values.max())) if values.size else (0, 0)


def _range(
    kind: type[ew.BinaryOp], lhs: tuple[int, int], rhs: tuple[int, int]
) -> tuple[int, int]:
    if kind is ew.AddOp:
        return lhs[0] + rhs[0], lhs[1] + rhs[1]
    if kind is ew.SubOp:
        return lhs[0] - rhs[1], lhs[1] - rhs[0]
    corners = [a * b for a in lhs for b in rhs]
    return min(corners), max(corners)
