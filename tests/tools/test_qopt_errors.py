"""Bad inputs and options of `qopt`: one or two lines, an exit status, no output."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tools.qopt import main

GOOD = """\
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4x!qnn.bipolar> {
  %q = qnn.sign %x : tensor<1x4xf32> -> tensor<1x4x!qnn.bipolar>
  func.return %q : tensor<1x4x!qnn.bipolar>
}
"""

BODY = """\
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {{
  {0}
  func.return %x : tensor<1x4xf32>
}}
"""

DECODED = """\
func.func @core(%x: tensor<1x2xui2>) -> tensor<1x1xsi16> {
  %c = qnn.load @codes : tensor<1x2xui1>
  %t = qnn.constant <tensor<2xsi8>, [-7, 9]>
  %w = qnn.decode %c, %t : tensor<1x2xui1>, tensor<2xsi8> -> tensor<1x2xsi8>
  %0 = qnn.matmul %x, %w : tensor<1x2xui2>, tensor<1x2xsi8> -> tensor<1x1xsi16>
  func.return %0 : tensor<1x1xsi16>
}
"""

ZERO_POINT = """\
func.func @main(%x: tensor<1x2xsi4>) -> tensor<1x2xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [1.8446744073709552e+19]>
  %w = qnn.constant <tensor<2x2xsi8>, [1, 2, 3, 4]>
  %o = qnn.constant <tensor<f32>, [0.0]>
  %v = qnn.dequantize %x, %s, %z
    : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %m = qnn.dequantize %w, %s, %o
    : tensor<2x2xsi8>, tensor<f32>, tensor<f32> -> tensor<2x2xf32>
  %0 = qnn.matmul %v, %m
    : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("fc")
  func.return %0 : tensor<1x2xf32>
}
"""

PLUGIN = """\
from dataclasses import dataclass
from qdialect.elementwise import NegOp
from qdialect.quantisers import SignOp
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

def signs(module):
    return [op for op in module.walk() if isinstance(op, SignOp)]

@dataclass(frozen=True)
class RaisePass(ModulePass):
    name = "raise"
    def apply(self, ctx, op):
        raise KeyError("gone")

@dataclass(frozen=True)
class RefusePass(ModulePass):
    name = "refuse"
    def apply(self, ctx, op):
        raise PassFailedException("refuse: takes nothing")

@dataclass(frozen=True)
class BreakPass(ModulePass):
    name = "break"
    def apply(self, ctx, op):
        for sign in signs(op):
            sign.operands[0] = sign.out

@dataclass(frozen=True)
class NegatePass(ModulePass):
    name = "negate"
    times: int
    def apply(self, ctx, op):
        for sign in signs(op):
            neg = NegOp(sign.input, sign.input.type)
            Rewriter.insert_op(neg, InsertPoint.before(sign))
            sign.operands[0] = neg.out

