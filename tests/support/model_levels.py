"""A model as imported and at the integer level, made once for all tests of a file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pass_agreement import TO_INTEGER, apply
from xdsl.dialects.builtin import ModuleOp

from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx


@cache
def imported(path: Path) -> ModuleOp:
    """The network, verified."""
    module = import_onnx(path)
    module.verify()
    return module


@cache
def integer(path: Path) -> ModuleOp:
    """The network behind the passes to the integer level."""
    return apply(imported(path), *TO_INTEGER)


def run(module: ModuleOp, frames: Array) -> Array:
    """The one output of a network of one input."""
    (outputs,) = Interpreter(module).run([frames])
    return outputs
