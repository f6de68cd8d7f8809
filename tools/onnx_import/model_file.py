"""Bytes to a protobuf model that the importer can go through."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from onnx import ModelProto

from tools.onnx_import.node import STANDARD_DOMAINS
from tools.onnx_import.refusal import ImportRefused

OLDEST_OPSET = 7
NEWEST_OPSET = 25


def parse_model(source: bytes, file: str) -> ModelProto:
    """The model in the bytes of an `.onnx` file.

    Raises:
        ImportRefused: they are no ONNX model, or it has no graph.
    """
    model = ModelProto()
    try:
        model.ParseFromString(source)
    except DecodeError as error:
        raise ImportRefused(
            f"{file}: is not an ONNX model, or is cut off; expected the binary form"
        ) from error
    if not model.HasField("graph"):
        raise ImportRefused(f"{file}: holds no graph; expected an ONNX model")
    return model


def standard_opset(model: ModelProto, file: str) -> int:
    """Version of ONNX's own operators that the model is written in.

    Raises:
        ImportRefused: it is not stated, or not one that the importer knows.
    """
    versions = [
        entry.version
        for entry in model.opset_import
        if entry.domain in STANDARD_DOMAINS
    ]
    accepted = f"accepted are {OLDEST_OPSET} to {NEWEST_OPSET}"
    if not versions:
        raise ImportRefused(
            f"{file}: opset_import does not state the version of ONNX's own operators; "
            f"{accepted}"
        )
    if not OLDEST_OPSET <= versions[0] <= NEWEST_OPSET:
        raise ImportRefused(f"{file}: is written in opset {versions[0]}; {accepted}")
    return versions[0]
