"""MatMul and Gemm: weights become integer levels where their values allow it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.ir import Attribute, SSAValue

from qdialect import elementwise as ew
from qdialect.grids import common_grid
from qdialect.linear import MatMulOp
from qdialect.semantics import Levels, Real, along_axis
from qdialect.types import BipolarType, TernaryType, integer_type_for
from qdialect.weight_grids import weight_grid
from tools.onnx_import.elementwise import combine
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.values import (
    Constant,
    Quantised,
    Tensor,
    Value,
    constant_input,
    real_array,
    real_input,
)

# Float weights that are integers below this are taken for levels.
MAX_LEVEL = 1 << 15
# Widest levels of weights that are brought onto one grid.
MAX_BITS = 32


def matmul(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """MatMul of frames with a constant matrix."""
    data = real_input(node, inputs, 0)
    weights = constant_input(node, inputs, 1)
    shape = weights.shape
    if len(shape) == 1:
        column = _product(emitter, node, data, weights.reshaped((1, shape[0])))
        return [emitter.reshaped(column, column.shape[:-1])]
    stacked = shape[:-2]
    if (
        not shape
        or any(extent != 1 for extent in stacked)
        or len(shape) > len(data.shape)
    ):
        raise node.refusal(
            f"its constant has shape {list(shape)}; expected one matrix [MW, MH]"
        )
    return [
        _product(emitter, node, data, weights.reshaped(shape[-2:]).transposed((1, 0)))
    ]


def gemm(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Gemm: alpha * A B + beta * C, with B constant."""
    data = real_input(node, inputs, 0)
    weights = constant_input(node, inputs, 1)
    if node.flag("transA", default=False):
        raise node.refusal("transA = 1 moves the batch axis; expected transA = 0")
    if len(data.shape) != 2 or len(weights.shape) != 2:
        raise node.refusal(
            f"its operands have shapes {list(data.shape)} and {list(weights.shape)}; "
            "expected matrices"
        )
    if not node.flag("transB", default=False):
        weights = weights.transposed((1, 0))
    product = _product(emitter, node, data, weights)
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    if alpha != 1.0:
        product = combine(emitter, node, ew.MulOp, product, _scalar(alpha))
    bias = inputs[2] if len(inputs) > 2 else None
    if bias is None:
        return [product]
    return [_with_bias(emitter, node, product, bias, beta)]


def _with_bias(
    emitter: Emitter, node: Node, product: Tensor, bias: Value, beta: float
) -> Tensor:
    if beta != 1.0:
        if isinstance(bias, Constant):
            reals = real_array(node, bias, f"the constant '{bias.name}'")
            bias = Constant(bias.name, np.float32(beta) * reals)
        else:
            bias = combine(emitter, node, ew.MulOp, bias, _scalar(beta))
    result = combine(emitter, node, ew.AddOp, product, bias)
    if result.shape != product.shape:
        raise node.refusal(
            f"C has shape {list(bias.shape)}, which does not broadcast to "
            f"{list(product.shape)}"
        )
    return result


def _scalar(value: float) -> Constant:
    return Constant("scalar", np.array(value, np.float32))


def _product(emitter: Emitter, node: Node, data: Tensor, weights: Constant) -> Tensor:
    """`data` times the rows of `weights` [MH, MW]."""
    rows, columns = weights.shape
    if len(data.shape) < 2 or data.shape[-1] != columns:
        raise node.refusal(
            f"its input has shape {list(data.shape)} and its constant takes "
            f"{columns} elements to {rows}; the inner extents must be equal"
        )
    shape = (*data.shape[:-1], rows)
    matrix = weight_matrix(emitter, node, weights)
    product = emitter.insert(MatMulOp(data.value, matrix, frame_type(shape)))
    return emitter.tensor(product.out, shape)


def weight_matrix(emitter: Emitter, node: Node, weights: Constant) -> SSAValue:
    """Constant weights, as levels and a scale where they are that, else as reals."""
    stored = weights.stored
    if not isinstance(stored, Quantised):
        reals = real_array(node, weights, f"the constant '{weights.name}'")
        levels = integral_levels(reals)
        scale = np.array(1, np.float32)
        if levels is None:
            grid = weight_grid(reals)
            if grid is None:
                return emitter.real(weights.name, reals)
            levels, scale = grid
        zero = np.array(0, np.float32)
        low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
        stored = Quantised(levels, integer_type_for(low, high), scale, zero)
    stored = _on_row_grids(stored)
    if not stored.zero_point.any():
        element = narrowest_element(stored.levels, stored.element)
        stored = Quantised(stored.levels, element, stored.scale, stored.zero_point)
    return emitter.dequantised(weights.name, stored)


def _on_row_grids(stored: Quantised) -> Quantised:
    """Weights whose scale varies within a row, such as by blocks, as levels of one.

    Exact: the levels of a row become whole multiples of a step that all its scales are
    multiples of. Left as they are where that takes more than 32 bits.
    """
    shape = stored.scale.shape
    if prod(shape[1:]) == 1:
        return stored
    rows = stored.levels.shape[0]
    scales = np.broadcast_to(stored.scale, stored.levels.shape).reshape(rows, -1)
    steps = np.empty(scales.shape, np.int64)
    units = np.empty(rows, np.float32)
    for row, of_row in enumerate(scales):
        distinct, index = np.unique(of_row, return_inverse=True)
        grid = common_grid(*(float(scale) for scale in distinct))
        if grid is None or max(grid.steps) >> MAX_BITS:
            return stored
        steps[row] = np.array(grid.steps, np.int64)[index.ravel()]
        units[row] = grid.scale
    whole = stored.levels.astype(np.int64) - stored.zero_point.astype(np.int64)
    levels = whole * steps.reshape(whole.shape)
    element = integer_type_for(int(levels.min()), int(levels.max()))
    if element.width.data > MAX_BITS:
        return stored
    scale = along_axis(units, levels.ndim, 0)
    return Quantised(levels, element, scale, np.zeros((), np.float32))


def integral_levels(reals: Real) -> Levels | None:
    """The values as integers, if all of them are small integers."""
    # Most real-valued weights are told by their first row.
    for part in (reals[:1], reals):
        if not (np.rint(part) == part).all() or (np.abs(part) >= MAX_LEVEL).any():
            return None
    return reals.astype(np.int16)


def narrowest_element(levels: Levels, element: Attribute) -> Attribute:
    """Bipolar or ternary where the values allow it, else `element`."""
    if levels.size == 0 or int(levels.min()) < -1 or int(levels.max()) > 1:
        return element
    if levels.all():
        return BipolarType()
    return TernaryType() if int(levels.min()) == -1 else element
