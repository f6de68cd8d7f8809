"""docs/schemes.md: every example command runs and prints what is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from shown_commands import ROOT, Command, command_environment, run_shown, steps

PAGE = (ROOT / "docs" / "schemes.md").read_text()


def sections() -> dict[str, str]:
    """Title -> text of each scheme."""
    _, *parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    return {
        title: text for title, text in (part.split("\n", 1) for part in parts) if text
    }


SECTIONS = sections()
each_scheme = pytest.mark.parametrize("title", SECTIONS)


@each_scheme
def test_its_commands_run(
    title: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = command_environment(tmp_path_factory.mktemp("bin"))
    for name in ("models", "filecheck_tests", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "build").mkdir()
    work = list(steps(SECTIONS[title]))
    assert work
    for step in work:
        assert isinstance(step, Command)
        done = run_shown(step.line, tmp_path, environment)
        assert done.returncode == 0, f"{step.line}\n{done.stdout}"
        if step.output:
            assert done.stdout == step.output, step.line


@each_scheme
def test_its_source_is_named(title: str) -> None:
    assert re.search(r"^Source: .*\b(19|20)\d\d\b", SECTIONS[title], re.MULTILINE)
