"""ReduceMean, ReduceSum, ReduceL1, ReduceMax over channels or places of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from qdialect.convolution import ConvOp
from qdialect.elementwise import AbsOp
from qdialect.linear import MatMulOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.linear import weight_matrix
from tools.onnx_import.node import Node
from tools.onnx_import.pooling import divided, pooled
from tools.onnx_import.shaping import axes_of, channels_first, channels_last
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    computed_input,
    real_input,
)
from tools.onnx_import.windows import Attributes, expect_map


def reduce_mean(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """ReduceMean: the sum, divided by the number of elements."""
    data, axes, last = _operands(emitter, node, inputs)
    sums = _sum_over(emitter, node, data, axes)
    count = np.array(prod(data.shape[axis] for axis in axes), np.float32)
    mean = divided(emitter, node, sums, count)
    return [_without(emitter, node, mean, axes, last=last)]


def reduce_sum(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """ReduceSum."""
    data, axes, last = _operands(emitter, node, inputs)
    sums = _sum_over(emitter, node, data, axes)
    return [_without(emitter, node, sums, axes, last=last)]


def reduce_l1(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """ReduceL1: the sum of absolute values."""
    data, axes, last = _operands(emitter, node, inputs)
    magnitude = emitter.insert(AbsOp(data.value, data.value.type)).out
    sums = _sum_over(emitter, node, emitter.tensor(magnitude, data.shape), axes)
    return [_without(emitter, node, sums, axes, last=last)]


def reduce_max(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """ReduceMax: a pool of the places, then one of the channels as places."""
    data, axes, last = _operands(emitter, node, inputs, computed_input)
    found = _pool_of(data, axes)
    if prod(found.kernel) > 1:
        data = pooled(emitter, MaxPoolOp, data, found)
    if 1 in axes:
        frames, channels, *places = data.shape
        rows = emitter.reshaped(data, (frames, 1, channels, prod(places)))
        greatest = pooled(emitter, MaxPoolOp, rows, _pool_of(rows, [2]))
        data = emitter.reshaped(greatest, (frames, 1, *places))
    return [_without(emitter, node, data, axes, last=last)]


def _operands(
    emitter: Emitter,
    node: Node,
    inputs: Sequence[Value | None],
    accepted: Callable[[Node, Sequence[Value | None], int], Tensor] = real_input,
) -> tuple[Tensor, Sequence[int], bool]:
    """What is reduced, channels first, over which axes; whether channels were last.

    Axes 1 and 2 of four are the places of a channels-last map.

    Raises:
        ImportRefused: it is over the batch, or the tensor is no vector and no map.
    """
    data = accepted(node, inputs, 0)
    rank = len(data.shape)
    if rank != 2:
        expect_map(node, data)
    axes = axes_of(node, inputs, rank)
    # Without axes all are reduced, unless this says none.
    node.ignore("noop_with_empty_axes")
    if not axes or min(axes) < 1:
        over = f"the axes {axes}" if axes else "all axes"
        raise node.refusal(
            f"goes over {over}; expected some of {list(range(1, rank))}, the channels "
            "and places of a tensor [N, C, ..]"
        )
    if rank == 4 and sorted(axes) == [1, 2]:
        return channels_first(emitter, data), [2, 3], True
    return data, axes, False


def _pool_of(data: Tensor, axes: Sequence[int]) -> Attributes:
    """The window that covers these places of a map."""
    kernel = tuple(
        extent if axis in axes else 1 for axis, extent in enumerate(data.shape)
    )[2:]
    ones = (1,) * len(kernel)
    return Attributes(kernel, ones, (0,) * (2 * len(kernel)), ones)


def _sum_over(
    emitter: Emitter, node: Node, data: Tensor, axes: Sequence[int]
) -> Tensor:
    """The sum over axes, which stay with extent 1: a pool, then weights of 1."""
    rank = len(data.shape)
    found = _pool_of(data, axes)
    if prod(found.kernel) > 1:
        data = pooled(emitter, SumPoolOp, data, found)
    if 1 not in axes or data.shape[1] == 1:
        return data
    shape = (data.shape[0], 1, *data.shape[2:])
    row = Constant(
        f"{node.name}_ones", np.ones((1, data.shape[1], *(1,) * (rank - 2)), np.float32)
    )
    weights = weight_matrix(emitter, node, row)
    if rank == 2:
        product = emitter.insert(MatMulOp(data.value, weights, frame_type(shape)))
        return emitter.tensor(product.out, shape)
    ones = (1,) * (rank - 2)
    op = ConvOp(
        data.value,
        weights,
        frame_type(shape),
        strides=ones,
        pads=(0,) * (2 * (rank - 2)),
        dilations=ones,
    )
    return emitter.tensor(emitter.insert(op).out, shape)


def _without(
    emitter: Emitter, node: Node, result: Tensor, axes: Sequence[int], *, last: bool
) -> Tensor:
    """The result without the reduced axes, where the node asks for that."""
    if node.flag("keepdims", default=True):
        return channels_last(emitter, result) if last else result
    left = [extent for axis, extent in enumerate(result.shape) if axis not in axes]
    return emitter.reshaped(result, left)
