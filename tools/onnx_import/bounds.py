"""Clip, and Min and Max with constants: of real numbers, and of levels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute

from qdialect import elementwise as ew
from qdialect.quantisers import DequantizeOp, QuantizeOp, level_range
from qdialect.types import (
    BipolarType,
    TernaryType,
    integer_type_for,
    is_real,
    signed,
    unsigned,
    value_range,
)
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.shaping import required
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    computed_input,
    constant_input,
    real_array,
)

F32_LEAST, F32_GREATEST = (
    float(np.finfo(np.float32).min),
    float(np.finfo(np.float32).max),
)


def clip(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Clip: bounds are attributes before opset 11 and inputs from then on."""
    data = required(node, inputs)
    if node.opset < 11:
        low, high = node.number("min", F32_LEAST), node.number("max", F32_GREATEST)
    else:
        low = _bound(node, inputs, 1, F32_LEAST)
        high = _bound(node, inputs, 2, F32_GREATEST)
    if not low <= high:
        raise node.refusal(f"its least value {low} is above its greatest, {high}")
    return [_clipped(emitter, node, data, low, high)]


def _extremum(
    largest: bool, emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Min or Max of one computed tensor and numbers."""
    computed = [i for i, value in enumerate(inputs) if isinstance(value, Tensor)]
    if len(computed) != 1:
        raise node.refusal(
            f"has {len(computed)} computed inputs; expected one, and constants"
        )
    data = computed_input(node, inputs, computed[0])
    others = [
        _bound(node, inputs, index, 0.0)
        for index in range(len(inputs))
        if index != computed[0]
    ]
    low = max(others, default=F32_LEAST) if largest else F32_LEAST
    high = F32_GREATEST if largest else min(others, default=F32_GREATEST)
    return [_clipped(emitter, node, data, low, high)]


maximum = partial(_extremum, True)
minimum = partial(_extremum, False)


def _clipped(
    emitter: Emitter, node: Node, data: Value, low: float, high: float
) -> Value:
    """`data` in [low, high]."""
    if isinstance(data, Constant):
        return _of_constant(node, data, low, high)
    low, high = max(low, F32_LEAST), min(high, F32_GREATEST)
    if not is_real(data.element):
        return _of_levels(emitter, data, low, high)
    op = ew.HardTanhOp(data.value, low, high, data.value.type)
    return emitter.tensor(emitter.insert(op).out, data.shape)


def _of_constant(node: Node, data: Constant, low: float, high: float) -> Constant:
    """A constant clipped; that of integers has the type of what is left."""
    values = data.values
    if values.dtype.kind not in "fiu":
        raise node.refusal(
            f"the constant '{data.name}' has elements of {values.dtype}; expected numbers"
        )
    if values.dtype.kind == "f":
        own = np.finfo(values.dtype)
        low = max(np.float32(low).item(), float(own.min))
        high = min(np.float32(high).item(), float(own.max))
        return Constant(data.name, np.clip(values, low, high).astype(values.dtype))
    info = np.iinfo(values.dtype)
    least, greatest = max(int(low), info.min), min(int(high), info.max)
    left = np.clip(values, least, greatest)
    element: IntegerType | None = None
    if data.integer_element is not None:
        least = max(least, value_range(data.integer_element)[0])
        greatest = min(greatest, value_range(data.integer_element)[1])
        element = integer_type_for(least, greatest)
    return Constant(data.name, left, element)


def _of_levels(emitter: Emitter, data: Tensor, low: float, high: float) -> Tensor:
    """Levels clipped: a quantiser of fewer bits where its range is one.

    A quantiser clamps before it rounds, which for whole bounds is the same as after.
    """
    own = value_range(data.element)
    least, greatest = max(int(np.ceil(low)), own[0]), min(int(np.floor(high)), own[1])
    if (least, greatest) == own:
        return data
    found = _type_of_range(least, greatest)
    source = data.value.owner
    if (
        found is not None
        and isinstance(source, QuantizeOp)
        and not isinstance(data.element, BipolarType)
    ):
        element, narrow = found
        op = QuantizeOp(
            source.input,
            source.scale,
            source.zero_point,
            frame_type(data.shape, element),
            rounding=source.rounding.data,
            narrow=narrow,
        )
        return emitter.tensor(emitter.insert(op).out, data.shape)
    one, zero = emitter.scalar(1), emitter.scalar(0)
    reals = DequantizeOp(data.value, one, zero, frame_type(data.shape))
    value = emitter.insert(reals).out
    bounded = ew.HardTanhOp(value, least, greatest, value.type)
    element = integer_type_for(least, greatest)
    type_ = frame_type(data.shape, element)
    op = QuantizeOp(emitter.insert(bounded).out, one, zero, type_)
    return emitter.tensor(emitter.insert(op).out, data.shape)


def _type_of_range(low: int, high: int) -> tuple[Attribute, bool] | None:
    """Element type, and whether it is narrow, whose levels are just [low, high]."""
    if (low, high) == (-1, 1):
        return TernaryType(), False
    bits = integer_type_for(low, high).width.data
    for element in (unsigned(bits), signed(bits)):
        for narrow in (False, True):
            if level_range(element, narrow=narrow) == (low, high):
                return element, narrow
    return None


def _bound(
    node: Node, inputs: Sequence[Value | None], index: int, default: float
) -> float:
    if index >= len(inputs) or inputs[index] is None:
        return default
    bound = constant_input(node, inputs, index)
    if bound.values.size != 1:
        raise node.refusal(
            f"the bound '{bound.name}' has shape {list(bound.shape)}; expected a scalar"
        )
    return float(real_array(node, bound, f"the bound '{bound.name}'").item())
