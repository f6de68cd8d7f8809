"""BatchNormalization with fixed statistics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdialect.elementwise import BatchNormOp
from qdialect.shaping import ReshapeOp
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.values import (
    Tensor,
    Value,
    constant_input,
    real_array,
    real_input,
)

_PARAMETERS = ("scale", "B", "mean", "var")


def batch_norm(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """BatchNormalization; channels are the last axis in the channels-last domain."""
    data = real_input(node, inputs, 0)
    _expect_inference(node)
    axis = len(data.shape) - 1 if node.domain.endswith("channels_last") else 1
    if len(data.shape) < 2:
        raise node.refusal(
            f"its input has shape {list(data.shape)}; expected [batch, channels, ..]"
        )
    channels = data.shape[axis]
    arrays = {
        name: real_array(node, constant_input(node, inputs, index), name)
        for index, name in enumerate(_PARAMETERS, start=1)
    }
    for name, array in arrays.items():
        if array.shape != (channels,):
            raise node.refusal(
                f"{name} has shape {list(array.shape)}; its input has {channels} "
                f"channels, so expected [{channels}]"
            )
    epsilon = node.number("epsilon", 1e-5)
    if not (arrays["var"] + np.float32(epsilon) > 0).all():
        raise node.refusal(
            f"var + epsilon is not positive everywhere (epsilon is {epsilon})"
        )
    source = _without_unit_axes(emitter, data, axis)
    operands = [
        emitter.real(constant_input(node, inputs, index).name, arrays[name])
        for index, name in enumerate(_PARAMETERS, start=1)
    ]
    out = emitter.insert(
        BatchNormOp(
            source.value,
            *operands,
            epsilon=epsilon,
            axis=axis,
            out=frame_type(source.shape),
        )
    ).out
    return [emitter.reshaped(emitter.tensor(out, source.shape), data.shape)]


def _expect_inference(node: Node) -> None:
    node.ignore("momentum")
    training = node.has("training_mode") and node.flag("training_mode", default=False)
    if training or len(node.outputs) > 1:
        raise node.refusal("is in training mode; export the model for inference")
    if node.has("spatial") and not node.flag("spatial", default=True):
        raise node.refusal(
            "spatial = 0 has statistics for each element; expected one a channel"
        )


def _without_unit_axes(emitter: Emitter, data: Tensor, axis: int) -> Tensor:
    """`data` from before the reshape that only added axes of extent 1 at its end.

    FINN writes a batch norm of [1, C] as Unsqueeze to [1, C, 1], norm, Squeeze.
    """
    if not isinstance(data.value.owner, ReshapeOp):
        return data
    rank = len(data.shape)
    while rank > axis + 1 and data.shape[rank - 1] == 1:
        rank -= 1
    narrowed = emitter.reshaped(data, data.shape[:rank])
    return narrowed if not isinstance(narrowed.value.owner, ReshapeOp) else data