PASSES = (RaisePass, RefusePass, BreakPass, NegatePass)
"""


@dataclass
class Case:
    """A command line that fails, and what its message says."""

    arguments: str
    says: str
    status: int = 1
    files: dict[str, str | bytes] = field(default_factory=dict[str, str | bytes])


def mlir(text: str | bytes, says: str, arguments: str = "m.mlir") -> Case:
    return Case(arguments, says, files={"m.mlir": text})


def good(arguments: str, says: str, status: int = 1, **files: str | bytes) -> Case:
    named = {name.replace("_", "."): text for name, text in files.items()}
    return Case(arguments, says, status, {"m.mlir": GOOD, **named})


CASES = {
    "no such file": Case("none.mlir", "none.mlir: error: No such file"),
    "directory as input": Case("folder.mlir", "folder.mlir: error: Is a directory"),
    "no extension": Case(
        "model", "model: error: expected a file name in .mlir or .onnx"
    ),
    "other extension": Case(
        "model.pt", "model.pt: error: expected a file name in .mlir"
    ),
    "unknown frontend": good("m.mlir -f tflite", "no frontend 'tflite'", 2),
    "two input files": good("m.mlir n.mlir", "unrecognized arguments: n.mlir", 2),
    "empty file": mlir("", "m.mlir: error: the file is empty"),
    "not UTF-8": mlir(
        b"func.func @main() {\n  \xff\n}", "m.mlir:2: error: not UTF-8 text (byte 0xff)"
    ),
    "binary file": mlir(
        bytes(range(256)), "m.mlir:2: error: not UTF-8 text (byte 0x80)"
    ),
    "truncated file": mlir(GOOD[:90], "m.mlir:2:22: error: type expected"),
    "not MLIR": mlir("hello world\n", "m.mlir:1:1: error: no operation 'hello'"),
    "unknown operation": mlir(
        GOOD.replace("qnn.sign", "qnn.sing"),
        "m.mlir:2:3: error: no operation 'qnn.sing'; did you mean 'qnn.sign'?",
    ),
    "unknown dialect": mlir(
        BODY.format('"nope.op"() : () -> ()'),
        "m.mlir:2:3: error: no operation 'nope.op'",
    ),
    "undefined value": mlir(
        GOOD.replace("sign %x", "sign %z"),
        "m.mlir:2:17: error: values used but not defined: [%z]",
    ),
    "value defined twice": mlir(
        BODY.format("%x = qnn.constant <tensor<1xf32>, [1.0]>"), "m.mlir:2:3: error: "
    ),
    "use before definition": mlir(
        BODY.format(
            "%a = qnn.relu %b : tensor<1x4xf32> -> tensor<1x4xf32>\n"
            "  %b = qnn.relu %x : tensor<1x4xf32> -> tensor<1x4xf32>"
        ),
        "m.mlir:2:3: error: op 'qnn.relu': operand %b is not defined before its use",
    ),
    "type mismatch": mlir(
        GOOD.replace("sign %x : tensor<1x4xf32>", "sign %x : tensor<1x5xf32>"),
        "m.mlir:2:17: error: operand is used with type tensor<1x5xf32>",
    ),
    "refused by a verifier": mlir(
        GOOD.replace("!qnn.bipolar", "ui2"),
        "m.mlir:2:3: error: op 'qnn.sign': elements of `out` must be !qnn.bipolar",
    ),
    "refused by an attribute": mlir(
        BODY.format("%c = qnn.constant <tensor<2xsi4>, [1, 9]>"),
        "m.mlir:2:37: error: 9 does not fit si4, which is [-8, 7]",
    ),
    "too few elements": mlir(
        BODY.format('%c = qnn.constant <tensor<9xsi8>, "00">'),
        "m.mlir:2:3: error: constant of type tensor<9xsi8> needs 9 bytes, got 1",
    ),
    "extents beyond 64 bits": mlir(
        BODY.format('%c = qnn.constant <tensor<4294967296x4294967296xui4>, "">'),
        "tensor<4294967296x4294967296xui4> needs 9223372036854775808 bytes, got 0",
    ),
    "coded extents beyond 64 bits": mlir(
        'qnn.weight @w = #qnn.coded<tensor<4294967296x4294967296xui4>, values 4, "">\n',
        "m.mlir:1:1: error: coded constant of type tensor<4294967296x4294967296xui4>: "
        "the stream has 0 symbols, expected 18446744073709551616",
    ),
    "code of too many words": mlir(
        f'qnn.weight @w = #qnn.coded<tensor<8xui4>, values huffman "{"ff" * 257}", "00">',
        "m.mlir:1:1: error: coded constant: no prefix code has words of lengths",
    ),
    "record that no pass made": mlir(
        "module attributes {qnn.weight_schemes = 3 : i32} {}\n",
        "m.mlir: error: qnn.weight_schemes: expected what passes on real weights write",
        "m.mlir -p posit-weights",
    ),
    "decoded weights that are missing": mlir(
        DECODED,
        "m.mlir:2:3: error: target c: qnn.load: the module has no qnn.weight @codes",
        "m.mlir -t c",
    ),
    "number beyond its type": mlir(
        BODY.format('"test.op"() {a = array<i64: 99999999999999999999>} : () -> ()'),
        "m.mlir:2:",
    ),
    "exponent beyond its type": mlir(
        BODY.format(
            "%y = qnn.elu %x alpha 1.0e+300 : tensor<1x4xf32> -> tensor<1x4xf32>"
        ),
        "m.mlir:2:",
    ),
    "no bits": mlir(
        GOOD.replace("!qnn.bipolar", "si0"),
        "m.mlir:2:3: error: op 'qnn.sign': elements of `out` must be f32, !qnn.bipolar",
    ),
    "zero point beyond 32 bits": mlir(
        ZERO_POINT,
        "m.mlir: error: lower-to-integer: qnn.matmul (node 'fc'): expected a zero point",
        "m.mlir -p lower-to-integer",
    ),
    "no terminator": mlir(
        "func.func @main() {\n  %c = qnn.constant <tensor<1xsi4>, [1]>\n}\n",
        "m.mlir:2:3: error: op 'qnn.constant': ",
    ),
    "missing symbol": mlir(
        GOOD.replace("qnn.sign %x", "qnn.call @core(%x)")
        .replace(": tensor<1x4xf32> ->", ": (tensor<1x4xsi2>) ->")
        .replace("%x: tensor<1x4xf32>", "%x: tensor<1x4xsi2>"),
        "m.mlir:2:3: error: op 'qnn.call': the module has no symbol @core",
    ),
    "deep nesting": mlir(
        BODY.format("%c = " + "(" * 100_000), "m.mlir:2:8: error: ", "m.mlir"
    ),
    "not an ONNX file": Case(
        "m.onnx", "m.onnx: error: ", files={"m.onnx": b"\x00garbage\xff" * 9}
    ),
    "unknown pass": good(
        "m.mlir -p fold-batchnorm", "no pass 'fold-batchnorm'; did you mean", 2
    ),
    "malformed passes": good(
        "m.mlir -p fold{", "passes 'fold{': malformed specification", 2
    ),
    "unknown pass option": good(
        "m.mlir -p fold{target-fp=1}",
        "pass 'fold': no option 'target-fp'; did you mean 'target-fps'?",
        2,
    ),
    "pass option of a wrong kind": good(
        "m.mlir -p fold{max-cycles=many}",
        "pass 'fold': option 'max-cycles': expected integer, got many",
        2,
    ),
    "pass option beyond 64 bits": good(
        "m.mlir -p prune-weights{threshold=" + "9" * 400 + "}",
        "pass 'prune-weights': option 'threshold': expected a number of at most 63 bits",
        2,
    ),
    "unknown pipeline": good(
        "m.mlir --pipeline=bnn-fpgas",
        "no pipeline 'bnn-fpgas'; did you mean 'bnn-fpga'?",
        2,
    ),
    "unknown pipeline option": good(
        "m.mlir --pipeline=bnn-fpga{fps=1}", "pipeline 'bnn-fpga': no option 'fps'", 2
    ),
    "unknown target": good("m.mlir -t svx", "no target 'svx'; did you mean 'sv'?", 2),
    "unknown target option": good(
        "m.mlir -t sv{width=3}", "target 'sv': no option 'width'", 2
    ),
    "target option out of range": good(
        "m.mlir -t c{max-density=2}",
        "m.mlir: error: target c: max-density must be from 0 to 1, got 2",
    ),
    "malformed target": good("m.mlir -t }{", "target '}{': malformed", 2),
    "split network": Case(
        "m.onnx --split-input-file", "--split-input-file is for MLIR", 2
    ),
    "unknown option": good(
        "m.mlir --pipelin=bnn-c", "no option '--pipelin'; did you mean '--pipeline'?", 2
    ),
    "option without value": good("m.mlir -p", "expected one argument", 2),
    "target refuses the level": good(
        "m.mlir -t circt", "m.mlir: error: the module has no hw.module; run"
    ),
    "output folder missing": good(
        "m.mlir -o none/out.mlir", "none/out.mlir: there is no directory"
    ),
    "output is a directory": good(
        "m.mlir -o folder.mlir", "target 'mlir' is one file", 2
    ),
    "directory for one file": good("m.mlir -o out/", "target 'mlir' is one file", 2),
    "directory of somebody else": good(
        "m.mlir -t sv -o folder.mlir", "is not empty and was not written by qnnc"
    ),
    "full device": good(
        "m.mlir -o /dev/full", "/dev/full: cannot be written: No space"
    ),
    "input without verify-each": good(
        "m.mlir --input x.npy", "--input is what --verify-each runs", 2
    ),
    "plug-in missing": good(
        "m.mlir --load-plugin p.py", "p.py: error: no such file; --load-plugin takes"
    ),
    "plug-in with a syntax error": good(
        "m.mlir --load-plugin p.py", "p.py:2: error: ", p_py="x = 1\ny = = 2\n"
    ),
    "plug-in that raises": good(
        "m.mlir --load-plugin p.py",
        "p.py:2: error: ZeroDivisionError: division by zero",
        p_py="x = 1\ny = x / 0\n",
    ),
    "plug-in without tuples": good(
        "m.mlir --load-plugin p.py",
        "p.py: error: a plug-in must define",
        p_py="x = 1\n",
    ),
    "plug-in with other things": good(
        "m.mlir --load-plugin p.py",
        "p.py: error: PASSES must hold subclasses of ModulePass, got 3",
        p_py="PASSES = (3,)\n",
    ),
    "plug-in with a taken name": good(
        "m.mlir --load-plugin p.py",
        "p.py: there is a pass 'fold' already; rename it",
        p_py=PLUGIN.replace('"negate"', '"fold"'),
    ),
    "plug-in without dataclass": good(
        "m.mlir --load-plugin p.py",
        "p.py: error: write @dataclass(frozen=True) above RaisePass",
        p_py=PLUGIN.replace("@dataclass(frozen=True)", "", 1),
    ),
    "pass that raises": good(
        "m.mlir --load-plugin p.py -p raise",
        "m.mlir: error: pass 'raise' broke off: KeyError: 'gone', p.py:15",
        p_py=PLUGIN,
    ),
    "pass that refuses": good(
        "m.mlir --load-plugin p.py -p refuse",
        "m.mlir: error: refuse: takes nothing",
        p_py=PLUGIN,
    ),
    "pass that leaves invalid IR": good(
        "m.mlir --load-plugin p.py -p break",
        "m.mlir:2:3: error: op 'qnn.sign': after pass 'break': ",
        p_py=PLUGIN,
    ),
    "pass option missing": good(
        "m.mlir --load-plugin p.py -p negate",
        "pass 'negate': the option 'times' is required",
        2,
        p_py=PLUGIN,
    ),
    "pass that changes the result": good(
        "m.mlir --load-plugin p.py -p negate{times=1} --verify-each",
        "m.mlir: error: pass 'negate' changes output 'output0' of @main: [0, 0] was ",
        p_py=PLUGIN,
    ),
    "verify-each without a function": Case(
        "m.mlir --verify-each -p cse",
        "m.mlir: error: --verify-each found no function on tensors to run",
        files={"m.mlir": "builtin.module {}\n"},
    ),
    "verify-each with a missing array": good(
        "m.mlir --verify-each --input none.npy", "none.npy: error: No such file"
    ),
    "verify-each with a wrong shape": good(
        "m.mlir --verify-each --input bad.npy",
        "bad.npy: error: expected shape [N, 4], got [3, 5]",
    ),
    "verify-each with a wrong name": good(
        "m.mlir --verify-each --input y=bad.npy",
        "--input y=bad.npy: no input 'y'; there are: x",
        2,
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with what some cases stumble over."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.mlir").mkdir()
    (tmp_path / "folder.mlir" / "mine.txt").write_text("mine")
    np.save(tmp_path / "bad.npy", np.zeros((3, 5)))
    return tmp_path


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", CASES)
def test_error_is_short_and_leaves_nothing(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
):
    case = CASES[name]
    for file, text in case.files.items():
        (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    before = tree(folder)
    status = main(case.arguments.split())
    output, message = capsys.readouterr()
    assert case.says in message
    assert "Traceback" not in message
    assert ": error: " in message
    assert message.count("\n") <= 2
    assert len(message) < 500
    assert output == ""
    assert status == case.status
    assert tree(folder) == before
