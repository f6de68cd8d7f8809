"""Conv and ConvTranspose, channels-first or channels-last."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from qdialect import elementwise as ew
from qdialect.convolution import ConvOp
from qdialect.rearranging import SliceOp
from tools.onnx_import.elementwise import combine
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.linear import weight_matrix
from tools.onnx_import.node import Node
from tools.onnx_import.shaping import channels_first, channels_last, is_channels_last
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    constant_input,
    real_input,
)
from tools.onnx_import.windows import (
    Attributes,
    expect_map,
    numbers_of,
    window_attributes,
)


def conv(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Conv with constant weights; a channels-last one between two transposes."""
    data = real_input(node, inputs, 0)
    expect_map(node, data)
    weights = constant_input(node, inputs, 1)
    _expect_rank(node, data, weights)
    last = is_channels_last(node)
    if last:
        data = channels_first(emitter, data)
        weights = weights.transposed((0, len(weights.shape) - 1, *_inner(weights)))
    groups, attributes, shape = windows_over(node, data, weights)
    op = ConvOp(
        data.value,
        weight_matrix(emitter, node, weights),
        frame_type(shape),
        strides=attributes.strides,
        pads=attributes.pads,
        dilations=attributes.dilations,
        groups=groups,
    )
    result = emitter.tensor(emitter.insert(op).out, shape)
    result = _with_bias(emitter, node, result, inputs)
    return [channels_last(emitter, result) if last else result]


def windows_over(
    node: Node, data: Tensor, weights: Constant
) -> tuple[int, Attributes, tuple[int, ...]]:
    """Groups, window and shape of the result of a convolution, channels first.

    Raises:
        ImportRefused: map, weights and attributes do not fit each other.
    """
    expect_map(node, data)
    _expect_rank(node, data, weights)
    groups = _groups(node, data, weights.shape[0], weights.shape[1])
    attributes = window_attributes(node, _kernel(node, weights), data.shape[2:])
    counts = attributes.counts(data.shape[2:])
    return groups, attributes, (data.shape[0], weights.shape[0], *counts)


def conv_transpose(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """ConvTranspose: a convolution of the input with zeros between its elements."""
    data = real_input(node, inputs, 0)
    expect_map(node, data)
    weights = constant_input(node, inputs, 1)
    _expect_rank(node, data, weights)
    channels, per_group = weights.shape[:2]
    groups = node.integer("group", 1)
    if groups < 1 or channels != data.shape[1] or channels % groups:
        raise node.refusal(
            f"its weights have shape {list(weights.shape)} in {groups} groups; its "
            f"input has {data.shape[1]} channels"
        )
    found = _transposed_window(node, _kernel(node, weights), data.shape[2:])
    rows = per_group * groups
    turned = _turned(weights, groups)
    # One before the first element as far as the last tap reaches, less the padding.
    edge = tuple(
        (k - 1) * d for k, d in zip(found.kernel, found.dilations, strict=True)
    )
    rank = len(edge)
    extra = numbers_of(node, "output_padding", rank, 0, 0)
    pads = [edge[i % rank] - pad for i, pad in enumerate(found.pads)]
    pads = [pad + (extra[i - rank] if i >= rank else 0) for i, pad in enumerate(pads)]
    # Padding beyond the reach of a tap cuts elements off the result.
    cuts = [max(0, -pad) for pad in pads]
    pads = [max(0, pad) for pad in pads]
    enlarged = _enlarged(found, pads, data.shape[2:])
    left = [n - cuts[i] - cuts[rank + i] for i, n in enumerate(enlarged)]
    if min(left) < 1:
        raise node.refusal(
            f"its pads {list(found.pads)} leave a map of {left}; expected at least one "
            "element of every axis"
        )
    op_shape = (data.shape[0], rows, *enlarged)
    op = ConvOp(
        data.value,
        weight_matrix(emitter, node, turned),
        frame_type(op_shape),
        strides=(1,) * rank,
        pads=pads,
        dilations=found.dilations,
        stretch=found.strides,
        groups=groups,
    )
    result = emitter.tensor(emitter.insert(op).out, op_shape)
    if any(cuts):
        result = _without_edges(emitter, result, cuts[:rank], left)
    return [_with_bias(emitter, node, result, inputs)]


def _without_edges(
    emitter: Emitter, data: Tensor, before: Sequence[int], extents: Sequence[int]
) -> Tensor:
    """The part of a map that begins so far inside it and has these extents."""
    shape = (*data.shape[:2], *extents)
    op = SliceOp(
        data.value,
        frame_type(shape),
        offsets=(0, 0, *before),
        steps=(1,) * len(shape),
    )
    return emitter.tensor(emitter.insert(op).out, shape)


def _transposed_window(
    node: Node, kernel: Sequence[int], extents: Sequence[int]
) -> Attributes:
    rank = len(kernel)
    mode = node.text("auto_pad", "NOTSET")
    strides = numbers_of(node, "strides", rank, 1, 1)
    dilations = numbers_of(node, "dilations", rank, 1, 1)
    extra = numbers_of(node, "output_padding", rank, 0, 0)
    full = [
        (n - 1) * s + (k - 1) * d + 1 + e
        for n, s, k, d, e in zip(
            extents, strides, kernel, dilations, extra, strict=True
        )
    ]
    wanted: Sequence[int] | None = None
    if node.has("output_shape"):
        wanted = numbers_of(node, "output_shape", rank, 0, 1)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(extents, strides, strict=True)]
    if wanted is None:
        if mode not in ("NOTSET", "VALID"):
            raise node.refusal(
                f"auto_pad '{mode}' is not known; accepted are NOTSET, VALID, "
                "SAME_UPPER and SAME_LOWER"
            )
        pads = numbers_of(node, "pads", 2 * rank, 0, 0)
        pads = pads if mode == "NOTSET" else (0,) * (2 * rank)
        return Attributes(tuple(kernel), strides, pads, dilations)
    node.ignore("pads")
    totals = [n - m for n, m in zip(full, wanted, strict=True)]
    # Less than nothing is cut off where the output is to be larger than that.
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    # ONNX cuts the odd element off before, or for SAME_UPPER behind.
    pads = (*small, *large) if mode == "SAME_UPPER" else (*large, *small)
    return Attributes(tuple(kernel), strides, pads, dilations)


