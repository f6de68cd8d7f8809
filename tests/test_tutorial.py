"""The tutorial does what it shows: its files are written and its commands are run."""

from pathlib import Path

import pytest
from shown_commands import ROOT, Command, File, command_environment, run_shown, steps

TUTORIAL = ROOT / "docs" / "tutorial-pass.md"


def test_tutorial_shows_what_happens(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    environment = command_environment(tmp_path_factory.mktemp("bin"))
    work = list(steps(TUTORIAL.read_text()))
    assert sum(isinstance(step, File) for step in work) >= 5
    assert sum(isinstance(step, Command) for step in work) >= 7
    status = 0
    for step in work:
        if isinstance(step, File):
            (tmp_path / step.name).write_text(step.text)
            continue
        done = run_shown(step.line.replace("$?", str(status)), tmp_path, environment)
        status = done.returncode
        assert done.stdout == step.output, step.line


def test_steps_reads_files_and_commands():
    text = (
        "a\n```python f.py\nx = 1\n```\n```console\n$ one\nout\n$ two \\\n three\n```\n"
    )
    assert list(steps(text)) == [
        File("f.py", "x = 1\n"),
        Command("one", "out\n"),
        Command("two   three", ""),
    ]
