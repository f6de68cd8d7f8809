"""Documents that show commands: what a reader types, and where it is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMANDS = {
    "qopt": "tools.qopt",
    "qrun": "tools.qrun",
    "qbuild": "tools.qbuild",
    "lit": "lit.main",
    "filecheck": "filecheck.main",
}


@dataclass(frozen=True)
class File:
    """A block that is to be saved."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A shell command and the output shown below it."""

    line: str
    output: str


def steps(text: str) -> Iterator[File | Command]:
    """What the reader does, in order; a line that ends in a backslash goes on."""
    for language, name, body in _BLOCK.findall(text):
        if name:
            yield File(name, body)
        elif language == "console":
            parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
            assert parts[0] == ""
            for part in parts[1:]:
                line, _, output = part.replace("\\\n", " ").partition("\n")
                yield Command(line, output)


def command_environment(folder: Path) -> dict[str, str]:
    """Where our commands are those of this tree, and lit and filecheck run too.

    Args:
        folder: an empty folder for what starts them.
    """
    for name, module in _COMMANDS.items():
        pytest.importorskip(module)
        script = folder / name
        script.write_text(
            f"#!{sys.executable}\nimport sys; from {module} import main; "
            "sys.exit(main())\n"
        )
        script.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "LIT_OPTS": "-j1",
    }


def run_shown(
    line: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """What the shell makes of a line: its status, and all that it prints."""
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
