"""Activations: PRelu, HardSwish, SiLU, Elu, Softplus, Gelu."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from qdialect import elementwise as ew
from qdialect.smooth import EluOp, GeluOp, HardSwishOp, PReluOp, SiluOp, SoftplusOp
from tools.onnx_import import elementwise
from tools.onnx_import.emitter import Emitter
from tools.onnx_import.node import Node
from tools.onnx_import.values import Tensor, Value, constant_input, real_input


def prelu(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """PRelu with constant slopes, one or one a channel."""
    data, slopes = real_input(node, inputs, 0), constant_input(node, inputs, 1)
    result = elementwise.combine(emitter, node, PReluOp, data, slopes)
    if result.shape != data.shape:
        raise node.refusal(
            f"its slopes have shape {list(slopes.shape)}, which does not broadcast to "
            f"{list(data.shape)}"
        )
    return [result]


def elu(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Elu."""
    data = real_input(node, inputs, 0)
    op = emitter.insert(EluOp(data.value, node.number("alpha", 1.0), data.value.type))
    return [emitter.tensor(op.out, data.shape)]


def gelu(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Gelu by the error function."""
    if (form := node.text("approximate", "none")) != "none":
        raise node.refusal(f"approximates by {form}; accepted is approximate = none")
    return elementwise.unary(GeluOp, emitter, node, inputs)


hard_swish = partial(elementwise.unary, HardSwishOp)
softplus = partial(elementwise.unary, SoftplusOp)


def product_or_gate(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Mul; x * sigmoid(x) and x * hard_sigmoid(x) are one function of x."""
    for data, gate in (inputs, inputs[::-1]):
        if not (isinstance(data, Tensor) and isinstance(gate, Tensor)):
            continue
        match gate.value.owner:
            case ew.SigmoidOp() as op if op.input is data.value:
                return elementwise.unary(SiluOp, emitter, node, [data])
            case ew.HardSigmoidOp() as op if op.input is data.value and _is_sixth(op):
                return elementwise.unary(HardSwishOp, emitter, node, [data])
            case _:
                continue
    return elementwise.mul(emitter, node, inputs)


def _is_sixth(op: ew.HardSigmoidOp) -> bool:
    """Whether its numbers are those of HardSwish, in float32."""
    alpha = np.float32(op.alpha.value.data)
    return alpha == np.float32(1 / 6) and op.beta.value.data == 0.5
