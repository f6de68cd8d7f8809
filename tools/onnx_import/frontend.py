"""Entry to the importer; the `onnx` package is imported when a model is read."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from xdsl.dialects.builtin import ModuleOp

from tools.onnx_import.refusal import ImportRefused

# `onnx` takes 0.3 s to import: nothing that imports it is imported above.


def import_onnx(source: bytes | str | Path, *, name: str | None = None) -> ModuleOp:
    """The network of an ONNX or QONNX model, as `func.func @main` of `qnn` ops.

    Every tensor has a leading batch axis of extent 1. The attributes `qnn.inputs` and
    `qnn.outputs` of the function hold the names that the model gives to its arguments
    and results; the location of an op is the name of the node it was made from.

    Args:
        source: the model file, or its bytes. Tensors that the model keeps in other
            files are found beside the file.
        name: what messages call the model; the file name where it is not given.

    Raises:
        ImportRefused: the model is malformed, or has what the compiler does not take.
    """
    folder = None
    if not isinstance(source, bytes):
        path = Path(source)
        name = name or path.name
        folder = path.parent
        try:
            source = path.read_bytes()
        except OSError as error:
            raise ImportRefused(f"{name}: cannot be read: {error.strerror}") from error
    return _import(source, name or "model.onnx", folder)


def onnx_frontend(stream: IO[bytes]) -> ModuleOp:
    """The frontend of `xDSLOptMain` for `.onnx` files.

    Raises:
        ImportRefused: as for `import_onnx`.
    """
    path = Path(str(getattr(stream, "name", "model.onnx")))
    folder = path.parent if path.is_file() else None
    return _import(stream.read(), path.name, folder)


def _import(source: bytes, name: str, folder: Path | None) -> ModuleOp:
    from tools.onnx_import.graph import read_graph
    from tools.onnx_import.model_file import parse_model
    from tools.onnx_import.network import build_module

    return build_module(read_graph(parse_model(source, name), name, folder))
