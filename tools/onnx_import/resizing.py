"""Resize and Upsample: the nearest neighbour of each place."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from qdialect.rearranging import UpsampleOp
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.picking import picked
from tools.onnx_import.rearranging import sliced
from tools.onnx_import.values import (
    Tensor,
    Value,
    computed_input,
    constant_input,
    integers,
    real_array,
)

Indices = npt.NDArray[np.int64]


def resize(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Resize and Upsample: each element repeated, then every so many of them taken.

    Where that gives other elements than the rounding of the coordinates, they are cut
    out and joined.
    """
    data = computed_input(node, inputs, 0)
    mode = node.text("mode", "nearest")
    if mode != "nearest":
        raise node.refusal(f"interpolates in the mode '{mode}'; accepted is 'nearest'")
    node.ignore("antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value")
    # Nothing depends on these where all factors are 1.
    node.ignore("coordinate_transformation_mode", "nearest_mode")
    scales, shape = _scales(node, inputs, data)
    if shape[0] != data.shape[0]:
        raise node.refusal("resizes axis 0, the batch; expected a factor of 1")
    evenly = [1] * len(shape)
    offsets, steps, extents = [0] * len(shape), evenly.copy(), list(data.shape)
    for axis, scale in enumerate(scales):
        if scale == 1 and shape[axis] == extents[axis]:
            continue
        nearest = _nearest(node, scale, extents[axis], shape[axis])
        found = _places(nearest, scale, extents[axis])
        if found is None:
            data = picked(emitter, node, data, axis, nearest.tolist())
            extents[axis] = shape[axis]
        else:
            evenly[axis], offsets[axis], steps[axis] = found
    if any(factor != 1 for factor in evenly):
        extents = [n * factor for n, factor in zip(extents, evenly, strict=True)]
        type_ = frame_type(extents, data.element)
        op = emitter.insert(UpsampleOp(data.value, type_, factors=evenly))
        data = emitter.tensor(op.out, extents)
    return [sliced(emitter, node, data, shape, offsets, steps)]


def _scales(
    node: Node, inputs: Sequence[Value | None], data: Tensor
) -> tuple[list[float], list[int]]:
    """The factor of each axis, and the shape of the result."""
    rank = len(data.shape)
    axes = node.integers("axes") if node.has("axes") else list(range(rank))
    place = 1 if node.op_type == "Upsample" or node.opset < 11 else 2
    given: list[float] | None = None
    if node.op_type == "Upsample" and node.has("scales"):
        value = node.value("scales")
        given = [float(v) for v in value] if isinstance(value, list) else None
    elif place < len(inputs) and inputs[place] is not None:
        constant = constant_input(node, inputs, place)
        if constant.values.size:
            given = [float(v) for v in real_array(node, constant, "scales").ravel()]
    sizes: list[int] | None = None
    if given is None:
        sizes = integers(node, constant_input(node, inputs, 3), "its sizes")
    known = given if sizes is None else sizes
    legal = all(-rank <= axis < rank for axis in axes)
    if len(known or []) != len(axes) or not legal or min(known or [0]) <= 0:
        raise node.refusal(
            f"its scales or sizes are {known}; expected a positive number for each of "
            f"the axes {axes} of {list(data.shape)}"
        )
    axes = [axis % rank for axis in axes]
    scales, shape = [1.0] * rank, list(data.shape)
    if sizes is None:
        for axis, scale in zip(axes, given or [], strict=True):
            scales[axis] = scale
            # As float32 has it: 0.6 is a little more than 3/5.
            shape[axis] = int(np.floor(np.float32(scale) * data.shape[axis]))
        return scales, shape
    ratios = [n / data.shape[axis] for axis, n in zip(axes, sizes, strict=True)]
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    if policy not in ("stretch", "not_larger", "not_smaller"):
        raise node.refusal(
            f"keep_aspect_ratio_policy '{policy}' is not known; accepted are stretch, "
            "not_larger and not_smaller"
        )
    if policy != "stretch":
        common = min(ratios) if policy == "not_larger" else max(ratios)
        ratios = [common] * len(axes)
        sizes = [int(np.floor(common * data.shape[axis] + 0.5)) for axis in axes]
    for axis, ratio, size in zip(axes, ratios, sizes, strict=True):
        scales[axis], shape[axis] = ratio, size
    return scales, shape


def _places(nearest: Indices, scale: float, extent: int) -> tuple[int, int, int] | None:
    """Numbers with `nearest[i] == (first + step * i) // factor`, or None.

    Returns:
        factor, first, step.
    """
    count = len(nearest)
    ratios = [Fraction(count, extent), Fraction(scale).limit_denominator(extent)]
    if count > 1 and extent > 1:
        ratios.append(Fraction(count - 1, extent - 1))
    for ratio in ratios:
        factor, step = ratio.numerator, ratio.denominator
        i = np.arange(count) * step
        # The first places from which these elements are met.
        low = int((nearest * factor - i).max())
        high = int((nearest * factor + factor - 1 - i).min())
        first = max(low, 0)
        reached = first + int(i[-1])
        # Repeating more often than the result is long would be in vain.
        if 0 < factor <= count and first <= high and reached < extent * factor:
            return factor, first, step
    return None


def _nearest(node: Node, scale: float, extent: int, count: int) -> Indices:
    """The element that each of the result is a copy of, along an axis.

    Raises:
        ImportRefused: there is none, or the rule is not known.
    """
    if count < 1:
        raise node.refusal(f"cuts an axis of {extent} to nothing (factor {scale})")
    # In float32, as ONNX Runtime does it.
    half, one = np.float32(0.5), np.float32(1)
    i, ratio = np.arange(count, dtype=np.float32), np.float32(scale)
    old = node.op_type == "Upsample" or node.opset < 11
    place = node.text("coordinate_transformation_mode", "half_pixel")
    rounding = node.text("nearest_mode", "round_prefer_floor")
    match "asymmetric" if old else place:
        case "asymmetric":
            x = i / ratio
        case "tf_half_pixel_for_nn":
            x = (i + half) / ratio
        case "half_pixel_symmetric":
            # What rounding the extent has cut off is taken from both ends.
            exact = ratio * np.float32(extent)
            x = np.float32(extent / 2) * (one - np.float32(count) / exact)
            x = x + (i + half) / ratio - half
        case "half_pixel" | "pytorch_half_pixel":
            alone = place == "pytorch_half_pixel" and count == 1
            x = i if alone else (i + half) / ratio - half
        case "align_corners":
            x = i * np.float32(extent - 1) / np.float32(max(1, count - 1))
        case _:
            raise node.refusal(
                f"coordinate_transformation_mode '{place}' is not accepted; expected "
                "asymmetric, half_pixel or align_corners"
            )
    match "floor" if old else rounding:
        case "floor":
            nearest = np.floor(x)
        case "ceil":
            nearest = np.ceil(x)
        case "round_prefer_floor":
            nearest = np.ceil(x - half)
        case "round_prefer_ceil":
            nearest = np.floor(x + half)
        case _:
            raise node.refusal(
                f"nearest_mode '{rounding}' is not known; accepted are floor, ceil, "
                "round_prefer_floor and round_prefer_ceil"
            )
    return np.clip(nearest, 0, extent - 1).astype(np.int64)
