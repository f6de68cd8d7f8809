"""QuantAvgPool2d: FINN's average pool of integers, a sum and a shift."""

from __future__ import annotations

from collections.abc import Sequence

from qdialect.pooling import SumPoolOp
from qdialect.quantisers import QuantizeOp, Rounding
from qdialect.types import signed, unsigned
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.pooling import pooled
from tools.onnx_import.quantisers import dequantised
from tools.onnx_import.shaping import channels_first, channels_last
from tools.onnx_import.values import Value, real_input
from tools.onnx_import.windows import Attributes, expect_map


def quant_avg_pool(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """QuantAvgPool2d: floor(sum of a window / 2^shift), of integers.

    The shift is what the greatest sum of `ibits` has more than `obits`.
    """
    data = real_input(node, inputs, 0)
    expect_map(node, data)
    layout = node.text("data_layout", "NCHW")
    if layout not in ("NCHW", "NHWC") or len(data.shape) != 4:
        raise node.refusal(
            f"its input has shape {list(data.shape)} in the layout '{layout}'; "
            "expected a map [N, C, H, W] (NCHW) or [N, H, W, C] (NHWC)"
        )
    side, stride = node.integer("kernel", 1), node.integer("stride", 1)
    bits_in, bits_out = node.integer("ibits", 1), node.integer("obits", 1)
    if min(side, stride, bits_in, bits_out) < 1 or max(bits_in, bits_out) > 16:
        raise node.refusal(
            f"kernel {side}, stride {stride}, ibits {bits_in} and obits {bits_out} are "
            "not all positive, the bits 16 at most"
        )
    last = layout == "NHWC"
    image = channels_first(emitter, data) if last else data
    found = Attributes((side, side), (stride, stride), (0,) * 4, (1, 1))
    if min(found.counts(image.shape[2:])) < 1:
        raise node.refusal(
            f"its kernel {side} is larger than its input {list(image.shape[2:])}"
        )
    sums = pooled(emitter, SumPoolOp, image, found)
    greatest = (2**bits_in - 1) * side * side
    shift = max(0, greatest.bit_length() - bits_out)
    width = greatest.bit_length() - shift
    # The least signed sum may have one bit more than the greatest unsigned one.
    is_signed = node.flag("signed", default=False)
    element = signed(width + 1) if is_signed else unsigned(width)
    step, zero = emitter.scalar(2.0**shift), emitter.scalar(0)
    levels = emitter.insert(
        QuantizeOp(
            sums.value,
            step,
            zero,
            frame_type(sums.shape, element),
            rounding=Rounding.FLOOR,
        )
    ).out
    result = dequantised(emitter, levels, emitter.scalar(1), zero, sums.shape)
    return [channels_last(emitter, result) if last else result]
