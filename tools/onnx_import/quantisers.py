"""The quantisers of QONNX: Quant (IntQuant) and BipolarQuant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Attribute, SSAValue

from qdialect.quantisers import DequantizeOp, QuantizeOp, Rounding, SignOp, level_range
from qdialect.semantics import (
    Real,
    quantize_levels,
)
from qdialect.types import (
    BipolarType,
    TernaryType,
    signed,
    unsigned,
)
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.shaping import required
from tools.onnx_import.values import (
    Constant,
    Quantised,
    Tensor,
    Value,
    constant_input,
    real_array,
    real_input,
)

# No level of 32 bits is greater.
_GREATEST_LEVEL = 1 << 32

_ROUNDINGS = {"ROUND": Rounding.HALF_EVEN, **{mode.name: mode for mode in Rounding}}


def quant(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Quant: of constants at once, of frames as qnn.quantize and qnn.dequantize."""
    data = required(node, inputs)
    scale, zero_point = scale_of(node, inputs, 1), zero_point_of(node, inputs, 2)
    bits = bit_width(node, inputs, 3)
    narrow = node.flag("narrow", default=False)
    element = _element(bits, signed_=node.flag("signed", default=True), narrow=narrow)
    narrow = narrow and not isinstance(element, BipolarType | TernaryType)
    rounding = rounding_of(node, "ROUND")
    expect_broadcast(node, data, scale, zero_point)
    if isinstance(data, Constant):
        reals = real_array(node, data, f"the constant '{data.name}'")
        limits = level_range(element, narrow=narrow)
        # What a division makes infinite is clamped.
        with np.errstate(over="ignore"):
            levels = quantize_levels(
                reals, scale, zero_point, rounding, element, limits
            )
        return [Constant(data.name, Quantised(levels, element, scale, zero_point))]
    data = real_input(node, inputs, 0)
    scale_value = emitter.real(f"{node.name}_scale", scale)
    zero_value = emitter.real(f"{node.name}_zero_point", zero_point)
    levels = emitter.insert(
        QuantizeOp(
            data.value,
            scale_value,
            zero_value,
            frame_type(data.shape, element),
            rounding=rounding,
            narrow=narrow,
        )
    ).out
    return [dequantised(emitter, levels, scale_value, zero_value, data.shape)]


def bipolar_quant(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """BipolarQuant: the sign, where 0 is positive, times a scale."""
    data = required(node, inputs)
    zero = np.array(0, np.float32)
    if isinstance(data, Constant):
        # The scale of weights, XNOR-Net's alpha, may have any sign; it divides nothing.
        scale = _parameter(node, inputs, 1, "the scale")
        expect_broadcast(node, data, scale, zero)
        reals = real_array(node, data, f"the constant '{data.name}'")
        levels = np.where(reals >= 0, np.int8(1), np.int8(-1))
        return [Constant(data.name, Quantised(levels, BipolarType(), scale, zero))]
    data, scale = real_input(node, inputs, 0), scale_of(node, inputs, 1)
    expect_broadcast(node, data, scale, zero)
    type_ = frame_type(data.shape, BipolarType())
    levels = emitter.insert(SignOp(data.value, type_)).out
    scale_value = emitter.real(f"{node.name}_scale", scale)
    return [dequantised(emitter, levels, scale_value, emitter.scalar(0), data.shape)]


def scale_of(node: Node, inputs: Sequence[Value | None], index: int) -> Real:
    """A scale, constant and positive; a scalar where it has one element."""
    scale = _parameter(node, inputs, index, "the scale")
    if not (scale > 0).all():
        raise node.refusal(
            f"the scale '{node.inputs[index]}' has the value {scale.min()}; expected "
            "positive numbers"
        )
    return scale


def zero_point_of(node: Node, inputs: Sequence[Value | None], index: int) -> Real:
    """A zero point, constant and integral; a scalar where it has one element."""
    zero_point = _parameter(node, inputs, index, "the zero point")
    if not (np.rint(zero_point) == zero_point).all():
        bad = zero_point[np.rint(zero_point) != zero_point].flat[0]
        raise node.refusal(
            f"the zero point '{node.inputs[index]}' has the value {bad}; expected "
            "integers"
        )
    if (beyond := np.abs(zero_point) > _GREATEST_LEVEL).any():
        raise node.refusal(
            f"the zero point '{node.inputs[index]}' has the value "
            f"{zero_point[beyond].flat[0]}; expected at most 32 bits"
        )
    return zero_point


def _parameter(
    node: Node, inputs: Sequence[Value | None], index: int, what: str
) -> Real:
    constant = constant_input(node, inputs, index)
    array = real_array(node, constant, f"{what} '{constant.name}'")
    if array.size == 0:
        raise node.refusal(f"{what} '{constant.name}' has no element")
    return array.reshape(()) if array.size == 1 else array


def expect_broadcast(node: Node, data: Value, *parameters: Real) -> None:
    """Parameters of several elements broadcast to `data`, one for all frames.

    Raises:
        ImportRefused: they do not.
    """
    for parameter in parameters:
        if parameter.ndim == 0:
            continue
        try:
            fits = np.broadcast_shapes(data.shape, parameter.shape) == data.shape
        except ValueError:
            fits = False
        rank = len(data.shape)
        if isinstance(data, Tensor) and parameter.ndim == rank:
            fits = fits and parameter.shape[0] == 1
        if not fits:
            raise node.refusal(
                f"a scale or zero point of shape {list(parameter.shape)} does not "
                f"broadcast to the input, {list(data.shape)}"
            )


def bit_width(node: Node, inputs: Sequence[Value | None], index: int) -> int:
    """A bit width, constant, from 1 to 32."""
    constant = constant_input(node, inputs, index)
    width = real_array(node, constant, f"the bit width '{constant.name}'")
    if width.size != 1 or width.item() not in range(1, 33):
        found = width.item() if width.size == 1 else list(width.shape)
        raise node.refusal(
            f"the bit width '{constant.name}' is {found}; expected an integer from 1 "
            "to 32"
        )
    return int(width.item())


def _element(bits: int, *, signed_: bool, narrow: bool) -> Attribute:
    match bits, signed_, narrow:
        case 1, True, _:
            return BipolarType()
        case 2, True, True:
            return TernaryType()
        case _:
            return signed(bits) if signed_ else unsigned(bits)


def rounding_of(node: Node, default: str) -> Rounding:
    """The attribute `rounding_mode`."""
    text = node.text("rounding_mode", default)
    if text.upper() not in _ROUNDINGS:
        raise node.refusal(
            f"rounding_mode '{text}' is not known; accepted are {', '.join(_ROUNDINGS)}"
        )
    return _ROUNDINGS[text.upper()]


def dequantised(
    emitter: Emitter,
    levels: SSAValue,
    scale: SSAValue,
    zero_point: SSAValue,
    shape: Sequence[int],
) -> Tensor:
    """The reals that computed levels stand for, as a tensor of this shape."""
    op = DequantizeOp(levels, scale, zero_point, frame_type(shape))
    return emitter.tensor(emitter.insert(op).out, shape)
