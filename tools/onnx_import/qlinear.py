"""QLinearConv, QLinearMatMul and QGemm: products of levels that give levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdialect.quantisers import DequantizeOp
from qdialect.semantics import Levels, Real, along_axis
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.integer_products import (
    conv_sums,
    factor_of,
    level_input,
    matmul_sums,
    matrix_of,
    zero_of_tensor,
)
from tools.onnx_import.node import Node
from tools.onnx_import.qdq import integer_element, to_levels
from tools.onnx_import.quantisers import scale_of, zero_point_of
from tools.onnx_import.values import Tensor, Value, constant_input


def qlinear_conv(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """QLinearConv: exact sums of levels with an int32 bias, requantised.

    The inputs are x, w and y, each with scale and zero point, and the bias.
    `_requantised` says how the sums become levels.
    """
    data, zero = level_input(node, inputs, 0), zero_of_tensor(node, inputs, 2)
    factor = factor_of(node, inputs, 3, 5)
    bias = _bias(node, inputs, 8, len(factor.levels))
    sums = conv_sums(emitter, node, data, zero, factor, bias)
    scale = _scale_of_sums(node, inputs, (1, 4), len(factor.levels))
    return [_requantised(emitter, node, inputs, sums, scale, (6, 7), 1)]


def qlinear_matmul(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """QLinearMatMul with a constant matrix: exact sums of levels, requantised.

    The inputs are a, b and y, each with scale and zero point. `_requantised` says how
    the sums become levels.
    """
    data, zero = level_input(node, inputs, 0), zero_of_tensor(node, inputs, 2)
    factor = matrix_of(node, inputs, 3, 5, transposed=False)
    sums = matmul_sums(emitter, node, data, zero, factor)
    scale = _scale_of_sums(node, inputs, (1, 4), len(factor.levels))
    return [
        _requantised(emitter, node, inputs, sums, scale, (6, 7), len(sums.shape) - 1)
    ]


def qgemm(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """QGemm of ONNX Runtime: QLinearMatMul with a bias; float where y has no scale."""
    if node.flag("transA", default=False):
        raise node.refusal("transA = 1 moves the batch axis; expected transA = 0")
    data, zero = level_input(node, inputs, 0), zero_of_tensor(node, inputs, 2)
    transposed = node.flag("transB", default=False)
    factor = matrix_of(node, inputs, 3, 5, transposed=transposed)
    rows = len(factor.levels)
    bias = _bias(node, inputs, 6, rows)
    sums = matmul_sums(emitter, node, data, zero, factor, bias)
    scale = _scale_of_sums(node, inputs, (1, 4), rows, node.number("alpha", 1.0))
    if len(inputs) > 7 and inputs[7] is not None:
        return [_requantised(emitter, node, inputs, sums, scale, (7, 8), 1)]
    return [_dequantised(emitter, node, sums, scale, 1)]


def _bias(
    node: Node, inputs: Sequence[Value | None], index: int, rows: int
) -> Levels | None:
    if index >= len(inputs) or inputs[index] is None:
        return None
    bias = constant_input(node, inputs, index)
    if bias.values.dtype.kind not in "iu" or bias.values.size != rows:
        raise node.refusal(
            f"its bias '{bias.name}' is {bias.values.dtype} of shape "
            f"{list(bias.shape)}; expected integers of shape [{rows}]"
        )
    return bias.values.reshape(rows)


def _scale_of_sums(
    node: Node,
    inputs: Sequence[Value | None],
    indices: tuple[int, int],
    rows: int,
    factor: float = 1.0,
) -> Real:
    """What a step of the sums is worth, [] or [O], in float32, product by product."""
    first, second = (scale_of(node, inputs, index) for index in indices)
    if first.ndim:
        raise node.refusal(
            f"the scale '{node.inputs[indices[0]]}' has shape {list(first.shape)}; "
            "expected one number for all frames and channels"
        )
    if second.ndim:
        if second.size != rows:
            raise node.refusal(
                f"the scale '{node.inputs[indices[1]]}' has shape "
                f"{list(second.shape)}; expected one number, or one for each of its "
                f"{rows} outputs"
            )
        second = second.reshape(rows)
    return np.float32(factor) * first * second


def _requantised(
    emitter: Emitter,
    node: Node,
    inputs: Sequence[Value | None],
    sums: Tensor,
    scale: Real,
    indices: tuple[int, int],
    axis: int,
) -> Tensor:
    """Levels of y: clamp(round_half_even(sum * ((a * b) / y)) + zero_point).

    a, b and y are the scales. `(a * b) / y` is computed in float32, operation by
    operation, once for each row; its product with the exact sum is rounded once, to
    float32. This is the order of ONNX Runtime, which first rounds the sum to float32:
    the same up to 2**24. ONNX's own text says no order; its reference evaluator adds
    the zero point before it rounds, which gives another level on some ties.
    """
    scale_index, zero_index = indices
    step = scale_of(node, inputs, scale_index)
    if step.ndim:
        raise node.refusal(
            f"the scale '{node.inputs[scale_index]}' has shape {list(step.shape)}; "
            "expected one number"
        )
    with np.errstate(over="ignore", under="ignore"):
        multiplier = scale / step
    zero = constant_input(node, inputs, zero_index)
    element = integer_element(node, zero)
    values = _dequantised(emitter, node, sums, multiplier, axis)
    zero_point = zero_point_of(node, inputs, zero_index)
    one = np.ones((), np.float32)
    return to_levels(emitter, node, values, one, zero_point, element)


def _dequantised(
    emitter: Emitter, node: Node, sums: Tensor, scale: Real, axis: int
) -> Tensor:
    if not bool((np.isfinite(scale) & (scale > 0)).all()):
        raise node.refusal(
            "the ratio of its scales is no positive float32 number; expected scales of "
            "like magnitude"
        )
    if scale.ndim:
        scale = along_axis(scale, len(sums.shape), axis)
    op = DequantizeOp(
        sums.value,
        emitter.real(f"{node.name}_scale", scale),
        emitter.scalar(0),
        frame_type(sums.shape),
    )
    return emitter.tensor(emitter.insert(op).out, sums.shape)
