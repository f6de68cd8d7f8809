"""Ops that move elements: the same for constants, their levels, and frames."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from onnx import TensorProto

from qdialect.shaping import TransposeOp
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import CHANNELS_LAST, Node
from tools.onnx_import.tensors import INTEGER_ELEMENTS, stored_array
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    constant_input,
    integers,
)

_NUMBERS = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def reshape(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Reshape: 0 keeps an extent, -1 takes what is left."""
    data = required(node, inputs)
    target = constant_input(node, inputs, 1)
    allow_zero = node.has("allowzero") and node.flag("allowzero", default=False)
    shape = integers(node, target, f"the shape '{target.name}'")
    if not allow_zero:
        shape = [
            data.shape[axis] if extent == 0 and axis < len(data.shape) else extent
            for axis, extent in enumerate(shape)
        ]
    return [_reshaped(emitter, node, data, shape)]


def flatten(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Flatten to a matrix."""
    data = required(node, inputs)
    rank = len(data.shape)
    axis = node.integer("axis", 1)
    if not -rank <= axis <= rank:
        raise node.refusal(
            f"axis {axis} is not one of a tensor of shape {list(data.shape)}"
        )
    axis += rank if axis < 0 else 0
    shape = [prod(data.shape[:axis]), prod(data.shape[axis:])]
    return [_reshaped(emitter, node, data, shape)]


def squeeze(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Squeeze: without axes, every axis of extent 1 but the batch."""
    data = required(node, inputs)
    axes = axes_of(node, inputs, len(data.shape))
    if axes is None:
        first = 1 if isinstance(data, Tensor) else 0
        axes = [a for a in range(first, len(data.shape)) if data.shape[a] == 1]
    if any(data.shape[axis] != 1 for axis in axes):
        raise node.refusal(f"axes {axes} of shape {list(data.shape)} are not all 1")
    shape = [extent for axis, extent in enumerate(data.shape) if axis not in axes]
    return [_reshaped(emitter, node, data, shape)]


def unsqueeze(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Unsqueeze."""
    data = required(node, inputs)
    count = len(node.integers("axes")) if node.has("axes") else None
    if count is None:
        count = len(integers(node, constant_input(node, inputs, 1), "axes"))
    rank = len(data.shape) + count
    axes = axes_of(node, inputs, rank)
    if axes is None or len(set(axes)) != count:
        raise node.refusal("its axes are missing or given twice")
    rest = iter(data.shape)
    shape = [1 if axis in axes else next(rest) for axis in range(rank)]
    return [_reshaped(emitter, node, data, shape)]


def transpose(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Transpose: of frames, any order that leaves the batch axis first."""
    data = required(node, inputs)
    rank = len(data.shape)
    perm = node.integers("perm") if node.has("perm") else list(reversed(range(rank)))
    if sorted(perm) != list(range(rank)):
        raise node.refusal(f"perm {perm} does not order the axes of {list(data.shape)}")
    if isinstance(data, Constant):
        return [data.transposed(perm)]
    if perm == list(range(rank)):
        return [data]
    if perm[0] != 0:
        raise node.refusal(f"perm {perm} moves the batch axis; expected 0 first")
    return [_permuted(emitter, data, perm)]


def is_channels_last(node: Node) -> bool:
    """Whether the node is of QONNX's channels-last domain, or named for it."""
    return node.domain == CHANNELS_LAST or node.op_type.endswith("NHWC")


def channels_first(emitter: Emitter, data: Tensor) -> Tensor:
    """A channels-last map [N, .., C] as [N, C, ..]."""
    rank = len(data.shape)
    return _permuted(emitter, data, (0, rank - 1, *range(1, rank - 1)))


def channels_last(emitter: Emitter, data: Tensor) -> Tensor:
    """A map [N, C, ..] as [N, .., C]."""
    return _permuted(emitter, data, (0, *range(2, len(data.shape)), 1))


def _permuted(emitter: Emitter, data: Tensor, perm: Sequence[int]) -> Tensor:
    """`data` with its axes in another order; a chain of transposes becomes one."""
    shape = [data.shape[axis] for axis in perm]
    source = data.value
    if isinstance(source.owner, TransposeOp):
        perm = [source.owner.axes[axis] for axis in perm]
        source = source.owner.input
    if list(perm) == sorted(perm):
        return emitter.tensor(source, shape)
    op = emitter.insert(TransposeOp(source, perm, frame_type(shape, data.element)))
    return emitter.tensor(op.out, shape)


def shape_of_tensor(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Shape, known without running the network."""
    shape = required(node, inputs).shape
    rank = len(shape)
    start, end = node.integer("start", 0), node.integer("end", rank)
    return [Constant(node.outputs[0], np.array(shape[start:end], np.int64))]


def size_of_tensor(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Size, known without running the network."""
    size = prod(required(node, inputs).shape)
    return [Constant(node.outputs[0], np.array(size, np.int64))]


def constant(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Constant."""
    name = node.outputs[0]
    for attribute, dtype in _NUMBERS.items():
        if node.has(attribute):
            return [Constant(name, np.array(node.value(attribute), dtype))]
    value = node.value("value")
    if not isinstance(value, TensorProto):
        raise node.refusal("the attribute 'value' must be a tensor")
    array = stored_array(value, f"{node.file}: node '{node.name}'", None)
    return [Constant(name, array, INTEGER_ELEMENTS.get(value.data_type))]


def required(node: Node, inputs: Sequence[Value | None]) -> Value:
    """The first input."""
    if not inputs or inputs[0] is None:
        raise node.refusal("input 0 is missing")
    return inputs[0]


def axis_of(node: Node, shape: Sequence[int], default: int) -> int:
    """The attribute `axis`, counted from the front; not the batch.

    Raises:
        ImportRefused: it is out of range, or the batch axis.
    """
    rank = len(shape)
    axis = node.integer("axis", default)
    if not -rank <= axis < rank:
        raise node.refusal(f"axis {axis} is not one of a tensor of shape {list(shape)}")
    if axis % rank == 0:
        raise node.refusal("works along axis 0, the batch; expected another axis")
    return axis % rank


def axes_of(node: Node, inputs: Sequence[Value | None], rank: int) -> list[int] | None:
    """Axes from the attribute or the second input, counted from the front.

    Raises:
        ImportRefused: one is out of range.
    """
    if node.has("axes"):
        axes = node.integers("axes")
    elif len(inputs) > 1 and inputs[1] is not None:
        axes = integers(node, constant_input(node, inputs, 1), "axes")
    else:
        return None
    if any(not -rank <= axis < rank for axis in axes):
        raise node.refusal(f"axes {axes} are not all in [-{rank}, {rank - 1}]")
    return [axis % rank for axis in axes]


def _reshaped(
    emitter: Emitter, node: Node, data: Value, target: Sequence[int]
) -> Value:
    count = prod(data.shape)
    shape = list(target)
    if shape.count(-1) == 1:
        rest = prod(extent for extent in shape if extent != -1)
        if rest > 0 and count % rest == 0:
            shape[shape.index(-1)] = count // rest
    if any(extent < 0 for extent in shape) or prod(shape) != count:
        raise node.refusal(
            f"shape {list(data.shape)} cannot become {list(target)}: the elements "
            "differ in number"
        )
    if isinstance(data, Constant):
        return data.reshaped(shape)
    if not shape or shape[0] != emitter.batch:
        raise node.refusal(
            f"shape {list(data.shape)} becomes {shape}, which loses the batch axis; "
            f"expected [{emitter.batch}, ..]"
        )
    return emitter.reshaped(data, shape)
