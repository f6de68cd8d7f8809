"""`qbuild --before`: passes on real weights, what they change, and what is reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pass_agreement import apply

from lowering.interpreter.engine import Interpreter
from passes.posit_weights import PositWeightsPass
from passes.ternarise_weights import TernariseWeightsPass
from tools.onnx_import.frontend import import_onnx
from tools.qbuild import main
from tools.qopt import main as qopt

ROOT = Path(__file__).parent.parent.parent
MODEL = ROOT / "models" / "digits_mlp_float_a4.onnx"
FRAMES = 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with np.load(ROOT / "models" / "digits_test.npz") as data:
        np.save("x.npy", data["inputs"][:FRAMES])
        np.save("l.npy", data["labels"][:FRAMES])
    return tmp_path


def built(*options: str) -> int:
    return main([str(MODEL), *["-o", "out", "--targets", "c"], *options])


def test_the_network_behind_the_passes_is_what_all_is_compared_with(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passes = 'ternarise-weights{layers="linear1"},posit-weights{es=auto}'
    given = ["--input", "x.npy", "--labels", "l.npy"]
    assert built("--before", passes, *given) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["before"] == passes
    found = {a["engine"]: a["frames_equal"] for a in report["agreements"]}
    assert found == {"integer level": FRAMES, "C": FRAMES}
    assert [(w["layer"], w["scheme"][:11]) for w in report["weights"]] == [
        ("linear1", "!qnn.ternar"),
        ("linear5", "!qnn.posit<"),
        ("linear9", "!qnn.posit<"),
    ]
    imported, changed = (
        Interpreter(module).run([np.load("x.npy")])[0].argmax(axis=1)
        for module in (
            import_onnx(MODEL),
            apply(
                import_onnx(MODEL),
                TernariseWeightsPass(layers=("linear1",)),
                PositWeightsPass(es="auto"),
            ),
        )
    )
    labels = np.load("l.npy")
    right = int((changed == labels).sum()), int((imported == labels).sum())
    output = capsys.readouterr().out
    for line in (
        f"\naccuracy: {100 * right[0] / FRAMES:.2f} % ({right[0]} of {FRAMES})\n",
        f"before --before, accuracy: {100 * right[1] / FRAMES:.2f} % ({right[1]} of",
        "note: all is compared with the network behind --before; "
        f"{(imported == changed).sum()} of {FRAMES} frames keep their class",
        "note: weights of 'linear1' as !qnn.ternary: 8,192 weights in 2,560 bytes",
        "8,192 weights in 8,192 bytes, 8.00 bits each",
    ):
        assert line in output
    stages = sorted(path.name for path in (folder / "out" / "ir").iterdir())
    assert stages[:4] == [
        "00-imported.mlir",
        "01-ternarise-weights.mlir",
        "02-posit-weights.mlir",
        "03-fold-batch-norm.mlir",
    ]


def test_without_them_the_weights_are_refused_and_the_passes_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert built() == 1
    said = capsys.readouterr().err
    assert "(node 'linear1'): the weights are real numbers" in said
    assert "posit-weights (--before)" in said
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("passes", "status", "message"),
    [
        ("posit-weight", 2, "did you mean 'posit-weights'?"),
        ("posit-weights{n=70}", 1, "n must be from 2 to 32, got 70"),
        ('posit-weights{layers="conv"}', 1, "those that have: linear1, linear5"),
    ],
)
def test_passes_that_cannot_run(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    passes: str,
    status: int,
    message: str,
) -> None:
    assert built("--before", passes) == status
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (folder / "out").exists()


def test_qopt_runs_them_before_its_pipeline(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--before", "quantize-weights", "--pipeline", "bnn-integer"]
    assert qopt([str(MODEL), *options, "-o", "integer.mlir"]) == 0
    assert "call @core" in (folder / "integer.mlir").read_text()
    assert "weights of 'linear9' as si8" in capsys.readouterr().err
