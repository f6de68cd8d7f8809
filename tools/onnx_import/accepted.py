"""The list of ops that the importer takes, and who turns each into `qnn`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.onnx_import import (
    elementwise,
    linear,
    normalisation,
    qdq,
    quantisers,
    selection,
    shaping,
    thresholds,
)
from tools.onnx_import.emitter import Emitter
from tools.onnx_import.node import STANDARD_DOMAINS, Node
from tools.onnx_import.values import Value

Handler = Callable[[Emitter, Node, Sequence[Value | None]], Sequence[Value]]

# Exporters put QONNX's ops in any of these, and often do not import the domain.
CHANNELS_LAST = "qonnx.custom_op.channels_last"
QUANTISER_DOMAINS = STANDARD_DOMAINS | {
    "onnx.brevitas",
    "finn.custom_op.general",
    "qonnx.custom_op.general",
    CHANNELS_LAST,
}


@dataclass(frozen=True)
class Op:
    """How an op is taken: by whom, with how many inputs, from which domains."""

    handler: Handler
    inputs: range
    domains: frozenset[str] = STANDARD_DOMAINS


def _inputs(least: int, greatest: int | None = None) -> range:
    return range(least, (greatest or least) + 1)


OPS: dict[str, Op] = {
    "Abs": Op(elementwise.absolute, _inputs(1)),
    "Add": Op(elementwise.add, _inputs(2)),
    "ArgMax": Op(selection.arg_max, _inputs(1)),
    "ArgMin": Op(selection.arg_max, _inputs(1)),
    "BatchNormalization": Op(
        normalisation.batch_norm, _inputs(5), STANDARD_DOMAINS | {CHANNELS_LAST}
    ),
    "BipolarQuant": Op(quantisers.bipolar_quant, _inputs(2), QUANTISER_DOMAINS),
    "Cast": Op(elementwise.cast, _inputs(1)),
    "Ceil": Op(elementwise.ceil, _inputs(1)),
    "Clip": Op(elementwise.clip, _inputs(1, 3)),
    "Constant": Op(shaping.constant, range(1)),
    "DequantizeLinear": Op(qdq.dequantize_linear, _inputs(2, 3)),
    "Div": Op(elementwise.div, _inputs(2)),
    "Dropout": Op(elementwise.dropout, _inputs(1, 3)),
    "Exp": Op(elementwise.exp, _inputs(1)),
    "Flatten": Op(shaping.flatten, _inputs(1)),
    "Floor": Op(elementwise.floor, _inputs(1)),
    "Gemm": Op(linear.gemm, _inputs(2, 3)),
    "HardSigmoid": Op(elementwise.hard_sigmoid, _inputs(1)),
    "Identity": Op(elementwise.identity, _inputs(1)),
    "IntQuant": Op(quantisers.quant, _inputs(4), QUANTISER_DOMAINS),
    "LeakyRelu": Op(elementwise.leaky_relu, _inputs(1)),
    "MatMul": Op(linear.matmul, _inputs(2)),
    "Mul": Op(elementwise.mul, _inputs(2)),
    "MultiThreshold": Op(thresholds.multi_threshold, _inputs(2), QUANTISER_DOMAINS),
    "Neg": Op(elementwise.neg, _inputs(1)),
    "Quant": Op(quantisers.quant, _inputs(4), QUANTISER_DOMAINS),
    "QuantizeLinear": Op(qdq.quantize_linear, _inputs(2, 3)),
    "Relu": Op(elementwise.relu, _inputs(1)),
    "Reshape": Op(shaping.reshape, _inputs(2)),
    "Round": Op(elementwise.round_half_even, _inputs(1)),
    "Shape": Op(shaping.shape_of_tensor, _inputs(1)),
    "Sigmoid": Op(elementwise.sigmoid, _inputs(1)),
    "Sign": Op(elementwise.sign, _inputs(1)),
    "Size": Op(shaping.size_of_tensor, _inputs(1)),
    "Softmax": Op(selection.softmax, _inputs(1)),
    "Sqrt": Op(elementwise.sqrt, _inputs(1)),
    "Squeeze": Op(shaping.squeeze, _inputs(1, 2)),
    "Sub": Op(elementwise.sub, _inputs(2)),
    "Tanh": Op(elementwise.tanh, _inputs(1)),
    "TopK": Op(selection.top_k, _inputs(1, 2)),
    "Transpose": Op(shaping.transpose, _inputs(1)),
    "Trunc": Op(quantisers.trunc, _inputs(5, 6), QUANTISER_DOMAINS),
    "Unsqueeze": Op(shaping.unsqueeze, _inputs(1, 2)),
}

# Ops that are in the table to be refused with a reason.
_REFUSED = {"Sign"}

ACCEPTED_TEXT = ", ".join(name for name in sorted(OPS) if name not in _REFUSED)
