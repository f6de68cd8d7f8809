"""`qbuild`: a trained network to verified C and SystemVerilog, in one go."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tools.entry import run_command, version_line, write_output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `qbuild`; the exit status.

    0: everything asked for was written, and all that was run agrees. 1: the network is
    refused, a target could not be built, or two engines differ. 2: the command line is
    wrong.

    Args:
        arguments: the command line without the command's name; by default the
            process's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    return run_command("qbuild", lambda: _run(given), debug="--debug" in given)


def _run(given: Sequence[str]) -> int:
    if {"-v", "--version"} & set(given):
        write_output(f"{version_line('qbuild')}\n")
        return 0
    # Imported late, for the sake of --version.
    from tools.build.arguments import read_options
    from tools.build.driver import build

    return build(read_options(given))
