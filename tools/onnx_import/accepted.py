"""The list of ops that the importer takes, and who turns each into `qnn`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.onnx_import import (
    activations,
    bounds,
    convolution,
    elementwise,
    float_quantiser,
    integer_products,
    linear,
    normalisation,
    patches,
    picking,
    pooling,
    popcount,
    qdq,
    qlinear,
    qoperators,
    quantised_pool,
    quantisers,
    rearranging,
    reductions,
    resizing,
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


# ONNX Runtime's own ops; it had quantisers of 4 and 16 bits before ONNX did.
RUNTIME = "com.microsoft"
RUNTIME_DOMAINS = frozenset({RUNTIME})
LINEAR_DOMAINS = STANDARD_DOMAINS | RUNTIME_DOMAINS


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
    "Clip": Op(bounds.clip, _inputs(1, 3)),
    "Concat": Op(rearranging.concat, range(1, 1 << 16)),
    "Constant": Op(shaping.constant, range(1)),
    "Conv": Op(convolution.conv, _inputs(2, 3), IMAGE_DOMAINS),
    "ConvInteger": Op(integer_products.conv_integer, _inputs(2, 4)),
    "ConvTranspose": Op(convolution.conv_transpose, _inputs(2, 3)),
    "DepthToSpace": Op(rearranging.depth_to_space, _inputs(1)),
    "DequantizeLinear": Op(qdq.dequantize_linear, _inputs(2, 3), LINEAR_DOMAINS),
    "Div": Op(elementwise.div, _inputs(2)),
    "Dropout": Op(elementwise.dropout, _inputs(1, 3)),
    "DynamicQuantizeLinear": Op(qdq.dynamic_quantize_linear, _inputs(1)),
    "Elu": Op(activations.elu, _inputs(1)),
    "Exp": Op(elementwise.exp, _inputs(1)),
    "Expand": Op(picking.expand, _inputs(2)),
    "Flatten": Op(shaping.flatten, _inputs(1)),
    "FloatQuant": Op(float_quantiser.float_quant, _inputs(6), QUANTISER_DOMAINS),
    "Floor": Op(elementwise.floor, _inputs(1)),
    "Gather": Op(picking.gather, _inputs(2)),
    "Gelu": Op(activations.gelu, _inputs(1)),
    "Gemm": Op(linear.gemm, _inputs(2, 3)),
    "GlobalAveragePool": Op(pooling.global_average_pool, _inputs(1)),
    "GlobalMaxPool": Op(pooling.global_max_pool, _inputs(1)),
    "HardSigmoid": Op(elementwise.hard_sigmoid, _inputs(1)),
    "HardSwish": Op(activations.hard_swish, _inputs(1)),
    "Identity": Op(elementwise.identity, _inputs(1)),
    "Im2Col": Op(patches.im2col, _inputs(1), QUANTISER_DOMAINS),
    "Im2Col+MatMul": Op(patches.product_of_patches, _inputs(2)),
    "Im2Col+XnorPopcountMatMul": Op(
        patches.product_of_patches, _inputs(2), QUANTISER_DOMAINS
    ),
    "IntQuant": Op(quantisers.quant, _inputs(4), QUANTISER_DOMAINS),
    "LeakyRelu": Op(elementwise.leaky_relu, _inputs(1)),
    "MatMul": Op(linear.matmul, _inputs(2)),
    "MatMulInteger": Op(integer_products.matmul_integer, _inputs(2, 4)),
    "Max": Op(bounds.maximum, range(1, 1 << 16)),
    "MaxPool": Op(pooling.max_pool, _inputs(1), IMAGE_DOMAINS),
    "MaxPoolNHWC": Op(pooling.max_pool, _inputs(1), QUANTISER_DOMAINS),
    "Mul": Op(activations.product_or_gate, _inputs(2)),
    "Min": Op(bounds.minimum, range(1, 1 << 16)),
    "MultiThreshold": Op(thresholds.multi_threshold, _inputs(2), QUANTISER_DOMAINS),
    "Neg": Op(elementwise.neg, _inputs(1)),
    "PRelu": Op(activations.prelu, _inputs(2)),
    "Pad": Op(rearranging.pad, _inputs(1, 4)),
    "QGemm": Op(qlinear.qgemm, _inputs(6, 9), RUNTIME_DOMAINS),
    "QLinearAdd": Op(qoperators.qlinear_add, _inputs(8), RUNTIME_DOMAINS),
    "QLinearAveragePool": Op(
        qoperators.qlinear_average_pool, _inputs(5), RUNTIME_DOMAINS
    ),
    "QLinearConcat": Op(qoperators.qlinear_concat, range(5, 1 << 16), RUNTIME_DOMAINS),
    "QLinearConv": Op(qlinear.qlinear_conv, _inputs(8, 9)),
    "QLinearGlobalAveragePool": Op(
        qoperators.qlinear_global_average_pool, _inputs(5), RUNTIME_DOMAINS
    ),
    "QLinearLeakyRelu": Op(qoperators.qlinear_leaky_relu, _inputs(5), RUNTIME_DOMAINS),
    "QLinearMatMul": Op(qlinear.qlinear_matmul, _inputs(8)),
    "QLinearMul": Op(qoperators.qlinear_mul, _inputs(8), RUNTIME_DOMAINS),
    "QLinearSigmoid": Op(qoperators.qlinear_sigmoid, _inputs(5), RUNTIME_DOMAINS),
    "QLinearSoftmax": Op(qoperators.qlinear_softmax, _inputs(5), RUNTIME_DOMAINS),
    "Quant": Op(quantisers.quant, _inputs(4), QUANTISER_DOMAINS),
    "QuantAvgPool2d": Op(quantised_pool.quant_avg_pool, _inputs(1), QUANTISER_DOMAINS),
    "QuantizeLinear": Op(qdq.quantize_linear, _inputs(2, 3), LINEAR_DOMAINS),
    "ReduceL1": Op(reductions.reduce_l1, _inputs(1, 2)),
    "ReduceMax": Op(reductions.reduce_max, _inputs(1, 2)),
    "ReduceMean": Op(reductions.reduce_mean, _inputs(1, 2)),
    "ReduceSum": Op(reductions.reduce_sum, _inputs(1, 2)),
    "Relu": Op(elementwise.relu, _inputs(1)),
    "Reshape": Op(shaping.reshape, _inputs(2)),
    "Resize": Op(resizing.resize, _inputs(1, 4)),
    "Round": Op(elementwise.round_half_even, _inputs(1)),
    "Shape": Op(shaping.shape_of_tensor, _inputs(1)),
    "Sigmoid": Op(elementwise.sigmoid, _inputs(1)),
    "Sign": Op(elementwise.sign, _inputs(1)),
    "Size": Op(shaping.size_of_tensor, _inputs(1)),
    "Slice": Op(rearranging.slice_, _inputs(1, 5)),
    "Softmax": Op(selection.softmax, _inputs(1)),
    "Softplus": Op(activations.softplus, _inputs(1)),
    "Split": Op(rearranging.split, _inputs(1, 2)),
    "Sqrt": Op(elementwise.sqrt, _inputs(1)),
    "Squeeze": Op(shaping.squeeze, _inputs(1, 2)),
    "Sub": Op(elementwise.sub, _inputs(2)),
    "Sum": Op(elementwise.total, range(1, 1 << 16)),
    "Tanh": Op(elementwise.tanh, _inputs(1)),
    "Tile": Op(picking.tile, _inputs(2)),
    "TopK": Op(selection.top_k, _inputs(1, 2)),
    "Transpose": Op(shaping.transpose, _inputs(1)),
    "Trunc": Op(truncation.trunc, _inputs(5, 6), QUANTISER_DOMAINS),
    "Unsqueeze": Op(shaping.unsqueeze, _inputs(1, 2)),
    "Upsample": Op(resizing.resize, _inputs(1, 2)),
    "XnorPopcountMatMul": Op(
        popcount.xnor_popcount_matmul, _inputs(2), QUANTISER_DOMAINS
    ),
}

# Ops that are in the table to be refused with a reason.
REFUSED = {"DynamicQuantizeLinear", "Im2Col", "Sign"}

# Two names joined are not an op that a model holds.
ACCEPTED_TEXT = ", ".join(
    name for name in sorted(OPS) if name not in REFUSED and "+" not in name
)
