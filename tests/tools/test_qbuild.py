"""`qbuild`: what it writes, what it says, and what it leaves behind when it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tools.qbuild import main

ROOT = Path(__file__).parent.parent.parent
MODEL = ROOT / "models" / "digits_mlp_ternary.onnx"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_is_built_and_agrees(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(ROOT / "models" / "digits_test.npz") as data:
        np.save("x.npy", data["inputs"][:50])
        np.save("l.npy", data["labels"][:50])
    assert (
        main([str(MODEL), *["-o", "out", "--input", "x.npy", "--labels", "l.npy"]]) == 0
    )
    output = capsys.readouterr().out
    report = json.loads((folder / "out" / "report.json").read_text())
    found = {
        a["engine"]: (a["frames_equal"], a["frames"]) for a in report["agreements"]
    }
    assert found == {
        "integer level": (50, 50),
        "C": (50, 50),
        "SystemVerilog": (50, 50),
        "SystemVerilog, random stalls": (50, 50),
    }
    predicted = report["streaming"]["interval_cycles"]
    assert report["simulation"]["cycles_per_frame"] == predicted
    assert f"{predicted:,} predicted, {predicted:,} simulated" in output
    assert (folder / "out" / "report.txt").read_text() in output
    for part in ("c", "sv", "tb", "ir"):
        assert any((folder / "out" / part).iterdir())


def test_a_target_that_cannot_be_reached_is_refused_and_nothing_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(MODEL), *["-o", "out", "--target-fps", "1e12", "--targets", "sv"]]
    assert main(arguments) != 0
    message = capsys.readouterr().err
    assert "cycles a frame" in message
    assert "Traceback" not in message
    assert not (folder / "out").exists()


def test_a_directory_of_somebody_else_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "precious.txt").write_text("mine")
    assert main([str(MODEL), "-o", "out"]) == 1
    assert "was not written by qnnc" in capsys.readouterr().err
    assert [p.name for p in (folder / "out").iterdir()] == ["precious.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.onnx -o out", "No such file"),
        ("model.onnx -o out --targets vhdl", "vhdl"),
        ("model.onnx -o out --frames 0", "--frames"),
        ("model.onnx -o out --clock-mhz 0", "--clock-mhz"),
        ("model.onnx -o out --folding none.json", "none.json"),
        ("model.onnx -o out --input none.npy", "none.npy"),
        ("model.onnx", "-o"),
    ],
)
def test_bad_input(
    arguments: str,
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "model.onnx").symlink_to(MODEL)
    before = sorted(folder.iterdir())
    assert main(arguments.split()) in (1, 2)
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert sorted(folder.iterdir()) == before


def test_interrupted_it_leaves_nothing(folder: Path) -> None:
    program = "import sys; from tools.qbuild import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(MODEL), "-o", "out"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    # In the midst of its work: the C is done and the circuit is not.
    while "C, compiled" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []


def test_batch_norms_in_fixed_point_are_counted_and_everything_agrees(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["-o", "out", "--targets", "c", "--frames", "20"]
    assert main([str(MODEL), *options, "--batch-norm", "fixed4"]) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    assert [a["engine"] for a in report["agreements"]] == ["integer level", "C"]
    assert all(a["frames_equal"] == a["frames"] == 20 for a in report["agreements"])
    notes = [note for note in report["notes"] if "in 4-bit fixed point" in note]
    assert len(notes) == 2
    output = capsys.readouterr().out
    assert all(f"note: {note}" in output for note in notes)
    assert "note: batch norms in fixed point: " in output
    assert (folder / "out" / "ir" / "05-fixed-point-batch-norm.mlir").exists()


def test_batch_norms_by_shifts_are_counted_and_everything_agrees(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["-o", "out", "--targets", "c", "--frames", "20"]
    assert main([str(MODEL), *options, "--batch-norm", "shift"]) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    assert all(a["frames_equal"] == a["frames"] == 20 for a in report["agreements"])
    assert len([n for n in report["notes"] if "by shifts, 2**-" in n]) == 2
    assert "note: batch norms by shifts: " in capsys.readouterr().out


def test_an_unknown_form_of_batch_norms_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(MODEL), "-o", "out", "--batch-norm", "fixed"]) == 2
    assert "expected exact, shift or fixedN, such as fixed16" in capsys.readouterr().err
    assert not (folder / "out").exists()
