"""Seconds and memory from a command line to its results: ONNX to all outputs.

Whole processes, the median and the best of some runs after one that warms the disk's
cache, the least time of the processors, which other work on the machine does not add to,
and the most memory that one of them or of its children held. Reads the networks
given as arguments, or our own and three of published topologies in full size, whose
parameters are generated; of these the stages are measured apart as well.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from own_networks import quantised_networks

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parent.parent
GENERATOR = ROOT / "tests" / "support" / "topologies.py"
VERSION_LIMIT_SECONDS, BUILD_LIMIT_SECONDS = 0.6, 3.0
# Seconds to all outputs of a generated network, and to its integer level.
TOPOLOGY_LIMITS_SECONDS = {"binarynet": 60.0, "cnv_w2a2": 8.0, "cnv_w1a1": 8.0}
INTEGER_LIMIT_SECONDS = 3.0
MEMORY_LIMIT_MIB = 2048


@dataclass(frozen=True)
class Run:
    """One process.

    Attributes:
        seconds: wall clock.
        busy_seconds: of the processors, its children's included.
        peak_mib: most memory that it or one of its children held.
        refusal: the first line of what it says if it fails; empty if it does not.
    """

    seconds: float
    busy_seconds: float
    peak_mib: float
    refusal: str


def run(command: list[str]) -> Run:
    """Run a command to its end."""
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        refusals = [line.strip() for line in errors if "error: " in line]
    failed = process.returncode != 0
    refusal = (refusals or ["no message"])[0] if failed else ""
    busy_seconds = usage.ru_utime + usage.ru_stime
    return Run(seconds, busy_seconds, usage.ru_maxrss / 1024, refusal)


def measure(command: list[str], count: int, folder: Path | None = None) -> list[Run]:
    """The counted runs of a command; `folder` is removed before each."""
    found: list[Run] = []
    for _ in range(count + 1):
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        found.append(run(command))
        if found[-1].refusal:
            return found
    return found[1:]


def report(what: str, runs: list[Run], limit: float) -> None:
    """Print a row."""
    if refusal := runs[-1].refusal:
        print(f"{what:36s} REFUSED: {refusal}")
        return
    times = [found.seconds for found in runs]
    busy = min(found.busy_seconds for found in runs)
    peak = max(found.peak_mib for found in runs)
    verdict = "ok" if median(times) < limit else "TOO SLOW"
    if peak >= MEMORY_LIMIT_MIB:
        verdict = "TOO LARGE"
    print(
        f"{what:36s} median {median(times):6.2f} s  best {min(times):6.2f} s  limit "
        f"{limit:4.1f} s  processor {busy:6.2f} s  peak {peak:5.0f} MiB  {verdict}"
    )


def measure_stages(path: Path, scratch: Path) -> None:
    """Print a row for each stage of a network on its way to all outputs."""
    qopt, ir = [str(BIN / "qopt"), str(path)], scratch / "stage.mlir"
    for stage, options in (
        ("import", []),
        ("bnn-integer", ["--pipeline=bnn-integer"]),
        ("bnn-c", ["--pipeline=bnn-c"]),
    ):
        runs = measure([*qopt, *options, "-o", str(ir)], 3)
        report(f"qopt {path.name} {stage}", runs, INTEGER_LIMIT_SECONDS)
    folder = scratch / "build"
    build = [str(BIN / "qbuild"), str(path), "-o", str(folder), "--no-rtl-sim"]
    runs = measure(build, 1, folder)
    report(f"qbuild {path.name}", runs, TOPOLOGY_LIMITS_SECONDS[path.stem])
    if (written := folder / "report.json").is_file():
        for step, seconds in json.loads(written.read_text())["steps"].items():
            print(f"  {step:34s}        {seconds:6.2f} s")


def main() -> None:
    """Print a row a command."""
    qopt = [str(BIN / "qopt"), "--version"]
    report("qopt --version", measure(qopt, 5), VERSION_LIMIT_SECONDS)
    given = [Path(a) for a in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "build"
        for path in given or quantised_networks():
            build = [str(BIN / "qbuild"), str(path), "-o", str(folder), "--no-rtl-sim"]
            runs = measure(build, 5, folder)
            report(f"qbuild {path.name}", runs, BUILD_LIMIT_SECONDS)
        for name in () if given else TOPOLOGY_LIMITS_SECONDS:
            path = Path(scratch) / f"{name}.onnx"
            subprocess.run([sys.executable, GENERATOR, name, path], check=True)
            measure_stages(path, Path(scratch))


if __name__ == "__main__":
    main()
