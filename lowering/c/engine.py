"""`CEngine`: runs the integer core as compiled C, on batches of frames."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from lowering.c.errors import CError
from lowering.c.interface import Interface, Port
from lowering.c.source import COptions, build_library
from lowering.text import Text
from qdialect.data import Array
from qdialect.semantics import storage_dtype

_PREFIX = "net"
_FLAGS = ("-std=c99", "-O2", "-fPIC", "-shared")
# Made for this machine alone; a compiler that does not know the option does without.
_TUNING = ("-march=native",)


class CEngine:
    """The integer core of a module, compiled and loaded.

    Takes the place of the core in the interpreter: `Interpreter(module,
    core=CEngine(module))`. The compiler is the one that the variable CC names, or `cc`,
    or `gcc`.

    Args:
        module: integer level, packed or not.
        options: of the library, but for its prefix.
        tuning: flags that the compiler may not know, and then does without; code for
            this machine alone where not given.

    Raises:
        CError: the module has no C form, or there is no C compiler.
    """

    def __init__(
        self,
        module: ModuleOp,
        options: COptions | None = None,
        tuning: Sequence[str] = _TUNING,
    ) -> None:
        chosen = replace(options or COptions(), prefix=_PREFIX)
        library = build_library(module, chosen)
        self.interface: Interface = library.interface
        files = {**library.files, "batch.c": _batch_source(library.interface)}
        self._run = _compiled(files, tuning).net_run_batch
        self._run.restype = None
        ports = (*self.interface.inputs, *self.interface.outputs)
        self._run.argtypes = [ctypes.c_uint64, *[ctypes.c_void_p] * len(ports)]

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """Results for a batch.

        Args:
            arrays: an array [N, ..] of levels for each argument.

        Returns:
            An array [N, ..] for each result.

        Raises:
            CError: the arrays are not as many as the arguments, or of other shapes.
        """
        inputs, outputs = self.interface.inputs, self.interface.outputs
        if len(arrays) != len(inputs):
            raise CError(f"the core takes {len(inputs)} inputs, got {len(arrays)}")
        given = list(map(_stored, inputs, arrays))
        runs = {len(array) for array in given}
        if len(runs) > 1:
            raise CError(f"the inputs hold {sorted(runs)} frames, expected one number")
        count = runs.pop() if runs else 1
        results = [np.empty((count, port.count), _dtype(port)) for port in outputs]
        self._run(count, *(array.ctypes.data for array in (*given, *results)))
        return list(map(_frames, outputs, results))


def _dtype(port: Port) -> np.dtype[np.generic]:
    return np.dtype(port.ctype.name.removesuffix("_t"))


def _stored(port: Port, array: Array) -> Array:
    """Frames of an argument as C reads them: [runs, elements]."""
    shape = port.type.get_shape()
    size = int(np.prod(shape[1:], dtype=np.int64))
    if array.shape[1:] != shape[1:] or (array.size % max(port.count, 1)):
        expected = ", ".join(map(str, ("N", *shape[1:])))
        raise CError(
            f"{port.name} must have shape [{expected}], N a multiple of "
            f"{port.count // max(size, 1)}, got {list(array.shape)}"
        )
    flat = array.reshape(-1, port.count)
    return np.ascontiguousarray(flat, dtype=_dtype(port))


def _frames(port: Port, array: Array) -> Array:
    """Results [runs, elements] as frames, in the dtype that the interpreter has."""
    shape = port.type.get_shape()
    dtype = storage_dtype(port.type.element_type)
    return array.reshape((-1, *shape[1:])).astype(dtype, copy=False)


def _batch_source(interface: Interface) -> str:
    """A function that runs one frame after another."""
    text = Text()
    text(f'#include "{_PREFIX}.h"')
    text(f"void {_PREFIX}_run_batch(uint64_t frames{_comma(interface.parameters())});")
    text(f"void {_PREFIX}_run_batch(uint64_t frames{_comma(interface.parameters())})")
    with text.block("{", "}"), text.block("while (frames-- > 0) {", "}"):
        text(f"{_PREFIX}_run({interface.arguments()});")
        for port in (*interface.inputs, *interface.outputs):
            text(f"{port.name} += {port.count};")
    return f"{text}\n"


def _comma(parameters: str) -> str:
    return "" if parameters == "void" else f", {parameters}"


def find_compiler() -> str:
    """The C compiler of this machine.

    Raises:
        CError: there is none.
    """
    wanted = os.environ.get("CC")
    for name in (wanted,) if wanted else ("cc", "gcc"):
        if (found := shutil.which(name)) is not None:
            return found
    raise CError(
        f"no C compiler: {'CC names ' + wanted if wanted else 'cc and gcc are'} not "
        "found; install gcc, or let the variable CC name a compiler"
    )


def _compiled(files: dict[str, str], tuned: Sequence[str]) -> ctypes.CDLL:
    """The shared library of these sources, loaded; its files are gone afterwards."""
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(prefix="qnnc-") as name:
        folder = Path(name)
        for file, contents in files.items():
            (folder / file).write_text(contents)
        sources = [file for file in files if file.endswith(".c")]
        target = folder / "net.so"
        for tuning in (tuned, ()):
            command = [compiler, *_FLAGS, *tuning, *sources, "-o", str(target)]
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return ctypes.CDLL(str(target))
        first = next(iter(done.stderr.strip().splitlines()), "no message")
        raise CError(f"{compiler} does not compile the generated C: {first}")
