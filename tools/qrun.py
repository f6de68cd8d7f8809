"""`qrun`: runs a network or a module on NumPy files, on any of the three engines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.command_line import CommandLine
from tools.entry import run_command, version_line, write_output
from tools.mistakes import UsageError

DESCRIPTION = """\
Runs a trained network (.onnx), or a module of any level (.mlir), on inputs.

  qrun model.onnx --input x.npy                    a summary of the outputs
  qrun model.onnx --input x.npy --output y.npy     the outputs
  qrun model.onnx --input a=x.npy --input b=z.npy  where there are several inputs
  qrun model.onnx --input x.npy --engine c --labels y.npy

Frames lie along the first axis, whatever batch the model was exported with; one frame
may come without it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `qrun`; the exit status.

    0: everything asked for was written. 1: the network or an input is refused. 2: the
    command line is wrong.

    Args:
        arguments: the command line without the command's name; by default the
            process's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    return run_command("qrun", lambda: _run(given), debug="--debug" in given)


def command_line() -> CommandLine:
    """The argument parser of `qrun`."""
    line = CommandLine("qrun", DESCRIPTION, "FILE --input X.npy [options]")
    line.add_argument("file", metavar="FILE", help="a network or module")
    line.add_argument(
        "--input",
        metavar="[NAME=]X.npy",
        action="append",
        default=[],
        help="integers or real numbers [N, ..]; once for each input of the network",
    )
    line.add_argument(
        "--output",
        metavar="[NAME=]Y.npy",
        action="append",
        default=[],
        help="where to save an output; without it a summary is printed",
    )
    line.add_argument(
        "--engine",
        metavar="NAME",
        default="interpreter",
        help="interpreter (default), c (compiled), rtl (simulated SystemVerilog)",
    )
    line.add_argument(
        "--batch-norm",
        metavar="HOW",
        default="exact",
        help="of a network: exact (default), fixed16: k * x + h in 16 bits, or shift: k "
        "is a power of two",
    )
    line.add_argument(
        "--labels",
        metavar="L.npy",
        type=Path,
        help="right classes [N]: say the accuracy",
    )
    line.add_argument(
        "--load-plugin",
        metavar="FILE.py",
        action="append",
        default=[],
        type=Path,
        help="dialects and interpreter functions of your own",
    )
    line.add_argument(
        "--debug", action="store_true", help="show the Python traceback of an error"
    )
    line.add_argument("-v", "--version", action="store_true", help="versions")
    return line


def _run(given: Sequence[str]) -> int:
    if {"-v", "--version"} & set(given):
        write_output(f"{version_line('qrun')}\n")
        return 0
    args = command_line().parse_args(given)
    if not args.input:
        raise UsageError("give the input: --input X.npy")
    return _run_network(args)


def _run_network(args: argparse.Namespace) -> int:
    # Imported late, for the sake of --version and --help.
    from tools.arrays import read_array, write_array
    from tools.engines import load_network
    from tools.output import check_writable
    from tools.plugins import load_plugin
    from tools.raw_inputs import rounding_notes
    from tools.registry import build_registry
    from tools.signature import assign, assignment, output_names, read_inputs
    from tools.summary import accuracy_line, describe_output

    plugins = [load_plugin(path, debug=args.debug) for path in args.load_plugin]
    registry = build_registry(plugins)
    options = {"batch_norm": (args.batch_norm,)}
    network = load_network(args.file, args.engine, registry, options)
    names = output_names(network.function)
    places = assign(names, [assignment(text) for text in args.output], "output")
    for path in places.values():
        check_writable(path)
    labels = None if args.labels is None else read_array(args.labels)
    inputs = read_inputs(network.function, [assignment(text) for text in args.input])
    for note in rounding_notes(network.function, inputs, args.file):
        print(f"qrun: {note}", file=sys.stderr)
    outputs = network.run(inputs)
    lines = (
        []
        if places
        else [
            line
            for name, output in zip(names, outputs, strict=True)
            for line in describe_output(name, output)
        ]
    )
    if labels is not None:
        lines.append(accuracy_line(outputs, labels, str(args.labels)))
    for name, path in places.items():
        write_array(path, outputs[names.index(name)])
    if not places:
        lines.append(network.speed())
    write_output("".join(f"{line}\n" for line in lines))
    return 0
