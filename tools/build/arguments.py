"""The command line of `qbuild`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from xdsl.utils.arg_spec import ParameterListType

from tools.command_line import CommandLine
from tools.mistakes import UsageError
from tools.signature import assignment
from tools.suggestions import unknown

Add: TypeAlias = Callable[..., object]

TARGETS = ("c", "sv")

DESCRIPTION = """\
Compiles a trained network and writes, into one directory: the IR of every stage, C
sources, SystemVerilog with its memories and a test bench, and a report. What was built
is run and compared with the interpreter, value for value.

  qbuild model.onnx -o out
  qbuild model.onnx -o out --target-fps 1e6 --clock-mhz 200 --input x.npy
  qbuild model.onnx -o out --targets c
"""


@dataclass(frozen=True)
class Options:
    """What to build.

    Attributes:
        model: the network, .onnx or .mlir.
        directory: where to write.
        targets: of `TARGETS`.
        clock_mhz: clock of the circuit.
        target_fps: frames a second that the circuit shall reach; None for a usual one.
        folding: JSON file with PE and SIMD of units.
        before: passes that change the network first, as `qopt -p` takes them.
        batch_norm: `exact`, `shift`, or `fixedN` for fixed point of N bits.
        compress_weights: `no`, or when C decodes coded weights: `fly` or `load`.
        inputs: input files, by name or in order.
        labels: file of the right classes.
        frames: frames to simulate, and to generate where no input is given.
        simulates: whether the circuit is simulated.
        requires_simulation: whether a missing simulator is an error.
        debug: whether errors show where they came from.
    """

    model: str
    directory: Path
    targets: tuple[str, ...]
    clock_mhz: float
    target_fps: float | None
    folding: Path | None
    before: str
    batch_norm: str
    compress_weights: str
    inputs: tuple[tuple[str | None, Path], ...]
    labels: Path | None
    frames: int
    simulates: bool
    requires_simulation: bool
    debug: bool

    @property
    def integer_options(self) -> dict[str, ParameterListType]:
        """Options for the passes down to the integer level."""
        return {"batch_norm": (self.batch_norm,)}

    @property
    def pass_options(self) -> dict[str, ParameterListType]:
        """Options for the passes of a pipeline."""
        found: dict[str, ParameterListType] = {
            "clock_mhz": (self.clock_mhz,),
            **self.integer_options,
        }
        if self.target_fps is not None:
            found["target_fps"] = (self.target_fps,)
        if self.folding is not None:
            found["folding_file"] = (str(self.folding),)
        return found


def read_options(given: Sequence[str]) -> Options:
    """The options of a command line.

    Raises:
        UsageError: they contradict each other, or a number is out of range.
    """
    args = _command_line().parse_args(given)
    targets = tuple(args.targets.split(","))
    for target in targets:
        if target not in TARGETS:
            raise UsageError(f"--targets: {unknown('target', target, TARGETS)}")
    if args.no_rtl_sim and args.require_rtl_sim:
        raise UsageError("--no-rtl-sim and --require-rtl-sim contradict each other")
    if args.compress_weights != "no" and "c" not in targets:
        raise UsageError(
            "--compress-weights is for C, which --targets leaves out; add c to it"
        )
    return Options(
        model=args.model,
        directory=args.output,
        targets=targets,
        clock_mhz=args.clock_mhz,
        target_fps=args.target_fps,
        folding=args.folding,
        before=args.before,
        batch_norm=args.batch_norm,
        compress_weights=args.compress_weights,
        inputs=tuple(assignment(text) for text in args.input),
        labels=args.labels,
        frames=args.frames,
        simulates=not args.no_rtl_sim and "sv" in targets,
        requires_simulation=args.require_rtl_sim,
        debug=args.debug,
    )


def _command_line() -> CommandLine:
    line = CommandLine("qbuild", DESCRIPTION, "MODEL -o DIR [options]")
    line.add_argument("model", metavar="MODEL", help="a network, .onnx or .mlir")
    line.add_argument(
        "-o", "--output", metavar="DIR", required=True, type=Path, help="where to write"
    )
    _add_design(line.add_argument_group("the design").add_argument)
    _add_checks(line.add_argument_group("checking").add_argument)
    line.add_argument(
        "--debug", action="store_true", help="show the Python traceback of an error"
    )
    line.add_argument("-v", "--version", action="store_true", help="versions")
    return line


def _add_design(add: Add) -> None:
    add(
        "--targets",
        metavar="LIST",
        default=",".join(TARGETS),
        help="c, sv or both, with a comma between (default)",
    )
    add(
        "--target-fps",
        metavar="N",
        type=_positive,
        help="frames a second that the circuit shall reach",
    )
    add(
        "--clock-mhz",
        metavar="N",
        type=_positive,
        default=100.0,
        help="clock of the circuit (default: 100)",
    )
    add(
        "--folding",
        metavar="F.json",
        type=Path,
        help='PE and SIMD of units: {"unit": {"pe": 8, "simd": 16}}',
    )
    add(
        "--before",
        metavar="PASSES",
        default="",
        help="passes that run first, such as posit-weights{n=8 es=auto} where weights "
        "are real numbers; says what they change",
    )
    add(
        "--batch-norm",
        metavar="HOW",
        default="exact",
        help="exact (default); fixed16: k * x + h in 16 bits; or shift: k is a power "
        "of two; says what it changes",
    )
    add(
        "--compress-weights",
        metavar="WHEN",
        choices=("no", "fly", "load"),
        default="no",
        help="C: weights in codebooks, Huffman codes and relative indices, decoded while "
        "a frame is computed (fly) or once (load); says what they take (default: no)",
    )


def _add_checks(add: Add) -> None:
    add(
        "--input",
        metavar="[NAME=]X.npy",
        action="append",
        default=[],
        help="inputs to compare on; without it inputs are generated",
    )
    add("--labels", metavar="L.npy", type=Path, help="right classes: say the accuracy")
    add(
        "--frames",
        metavar="N",
        type=_count,
        default=100,
        help="frames to simulate (default: 100); C runs on all",
    )
    add("--no-rtl-sim", action="store_true", help="do not simulate the circuit")
    add(
        "--require-rtl-sim",
        action="store_true",
        help="fail where there is no simulator",
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got '{text}'")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a count from 1, got '{text}'")
    return int(text)
