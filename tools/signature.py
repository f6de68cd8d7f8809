"""The function a network runs by: names, shapes and arrays of its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, SSAValue

from lowering.interpreter.engine import InterpreterError, fit_input
from qdialect.data import Array
from qdialect.types import element_of, shape_of
from tools.arrays import read_array
from tools.mistakes import UsageError, UserError
from tools.suggestions import unknown

ENTRY = "main"


def functions_of(module: ModuleOp) -> dict[str, FuncOp]:
    """The functions of a module that have a body."""
    return {
        op.sym_name.data: op
        for op in module.body.block.ops
        if isinstance(op, FuncOp) and not op.is_declaration
    }


def entry_of(module: ModuleOp, source: str) -> FuncOp:
    """The function to run: @main, or the only one.

    Raises:
        UserError: there is neither.
    """
    functions = functions_of(module)
    if ENTRY in functions:
        return functions[ENTRY]
    if len(functions) == 1:
        return next(iter(functions.values()))
    found = ", ".join(f"@{name}" for name in functions) or "none"
    raise UserError(f"{source}: error: expected a function @{ENTRY}, found {found}")


def input_names(function: FuncOp) -> list[str]:
    """A name for each argument: the model's, or the one in the text, or `input0`."""
    arguments = list(function.args)
    names = _names(function, "qnn.inputs")
    if len(names) == len(arguments):
        return names
    return [a.name_hint or f"input{i}" for i, a in enumerate(arguments)]


def output_names(function: FuncOp) -> list[str]:
    """A name for each result: the model's, or `output0`."""
    count = len(function.function_type.outputs)
    names = _names(function, "qnn.outputs")
    return names if len(names) == count else [f"output{i}" for i in range(count)]


def _names(function: FuncOp, attribute: str) -> list[str]:
    value = function.attributes.get(attribute)
    if not isinstance(value, ArrayAttr):
        return []
    items = cast(ArrayAttr[Attribute], value)
    return [item.data for item in items if isinstance(item, StringAttr)]


def assignment(text: str) -> tuple[str | None, Path]:
    """`NAME=FILE`, or a file alone.

    Raises:
        UsageError: there is no file name.
    """
    name, equals, file = text.partition("=")
    if not equals or Path(text).exists():
        name, file = "", text
    if not file:
        raise UsageError(f"'{text}': expected FILE.npy or NAME=FILE.npy")
    return (name or None, Path(file))


def assign(
    names: Sequence[str], given: Sequence[tuple[str | None, Path]], kind: str
) -> dict[str, Path]:
    """The file of each name; files without a name go to the names left, in order.

    Raises:
        UsageError: a name does not exist or comes twice, or there are too many files.
    """
    chosen: dict[str, Path] = {}
    for name, path in given:
        if name is None:
            continue
        if name not in names:
            raise UsageError(f"--{kind} {name}={path}: {unknown(kind, name, names)}")
        if name in chosen:
            raise UsageError(f"--{kind} {name}=..: given twice")
        chosen[name] = path
    free = [name for name in names if name not in chosen]
    unnamed = [path for name, path in given if name is None]
    if len(unnamed) > len(free):
        raise UsageError(
            f"--{kind}: {len(given)} files for {len(names)} ({', '.join(names)})"
        )
    return {**chosen, **dict(zip(free, unnamed, strict=False))}


def read_inputs(
    function: FuncOp, given: Sequence[tuple[str | None, Path]]
) -> list[Array]:
    """The arrays of all arguments, frames along the leading axis.

    Raises:
        UserError: one is missing, cannot be read, or does not fit its argument.
    """
    names = input_names(function)
    files = assign(names, given, "input")
    missing = [name for name in names if name not in files]
    if missing:
        listed = " ".join(f"--input {name}=FILE.npy" for name in missing)
        raise UsageError(f"the network has {len(names)} inputs; give also {listed}")
    arrays = [
        fit_array(argument, read_array(files[name]), str(files[name]))
        for argument, name in zip(function.args, names, strict=True)
    ]
    counts = {name: len(array) for name, array in zip(names, arrays, strict=True)}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise UserError(f"the inputs must have equally many frames, got {listed}")
    if not all(counts.values()):
        raise UserError("the input has no frames; expected one or more")
    return arrays


def fit_array(argument: SSAValue, array: Array, source: str) -> Array:
    """`array` as frames of an argument's type.

    Raises:
        UserError: its shape or values do not fit.
    """
    if not isinstance(argument.type, TensorType):
        raise UserError(
            f"{source}: error: an input of type {argument.type} cannot be read"
        )
    frame = list(shape_of(argument)[1:])
    if array.shape != tuple(frame) and array.shape[1:] != tuple(frame):
        batch = ", ".join(["N", *map(str, frame)])
        raise UserError(
            f"{source}: error: expected shape [{batch}], got {list(array.shape)}"
        )
    try:
        return fit_input(argument, array, 0)
    except InterpreterError as error:
        text = str(error).removeprefix("input 0 ")
        raise UserError(
            f"{source}: error: {text} (the input is {element_of(argument)})"
        ) from error
