"""Ops that cut and join: Pad, Concat, Split, Slice, DepthToSpace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from qdialect.constants import constant
from qdialect.rearranging import (
    BlockOrder,
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
)
from qdialect.types import F32, is_real
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.picking import picked
from tools.onnx_import.shaping import axis_of
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    computed_input,
    constant_input,
    integers,
    real_array,
)

# What NumPy calls the modes that pad with elements of the tensor.
_MODES: dict[str, Literal["edge", "reflect", "wrap"]] = {
    "edge": "edge",
    "reflect": "reflect",
    "wrap": "wrap",
}


def pad(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Pad with a constant, or with elements of the tensor; negative pads cut off."""
    data = computed_input(node, inputs, 0)
    mode = node.text("mode", "constant")
    if mode not in ("constant", *_MODES):
        raise node.refusal(
            f"pads in the mode '{mode}'; accepted are constant, {', '.join(_MODES)}"
        )
    rank = len(data.shape)
    low, high, value = _padding(node, inputs, rank)
    if low[0] or high[0]:
        raise node.refusal("pads axis 0, the batch; expected 0 there")
    cut = [max(0, -n) for n in low], [max(0, -n) for n in high]
    if any(cut[0]) or any(cut[1]):
        shape = [n - a - b for n, a, b in zip(data.shape, *cut, strict=True)]
        data = sliced(emitter, node, data, shape, cut[0], [1] * rank)
    low, high = [max(0, n) for n in low], [max(0, n) for n in high]
    if not any(low) and not any(high):
        return [data]
    if mode != "constant":
        return [_padded_with_own(emitter, node, data, mode, low, high)]
    shape = [a + n + b for a, n, b in zip(low, data.shape, high, strict=True)]
    fill = emitter.insert(
        constant(
            np.array(value, np.float32 if is_real(data.element) else np.int64),
            data.element,
        )
    )
    op = PadOp(data.value, fill, frame_type(shape, data.element), low=low, high=high)
    return [emitter.tensor(emitter.insert(op).out, shape)]


def _padded_with_own(
    emitter: Emitter,
    node: Node,
    data: Tensor,
    mode: str,
    low: Sequence[int],
    high: Sequence[int],
) -> Tensor:
    """The tensor with elements of its own around it, an axis after the other."""
    for axis, amounts in enumerate(zip(low, high, strict=True)):
        if not any(amounts):
            continue
        places = np.arange(data.shape[axis])
        if mode == "reflect" and max(amounts) >= len(places):
            raise node.refusal(
                f"reflects {max(amounts)} elements of axis {axis}, which has "
                f"{len(places)}; expected less"
            )
        indices = np.pad(places, amounts, mode=_MODES[mode])
        data = picked(emitter, node, data, axis, [int(index) for index in indices])
    return data


def _padding(
    node: Node, inputs: Sequence[Value | None], rank: int
) -> tuple[list[int], list[int], float]:
    """Elements before and behind each axis, and their value."""
    axes = list(range(rank))
    value = 0.0
    if node.opset < 11:
        amounts = node.integers("pads")
        value = node.number("value", 0.0)
    else:
        amounts = integers(node, constant_input(node, inputs, 1), "its pads")
        if len(inputs) > 2 and inputs[2] is not None:
            filler = constant_input(node, inputs, 2)
            if filler.values.size != 1:
                raise node.refusal(
                    f"its value has shape {list(filler.shape)}; expected a scalar"
                )
            value = float(real_array(node, filler, "its value").item())
        if len(inputs) > 3 and inputs[3] is not None:
            axes = integers(node, constant_input(node, inputs, 3), "its axes")
    legal = all(-rank <= axis < rank for axis in axes)
    axes = [axis % rank for axis in axes]
    if not legal or len(set(axes)) != len(axes) or len(amounts) != 2 * len(axes):
        raise node.refusal(
            f"its pads {amounts} are not two for each of the axes {axes} of a tensor "
            f"of rank {rank}"
        )
    low, high = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        low[axis], high[axis] = amounts[index], amounts[len(axes) + index]
    return low, high, value


