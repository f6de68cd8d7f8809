"""Im2Col and the MatMul behind it: a convolution as FINN and QONNX lower it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qdialect.constants import constant
from qdialect.convolution import ConvOp
from qdialect.rearranging import PadOp
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.linear import weight_matrix
from tools.onnx_import.node import Node
from tools.onnx_import.popcount import agreements, as_bipolar, bipolar_weights
from tools.onnx_import.shaping import channels_first, channels_last
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    constant_input,
    real_input,
)
from tools.onnx_import.windows import Attributes

# What a product on patches is called once it holds the attributes of its Im2Col.
JOINED = {"MatMul": "Im2Col+MatMul", "XnorPopcountMatMul": "Im2Col+XnorPopcountMatMul"}


def with_patches_joined(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes with every product of patches as one that takes the map itself."""
    made = {node.outputs[0]: node for node in nodes if node.op_type == "Im2Col"}
    joined: list[Node] = []
    for node in nodes:
        patches = made.get(node.inputs[0]) if node.inputs else None
        if patches is not None and patches.inputs and node.op_type in JOINED:
            node = replace(
                node,
                op_type=JOINED[node.op_type],
                inputs=(patches.inputs[0], *node.inputs[1:]),
                attributes={**patches.attributes, **node.attributes},
            )
        joined.append(node)
    reads = Counter(name for node in joined for name in node.inputs)
    reads.update(outputs)
    return [
        node for node in joined if node.op_type != "Im2Col" or reads[node.outputs[0]]
    ]


def im2col(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Im2Col by itself is refused."""
    raise node.refusal(
        "makes patches that no product reads; accepted is Im2Col in front of MatMul or "
        "XnorPopcountMatMul, together a convolution"
    )


def product_of_patches(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """A convolution of a channels-last map [N, H, W, C].

    Rows of the weights [KH * KW * C, M] are in the order of kernel and channel. A
    depthwise convolution comes as one of all channels whose other weights are 0.
    """
    data = real_input(node, inputs, 0)
    bits = node.op_type == JOINED["XnorPopcountMatMul"]
    weights = bipolar_weights(node, inputs) if bits else constant_input(node, inputs, 1)
    found, pad = _window(node, data)
    channels, (height, width) = data.shape[3], found.kernel
    row_width = height * width * channels
    if len(weights.shape) != 2 or weights.shape[0] != row_width:
        raise node.refusal(
            f"its weights have shape {list(weights.shape)}; patches of {height} x "
            f"{width} x {channels} need [{row_width}, MH]"
        )
    rows = weights.shape[1]
    kernels = weights.transposed((1, 0)).reshaped((rows, height, width, channels))
    kernels = kernels.transposed((0, 3, 1, 2))
    groups = 1
    if channels > 1 and _is_depthwise(kernels):
        kernels, groups = kernels.diagonal(), channels
    if bits:
        data, pad = as_bipolar(emitter, node, data), 2 * pad - 1
    image = channels_first(emitter, data)
    if pad and any(found.pads):
        image = _padded(emitter, image, found.pads, pad)
        found = replace(found, pads=(0,) * 4)
    shape = (image.shape[0], rows, *found.counts(image.shape[2:]))
    op = ConvOp(
        image.value,
        weight_matrix(emitter, node, kernels),
        frame_type(shape),
        strides=found.strides,
        pads=found.pads,
        dilations=found.dilations,
        groups=groups,
    )
    result = channels_last(emitter, emitter.tensor(emitter.insert(op).out, shape))
    if bits:
        result = agreements(emitter, node, result, row_width)
    return [result]


def _window(node: Node, data: Tensor) -> tuple[Attributes, int]:
    """The window, and what stands outside the map.

    Raises:
        ImportRefused: it does not fit the map.
    """
    if len(data.shape) != 4:
        raise node.refusal(
            f"its input has shape {list(data.shape)}; expected a map [N, H, W, C]"
        )
    # Older files have one number for both axes.
    kernel, strides = _numbers(node, "kernel_size", 2), _numbers(node, "stride", 2)
    pads = _numbers(node, "pad_amount", 4, 0)
    dilations = _numbers(node, "dilations", 2, 1)
    node.ignore("depthwise", "input_shape")
    found = Attributes(kernel, strides, pads, dilations)
    if min(*kernel, *strides, *dilations) < 1 or min(pads) < 0:
        raise node.refusal(
            f"its kernel {kernel}, strides {strides}, dilations {dilations} and pads "
            f"{pads} are not all positive"
        )
    if min(found.counts(data.shape[1:3])) < 1:
        raise node.refusal(
            f"its kernel {kernel} is larger than its padded input {data.shape[1:3]}"
        )
    return found, node.integer("pad_value", 0)


def _numbers(
    node: Node, name: str, count: int, default: int | None = None
) -> tuple[int, ...]:
    if default is not None and not node.has(name):
        return (default,) * count
    values = node.integers(name)
    values = values * count if len(values) == 1 else values
    if len(values) != count:
        raise node.refusal(f"{name} is {values}; expected {count} integers")
    return tuple(values)


def _is_depthwise(kernels: Constant) -> bool:
    """Whether output m of weights [M, C, ..] reads channel m alone."""
    rows, channels = kernels.shape[:2]
    if rows != channels:
        return False
    others = ~np.eye(channels, dtype=np.bool_)
    return not kernels.values[others].any()


def _padded(emitter: Emitter, image: Tensor, pads: Sequence[int], value: int) -> Tensor:
    low, high = (0, 0, *pads[:2]), (0, 0, *pads[2:])
    shape = [a + n + b for a, n, b in zip(low, image.shape, high, strict=True)]
    fill = emitter.insert(constant(np.array(value, np.float32)))
    op = PadOp(image.value, fill, frame_type(shape), low=low, high=high)
    return emitter.tensor(emitter.insert(op).out, shape)
