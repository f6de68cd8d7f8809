"""The argument parser of the commands: short errors, and what was probably meant."""

from __future__ import annotations

import argparse
from typing import NoReturn

from tools.suggestions import unknown


class CommandLine(argparse.ArgumentParser):
    """An argument parser whose errors take one line; exit status 2, as usual."""

    def __init__(self, prog: str, description: str, usage: str):
        super().__init__(
            prog=prog,
            description=description,
            usage=f"{prog} {usage}",
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        prefix = "unrecognized arguments: "
        if message.startswith(f"{prefix}-"):
            name = message.removeprefix(prefix).split()[0].split("=")[0]
            known = [option for option in self._option_string_actions if option != "-"]
            message = unknown("option", name, known)
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} --help)\n")
