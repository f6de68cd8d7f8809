"""FloatQuant: QONNX's quantiser to small floating-point formats, of weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdialect.semantics import ROUNDINGS, Real
from qdialect.types import integer_type_for
from tools.onnx_import.emitter import Emitter
from tools.onnx_import.node import Node
from tools.onnx_import.quantisers import expect_broadcast, rounding_of, scale_of
from tools.onnx_import.shaping import required
from tools.onnx_import.values import (
    Constant,
    Quantised,
    Value,
    constant_input,
    real_array,
)

# Integers below this are float32 numbers.
_MAX_LEVEL = 1 << 24

# No bits and no bias of a format inside float32 are more.
_MOST_BITS = 256


def float_quant(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """FloatQuant of constants: multiples of the format's least number become levels.

    Raises:
        ImportRefused: the input is computed, or a value overflows to infinity or NaN.
    """
    data = required(node, inputs)
    if not isinstance(data, Constant):
        raise node.refusal(
            "quantises computed values to floating point, whose steps are not uniform; "
            "accepted is FloatQuant of weights (export Quant for activations)"
        )
    scale = scale_of(node, inputs, 1)
    expect_broadcast(node, data, scale)
    exponent_bits, mantissa_bits, bias, limit = (
        _number(node, inputs, index) for index in range(2, 6)
    )
    formats = np.array([exponent_bits, mantissa_bits, bias], np.float32)
    if not (np.abs(formats) <= _MOST_BITS).all():
        raise node.refusal(
            f"its exponent bits, mantissa bits and bias are {formats.tolist()}; expected "
            f"at most {_MOST_BITS} each"
        )
    rounding = ROUNDINGS[rounding_of(node, "ROUND")]
    with np.errstate(over="ignore"):
        reals = real_array(node, data, f"the constant '{data.name}'") / scale
    least = np.float32(1) - bias - mantissa_bits
    if not np.isfinite(reals).all():
        raise node.refusal("a value over its scale is beyond float32")
    # Where the logarithm rounds up, so it does in QONNX.
    tiny = np.finfo(np.float32).tiny
    exponents = np.floor(np.log2(np.abs(reals) + tiny)) - mantissa_bits
    unit = np.exp2(np.maximum(exponents, least))
    values = unit * rounding(reals / unit)
    mantissa = np.float32(2) - np.exp2(-mantissa_bits)
    greatest = mantissa * np.exp2(np.exp2(exponent_bits) - np.float32(1) - bias)
    greatest = np.minimum(greatest, limit)
    if not node.flag("saturation", default=True) and (np.abs(values) > greatest).any():
        raise node.refusal(
            f"values beyond {greatest} become infinite or NaN; expected saturation = 1"
        )
    values = np.clip(values, -greatest, greatest)
    step = np.exp2(least)
    levels = values / step
    if (np.rint(levels) != levels).any() or (np.abs(levels) >= _MAX_LEVEL).any():
        return [Constant(data.name, values * scale)]
    low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
    zero = np.array(0, np.float32)
    return [
        Constant(
            data.name,
            Quantised(
                levels.astype(np.int32),
                integer_type_for(low, high),
                np.asarray(step * scale, np.float32),
                zero,
            ),
        )
    ]


def _number(node: Node, inputs: Sequence[Value | None], index: int) -> Real:
    """A parameter of the format, a scalar."""
    constant = constant_input(node, inputs, index)
    values = real_array(node, constant, f"'{constant.name}'")
    if values.size != 1:
        raise node.refusal(
            f"'{constant.name}' has shape {list(values.shape)}; expected one number"
        )
    return values.reshape(())
