"""The network from stage to stage, each kept as IR text."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from tools.passes_run import remarks_of, run_pass


class Stages:
    """Runs passes, keeps what stands after each, by file name, and what they say.

    Args:
        ctx: the dialects.
        source: the file that the network comes from, for messages.
    """

    def __init__(self, ctx: Context, source: str):
        self._ctx = ctx
        self._source = source
        self.files: dict[str, str] = {}
        self.remarks: list[str] = []

    def keep(self, number: int, name: str, module: ModuleOp) -> None:
        """Keep a module as `NN-name.mlir`, with its locations."""
        text = StringIO()
        Printer(text, print_debuginfo=True).print_op(module)
        self.files[f"{number:02d}-{name}.mlir"] = f"{text.getvalue()}\n"

    def apply(
        self, module: ModuleOp, passes: Iterable[ModulePass], first_number: int
    ) -> None:
        """Run passes on a module in place, and keep it after each.

        Raises:
            UserError: a pass refuses the module.
        """
        for number, pass_ in enumerate(passes, first_number):
            run_pass(self._ctx, module, pass_, self._source)
            self.remarks += remarks_of(pass_, module, self._source)
            self.keep(number, pass_.name, module)
