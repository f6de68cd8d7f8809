"""Generated C, compiled as strictly as it promises to bear, and run on frames."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from lowering.c.source import COptions, Library, build_library
from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from qdialect.semantics import storage_dtype

STRICT = (
    *("-std=c99", "-pedantic", "-Werror", "-Wall", "-Wextra", "-Wconversion"),
    *("-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wcast-qual"),
    *("-Wundef", "-Wvla", "-Wdouble-promotion", "-Wfloat-equal", "-Wcast-align"),
)
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O0")


def c_compiler() -> str:
    """A C compiler; skips the test where there is none."""
    for name in ("cc", "gcc"):
        if (found := shutil.which(name)) is not None:
            return found
    pytest.skip("needs a C compiler")


def write_library(module: ModuleOp, folder: Path, **options: object) -> Library:
    """Write the files of a library with its program."""
    library = build_library(module, COptions(main=True, **options))  # pyright: ignore[reportArgumentType]
    for name, contents in library.files.items():
        (folder / name).write_text(contents)
    return library


def compile_program(folder: Path, flags: Sequence[str] = ("-O1",)) -> Path:
    """Compile all sources of a folder; a warning is an error."""
    target = folder / "program"
    sources = sorted(str(path) for path in folder.glob("*.c"))
    command = [c_compiler(), *STRICT, *flags, *sources, "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def run_program(
    program: Path, library: Library, frames: Sequence[Array]
) -> list[Array]:
    """Outputs [N, ..] of a program for inputs [N, ..]."""
    inputs, outputs = library.interface.inputs, library.interface.outputs
    as_stored = [
        array.astype(port.ctype.name.removesuffix("_t")).reshape(-1, port.count)
        for port, array in zip(inputs, frames, strict=True)
    ]
    stream = b"".join(
        row.tobytes() for rows in zip(*as_stored, strict=True) for row in rows
    )
    done = subprocess.run(
        [str(program)], input=stream, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    sizes = [port.count * port.ctype.size_bytes for port in outputs]
    raw = np.frombuffer(done.stdout, np.uint8).reshape(-1, sum(sizes))
    parts = np.split(raw, np.cumsum(sizes)[:-1], axis=1)
    return [
        np.ascontiguousarray(part)
        .view(port.ctype.name.removesuffix("_t"))
        .reshape(-1, *port.type.get_shape()[1:])
        .astype(storage_dtype(port.type.element_type))
        for part, port in zip(parts, outputs, strict=True)
    ]


def run_in_c(
    module: ModuleOp,
    frames: Sequence[Array],
    flags: Sequence[str] = ("-O1",),
    **options: object,
) -> list[Array]:
    """Outputs of the core of a module, through a compiled program."""
    with tempfile.TemporaryDirectory() as name:
        library = write_library(module, Path(name), **options)
        program = compile_program(Path(name), flags)
        return run_program(program, library, frames)


def assert_c_agrees(
    module: ModuleOp, frames: Sequence[Array], flags: Sequence[str] = ("-O1",)
) -> None:
    """The core of a module gives in C what it gives in the interpreter."""
    expected = Interpreter(module).run(frames, "core")
    found = run_in_c(module, frames, flags)
    for a, b in zip(expected, found, strict=True):
        # A constant has one frame in the interpreter, whatever number of them is run.
        np.testing.assert_array_equal(np.broadcast_to(a, b.shape), b)
        assert a.dtype == b.dtype
