"""Target `c`: the integer core of a network as a C99 library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from lowering.c.source import COptions, emit


@dataclass(frozen=True)
class CTarget(Target):
    """The integer core as a C99 library: one header, one source, `main` on request."""

    name = "c"

    prefix: str = "model"
    """Begins every name and file name."""
    main: bool = False
    """Also write a program that reads frames and writes results."""
    machine: str = "portable"
    """What will run it: scalar, portable, avx2 or avx512."""
    max_density: int | float | None = None
    """Skip the zeros of layers in which at most this share of the weights is not 0;
    where it is not given, of those in which that is faster."""

    decode: str = "fly"
    """Decode coded weights while a frame is computed (fly), in the memory of the call,
    or once (load), into memory of the library."""

    def files(self, module: ModuleOp) -> dict[str, str]:
        """Contents by file name.

        Raises:
            CError: the module has no C form.
        """
        options = COptions(
            self.prefix,
            self.main,
            machine=self.machine,
            max_density=self.max_density,
            decode=self.decode,
        )
        return emit(module, options)

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        """Print all files, each under a line with its name."""
        for name, contents in self.files(module).items():
            print(f"/* ---- {name} ---- */\n{contents}", file=output)
