"""Errors of every library below, each in one or two lines."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from xdsl.dialects.builtin import FileLineColLoc
from xdsl.ir import Operation
from xdsl.utils.exceptions import ArgSpecParseError, DiagnosticException, ParseError

from lowering.hw.verilate import SimulationError
from lowering.interpreter.engine import InterpreterError
from qdialect.location import source_name
from tools.mistakes import UserError
from tools.onnx_import.refusal import ImportRefused

# `qdialect.location.where` names the place of an operation so.
_PLACE = re.compile(r" \((?P<place>[^()\n]+:\d+:\d+)\)")


def explain(error: BaseException) -> str:
    """What went wrong, for whoever ran the command."""
    match error:
        case UserError() | ImportRefused() | InterpreterError() | SimulationError():
            return str(error)
        case ParseError():
            return f"{error.span.get_location()}: error: {error.msg}"
        case ArgSpecParseError():
            return spec_message(error)
        case DiagnosticException():
            return one_line(str(error))
        case OSError():
            reason = error.strerror or str(error)
            return f"{error.filename}: {reason}" if error.filename else reason
        case MemoryError():
            return "not enough memory"
        case _:
            return (
                f"internal error: {raised(error)}; please report it "
                "(--debug shows where it came from)"
            )


def is_diagnostic(error: BaseException) -> bool:
    """Whether an error is about the input, and not a fault of the program."""
    return isinstance(
        error,
        UserError
        | ImportRefused
        | InterpreterError
        | SimulationError
        | ParseError
        | ArgSpecParseError
        | DiagnosticException,
    )


def raised(error: BaseException) -> str:
    """Kind and message of an unforeseen exception, and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    line = f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {one_line(str(error)) or 'no message'}{line}"


def one_line(text: str) -> str:
    """The first paragraph of a message, its lines joined."""
    return " ".join(text.strip().split("\n\n")[0].split())


def spec_message(error: ArgSpecParseError) -> str:
    """What is wrong with a specification of passes, and at which column."""
    lines = str(error).splitlines()
    place = re.fullmatch(r".*:\d+:(\d+)", lines[1]) if len(lines) > 1 else None
    column = f" at column {place[1]}" if place else ""
    return f"malformed specification{column}: {one_line(lines[-1])}"


def at_operation(op: Operation, source: str, message: str) -> UserError:
    """An error about an operation.

    Args:
        op: the operation at fault.
        source: the file it comes from, where its location does not tell.
        message: what is wrong; the name of `op` in front is not repeated.
    """
    place = source
    if isinstance(location := op.location, FileLineColLoc):
        place = f"{location.filename.data}:{location.line.data}:{location.column.data}"
    node = source_name(op)
    origin = f" (node '{node}')" if node is not None else ""
    text = one_line(message).removeprefix(f"{op.name}: ")
    return UserError(f"{place}: error: op '{op.name}'{origin}: {text}")


def in_file(source: str, error: BaseException) -> UserError:
    """An error of a pass or target, its place brought to the front."""
    text = explain(error)
    if ": error: " in text:
        return UserError(text)
    text = text.removeprefix(f"{source}: ")
    if (found := _PLACE.search(text)) is None:
        return UserError(f"{source}: error: {text}")
    text = text[: found.start()] + text[found.end() :]
    return UserError(f"{found['place']}: error: {text}")
