"""From a file to a module, by its extension."""

from __future__ import annotations

import sys
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from tools.diagnostics import in_file
from tools.mistakes import UsageError, UserError
from tools.onnx_import.frontend import import_onnx
from tools.onnx_import.refusal import ImportRefused
from tools.opt.located_parser import parse_text
from tools.passes_run import verify
from tools.suggestions import unknown

FRONTENDS = ("mlir", "onnx")
STDIN = "<stdin>"


def frontend_of(file: str | None, chosen: str | None = None) -> str:
    """The frontend for a file: the chosen one, or that of its extension.

    Raises:
        UsageError: there is no such frontend.
    """
    if chosen is not None:
        if chosen not in FRONTENDS:
            raise UsageError(unknown("frontend", chosen, FRONTENDS))
        return chosen
    if file is None:
        return "mlir"
    extension = Path(file).suffix.removeprefix(".")
    if extension not in FRONTENDS:
        found = f"'.{extension}'" if extension else "none"
        raise UserError(
            f"{file}: error: expected a file name in .mlir or .onnx, extension {found}"
        )
    return extension


def read_source(file: str | None) -> bytes:
    """The bytes of a file, or of the standard input.

    Raises:
        UserError: it cannot be read.
    """
    if file is None:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UserError(f"{file}: error: {error.strerror or error}") from error


def read_module(
    ctx: Context,
    source: bytes,
    file: str | None,
    frontend: str,
    *,
    line_offset: int = 0,
    implicit_module: bool = True,
) -> ModuleOp:
    """The module of a file's contents, not yet verified.

    Args:
        ctx: the dialects.
        source: the contents, or a part of them.
        file: name of the file; None for the standard input.
        frontend: one of `FRONTENDS`.
        line_offset: lines of the file before `source`.
        implicit_module: whether MLIR may leave the outermost module out.

    Raises:
        UserError: the contents are malformed, or hold what the compiler does not take.
    """
    if frontend == "onnx":
        try:
            # Read again from the file: tensors may lie in others beside it.
            return import_onnx(source if file is None else Path(file), name=file)
        except ImportRefused as error:
            raise in_file(file or STDIN, error) from error
    return parse_text(
        ctx,
        source,
        file or STDIN,
        line_offset=line_offset,
        implicit_module=implicit_module,
    )


def load_module(ctx: Context, file: str) -> ModuleOp:
    """The verified module that a file holds.

    Raises:
        UserError: the file cannot be read, is malformed, or holds what the compiler
            does not take.
    """
    module = read_module(ctx, read_source(file), file, frontend_of(file))
    verify(module, file)
    return module
