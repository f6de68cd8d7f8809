"""Pools: MaxPool, AveragePool and their global forms."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from qdialect import elementwise as ew
from qdialect.pooling import MaxPoolOp, PoolOp, SumPoolOp
from qdialect.semantics import Real
from tools.onnx_import.elementwise import combine
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.shaping import (
    channels_first,
    channels_last,
    is_channels_last,
)
from tools.onnx_import.values import Constant, Tensor, Value, computed_input, real_input
from tools.onnx_import.windows import Attributes, expect_map, window_attributes


def max_pool(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """MaxPool without indices."""
    data = computed_input(node, inputs, 0)
    expect_map(node, data)
    if len(node.outputs) > 1:
        raise node.refusal("gives the indices of its maxima; expected one output")
    node.ignore("storage_order")
    last = is_channels_last(node)
    if last:
        data = channels_first(emitter, data)
    found, _ = _window(node, data)
    result = pooled(emitter, MaxPoolOp, data, found)
    return [channels_last(emitter, result) if last else result]


def average_pool(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """AveragePool: the sum of each window, divided by its number of elements."""
    data = real_input(node, inputs, 0)
    expect_map(node, data)
    last = is_channels_last(node)
    if last:
        data = channels_first(emitter, data)
    found, explicit = _window(node, data)
    counted = node.flag("count_include_pad", default=False)
    sums = pooled(emitter, SumPoolOp, data, found)
    # What the ceil mode adds behind the padding is never counted.
    counts = _element_counts(found, explicit if counted else None, data.shape[2:])
    result = divided(emitter, node, sums, counts)
    return [channels_last(emitter, result) if last else result]


def global_average_pool(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """GlobalAveragePool."""
    data = real_input(node, inputs, 0)
    expect_map(node, data)
    sums = pooled(emitter, SumPoolOp, data, _whole(data))
    count = np.array(prod(data.shape[2:]), np.float32)
    return [divided(emitter, node, sums, count)]


def global_max_pool(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """GlobalMaxPool."""
    data = computed_input(node, inputs, 0)
    expect_map(node, data)
    return [pooled(emitter, MaxPoolOp, data, _whole(data))]


def _whole(data: Tensor) -> Attributes:
    extents = data.shape[2:]
    ones = (1,) * len(extents)
    return Attributes(extents, ones, (0,) * (2 * len(extents)), ones)


def _window(node: Node, data: Tensor) -> tuple[Attributes, tuple[int, ...]]:
    """The window, whose pads hold the ceil mode's, and the pads as the node has them.

    Raises:
        ImportRefused: the attributes do not fit the map.
    """
    extents = data.shape[2:]
    kernel = node.integers("kernel_shape")
    if len(kernel) != len(extents) or min(kernel, default=0) < 1:
        raise node.refusal(
            f"kernel_shape is {kernel}; expected {len(extents)} positive integers"
        )
    ceil = node.flag("ceil_mode", default=False)
    found = window_attributes(node, kernel, extents)
    rank = len(extents)
    if any(pad >= found.kernel[i % rank] for i, pad in enumerate(found.pads)):
        raise node.refusal(
            f"its pads {list(found.pads)} are not below its kernel {kernel}"
        )
    explicit = found.pads
    if ceil and node.text("auto_pad", "NOTSET") == "NOTSET":
        found = _with_last_window(found, extents)
    for axis, extent in zip(found.window, extents, strict=True):
        if not axis.masks(extent).any(axis=1).all():
            raise node.refusal(
                f"a window stands on padding alone (pads {list(explicit)}, kernel "
                f"{kernel}, dilations {list(found.dilations)})"
            )
    return found, explicit


def _with_last_window(found: Attributes, extents: Sequence[int]) -> Attributes:
    """Padding behind, so that a last window which is cut off counts.

    One that would begin behind the input and its padding before it is left out, as
    PyTorch and ONNX Runtime do.
    """
    pads = list(found.pads)
    rank = len(extents)
    for i, (axis, extent) in enumerate(zip(found.window, extents, strict=True)):
        excess = axis.padded(extent) - axis.reach
        count = -(-excess // axis.stride) + 1
        if (count - 1) * axis.stride >= extent + axis.before:
            count -= 1
        needed = (count - 1) * axis.stride - excess
        pads[rank + i] += max(0, needed)
    return Attributes(found.kernel, found.strides, tuple(pads), found.dilations)


def pooled(
    emitter: Emitter, kind: type[PoolOp], data: Tensor, found: Attributes
) -> Tensor:
    """The pool of `data`, channels first, by a window."""
    shape = (*data.shape[:2], *found.counts(data.shape[2:]))
    op = kind(
        data.value,
        frame_type(shape, data.element),
        kernel=found.kernel,
        strides=found.strides,
        pads=found.pads,
        dilations=found.dilations,
    )
    return emitter.tensor(emitter.insert(op).out, shape)


def _element_counts(
    found: Attributes, counted: tuple[int, ...] | None, extents: Sequence[int]
) -> Real:
    """Elements of each window, [] or [windows..]; with the pads that are counted."""
    rank = len(extents)
    counts = np.ones((), np.float32)
    for i, (axis, extent) in enumerate(zip(found.window, extents, strict=True)):
        if counted is None:
            along = axis.masks(extent).sum(axis=1)
        else:
            end = extent + axis.before + counted[rank + i]
            first = np.arange(axis.windows(extent)) * axis.stride
            taps = first[:, None] + np.arange(axis.kernel) * axis.dilation
            along = (taps < end).sum(axis=1)
        counts = np.multiply.outer(counts, along.astype(np.float32))
    first = counts.flat[0]
    return np.array(first, np.float32) if (counts == first).all() else counts


def divided(emitter: Emitter, node: Node, sums: Tensor, counts: Real) -> Tensor:
    """Sums divided by the numbers of elements, [] or an array that broadcasts."""
    if counts.ndim == 0 and counts.item() == 1:
        return sums
    divisor = Constant(f"{node.name}_count", counts)
    return combine(emitter, node, ew.DivOp, sums, divisor)
