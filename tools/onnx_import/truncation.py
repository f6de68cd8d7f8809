"""Trunc: QONNX's quantiser of what is quantised, behind an average pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.ir import Attribute

from qdialect import elementwise as ew
from qdialect.quantisers import QuantizeOp, Rounding, level_range
from qdialect.semantics import ROUNDINGS, Real
from qdialect.types import signed, unsigned
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.quantisers import (
    bit_width,
    dequantised,
    expect_broadcast,
    rounding_of,
    scale_of,
    zero_point_of,
)
from tools.onnx_import.shaping import required
from tools.onnx_import.values import (
    Constant,
    Value,
    constant_input,
    real_array,
    real_input,
)


@dataclass(frozen=True)
class _Truncation:
    """levels = round(x / scale + zero_point); out = (round(levels / step) - z) * s.

    Attributes:
        scale: of the input.
        zero_point: of the input.
        step: levels of the input to one of the result, a power of two.
        rounding: of the division.
        element: type of the levels of the result.
        narrow: whether they lack its least value.
        out_scale: of the result.
        out_zero_point: of the result.
    """

    scale: Real
    zero_point: Real
    step: Real
    rounding: Rounding
    element: Attribute
    narrow: bool
    out_scale: Real
    out_zero_point: Real

    @property
    def parameters(self) -> tuple[Real, ...]:
        """All that broadcasts to the input."""
        zero_points = self.zero_point, self.out_zero_point
        return self.scale, self.step, self.out_scale, *zero_points


def trunc(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Trunc: drops the low bits of levels.

    The first version of the op does not clamp. What lies beyond its input bit width has
    no meaning there and saturates here, two bits above the output's.
    """
    if len(inputs) not in (5, 6):
        raise node.refusal(f"has {len(inputs)} inputs; expected 5 or 6")
    how = _first_version(node, inputs) if len(inputs) == 5 else _second(node, inputs)
    expect_broadcast(node, required(node, inputs), *how.parameters)
    if isinstance(required(node, inputs), Constant):
        return [_of_constant(node, inputs, how, clamps=len(inputs) == 6)]
    data = real_input(node, inputs, 0)
    value = data.value
    scale = emitter.real(f"{node.name}_scale", how.scale)
    value = emitter.insert(ew.DivOp(value, scale, value.type)).out
    if how.zero_point.any():
        zero = emitter.real(f"{node.name}_zero_point", how.zero_point)
        value = emitter.insert(ew.AddOp(value, zero, value.type)).out
    value = emitter.insert(ew.RoundOp(value, value.type)).out
    levels = emitter.insert(
        QuantizeOp(
            value,
            emitter.real(f"{node.name}_step", how.step),
            emitter.scalar(0),
            frame_type(data.shape, how.element),
            rounding=how.rounding,
            narrow=how.narrow,
        )
    ).out
    out_scale = emitter.real(f"{node.name}_out_scale", how.out_scale)
    out_zero = emitter.real(f"{node.name}_out_zero_point", how.out_zero_point)
    return [dequantised(emitter, levels, out_scale, out_zero, data.shape)]


def _first_version(node: Node, inputs: Sequence[Value | None]) -> _Truncation:
    scale, zero = scale_of(node, inputs, 1), zero_point_of(node, inputs, 2)
    in_bits, out_bits = bit_width(node, inputs, 3), bit_width(node, inputs, 4)
    return _Truncation(
        scale=scale,
        zero_point=zero,
        step=np.array(2.0 ** (in_bits - out_bits), np.float32),
        rounding=rounding_of(node, "FLOOR"),
        element=signed(out_bits + 2),
        narrow=False,
        out_scale=scale,
        out_zero_point=zero,
    )


def _second(node: Node, inputs: Sequence[Value | None]) -> _Truncation:
    scale, zero = scale_of(node, inputs, 1), zero_point_of(node, inputs, 2)
    out_scale, bits = scale_of(node, inputs, 4), bit_width(node, inputs, 5)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        step = np.float32(2) ** np.round(np.log2(out_scale / scale))
        out_zero = np.asarray(zero / step, np.float32)
    if not bool((np.isfinite(step) & np.isfinite(out_zero) & (step > 0)).all()):
        raise node.refusal(
            f"its scale and its output's, {np.max(scale)} and {np.max(out_scale)}, are "
            "too far apart; expected a ratio that float32 holds"
        )
    if (off := np.rint(out_zero) != out_zero).any():
        bad, steps = (np.broadcast_to(p, off.shape)[off].max() for p in (zero, step))
        raise node.refusal(
            f"its zero point {bad} is not a multiple of the {steps} levels that become "
            "one"
        )
    signed_ = node.flag("signed", default=True)
    return _Truncation(
        scale=scale,
        zero_point=zero,
        step=np.array(step, np.float32),
        rounding=rounding_of(node, "FLOOR"),
        element=signed(bits) if signed_ else unsigned(bits),
        narrow=node.flag("narrow", default=False),
        out_scale=out_scale,
        out_zero_point=out_zero,
    )


def _of_constant(
    node: Node, inputs: Sequence[Value | None], how: _Truncation, *, clamps: bool
) -> Constant:
    data = real_array(node, constant_input(node, inputs, 0), node.inputs[0])
    levels = np.round(data / how.scale + how.zero_point) / how.step
    if clamps:
        low, high = level_range(how.element, narrow=how.narrow)
        levels = np.clip(levels, np.float32(low), np.float32(high))
    levels = ROUNDINGS[how.rounding](levels)
    return Constant(node.outputs[0], (levels - how.out_zero_point) * how.out_scale)
