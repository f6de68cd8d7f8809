"""The tutorial does what it shows: its files are written and its commands are run."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "docs" / "tutorial-pass.md"

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Differs from run to run.


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
    """What the reader does, in order."""
    for language, name, body in _BLOCK.findall(text):
        if name:
            yield File(name, body)
        elif language == "console":
            parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
            assert parts[0] == ""
            for part in parts[1:]:
                line, _, output = part.partition("\n")
                yield Command(line, output)


def write_command(folder: Path, name: str, code: str) -> None:
    script = folder / name
    script.write_text(f"#!{sys.executable}\n{code}\n")
    script.chmod(0o755)


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where `qopt` is that of this tree, and lit and filecheck are ours too."""
    folder = tmp_path_factory.mktemp("bin")
    for name, module in (
        ("qopt", "tools.qopt"),
        ("lit", "lit.main"),
        ("filecheck", "filecheck.main"),
    ):
        pytest.importorskip(module)
        write_command(
            folder, name, f"import sys; from {module} import main; sys.exit(main())"
        )
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "LIT_OPTS": "-j1",
    }


def test_tutorial_shows_what_happens(tmp_path: Path, environment: dict[str, str]):
    work = list(steps(TUTORIAL.read_text()))
    assert sum(isinstance(step, File) for step in work) >= 5
    assert sum(isinstance(step, Command) for step in work) >= 7
    status = 0
    for step in work:
        if isinstance(step, File):
            (tmp_path / step.name).write_text(step.text)
            continue
        done = subprocess.run(
            ["sh", "-c", step.line.replace("$?", str(status))],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        status = done.returncode
        assert done.stdout == step.output, step.line


def test_steps_reads_files_and_commands():
    text = "a\n```python f.py\nx = 1\n```\n```console\n$ one\nout\n$ two\n```\n"
    assert list(steps(text)) == [
        File("f.py", "x = 1\n"),
        Command("one", "out\n"),
        Command("two", ""),
    ]
