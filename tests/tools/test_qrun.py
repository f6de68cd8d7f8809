"""`qrun`: outputs, summaries, names of inputs, bad input."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tools.qrun import main

# Two inputs of one frame shape; `a` is quantised, `b` is of levels.
NETWORK = """\
func.func @main(%a: tensor<1x3xf32>, %b: tensor<1x3xsi8>)
    -> (tensor<1x3xf32>, tensor<1x3xsi4>)
    attributes {qnn.inputs = ["in.a", "in.b"], qnn.outputs = ["sum", "q"]} {
  %scale = qnn.constant <tensor<f32>, [0.5]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %q = qnn.quantize %a, %scale, %zero rounding half_even
      : tensor<1x3xf32>, tensor<f32>, tensor<f32>
      -> tensor<1x3xsi4>
  %r = qnn.dequantize %q, %scale, %zero
      : tensor<1x3xsi4>, tensor<f32>, tensor<f32>
      -> tensor<1x3xf32>
  %s = qnn.dequantize %b, %scale, %zero
      : tensor<1x3xsi8>, tensor<f32>, tensor<f32>
      -> tensor<1x3xf32>
  %t = qnn.add %r, %s
      : tensor<1x3xf32>, tensor<1x3xf32>
      -> tensor<1x3xf32>
  func.return %t, %q : tensor<1x3xf32>, tensor<1x3xsi4>
}
"""

SIGN = """\
func.func @main(%x: tensor<1x3xf32>) -> tensor<1x3x!qnn.bipolar> {
  %q = qnn.sign %x
      : tensor<1x3xf32>
      -> tensor<1x3x!qnn.bipolar>
  func.return %q : tensor<1x3x!qnn.bipolar>
}
"""

NORM = """\
func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xsi4> {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %k = qnn.constant <tensor<f32>, [0.7]>
  %h = qnn.constant <tensor<f32>, [-0.5]>
  %n = qnn.quantize %x, %one, %zero rounding half_even
      : tensor<1x1xf32>, tensor<f32>, tensor<f32>
      -> tensor<1x1xsi4>
  %r = qnn.dequantize %n, %one, %zero
      : tensor<1x1xsi4>, tensor<f32>, tensor<f32>
      -> tensor<1x1xf32>
  %m = qnn.mul %r, %k
      : tensor<1x1xf32>, tensor<f32>
      -> tensor<1x1xf32>
  %y = qnn.add %m, %h
      : tensor<1x1xf32>, tensor<f32>
      -> tensor<1x1xf32>
  %q = qnn.quantize %y, %one, %zero rounding half_even
      : tensor<1x1xf32>, tensor<f32>, tensor<f32>
      -> tensor<1x1xsi4>
  func.return %q : tensor<1x1xsi4>
}
"""

A = np.array([[0.3, -9.0, 1.25], [9.0, 0.75, -0.25]])
B = np.array([[1, -128, 127], [0, 5, -5]], np.int16)
Q = np.array([[1, -8, 2], [7, 2, 0]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.mlir").write_text(NETWORK)
    (tmp_path / "sign.mlir").write_text(SIGN)
    np.save(tmp_path / "a.npy", A)
    np.save(tmp_path / "b.npy", B)
    return tmp_path


def test_outputs_by_order_and_by_name(folder: Path):
    assert (
        main(["two.mlir", "--input", "a.npy", "--input", "b.npy", "--output", "s.npy"])
        == 0
    )
    np.testing.assert_array_equal(np.load("s.npy"), np.float32(Q * 0.5 + B * 0.5))
    named = "two.mlir --input in.b=b.npy --input in.a=a.npy --output q=q.npy"
    assert main(named.split()) == 0
    np.testing.assert_array_equal(np.load("q.npy"), Q)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f2", "f4", "f8", "?", ">i4"])
def test_dtypes(dtype: str, folder: Path):
    values = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    np.save("x.npy", values)
    assert (
        main(
            ["two.mlir", "--input", "x.npy", "--input", "b.npy", "--output", "q=q.npy"]
        )
        == 0
    )
    np.testing.assert_array_equal(np.load("q.npy"), values.astype(int) * 2)


def test_one_frame_without_batch_axis(folder: Path):
    np.save("x.npy", A[0])
    assert main(["sign.mlir", "--input", "x.npy", "--output", "y.npy"]) == 0
    np.testing.assert_array_equal(np.load("y.npy"), [[1, -1, 1]])


def test_fortran_order_and_views(folder: Path):
    np.save("x.npy", np.asfortranarray(A))
    assert main(["sign.mlir", "--input", "x.npy", "--output", "y.npy"]) == 0
    np.testing.assert_array_equal(np.load("y.npy"), np.where(A >= 0, 1, -1))


def test_summary(folder: Path, capsys: pytest.CaptureFixture[str]):
    np.save("l.npy", np.array([2, 0]))
    run = "two.mlir --input a.npy --input b.npy --labels l.npy"
    assert main(run.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "output 'sum': 2 frames of [3] float32, from -68 to 64.5"
    assert lines[1:3] == ["  classes: 2 0", "  how often: 0: 1, 2: 1"]
    assert lines[3] == "output 'q': 2 frames of [3] int8, from -8 to 7"
    assert lines[6] == "accuracy: 100.00 % (2 of 2)"
    assert lines[7].startswith("interpreter: 2 frames in ")
    assert len(lines) == 8


@dataclass
class Case:
    arguments: str
    says: str
    status: int = 1
    array: object = field(default=None)


CASES = {
    "no input": Case("sign.mlir", "give the input: --input X.npy", 2),
    "no such model": Case("none.onnx --input a.npy", "none.onnx: error: No such file"),
    "model of another kind": Case(
        "a.npy --input a.npy", "expected a file name in .mlir"
    ),
    "no such input file": Case("sign.mlir --input n.npy", "n.npy: error: No such file"),
    "input is a directory": Case("sign.mlir --input .", ".: error: Is a directory"),
    "unknown engine": Case(
        "sign.mlir --input a.npy --engine fpga", "--engine: no engine 'fpga'", 2
    ),
    "missing input": Case(
        "two.mlir --input a.npy",
        "the network has 2 inputs; give also --input in.b=FILE.npy",
        2,
    ),
    "too many inputs": Case(
        "sign.mlir --input a.npy --input a.npy", "--input: 2 files for 1 (x)", 2
    ),
    "unknown input name": Case(
        "two.mlir --input ina=a.npy --input b.npy",
        "--input ina=a.npy: no input 'ina'; did you mean 'in.a'?",
        2,
    ),
    "input twice": Case(
        "two.mlir --input in.a=a.npy --input in.a=b.npy", "in.a=..: given twice", 2
    ),
    "empty file name": Case("sign.mlir --input x=", "'x=': expected FILE.npy", 2),
    "unknown output name": Case(
        "sign.mlir --input a.npy --output z=y.npy",
        "no output 'z'; there are: output0",
        2,
    ),
    "output folder missing": Case(
        "sign.mlir --input a.npy --output no/y.npy", "no/y.npy: there is no directory"
    ),
    "output is a directory": Case(
        "sign.mlir --input a.npy --output .", ".: is a directory"
    ),
    "frames differ": Case(
        "two.mlir --input x.npy --input b.npy",
        "the inputs must have equally many frames, got in.a: 3, in.b: 2",
        array=np.zeros((3, 3)),
    ),
    "no frames": Case(
        "sign.mlir --input x.npy", "the input has no frames", array=np.zeros((0, 3))
    ),
    "wrong shape": Case(
        "sign.mlir --input x.npy",
        "x.npy: error: expected shape [N, 3], got [2, 4]",
        array=np.zeros((2, 4)),
    ),
    "too many axes": Case(
        "sign.mlir --input x.npy", "expected shape [N, 3]", array=np.zeros((2, 1, 3))
    ),
    "a number": Case("sign.mlir --input x.npy", "expected shape", array=np.array(3.0)),
    "NaN": Case(
        "sign.mlir --input x.npy",
        "x.npy: error: holds nan at [1, 2]; expected finite numbers",
        array=np.array([[0, 0, 0], [0, 0, np.nan]]),
    ),
    "infinity": Case(
        "sign.mlir --input x.npy",
        "x.npy: error: holds -inf at [0, 0]",
        array=np.array([[-np.inf, 0, 0]]),
    ),
    "level out of range": Case(
        "two.mlir --input a.npy --input x.npy",
        "x.npy: error: must be si8, in [-128, 127], got 128",
        array=np.array([[0, 0, 0], [128, 0, 0]]),
    ),
    "level with a fraction": Case(
        "two.mlir --input a.npy --input x.npy",
        "x.npy: error: must hold integers, got 0.5",
        array=np.array([[0, 0, 0], [0.5, 0, 0]]),
    ),
    "text": Case(
        "sign.mlir --input x.npy",
        "x.npy: error: expected numbers, got dtype <U1",
        array=np.array([["a", "b", "c"]]),
    ),
    "complex numbers": Case(
        "sign.mlir --input x.npy",
        "expected numbers, got dtype complex128",
        array=np.array([[1j, 0, 0]]),
    ),
    "pickle": Case(
        "sign.mlir --input x.npy",
        "x.npy: error: holds Python objects (a pickle), which are not loaded",
        array=np.array([[{}, {}, {}]]),
    ),
    "labels that are images": Case(
        "sign.mlir --input a.npy --labels a.npy",
        "a.npy: error: expected a class a frame",
    ),
    "labels of another length": Case(
        "sign.mlir --input a.npy --labels x.npy",
        "x.npy: error: expected 2 labels, one a frame, got 3",
        array=np.zeros(3, int),
    ),
    "file that is no .npy": Case(
        "sign.mlir --input sign.mlir", "sign.mlir: error: not a .npy file; save"
    ),
    "archive": Case("sign.mlir --input x.npz", "x.npz: error: an .npz archive"),
    "truncated": Case(
        "sign.mlir --input cut.npy", "cut.npy: error: the file is damaged or truncated"
    ),
    "huge shape in the header": Case(
        "sign.mlir --input huge.npy", "huge.npy: error: the "
    ),
    "circuit engine on packed IR": Case(
        "packed.mlir --input a.npy --engine rtl",
        "engine rtl takes a network or its integer form; this one is already packed",
    ),
    "network that cannot become C": Case(
        "sign.mlir --input a.npy --engine c",
        "sign.mlir: error: outline-core: @main has no integer layer",
    ),
    "module without main": Case(
        "none.mlir --input a.npy",
        "none.mlir: error: expected a function @main, found none",
    ),
}

PACKED = """\
func.func @main(%x: tensor<1x3x!qnn.bipolar>) -> tensor<1x1xsi3> {
  %y = qnn.call @core(%x)
      : (tensor<1x3x!qnn.bipolar>)
      -> tensor<1x1xsi3>
  func.return %y : tensor<1x1xsi3>
}
func.func @core(%x: tensor<1x3x!qnn.bipolar>) -> tensor<1x1xsi3> {
  %w = qnn.constant <tensor<1x3x!qnn.bipolar>, [1, -1, 1]>
  %a = qnn.pack %x
      : tensor<1x3x!qnn.bipolar>
      -> !qnn.packed<tensor<1x3x!qnn.bipolar>, word 8>
  %b = qnn.pack %w
      : tensor<1x3x!qnn.bipolar>
      -> !qnn.packed<tensor<1x3x!qnn.bipolar>, word 8>
  %y = qnn.packed_matmul %a, %b
      : !qnn.packed<tensor<1x3x!qnn.bipolar>, word 8>,
        !qnn.packed<tensor<1x3x!qnn.bipolar>, word 8>
      -> tensor<1x1xsi3>
  func.return %y : tensor<1x1xsi3>
}
"""


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    case = CASES[name]
    (folder / "packed.mlir").write_text(PACKED)
    (folder / "none.mlir").write_text("builtin.module {}\n")
    np.savez(folder / "x.npz", A)
    data = (folder / "a.npy").read_bytes()
    (folder / "cut.npy").write_bytes(data[:-5])
    (folder / "huge.npy").write_bytes(data.replace(b"(2, 3), ", b"(2**99,)"))
    if case.array is not None:
        np.save(folder / "x.npy", np.asarray(case.array))
    before = {path.name for path in folder.iterdir()}
    status = main(case.arguments.split())
    output, message = capsys.readouterr()
    assert case.says in message
    assert "Traceback" not in message
    assert message.count("\n") <= 2
    assert output == ""
    assert status == case.status
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize("engine", ["interpreter", "c"])
def test_batch_norms_as_they_are_asked_for(folder: Path, engine: str):
    """0.7 n - 0.5 is 0.5 (n - 5 / 7) by a shift, with other levels at both ends."""
    (folder / "norm.mlir").write_text(NORM)
    np.save("n.npy", np.arange(-3, 4, dtype=np.float32)[:, None])
    found: dict[str, list[int]] = {}
    for how in ("exact", "fixed16", "shift"):
        options = ["--engine", engine, "--batch-norm", how, "--output", "q.npy"]
        assert main(["norm.mlir", "--input", "n.npy", *options]) == 0
        found[how] = np.load("q.npy").ravel().astype(int).tolist()
    assert found["exact"] == found["fixed16"] == [-3, -2, -1, 0, 0, 1, 2]
    assert found["shift"] == [-2, -1, -1, 0, 0, 1, 1]


def test_an_unknown_form_of_batch_norms(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["two.mlir", "--input", "a.npy", "--batch-norm", "float"]) == 2
    assert "expected exact, shift or fixedN" in capsys.readouterr().err
