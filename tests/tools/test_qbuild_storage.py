"""`qbuild --compress-weights`: what it writes, what it says, and that C agrees."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools.qbuild import main

MODEL = Path(__file__).resolve().parents[2] / "models" / "digits_mlp_float_a4.onnx"
SIZES = re.compile(
    r"C with coded weights: ([\d,]+) bytes of constants instead of ([\d,]+); "
    r"([\d,]+) bytes of memory a call(?: and ([\d,]+) for decoded weights)?"
)


@pytest.mark.parametrize("when", [pytest.param("fly", marks=pytest.mark.slow), "load"])
def test_sizes_are_told(
    when: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    passes = "prune-weights{density=0.3},share-weights{clusters=8}"
    options = ["--targets", "c", "--before", passes, "--compress-weights", when]
    assert main([str(MODEL), "-o", "out", *options]) == 0
    found = SIZES.search(capsys.readouterr().out)
    assert found is not None
    coded, plain, memory, loaded = (
        int((text or "0").replace(",", "")) for text in found.groups()
    )
    assert coded < plain
    header = (Path("out") / "c" / f"{MODEL.stem}.h").read_text()
    assert f"_CONST_BYTES {coded}\n" in header
    assert f"_ARENA_BYTES {memory}\n" in header
    # A byte for each weight, or a row of them.
    assert loaded == (128 * 64 + 64 * 128 + 10 * 64 if when == "load" else 0)
    assert ("_load(void);" in header) == (when == "load")
    report = json.loads((Path("out") / "report.json").read_text())
    assert all(a["frames_equal"] == a["frames"] for a in report["agreements"])
    assert sum(weights["count"] for weights in report["storage"]) == 17_024
    assert all(w["stored_bits"] < w["plain_bits"] for w in report["storage"])
    assert any(note.startswith("weights @") for note in report["notes"])
    assert any("compress-weights" in path.name for path in Path("out/ir").iterdir())


def test_it_needs_c(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--targets", "sv", "--compress-weights", "fly"]
    assert main([str(MODEL), "-o", str(out), *options]) == 2
    assert "--compress-weights is for C" in capsys.readouterr().err
    assert not out.exists()
