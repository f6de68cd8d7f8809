"""XnorPopcountMatMul: FINN's product of bits that stand for -1 and +1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdialect import elementwise as ew
from qdialect.activation import ThresholdOp
from qdialect.constants import constant_data
from qdialect.pooling import MaxPoolOp
from qdialect.quantisers import DequantizeOp, SignOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import BipolarType, element_of, shape_of, unsigned
from tools.onnx_import.elementwise import combine
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.linear import matmul
from tools.onnx_import.node import Node
from tools.onnx_import.quantisers import dequantised
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    constant_input,
    real_array,
    real_input,
)


def xnor_popcount_matmul(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """XnorPopcountMatMul: how many bits agree, (a . b + MW) / 2 of the bipolar a, b."""
    data = as_bipolar(emitter, node, real_input(node, inputs, 0))
    weights = bipolar_weights(node, inputs)
    (product,) = matmul(emitter, node, [data, weights])
    return [agreements(emitter, node, product, weights.shape[0])]


def bipolar_weights(node: Node, inputs: Sequence[Value | None]) -> Constant:
    """The second input, bits, as -1 and +1.

    Raises:
        ImportRefused: it is computed, or holds other than 0 and 1.
    """
    weights = constant_input(node, inputs, 1)
    bits = real_array(node, weights, f"the constant '{weights.name}'")
    if not np.isin(bits, (0, 1)).all():
        raise node.refusal(
            f"its weights '{weights.name}' hold other than bits; expected 0 for -1 and "
            "1 for +1 (BINARY)"
        )
    return Constant(weights.name, 2 * bits - 1)


def as_bipolar(emitter: Emitter, node: Node, data: Tensor) -> Tensor:
    """Computed bits, 0 and 1, as -1 and +1.

    A threshold that gives bits is written again as one that gives signs, and what only
    moves or chooses elements behind it, too.
    """
    owner = data.value.owner
    type_ = frame_type(data.shape, BipolarType())
    match owner:
        case ReshapeOp() | TransposeOp() | MaxPoolOp():
            shape = (data.shape[0], *shape_of(owner.input)[1:])
            source = as_bipolar(emitter, node, emitter.tensor(owner.input, shape))
            if isinstance(owner, ReshapeOp):
                return emitter.reshaped(source, data.shape)
            moved = owner.clone({owner.input: source.value})
            return emitter.tensor(emitter.insert(moved).results[0], data.shape)
        case DequantizeOp() if _is_plain(owner) and isinstance(
            threshold := owner.input.owner, ThresholdOp
        ):
            levels = emitter.insert(
                ThresholdOp(
                    threshold.input,
                    threshold.thresholds,
                    type_,
                    axis=threshold.axis.value.data,
                )
            ).out
        case _:
            half = Constant("half", np.array(0.5, np.float32))
            signs = combine(emitter, node, ew.SubOp, data, half)
            levels = emitter.insert(SignOp(signs.value, type_)).out
    return dequantised(
        emitter, levels, emitter.scalar(1), emitter.scalar(0), data.shape
    )


def _is_plain(op: DequantizeOp) -> bool:
    """Whether the levels are bits that stand for 0 and 1."""
    parameters = constant_data(op.scale), constant_data(op.zero_point)
    return element_of(op.input) == unsigned(1) and [
        None if data is None else data.to_numpy().tolist() for data in parameters
    ] == [1.0, 0.0]


def agreements(emitter: Emitter, node: Node, product: Value, width: int) -> Tensor:
    """The number of agreeing bits of which `product` is the bipolar dot product."""
    count = Constant("width", np.array(width, np.float32))
    half = Constant("half", np.array(0.5, np.float32))
    total = combine(emitter, node, ew.AddOp, product, count)
    return combine(emitter, node, ew.MulOp, total, half)
