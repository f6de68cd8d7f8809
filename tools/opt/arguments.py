"""The command line of `qopt`: xDSL's options, and ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from tools.command_line import CommandLine

# `add_argument` of a group of options.
Add: TypeAlias = Callable[..., object]

DESCRIPTION = """\
Reads a module (.mlir) or a trained network (.onnx), runs passes on it and writes it as
IR, C or SystemVerilog.

  qopt model.onnx                                  the network as IR
  qopt model.mlir --pipeline=bnn-fpga              the circuit
  qopt model.onnx --pipeline=bnn-c -t c -o DIR/    C sources
  qopt model.mlir -p 'fold-batch-norm,fold{target-fps=1e6}'
"""


def command_line() -> CommandLine:
    """The argument parser of `qopt`."""
    line = CommandLine("qopt", DESCRIPTION, "[FILE] [options]")
    line.add_argument("file", nargs="?", metavar="FILE", help="input; default: stdin")
    _add_work(line.add_argument_group("what to do").add_argument)
    _add_lists(line.add_argument_group("what there is").add_argument)
    _add_checks(line.add_argument_group("checking").add_argument)
    _add_reading(line.add_argument_group("reading").add_argument)
    _add_printing(line.add_argument_group("printing").add_argument)
    return line


def _add_work(add: Add) -> None:
    add(
        "--pipeline",
        metavar="NAME",
        help="a named pipeline; NAME{option=value ...} sets options of its passes",
    )
    add(
        "-p",
        "--passes",
        metavar="SPEC",
        default="",
        help="passes in order, as in a,b{x=1 y=2},c; after those of --pipeline",
    )
    add(
        "--before",
        metavar="SPEC",
        default="",
        help="passes as of -p, before those of --pipeline",
    )
    add(
        "-t",
        "--target",
        metavar="NAME",
        default="mlir",
        help="mlir (default), c, sv ..",
    )
    add(
        "-o",
        "--output-file",
        metavar="PATH",
        help="a file; or DIR/ for every file of target c or sv",
    )
    add(
        "--load-plugin",
        metavar="FILE.py",
        action="append",
        default=[],
        type=Path,
        help="passes, dialects and targets of your own (docs/tutorial-pass.md)",
    )


def _add_lists(add: Add) -> None:
    add(
        "--list-passes",
        nargs="?",
        const="own",
        choices=("own", "all"),
        help="passes with their options; =all: xDSL's too",
    )
    add("--list-pipelines", action="store_true", help="named pipelines")
    add(
        "--print-pipeline",
        action="store_true",
        help="the passes of --pipeline and -p, in the form that -p takes",
    )
    add("-v", "--version", action="store_true", help="versions of qopt and xDSL")


def _add_checks(add: Add) -> None:
    add(
        "--verify-each",
        action="store_true",
        help="run the module before and after each pass and compare every output",
    )
    add(
        "--input",
        metavar="[NAME=]X.npy",
        action="append",
        default=[],
        help="input for --verify-each; without it inputs are generated",
    )
    add("--disable-verify", action="store_true", help="do not verify the IR")
    add(
        "--verify-diagnostics",
        "--parsing-diagnostics",
        action="store_true",
        help="print errors in place of results, exit status 0",
    )
    add("--debug", action="store_true", help="show the Python traceback of an error")


def _add_reading(add: Add) -> None:
    add(
        "-f",
        "--frontend",
        metavar="NAME",
        help="mlir or onnx; by default what the extension of FILE says",
    )
    add(
        "--split-input-file",
        action="store_true",
        help="treat the parts between `// -----` lines as files of their own",
    )
    add("--allow-unregistered-dialect", action="store_true")
    add("--no-implicit-module", action="store_true")


def _add_printing(add: Add) -> None:
    add("--print-op-generic", action="store_true")
    add("--print-no-properties", action="store_true")
    add(
        "--print-debuginfo",
        action="store_true",
        help="with locations: node names of the model, files and lines",
    )
    add("--syntax-highlight", action="store_true")
    add(
        "--print-between-passes",
        action="store_true",
        help="the IR after each pass, on stderr",
    )
    add("--time-passes", action="store_true", help="seconds of each pass, on stderr")
