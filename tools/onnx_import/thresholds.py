"""MultiThreshold: the quantiser of FINN's dialect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Attribute

from qdialect import elementwise as ew
from qdialect.activation import ThresholdOp
from qdialect.semantics import Real, dequantize_values
from qdialect.types import BipolarType, TernaryType, integer_type_for
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.quantisers import dequantised
from tools.onnx_import.values import (
    Constant,
    Value,
    constant_input,
    real_array,
    real_input,
)


def multi_threshold(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """MultiThreshold: a count of thresholds, then out_scale * count + out_bias.

    The affine map becomes part of the levels where that is exact: bipolar where it
    gives {-s, s}, an offset where out_bias is a multiple of out_scale.
    """
    data = real_input(node, inputs, 0)
    axis = _channel_axis(node, len(data.shape))
    thresholds = _thresholds(node, inputs, data.shape[axis])
    node.ignore("out_dtype")
    out_scale = np.float32(node.number("out_scale", 1.0))
    out_bias = np.float32(node.number("out_bias", 0.0))
    if not (np.isfinite(out_scale) and np.isfinite(out_bias) and out_scale != 0):
        raise node.refusal(
            f"out_scale {out_scale} and out_bias {out_bias} must be finite, and "
            "out_scale not 0"
        )
    element, offset, scale = _levels(thresholds.shape[1], out_scale, out_bias)
    levels = emitter.insert(
        ThresholdOp(
            data.value,
            emitter.real(f"{node.name}_thresholds", thresholds),
            frame_type(data.shape, element),
            offset=offset or 0,
            axis=axis,
        )
    ).out
    scale_value = emitter.scalar(float(scale))
    reals = dequantised(emitter, levels, scale_value, emitter.scalar(0), data.shape)
    if offset is not None:
        return [reals]
    bias = emitter.scalar(float(out_bias))
    out = emitter.insert(ew.AddOp(reals.value, bias, frame_type(data.shape))).out
    return [emitter.tensor(out, data.shape)]


def _levels(
    steps: int, out_scale: np.float32, out_bias: np.float32
) -> tuple[Attribute, int | None, np.float32]:
    """Element type, offset and scale of the levels of a count of `steps` thresholds.

    Without an offset, out_bias has to be added to the scaled count.
    """
    counts = np.arange(steps + 1, dtype=np.int64)
    reals = out_scale * counts.astype(np.float32) + out_bias
    if steps == 1 and 0 < reals[1] == -reals[0]:
        return BipolarType(), 0, reals[1]
    zero = np.array(0, np.float32)
    offset = round(float(out_bias) / float(out_scale))
    if abs(offset) < 1 << 24:
        levels = counts + offset
        if np.array_equal(dequantize_values(levels, np.array(out_scale), zero), reals):
            if (offset, steps) == (-1, 2):
                return TernaryType(), offset, out_scale
            return integer_type_for(offset, offset + steps), offset, out_scale
    return integer_type_for(0, steps), None, out_scale


def _channel_axis(node: Node, rank: int) -> int:
    """The axis of the channels, guessed from the rank as the QONNX executor does."""
    guess = {2: "NC", 3: "NWC", 4: "NCHW"}.get(rank, "NC")
    layout = node.text("data_layout", "") or guess
    axis = layout.index("C") if "C" in layout else 1
    if axis == 0 or axis >= rank:
        raise node.refusal(
            f"data_layout '{layout}' does not suit an input of rank {rank}"
        )
    return axis


def _thresholds(node: Node, inputs: Sequence[Value | None], channels: int) -> Real:
    """Thresholds [channels, T], sorted; infinite ones are never or always reached."""
    constant = constant_input(node, inputs, 1)
    values = constant.values
    if values.ndim != 2 or values.shape[0] not in (1, channels) or values.shape[1] == 0:
        raise node.refusal(
            f"its thresholds have shape {list(values.shape)}; expected [{channels}, T] "
            "or [1, T]"
        )
    finite = (
        np.where(np.isinf(values), 0, values) if values.dtype.kind == "f" else values
    )
    real_array(node, Constant(constant.name, finite), f"'{constant.name}'")
    rows = np.sort(values.astype(np.float32), axis=1)
    return np.broadcast_to(rows, (channels, rows.shape[1]))
