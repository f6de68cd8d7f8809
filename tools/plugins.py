"""Passes, dialects, targets and interpreter functions from a file of the user's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar, cast

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.utils.target import Target

from lowering.interpreter.engine import Implementation
from tools.diagnostics import one_line
from tools.mistakes import UserError

T = TypeVar("T")
TUPLES = ("PASSES", "DIALECTS", "TARGETS", "INTERPRETER")


@dataclass(frozen=True)
class Plugin:
    """What a plug-in file defines.

    Attributes:
        path: the file.
        passes: its `PASSES`, classes.
        dialects: its `DIALECTS`, instances.
        targets: its `TARGETS`, classes.
        implementations: its `INTERPRETER`, functions of an operation and its operands
            that give its results, or None for another operation.
    """

    path: Path
    passes: tuple[type[ModulePass], ...]
    dialects: tuple[Dialect, ...]
    targets: tuple[type[Target], ...]
    implementations: tuple[Implementation, ...]


def load_plugin(path: Path, *, debug: bool = False) -> Plugin:
    """Run a plug-in file and take what it defines.

    Args:
        path: a Python file that defines one or more of the tuples `PASSES`,
            `DIALECTS`, `TARGETS` and `INTERPRETER`.
        debug: let an exception that the file raises through as it is.

    Raises:
        UserError: the file cannot be run, or what it defines is not of that kind.
    """
    module = _run(path, debug)
    if not any(hasattr(module, name) for name in TUPLES):
        raise UserError(
            f"{path}: error: a plug-in must define one of the tuples "
            f"{', '.join(TUPLES)}"
        )
    return Plugin(
        path,
        tuple(_classes(path, module, "PASSES", ModulePass)),
        tuple(_dialects(path, module)),
        tuple(_classes(path, module, "TARGETS", Target)),
        tuple(_implementations(path, module)),
    )


def _run(path: Path, debug: bool) -> ModuleType:
    if not path.is_file():
        reason = "is a directory" if path.is_dir() else "no such file"
        raise UserError(f"{path}: error: {reason}; --load-plugin takes a Python file")
    # Two plug-ins may have one file name.
    module = ModuleType(f"qopt_plugin_{path.resolve()}")
    module.__file__ = str(path)
    # Dataclasses look their module up by name.
    sys.modules[module.__name__] = module
    try:
        # Not through the import system, which would leave a __pycache__ beside it.
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        place = f"{error.filename or path}:{error.lineno or 1}"
        raise UserError(f"{place}: error: {error.msg}") from error
    except Exception as error:
        if debug:
            raise
        line = _line_in(path, error)
        raise UserError(
            f"{path}{line}: error: {type(error).__name__}: {one_line(str(error))}"
        ) from error
    return module


def _line_in(path: Path, error: Exception) -> str:
    """`:LINE` of the last place in the file that the exception passed through."""
    line = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line


def _items(path: Path, module: ModuleType, name: str) -> tuple[object, ...]:
    value: object = getattr(module, name, ())
    if not isinstance(value, tuple | list):
        raise UserError(
            f"{path}: error: {name} must be a tuple, got {type(value).__name__}"
        )
    return tuple(cast(Sequence[object], value))


def _classes(path: Path, module: ModuleType, name: str, kind: type[T]) -> list[type[T]]:
    found: list[type[T]] = []
    for item in _items(path, module, name):
        if not (isinstance(item, type) and issubclass(item, kind)):
            raise UserError(
                f"{path}: error: {name} must hold subclasses of {kind.__name__}, "
                f"got {item!r}"
            )
        if not isinstance(getattr(item, "name", None), str):
            raise UserError(f"{path}: error: {item.__name__} has no `name`")
        if "__dataclass_params__" not in item.__dict__:
            # Without it xDSL silently takes no options.
            raise UserError(
                f"{path}: error: write @dataclass(frozen=True) above {item.__name__}"
            )
        found.append(item)
    return found


def _dialects(path: Path, module: ModuleType) -> list[Dialect]:
    found: list[Dialect] = []
    for item in _items(path, module, "DIALECTS"):
        if not isinstance(item, Dialect):
            raise UserError(f"{path}: error: DIALECTS must hold Dialects, got {item!r}")
        found.append(item)
    return found


def _implementations(path: Path, module: ModuleType) -> list[Implementation]:
    found: list[Implementation] = []
    for item in _items(path, module, "INTERPRETER"):
        if not callable(item):
            raise UserError(
                f"{path}: error: INTERPRETER must hold functions, got {item!r}"
            )
        found.append(cast(Implementation, item))
    return found
