"""The end of a classifier: ArgMax, TopK, Softmax."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from qdialect.constants import constant
from qdialect.elementwise import SubOp
from qdialect.selection import SoftmaxOp, TopKOp
from qdialect.types import integer_type_for
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.picking import picked
from tools.onnx_import.shaping import axis_of
from tools.onnx_import.values import (
    Tensor,
    Value,
    computed_input,
    constant_input,
    integers,
    real_input,
)


def arg_max(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """ArgMax and ArgMin: the index of the first greatest or least element, or the last.

    The last is the first from behind: of the elements in the opposite order.
    """
    data = computed_input(node, inputs, 0)
    axis = axis_of(node, data.shape, 0)
    behind = data.shape[axis] - 1
    last = node.flag("select_last_index", default=False)
    if last:
        backwards = range(behind, -1, -1)
        data = picked(emitter, node, data, axis, backwards)
    smallest = node.op_type == "ArgMin"
    _, indices = _top(emitter, data, axis, 1, smallest=smallest)
    if last and behind:
        greatest = constant(np.array(behind), indices.element)
        type_ = indices.value.type
        op = emitter.insert(SubOp(emitter.insert(greatest), indices.value, type_))
        indices = emitter.tensor(op.out, indices.shape)
    if node.flag("keepdims", default=True):
        return [indices]
    shape = [*indices.shape[:axis], *indices.shape[axis + 1 :]]
    return [emitter.reshaped(indices, shape)]


def top_k(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """TopK with a constant k."""
    data = computed_input(node, inputs, 0)
    axis = axis_of(node, data.shape, -1)
    # Where no order is asked for, the sorted one is as good as any.
    node.ignore("sorted")
    if node.opset < 10:
        counts = [node.integer("k")]
    else:
        counts = integers(node, constant_input(node, inputs, 1), "k")
    smallest = node.opset >= 11 and not node.flag("largest", default=True)
    if len(counts) != 1 or not 1 <= counts[0] <= data.shape[axis]:
        raise node.refusal(
            f"k is {counts}; expected one number from 1 to {data.shape[axis]}"
        )
    return _top(emitter, data, axis, counts[0], smallest=smallest)


def _top(
    emitter: Emitter, data: Tensor, axis: int, count: int, *, smallest: bool
) -> tuple[Tensor, Tensor]:
    shape = [*data.shape[:axis], count, *data.shape[axis + 1 :]]
    index = integer_type_for(0, data.shape[axis] - 1)
    op = emitter.insert(
        TopKOp(
            data.value,
            frame_type(shape, data.element),
            frame_type(shape, index),
            axis=axis,
            smallest=smallest,
        )
    )
    return emitter.tensor(op.values, shape), emitter.tensor(op.indices, shape)


def softmax(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Softmax; before opset 13 it runs over all axes from `axis` on, as if one."""
    data = real_input(node, inputs, 0)
    axis = axis_of(node, data.shape, 1 if node.opset < 13 else -1)
    shape = data.shape
    if node.opset < 13:
        data = emitter.reshaped(data, (*shape[:axis], prod(shape[axis:])))
    return [emitter.reshaped(softmax_of(emitter, data, axis), shape)]


def softmax_of(emitter: Emitter, data: Tensor, axis: int) -> Tensor:
    """The softmax of a tensor over one axis."""
    op = emitter.insert(SoftmaxOp(data.value, data.value.type, axis=axis))
    return emitter.tensor(op.out, data.shape)
