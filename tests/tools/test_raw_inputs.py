"""An input without a quantiser: what was rounded is said, what would saturate refused."""

from pathlib import Path

import numpy as np
import pytest

from tools.qbuild import main as qbuild
from tools.qrun import main as qrun

NETWORK = """\
qnn.weight @w = <tensor<2x3xsi4>, [1, -2, 3, 4, 5, -6]>
func.func @main(%x: tensor<1x3xf32>) -> tensor<1x2xf32> {
  %scale = qnn.constant <tensor<f32>, [0.5]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %w = qnn.load @w : tensor<2x3xsi4>
  %v = qnn.dequantize %w, %scale, %zero
      : tensor<2x3xsi4>, tensor<f32>, tensor<f32> -> tensor<2x3xf32>
  %y = qnn.matmul %x, %v : tensor<1x3xf32>, tensor<2x3xf32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.mlir").write_text(NETWORK)
    return tmp_path


@pytest.mark.parametrize("engine", ["interpreter", "c"])
def test_rounded_values_are_counted(
    engine: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(folder / "x.npy", np.array([[0.5, 0.25, 1e-9], [2, 3, 4]], np.float32))
    arguments = ["net.mlir", "--input", "x.npy", "--output", "y.npy", "--engine"]
    assert qrun([*arguments, engine]) == 0
    assert "multiples of 2**-24; 1 of 6 values rounded" in capsys.readouterr().err
    expected = [[0.5 * 0.5 - 0.25, 0.5 * 2 + 0.5 * 1.25], [1 - 3 + 6, 4 + 7.5 - 12]]
    np.testing.assert_array_equal(np.load(folder / "y.npy"), expected)


def test_a_value_beyond_the_range_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(folder / "x.npy", np.array([[0.5, -300.0, 1.0]], np.float32))
    assert qrun(["net.mlir", "--input", "x.npy"]) == 1
    message = capsys.readouterr().err
    assert "in [-128, 128], but holds -300" in message
    assert len(message.splitlines()) == 2


def test_a_build_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(folder / "x.npy", np.array([[0.5, 0.25, 1.0]] * 4, np.float32))
    assert qbuild(["net.mlir", "-o", "out", "--input", "x.npy", "--targets", "c"]) == 0
    assert "note: input 'x' has no quantiser" in capsys.readouterr().out