def _enlarged(
    found: Attributes, pads: Sequence[int], extents: Sequence[int]
) -> tuple[int, ...]:
    rank = len(extents)
    return tuple(
        (n - 1) * found.strides[i]
        + 1
        + pads[i]
        + pads[rank + i]
        - (found.kernel[i] - 1) * found.dilations[i]
        for i, n in enumerate(extents)
    )


def _turned(weights: Constant, groups: int) -> Constant:
    """Weights [C, O / groups, ..] as those of the convolution, [O, C / groups, ..]."""
    channels, per_group, *kernel = weights.shape
    rank = len(kernel)
    split = weights.reshaped((groups, channels // groups, per_group, *kernel))
    swapped = split.transposed((0, 2, 1, *range(3, 3 + rank)))
    rows = swapped.reshaped((groups * per_group, channels // groups, *kernel))
    return rows.flipped(range(2, 2 + rank))


def _expect_rank(node: Node, data: Tensor, weights: Constant) -> None:
    if len(weights.shape) != len(data.shape) or not prod(weights.shape):
        raise node.refusal(
            f"its weights have shape {list(weights.shape)} and its input "
            f"{list(data.shape)}; expected tensors of one rank"
        )


def _inner(weights: Constant) -> range:
    return range(1, len(weights.shape) - 1)


def _kernel(node: Node, weights: Constant) -> tuple[int, ...]:
    """The kernel, which the weights give; the attribute must agree."""
    kernel = weights.shape[2:]
    if node.has("kernel_shape") and tuple(node.integers("kernel_shape")) != kernel:
        raise node.refusal(
            f"kernel_shape is {node.integers('kernel_shape')}, and its weights have "
            f"shape {list(weights.shape)}"
        )
    return kernel


def _groups(node: Node, data: Tensor, rows: int, depth: int) -> int:
    groups = node.integer("group", 1)
    if groups < 1 or depth * groups != data.shape[1] or rows % groups:
        raise node.refusal(
            f"its weights take {depth} channels in {groups} groups to {rows}; its "
            f"input has {data.shape[1]} channels"
        )
    return groups


def _with_bias(
    emitter: Emitter, node: Node, result: Tensor, inputs: Sequence[Value | None]
) -> Tensor:
    if len(inputs) < 3 or inputs[2] is None:
        return result
    bias = constant_input(node, inputs, 2)
    rows = result.shape[1]
    if bias.shape != (rows,):
        raise node.refusal(f"its bias has shape {list(bias.shape)}; expected [{rows}]")
    column = bias.reshaped((rows, *(1 for _ in result.shape[2:])))
    return combine(emitter, node, ew.AddOp, result, column)
