"""ONNX's own quantisers: QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto
from xdsl.dialects.builtin import IntegerType

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
    Value,
    computed_input,
    real_array,
    real_input,
)


def quantize_linear(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """QuantizeLinear: saturate(round_half_even(x / scale) + zero_point).

    QONNX adds the zero point before it rounds. Where it is not 0 the two differ on
    ties, so that rounding and adding become ops of their own before a quantiser which
    only clamps.
    """
    node.ignore("saturate")
    data = required(node, inputs)
    scale, zero_point = _parameters(node, inputs, data)
    element = _level_element(node, inputs)
    if isinstance(data, Constant):
        reals = real_array(node, data, f"the constant '{data.name}'")
        levels = _linear_levels(reals, scale, zero_point, element)
        return [Constant(data.name, levels, element)]
    data = real_input(node, inputs, 0)
    value = data.value
    scale_value = emitter.real(f"{node.name}_scale", scale)
    if zero_point.any():
        zero_value = emitter.real(f"{node.name}_zero_point", zero_point)
        value = emitter.insert(ew.DivOp(value, scale_value, value.type)).out
        value = emitter.insert(ew.RoundOp(value, value.type)).out
        value = emitter.insert(ew.AddOp(value, zero_value, value.type)).out
        scale_value = emitter.scalar(1)
    type_ = frame_type(data.shape, element)
    op = QuantizeOp(value, scale_value, emitter.scalar(0), type_)
    return [emitter.tensor(emitter.insert(op).out, data.shape)]


def dequantize_linear(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """DequantizeLinear: (x - zero_point) * scale."""
    if node.integer("output_dtype", TensorProto.FLOAT) not in (0, TensorProto.FLOAT):
        raise node.refusal("gives other than float; accepted is output_dtype float")
    data = required(node, inputs)
    scale, zero_point = _parameters(node, inputs, data)
    if isinstance(data, Constant):
        levels = Quantised(data.values, _integer_element(node, data), scale, zero_point)
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
    """Scale and zero point, shaped to broadcast along the attribute `axis`."""
    if node.has("block_size") and node.integer("block_size") != 0:
        raise node.refusal(
            "quantises by blocks; accepted are one scale a tensor or one an axis"
        )
    rank = len(data.shape)
    axis = node.integer("axis", 1)
    scale = scale_of(node, inputs, 1)
    if len(inputs) > 2 and inputs[2] is not None:
        zero_point = zero_point_of(node, inputs, 2)
    else:
        zero_point = np.array(0, np.float32)
    shaped: list[Real] = []
    for parameter in (scale, zero_point):
        if parameter.ndim == 0:
            shaped.append(parameter)
            continue
        if not -rank <= axis < rank or parameter.shape != (data.shape[axis],):
            raise node.refusal(
                f"a scale or zero point of shape {list(parameter.shape)} is not one an "
                f"element of axis {axis} of {list(data.shape)}"
            )
        if axis % rank == 0 and not isinstance(data, Constant):
            raise node.refusal(
                "quantises along axis 0, the batch; expected another axis"
            )
        shaped.append(along_axis(parameter, rank, axis).astype(np.float32))
    return shaped[0], shaped[1]


def _level_element(node: Node, inputs: Sequence[Value | None]) -> IntegerType:
    """The integer type of the result: the zero point's, or the attribute's, or ui8."""
    node.ignore("precision")
    zero_point = inputs[2] if len(inputs) > 2 else None
    code = node.integer("output_dtype", 0)
    if code == 0 and isinstance(zero_point, Constant):
        return _integer_element(node, zero_point)
    code = code or TensorProto.UINT8
    if code not in INTEGER_ELEMENTS:
        raise node.refusal(f"quantises to {dtype_name(code)}; expected integers")
    return INTEGER_ELEMENTS[code]


def _integer_element(node: Node, constant: Constant) -> IntegerType:
    element = constant.integer_element
    if element is None:
        raise node.refusal(
            f"the constant '{constant.name}' has elements of {constant.values.dtype}; "
            "expected integers of 4 to 32 bits"
        )
    return element


def _linear_levels(
    reals: Real, scale: Real, zero_point: Real, element: IntegerType
) -> Levels:
    low, high = value_range(element)
    levels = np.round(reals / scale).astype(np.float64) + zero_point
    return np.clip(levels, low, high).astype(storage_dtype(element))
