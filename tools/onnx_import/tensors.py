"""Tensors stored in a model to NumPy arrays, with checks."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from pathlib import Path

import numpy as np
from onnx import TensorProto, numpy_helper
from onnx.checker import ValidationError
from xdsl.dialects.builtin import IntegerType

from qdialect.data import Array
from qdialect.types import signed, unsigned
from tools.onnx_import.refusal import ImportRefused

MAX_ELEMENTS = 1 << 28

# Of IR version 13, which the oldest `onnx` that serves does not name.
UINT2, INT2 = 25, 26

# Element types of integer tensors, by their ONNX code.
INTEGER_ELEMENTS: dict[int, IntegerType] = {
    TensorProto.BOOL: unsigned(1),
    UINT2: unsigned(2),
    INT2: signed(2),
    TensorProto.UINT4: unsigned(4),
    TensorProto.INT4: signed(4),
    TensorProto.UINT8: unsigned(8),
    TensorProto.INT8: signed(8),
    TensorProto.UINT16: unsigned(16),
    TensorProto.INT16: signed(16),
    TensorProto.UINT32: unsigned(32),
    TensorProto.INT32: signed(32),
}

_STORED = {
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.UINT64,
    *INTEGER_ELEMENTS,
}


def dtype_name(code: int) -> str:
    """What ONNX calls the element type with this code, in lower case."""
    if code in (UINT2, INT2):
        return "uint2" if code == UINT2 else "int2"
    if code not in TensorProto.DataType.values():
        return f"type {code}"
    return TensorProto.DataType.Name(code).lower()


def too_large(shape: Iterable[int]) -> bool:
    """Whether a tensor of this shape is beyond what the importer takes."""
    return prod(shape) > MAX_ELEMENTS


def stored_array(tensor: TensorProto, where: str, folder: Path | None) -> Array:
    """The values of a tensor of the model.

    Args:
        tensor: as stored.
        where: the file and the tensor, for messages.
        folder: where tensors outside the model file are looked for, if anywhere.

    Raises:
        ImportRefused: the values are missing, do not fill the shape, or have an element
            type that is not accepted.
    """
    if tensor.data_type not in _STORED:
        raise ImportRefused(
            f"{where} has elements of {dtype_name(tensor.data_type)}; accepted are "
            "float, float16, double, bool and integers of 2 to 64 bits"
        )
    if any(extent < 0 for extent in tensor.dims) or too_large(tensor.dims):
        raise ImportRefused(
            f"{where} has shape {list(tensor.dims)}; accepted are up to 2^28 elements"
        )
    outside = tensor.data_location == TensorProto.EXTERNAL
    if outside and folder is None:
        raise ImportRefused(
            f"{where} is kept in another file, '{_place(tensor)}', which is looked for "
            "beside the model; read the model from a file"
        )
    try:
        array = _values(tensor, str(folder or ""))
    except (OSError, ValidationError) as error:
        raise ImportRefused(
            f"{where} is kept in another file, '{_place(tensor)}', which cannot be "
            "read beside the model"
        ) from error
    except (ValueError, TypeError) as error:
        raise ImportRefused(
            f"{where}: its data does not fill its shape {list(tensor.dims)}"
        ) from error
    return array


def _values(tensor: TensorProto, folder: str) -> Array:
    if tensor.data_type in (TensorProto.INT4, TensorProto.UINT4):
        return numpy_helper.to_array(tensor, base_dir=folder).astype(np.int8)
    if tensor.data_type not in (UINT2, INT2):
        return numpy_helper.to_array(tensor, base_dir=folder)
    # Four values a byte, the first in the lowest bits.
    count = prod(tensor.dims)
    stored = TensorProto()
    stored.CopyFrom(tensor)
    stored.data_type = TensorProto.UINT8
    stored.dims[:] = [-(-count // 4)]
    octets = numpy_helper.to_array(stored, base_dir=folder)
    values = (octets[:, np.newaxis] >> np.arange(0, 8, 2)).astype(np.int8) & 3
    if tensor.data_type == INT2:
        values = (values ^ 2) - 2
    return values.ravel()[:count].reshape(tuple(tensor.dims))


def _place(tensor: TensorProto) -> str:
    places = [entry.value for entry in tensor.external_data if entry.key == "location"]
    return places[0] if places else "?"
