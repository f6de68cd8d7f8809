"""The list of ops that the importer takes, and who turns each into `qnn`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.onnx_import import (
    convolution,
    elementwise,
    linear,
    normalisation,
    pooling,
    qdq,
    quantisers,
    rearranging,
    selection,
    shaping,
    thresholds,
    truncation,
)
from tools.onnx_import.emitter import Emitter
from tools.onnx_import.node import CHANNELS_LAST, STANDARD_DOMAINS, Node
from tools.onnx_import.values import Value

Handler = Callable[[Emitter, Node, Sequence[Value | None]], Sequence[Value]]

# Exporters put QONNX's ops in any of these, and often do not import the domain.
QUANTISER_DOMAINS = STANDARD_DOMAINS | {
    "onnx.brevitas",
    "finn.custom_op.general",
    "qonnx.custom_op.general",
    CHANNELS_LAST,
}


# Ops of ONNX that QONNX also has in a channels-last form.
IMAGE_DOMAINS = STANDARD_DOMAINS | {CHANNELS_LAST}


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
    "AveragePool": Op(pooling.average_pool, _inputs(1), IMAGE_DOMAINS),
    "BatchNormalization": Op(normalisation.batch_norm, _inputs(5), IMAGE_DOMAINS),
    "BipolarQuant": Op(quantisers.bipolar_quant, _inputs(2), QUANTISER_DOMAINS),
    "Cast": Op(elementwise.cast, _inputs(1)),
    "Ceil": Op(elementwise.ceil, _inputs(1)),
    "Clip": Op(elementwise.clip, _inputs(1, 3)),
    "Concat": Op(rearranging.concat, range(1, 1 << 16)),
    "Constant": Op(shaping.constant, range(1)),
    "Conv": Op(convolution.conv, _inputs(2, 3), IMAGE_DOMAINS),
    "ConvTranspose": Op(convolution.conv_transpose, _inputs(2, 3)),
    "DepthToSpace": Op(rearranging.depth_to_space, _inputs(1)),
    "DequantizeLinear": Op(qdq.dequantize_linear, _inputs(2, 3)),
    "Div": Op(elementwise.div, _inputs(2)),
    "Dropout": Op(elementwise.dropout, _inputs(1, 3)),
    "Exp": Op(elementwise.exp, _inputs(1)),
    "Flatten": Op(shaping.flatten, _inputs(1)),
    "Floor": Op(elementwise.floor, _inputs(1)),
    "Gemm": Op(linear.gemm, _inputs(2, 3)),
    "GlobalAveragePool": Op(pooling.global_average_pool, _inputs(1)),
    "GlobalMaxPool": Op(pooling.global_max_pool, _inputs(1)),
    "HardSigmoid": Op(elementwise.hard_sigmoid, _inputs(1)),
    "Identity": Op(elementwise.identity, _inputs(1)),
    "IntQuant": Op(quantisers.quant, _inputs(4), QUANTISER_DOMAINS),
    "LeakyRelu": Op(elementwise.leaky_relu, _inputs(1)),
    "MatMul": Op(linear.matmul, _inputs(2)),
    "MaxPool": Op(pooling.max_pool, _inputs(1), IMAGE_DOMAINS),
    "Mul": Op(elementwise.mul, _inputs(2)),
    "MultiThreshold": Op(thresholds.multi_threshold, _inputs(2), QUANTISER_DOMAINS),
    "Neg": Op(elementwise.neg, _inputs(1)),
    "Pad": Op(rearranging.pad, _inputs(1, 4)),
    "Quant": Op(quantisers.quant, _inputs(4), QUANTISER_DOMAINS),
    "QuantizeLinear": Op(qdq.quantize_linear, _inputs(2, 3)),
    "ReduceMean": Op(pooling.reduce_mean, _inputs(1, 2)),
    "Relu": Op(elementwise.relu, _inputs(1)),
    "Reshape": Op(shaping.reshape, _inputs(2)),
    "Resize": Op(rearranging.resize, _inputs(1, 4)),
    "Round": Op(elementwise.round_half_even, _inputs(1)),
    "Shape": Op(shaping.shape_of_tensor, _inputs(1)),
    "Sigmoid": Op(elementwise.sigmoid, _inputs(1)),
    "Sign": Op(elementwise.sign, _inputs(1)),
    "Size": Op(shaping.size_of_tensor, _inputs(1)),
    "Slice": Op(rearranging.slice_, _inputs(1, 5)),
    "Softmax": Op(selection.softmax, _inputs(1)),
    "Split": Op(rearranging.split, _inputs(1, 2)),
    "Sqrt": Op(elementwise.sqrt, _inputs(1)),
    "Squeeze": Op(shaping.squeeze, _inputs(1, 2)),
    "Sub": Op(elementwise.sub, _inputs(2)),
    "Sum": Op(elementwise.total, range(1, 1 << 16)),
    "Tanh": Op(elementwise.tanh, _inputs(1)),
    "TopK": Op(selection.top_k, _inputs(1, 2)),
    "Transpose": Op(shaping.transpose, _inputs(1)),
    "Trunc": Op(truncation.trunc, _inputs(5, 6), QUANTISER_DOMAINS),
    "Unsqueeze": Op(shaping.unsqueeze, _inputs(1, 2)),
    "Upsample": Op(rearranging.resize, _inputs(1, 2)),
}

# Ops that are in the table to be refused with a reason.
_REFUSED = {"Sign"}

ACCEPTED_TEXT = ", ".join(name for name in sorted(OPS) if name not in _REFUSED)
