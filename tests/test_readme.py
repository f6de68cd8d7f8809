"""What the README shows is what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tools.qbuild import main as qbuild

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def demo_arguments() -> list[str]:
    """The command line of `make demo`, from the Makefile."""
    text = (ROOT / "Makefile").read_text()
    variables = dict(re.findall(r"^(\w+)\s*:= (.*)$", text, re.MULTILINE))
    recipe = text.split("\ndemo:", 1)[1].split("\n\n", 1)[0].split("\n", 1)[1]
    command = recipe.replace("\\\n", " ")
    for name, value in variables.items():
        command = command.replace(f"$({name})", value)
    program, *arguments = command.split()
    assert program.endswith("/qbuild")
    return arguments


def test_the_output_of_make_demo(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / "build").mkdir()
    with np.load(ROOT / "models" / "digits_test.npz") as data:
        np.save("build/digits_images.npy", data["inputs"].reshape(-1, 1, 8, 8))
        np.save("build/digits_labels.npy", data["labels"])
    assert qbuild(demo_arguments()) == 0
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert capsys.readouterr().out.strip() == shown.strip()


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target} " in README
        assert f"\n{target}:" in makefile


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()
