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

    def files(self, module: ModuleOp) -> dict[str, str]:
        """Contents by file name.

        Raises:
            CError: the module has no C form.
        """
        return emit(module, COptions(self.prefix, self.main))

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        """Print all files, each under a line with its name."""
        for name, contents in self.files(module).items():
            print(f"/* ---- {name} ---- */\n{contents}", file=output)
