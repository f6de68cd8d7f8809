"""Data types that FINN and QONNX annotate tensors with (`finn_datatype`)."""

from __future__ import annotations

import re

import numpy as np
from onnx import GraphProto
from xdsl.ir import Attribute

from qdialect.data import Array
from qdialect.quantisers import DequantizeOp, QuantizeOp, SignOp
from qdialect.types import BipolarType, TernaryType, signed, unsigned
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.refusal import ImportRefused
from tools.onnx_import.values import Tensor

# The QONNX executor takes what lies as near to an integer for that integer.
_TOLERANCE = 1e-2


def annotations_of(graph: GraphProto) -> dict[str, str]:
    """The annotated data types, by the names of their tensors."""
    return {
        item.tensor_name: entry.value
        for item in graph.quantization_annotation
        for entry in item.quant_parameter_tensor_names
        if entry.key == "finn_datatype"
    }


def as_annotated(
    emitter: Emitter, where: str, annotation: str, tensor: Tensor
) -> Tensor:
    """A real input as what its annotation says: levels, and what they stand for.

    Raises:
        ImportRefused: the annotation is not a data type of QONNX.
    """
    element, scale = _annotated_element(where, annotation)
    if element is None:
        return tensor
    type_ = frame_type(tensor.shape, element)
    scale_value, zero = emitter.scalar(scale), emitter.scalar(0)
    if isinstance(element, BipolarType):
        levels = emitter.insert(SignOp(tensor.value, type_)).out
    else:
        levels = emitter.insert(QuantizeOp(tensor.value, scale_value, zero, type_)).out
    op = DequantizeOp(levels, scale_value, zero, frame_type(tensor.shape))
    return emitter.tensor(emitter.insert(op).out, tensor.shape)


def annotated_weights(where: str, annotation: str, array: Array) -> Array:
    """Constants that are annotated as integers, rounded to integers.

    Their range is that of the values: QONNX's passes leave annotations behind that say
    less, as BIPOLAR for a depthwise convolution made dense with zeros.

    Raises:
        ImportRefused: the annotation is not a data type of QONNX, or a value is not
            near an integer.
    """
    element, scale = _annotated_element(where, annotation)
    if element is None or scale != 1.0 or array.dtype.kind != "f":
        return array
    rounded = np.rint(array)
    is_finite = np.isfinite(array)
    away = np.abs(
        np.subtract(array, rounded, where=is_finite, out=np.zeros_like(array))
    )
    if (wrong := (away > _TOLERANCE) | ~is_finite).any():
        raise ImportRefused(
            f"{where} is annotated as {annotation} and holds {array[wrong].flat[0]}; "
            "expected integers (infer the data types again)"
        )
    return rounded


def _annotated_element(where: str, annotation: str) -> tuple[Attribute | None, float]:
    """Element type and scale of a data type of QONNX; no type for real numbers."""
    match = re.fullmatch(r"(U?)INT(\d+)", annotation)
    if match and 1 <= int(match[2]) <= 32:
        bits = int(match[2])
        return (unsigned(bits) if match[1] else signed(bits)), 1.0
    match = re.fullmatch(r"FIXED<(\d+),(-?\d+)>", annotation)
    if match and 1 <= int(match[1]) <= 32:
        return signed(int(match[1])), 2.0 ** (int(match[2]) - int(match[1]))
    named = {"BIPOLAR": BipolarType(), "TERNARY": TernaryType(), "BINARY": unsigned(1)}
    if annotation in named:
        return named[annotation], 1.0
    # The scale of a scaled integer is not in its name, so that it says nothing here.
    if re.fullmatch(r"FLOAT.*|SCALEDINT<\d+>", annotation):
        return None, 1.0
    raise ImportRefused(
        f"{where} is annotated as '{annotation}'; accepted are BIPOLAR, TERNARY, "
        "BINARY, INT1 to INT32, UINT1 to UINT32, FIXED<w,i> and FLOAT32"
    )
