"""`qopt`: reads a module or a network, runs passes, writes IR, C or SystemVerilog."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tools.entry import run_command, version_line, write_output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `qopt`; the exit status.

    0: everything asked for was written. 1: the input, a pass or a target refuses.
    2: the command line is wrong.

    Args:
        arguments: the command line without the command's name; by default the
            process's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    return run_command("qopt", lambda: _run(given), debug="--debug" in given)


def _run(given: Sequence[str]) -> int:
    if {"-v", "--version"} & set(given):
        write_output(f"{version_line('qopt')}\n")
        return 0
    # What is imported from here on takes longer than printing a version may.
    from tools.opt.arguments import command_line
    from tools.opt.driver import run

    return run(command_line().parse_args(given))