def concat(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Concat of computed tensors; constants among them are the same for all frames."""
    computed = [value for value in inputs if isinstance(value, Tensor)]
    shape = list(computed[0].shape)
    axis = axis_of(node, shape, 1) if node.opset < 4 else axis_of(node, shape, 0)
    operands: list[Tensor] = []
    for index, value in enumerate(inputs):
        if value is None:
            raise node.refusal(f"input {index} is missing")
        if isinstance(value, Constant):
            value = _as_tensor(emitter, node, value, shape[0])
        others = [n for i, n in enumerate(value.shape) if i != axis]
        if others != [n for i, n in enumerate(shape) if i != axis] or len(
            value.shape
        ) != len(shape):
            raise node.refusal(
                f"its inputs have shapes {shape} and {list(value.shape)}, which differ "
                f"beside axis {axis}"
            )
        operands.append(value)
    shape[axis] = sum(value.shape[axis] for value in operands)
    elements = {value.element for value in operands}
    if len(elements) > 1:
        raise node.refusal(
            f"joins elements of {' and '.join(sorted(map(str, elements)))}; expected "
            "one type (put Cast or DequantizeLinear before)"
        )
    type_ = frame_type(shape, elements.pop())
    op = ConcatOp([v.value for v in operands], type_, axis=axis)
    return [emitter.tensor(emitter.insert(op).out, shape)]


def _as_tensor(emitter: Emitter, node: Node, value: Constant, frames: int) -> Tensor:
    """A constant as a value of each frame."""
    what = f"the constant '{value.name}'"
    if not value.shape or value.shape[0] != 1:
        raise node.refusal(
            f"{what} of shape {list(value.shape)} has another value for each frame; "
            "expected a leading axis of 1"
        )
    array = real_array(node, value, what)
    return emitter.tensor(
        emitter.stored(value.name, array, F32), (frames, *value.shape[1:])
    )


def split(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Split along an axis, into equal parts or parts of given extents."""
    data = computed_input(node, inputs, 0)
    axis = axis_of(node, data.shape, 0)
    extent, parts = data.shape[axis], len(node.outputs)
    if node.opset < 13 and node.has("split"):
        extents = node.integers("split")
    elif len(inputs) > 1 and inputs[1] is not None:
        extents = integers(node, constant_input(node, inputs, 1), "its parts")
    else:
        if node.opset >= 18 and node.has("num_outputs"):
            parts = node.integer("num_outputs")
        each = -(-extent // max(1, parts))
        extents = [min(each, extent - i * each) for i in range(parts)]
        if node.opset < 18 and extent % max(1, parts):
            raise node.refusal(
                f"cuts axis {axis} of {extent} into {parts} parts, which is not even"
            )
    if sum(extents) != extent or min(extents, default=0) < 1:
        raise node.refusal(
            f"its parts {extents} do not make up axis {axis}, which has {extent}"
        )
    results: list[Tensor] = []
    rank, start = len(data.shape), 0
    for count in extents:
        shape = [*data.shape[:axis], count, *data.shape[axis + 1 :]]
        offsets = [start if i == axis else 0 for i in range(rank)]
        results.append(sliced(emitter, node, data, shape, offsets, [1] * rank))
        start += count
    return results


def slice_(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Slice; with negative steps the elements are cut out and joined from behind."""
    data = computed_input(node, inputs, 0)
    rank = len(data.shape)
    if node.opset < 10:
        starts, ends = node.integers("starts"), node.integers("ends")
        axes = node.integers("axes") if node.has("axes") else list(range(len(starts)))
        steps = [1] * len(starts)
    else:
        lists = [
            integers(node, constant_input(node, inputs, index), what)
            if index < len(inputs) and inputs[index] is not None
            else None
            for index, what in enumerate(("", "starts", "ends", "axes", "steps"))
            if index > 0
        ]
        starts, ends = lists[0] or [], lists[1] or []
        axes = list(range(len(starts))) if lists[2] is None else lists[2]
        steps = [1] * len(starts) if lists[3] is None else lists[3]
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise node.refusal("its starts, ends, axes and steps differ in number")
    if any(not -rank <= axis < rank for axis in axes) or 0 in steps:
        raise node.refusal(
            f"its axes {axes} and steps {steps} are not accepted; expected axes of a "
            f"tensor of rank {rank} and steps other than 0"
        )
    shape, offsets, strides = list(data.shape), [0] * rank, [1] * rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # Counting down, an end before the first element is no negative index.
        stop = None if step < 0 and end < -data.shape[axis] else end
        places = range(*slice(start, stop, step).indices(data.shape[axis]))
        if not places:
            raise node.refusal(f"takes nothing of axis {axis % rank}")
        where = axis % rank
        if where == 0 and len(places) != data.shape[0]:
            raise node.refusal("cuts axis 0, the batch; expected all of it")
        shape[where] = len(places)
        if step < 0 and where:
            data = picked(emitter, node, data, where, places)
        else:
            offsets[where], strides[where] = places[0], step
    if offsets[0] or strides[0] != 1:
        raise node.refusal("cuts axis 0, the batch; expected all of it")
    return [sliced(emitter, node, data, shape, offsets, strides)]


def sliced(
    emitter: Emitter,
    node: Node,
    data: Tensor,
    shape: Sequence[int],
    offsets: Sequence[int],
    steps: Sequence[int],
) -> Tensor:
    """The elements from the offsets on, so many steps apart; `data` where all are taken.

    Raises:
        ImportRefused: an axis of the result has no element.
    """
    if min(shape) < 1:
        raise node.refusal(
            f"cuts {list(data.shape)} to {list(shape)}; expected something to be left"
        )
    if tuple(shape) == data.shape:
        return data
    type_ = frame_type(shape, data.element)
    op = emitter.insert(SliceOp(data.value, type_, offsets=offsets, steps=steps))
    return emitter.tensor(op.out, shape)


def depth_to_space(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """DepthToSpace in both orders."""
    data = computed_input(node, inputs, 0)
    block = node.integer("blocksize")
    mode = node.text("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise node.refusal(f"mode '{mode}' is not known; accepted are DCR and CRD")
    if len(data.shape) != 4 or block < 1 or data.shape[1] % block**2:
        raise node.refusal(
            f"its input has shape {list(data.shape)}; expected [batch, channels, "
            f"height, width] with a multiple of {block**2} channels"
        )
    frames, channels, height, width = data.shape
    shape = (frames, channels // block**2, height * block, width * block)
    op = DepthToSpaceOp(
        data.value,
        frame_type(shape, data.element),
        block=block,
        order=BlockOrder(mode.lower()),
    )
    return [emitter.tensor(emitter.insert(op).out, shape)]
