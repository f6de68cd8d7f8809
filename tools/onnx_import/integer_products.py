"""MatMulInteger and ConvInteger: exact sums of levels, from which QLinear ops start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.ir import Attribute

from qdialect import elementwise as ew
from qdialect.constants import constant
from qdialect.convolution import ConvOp
from qdialect.linear import MatMulOp
from qdialect.ranges import row_bounds
from qdialect.rearranging import PadOp
from qdialect.semantics import Levels, along_axis
from qdialect.types import integer_type_for, is_level, signed, value_range
from tools.onnx_import.convolution import windows_over
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.linear import narrowest_element
from tools.onnx_import.node import Node
from tools.onnx_import.quantisers import zero_point_of
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    computed_input,
    constant_input,
)

ACCUMULATOR = signed(32)


@dataclass(frozen=True)
class Factor:
    """Constant levels, less their zero point: weights [O, ..] of a product.

    `name` is that of the initialiser they come from.
    """

    name: str
    levels: Levels


def matmul_integer(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """MatMulInteger: (A - a) (B - b), with B constant."""
    data = level_input(node, inputs, 0)
    factor = matrix_of(node, inputs, 1, 3, transposed=False)
    zero = zero_of_tensor(node, inputs, 2)
    return [matmul_sums(emitter, node, data, zero, factor)]


def conv_integer(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """ConvInteger: the convolution of x - x_zero_point with w - w_zero_point."""
    data = level_input(node, inputs, 0)
    factor = factor_of(node, inputs, 1, 3)
    return [conv_sums(emitter, node, data, zero_of_tensor(node, inputs, 2), factor)]


def level_input(node: Node, inputs: Sequence[Value | None], index: int) -> Tensor:
    """A computed input that must hold integers.

    Raises:
        ImportRefused: it is missing, constant or real.
    """
    tensor = computed_input(node, inputs, index)
    if not is_level(tensor.element):
        raise node.refusal(
            f"input {index} '{node.inputs[index]}' is float; expected integers (put "
            "QuantizeLinear before)"
        )
    return tensor


def zero_of_tensor(node: Node, inputs: Sequence[Value | None], index: int) -> int:
    """The zero point of a tensor of each frame; 0 where it is left out.

    Raises:
        ImportRefused: it has more than one element.
    """
    if index >= len(inputs) or inputs[index] is None:
        return 0
    zero = zero_point_of(node, inputs, index)
    if zero.ndim and bool((zero != zero.flat[0]).any()):
        raise node.refusal(
            f"the zero point '{node.inputs[index]}' has shape {list(zero.shape)}; "
            "expected one number for all frames and channels"
        )
    return int(zero.flat[0])


def factor_of(
    node: Node, inputs: Sequence[Value | None], index: int, zero_index: int
) -> Factor:
    """Constant weights [O, ..] with a zero point for all or for each of the O rows.

    Raises:
        ImportRefused: they are computed or no integers, or the zero point does not fit.
    """
    weights = constant_input(node, inputs, index)
    return _less_zero_point(node, weights, inputs, zero_index)


def matrix_of(
    node: Node,
    inputs: Sequence[Value | None],
    index: int,
    zero_index: int,
    *,
    transposed: bool,
) -> Factor:
    """A constant matrix [K, O], or [O, K] where it is transposed, as rows [O, K].

    Raises:
        ImportRefused: it is no matrix, or as for `factor_of`.
    """
    weights = constant_input(node, inputs, index)
    if len(weights.shape) < 2 or any(extent != 1 for extent in weights.shape[:-2]):
        raise node.refusal(
            f"its constant has shape {list(weights.shape)}; expected one matrix [MW, MH]"
        )
    weights = weights.reshaped(weights.shape[-2:])
    if not transposed:
        weights = weights.transposed((1, 0))
    return _less_zero_point(node, weights, inputs, zero_index)


def _less_zero_point(
    node: Node, weights: Constant, inputs: Sequence[Value | None], zero_index: int
) -> Factor:
    if weights.integer_element is None:
        raise node.refusal(
            f"the constant '{weights.name}' has elements of {weights.values.dtype}; "
            "expected integers of 2 to 32 bits"
        )
    levels = weights.values.astype(np.int64)
    if zero_index < len(inputs) and inputs[zero_index] is not None:
        zero = zero_point_of(node, inputs, zero_index).astype(np.int64)
        if zero.ndim:
            zero = along_axis(_of_rows(node, zero, len(levels)), levels.ndim, 0)
        levels = levels - zero
    return Factor(weights.name, levels)


def _of_rows(node: Node, parameter: Levels, rows: int) -> Levels:
    if parameter.size != rows:
        raise node.refusal(
            f"a zero point of shape {list(parameter.shape)} is not one a tensor or one "
            f"for each of its {rows} outputs"
        )
    return parameter.reshape(rows)


def matmul_sums(
    emitter: Emitter,
    node: Node,
    data: Tensor,
    zero: int,
    factor: Factor,
    bias: Levels | None = None,
) -> Tensor:
    """`(data - zero) @ factor.T + bias`, exactly, as si32.

    Args:
        emitter: appends the ops.
        node: the node at work.
        data: levels [.., K].
        zero: their zero point.
        factor: weights [O, K].
        bias: [O], or None.

    Raises:
        ImportRefused: the extents differ, or a sum can exceed 32 bits.
    """
    rows, columns = factor.levels.shape
    if len(data.shape) < 2 or data.shape[-1] != columns:
        raise node.refusal(
            f"its input has shape {list(data.shape)} and its constant takes "
            f"{columns} elements to {rows}; the inner extents must be equal"
        )
    shape = (*data.shape[:-1], rows)
    added, limits = _added(emitter, node, data, zero, factor, bias)
    matrix = emitter.stored(factor.name, factor.levels, _element(factor))
    op = MatMulOp(data.value, matrix, frame_type(shape, ACCUMULATOR))
    sums = emitter.tensor(emitter.insert(op).out, shape)
    return _plus(emitter, factor, sums, added, limits)


def conv_sums(
    emitter: Emitter,
    node: Node,
    data: Tensor,
    zero: int,
    factor: Factor,
    bias: Levels | None = None,
) -> Tensor:
    """The convolution of `data - zero` plus a bias, exactly, as si32.

    What ONNX pads stands for 0: levels equal to the zero point are put around the map.

    Args:
        emitter: appends the ops.
        node: the node at work; its attributes give the window.
        data: levels [N, C, ..].
        zero: their zero point.
        factor: weights [O, C / groups, ..].
        bias: [O], or None.

    Raises:
        ImportRefused: map and weights do not fit, or a sum can exceed 32 bits.
    """
    weights = Constant(factor.name, factor.levels)
    groups, window, shape = windows_over(node, data, weights)
    added, limits = _added(emitter, node, data, zero, factor, bias)
    pads = window.pads
    if zero != 0 and any(pads):
        data, pads = _padded(emitter, data, pads, zero), (0,) * len(pads)
    op = ConvOp(
        data.value,
        emitter.stored(factor.name, factor.levels, _element(factor)),
        frame_type(shape, ACCUMULATOR),
        strides=window.strides,
        pads=pads,
        dilations=window.dilations,
        groups=groups,
    )
    sums = emitter.tensor(emitter.insert(op).out, shape)
    column = along_axis(added, len(shape) - 1, 0)
    return _plus(emitter, factor, sums, column, limits)


def _added(
    emitter: Emitter,
    node: Node,
    data: Tensor,
    zero: int,
    factor: Factor,
    bias: Levels | None,
) -> tuple[Levels, tuple[int, int]]:
    """What zero point and bias add to the sums of each row, [O], and their bounds.

    Raises:
        ImportRefused: a sum can exceed 32 bits, where ONNX would let it wrap.
    """
    matrix = factor.levels.reshape(len(factor.levels), -1)
    added = -zero * matrix.sum(axis=1, dtype=np.int64)
    if bias is not None:
        added = added + bias.astype(np.int64)
    # Padding adds nothing.
    low, high = emitter.bounds(data.value)
    lows, highs = row_bounds(matrix, min(low, 0), max(high, 0))
    least = min(int(lows.min()), int((lows + added).min()), int(added.min()))
    greatest = max(int(highs.max()), int((highs + added).max()), int(added.max()))
    limits = value_range(ACCUMULATOR)
    if least < limits[0] or greatest > limits[1]:
        raise node.refusal(
            f"its sums reach from {least} to {greatest}, beyond the 32 bits of its "
            "result; expected fewer or smaller products"
        )
    return added, (least, greatest)


def _element(factor: Factor) -> Attribute:
    levels = factor.levels
    low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
    return narrowest_element(levels, integer_type_for(low, high))


def _plus(
    emitter: Emitter,
    factor: Factor,
    sums: Tensor,
    added: Levels,
    limits: tuple[int, int],
) -> Tensor:
    value = sums.value
    if added.any():
        offset = emitter.stored(f"{factor.name}_offset", added, ACCUMULATOR)
        value = emitter.insert(ew.AddOp(value, offset, value.type)).out
    emitter.bound(value, *limits)
    return emitter.tensor(value, sums.shape)


def _padded(emitter: Emitter, data: Tensor, pads: Sequence[int], level: int) -> Tensor:
    rank = len(pads) // 2
    low, high = (0, 0, *pads[:rank]), (0, 0, *pads[rank:])
    shape = [a + n + b for a, n, b in zip(low, data.shape, high, strict=True)]
    fill = emitter.insert(constant(np.array(level, np.int64), data.element))
    type_ = frame_type(shape, data.element)
    op = PadOp(data.value, fill, type_, low=low, high=high)
    return emitter.tensor(emitter.insert(op).out, shape)
