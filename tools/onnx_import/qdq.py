"""ONNX's own quantisers: QuantizeLinear and DequantizeLinear, and DynamicQuantizeLinear.

Scale and zero point are those of the tensor, of each element of an axis, or of blocks of
an axis (opset 21).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute

from qdialect import elementwise as ew
from qdialect.quantisers import DequantizeOp, QuantizeOp
from qdialect.semantics import Levels, Real, along_axis, storage_dtype
from qdialect.types import is_level, value_range
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.quantisers import scale_of, zero_point_of
from tools.onnx_import.shaping import required
from tools.onnx_import.tensors import INTEGER_ELEMENTS, dtype_name
from tools.onnx_import.values import (
    Constant,
    Quantised,
    Tensor,
    Value,
    computed_input,
    constant_input,
    real_array,
    real_input,
)


def quantize_linear(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """QuantizeLinear: saturate(round_half_even(x / scale) + zero_point)."""
    node.ignore("saturate")
    data = required(node, inputs)
    scale, zero_point = _parameters(node, inputs, data)
    _expect_single_precision(node, "precision")
    element = _level_element(node, inputs)
    if isinstance(data, Constant):
        reals = real_array(node, data, f"the constant '{data.name}'")
        levels = _linear_levels(reals, scale, zero_point, element)
        return [Constant(data.name, levels, element)]
    data = real_input(node, inputs, 0)
    return [to_levels(emitter, node, data, scale, zero_point, element)]


def to_levels(
    emitter: Emitter,
    node: Node,
    data: Tensor,
    scale: Real,
    zero_point: Real,
    element: Attribute,
) -> Tensor:
    """Levels of real data: saturate(round_half_even(data / scale) + zero_point).

    QONNX adds the zero point before it rounds. Where it is not 0 the two differ on
    ties, so that rounding and adding become ops of their own before a quantiser which
    only clamps.
    """
    value = data.value
    if zero_point.any():
        zero_value = emitter.real(f"{node.name}_zero_point", zero_point)
        if (scale != 1).any():
            scale_value = emitter.real(f"{node.name}_scale", scale)
            value = emitter.insert(ew.DivOp(value, scale_value, value.type)).out
        value = emitter.insert(ew.RoundOp(value, value.type)).out
        value = emitter.insert(ew.AddOp(value, zero_value, value.type)).out
        scale = np.ones((), np.float32)
    op = QuantizeOp(
        value,
        emitter.real(f"{node.name}_scale", scale),
        emitter.scalar(0),
        frame_type(data.shape, element),
    )
    return emitter.tensor(emitter.insert(op).out, data.shape)


def dynamic_quantize_linear(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """DynamicQuantizeLinear is refused: its scale is no constant."""
    raise node.refusal(
        "takes its scale from the greatest and least element of each frame, so that no "
        "integer stands for a fixed number",
        hint="quantise statically, with QuantizeLinear and scales from calibration data",
    )


def dequantize_linear(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """DequantizeLinear: (x - zero_point) * scale."""
    _expect_single_precision(node, "output_dtype")
    data = required(node, inputs)
    scale, zero_point = _parameters(node, inputs, data)
    if isinstance(data, Constant):
        levels = Quantised(data.values, integer_element(node, data), scale, zero_point)
        return [Constant(data.name, levels)]
    data = computed_input(node, inputs, 0)
    if not is_level(data.element):
        raise node.refusal(f"its input '{node.inputs[0]}' is float; expected integers")
    op = DequantizeOp(
        data.value,
        emitter.real(f"{node.name}_scale", scale),
        emitter.real(f"{node.name}_zero_point", zero_point),
        frame_type(data.shape),
    )
    return [emitter.tensor(emitter.insert(op).out, data.shape)]


def _parameters(
    node: Node, inputs: Sequence[Value | None], data: Value
) -> tuple[Real, Real]:
    """Scale and zero point, shaped to broadcast against the data."""
    scale = scale_of(node, inputs, 1)
    stored = constant_input(node, inputs, 1).values.dtype
    single = node.has("precision") and node.integer("precision") == TensorProto.FLOAT
    if stored != np.float32 and not single:
        raise node.refusal(
            f"its scale '{node.inputs[1]}' is {stored}, in which it would compute; "
            "convert the model to float32"
        )
    if len(inputs) > 2 and inputs[2] is not None:
        zero_point = zero_point_of(node, inputs, 2)
    else:
        zero_point = np.array(0, np.float32)
    return _shaped(node, data, scale), _shaped(node, data, zero_point)


def _shaped(node: Node, data: Value, parameter: Real) -> Real:
    """A scale or zero point for all, for each element or each block of an axis."""
    axis, block = node.integer("axis", 1), node.integer("block_size", 0)
    if parameter.ndim == 0:
        return parameter
    rank = len(data.shape)
    if not -rank <= axis < rank:
        raise node.refusal(
            f"axis {axis} is not one of a tensor of shape {list(data.shape)}"
        )
    axis %= rank
    if block:
        parameter = _of_blocks(node, data, parameter, axis, block)
    elif parameter.shape != (data.shape[axis],):
        raise node.refusal(
            f"a scale or zero point of shape {list(parameter.shape)} is not one an "
            f"element of axis {axis} of {list(data.shape)}"
        )
    else:
        parameter = along_axis(parameter, rank, axis).astype(np.float32)
    if isinstance(data, Tensor) and parameter.shape[0] != 1:
        if not (parameter == parameter[:1]).all():
            raise node.refusal(
                "quantises along axis 0, the batch; expected another axis"
            )
        parameter = parameter[:1]
    return parameter


def _of_blocks(node: Node, data: Value, parameter: Real, axis: int, block: int) -> Real:
    """A parameter of each block of `block` elements, repeated for its elements."""
    blocks = list(data.shape)
    blocks[axis] = -(-data.shape[axis] // max(1, block))
    if block < 1 or list(parameter.shape) != blocks:
        raise node.refusal(
            f"a scale or zero point of shape {list(parameter.shape)} is not one for "
            f"each {block} elements of axis {axis} of {list(data.shape)}; expected "
            f"{blocks}"
        )
    repeated = np.repeat(parameter, block, axis=axis).astype(np.float32)
    return np.take(repeated, np.arange(data.shape[axis]), axis=axis)


def _expect_single_precision(node: Node, attribute: str) -> None:
    """An attribute that names the type of the arithmetic or of the result is float.

    Raises:
        ImportRefused: it names another type.
    """
    code = node.integer(attribute, 0)
    if code not in (0, TensorProto.FLOAT):
        raise node.refusal(
            f"{attribute} is {dtype_name(code)}; accepted is float (float32)"
        )


def _level_element(node: Node, inputs: Sequence[Value | None]) -> IntegerType:
    """The integer type of the result: the zero point's, or the attribute's, or ui8."""
    zero_point = inputs[2] if len(inputs) > 2 else None
    code = node.integer("output_dtype", 0)
    if code == 0 and isinstance(zero_point, Constant):
        return integer_element(node, zero_point)
    code = code or TensorProto.UINT8
    if code not in INTEGER_ELEMENTS:
        raise node.refusal(
            f"quantises to {dtype_name(code)}, whose levels are no even steps; expected "
            "integers"
        )
    return INTEGER_ELEMENTS[code]


def integer_element(node: Node, constant: Constant) -> IntegerType:
    """The element type of an integer constant.

    Raises:
        ImportRefused: it has other elements.
    """
    element = constant.integer_element
    if element is None:
        raise node.refusal(
            f"the constant '{constant.name}' has elements of {constant.values.dtype}; "
            "expected integers of 2 to 32 bits"
        )
    return element


def _linear_levels(
    reals: Real, scale: Real, zero_point: Real, element: IntegerType
) -> Levels:
    low, high = value_range(element)
    levels = np.round(reals / scale).astype(np.float64) + zero_point
    return np.clip(levels, low, high).astype(storage_dtype(element))
