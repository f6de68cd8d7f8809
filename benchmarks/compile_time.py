"""Seconds from a command line to its results: `qopt --version`, ONNX to all outputs.

Whole processes, the median and the best of some runs after one that warms the disk's
cache. Reads the networks given as arguments, or our own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

BIN = Path(sys.executable).parent
MODELS = Path(__file__).resolve().parent.parent / "models"
RUNS = 5
VERSION_LIMIT_SECONDS, BUILD_LIMIT_SECONDS = 0.6, 3.0


def seconds(command: list[str], folder: Path | None = None) -> list[float]:
    """Wall-clock seconds of each counted run; `folder` is removed before each."""
    times: list[float] = []
    for _ in range(RUNS + 1):
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return times[1:]


def report(what: str, times: list[float], limit: float) -> None:
    """Print a row."""
    verdict = "ok" if median(times) < limit else "TOO SLOW"
    print(
        f"{what:44s} median {median(times):5.2f} s  best {min(times):5.2f} s  "
        f"limit {limit} s  {verdict}"
    )


def main() -> None:
    """Print a row a command."""
    qopt = [str(BIN / "qopt"), "--version"]
    report("qopt --version", seconds(qopt), VERSION_LIMIT_SECONDS)
    paths = [Path(a) for a in sys.argv[1:]] or sorted(MODELS.glob("*.onnx"))
    with tempfile.TemporaryDirectory() as scratch:
        for path in paths:
            folder = Path(scratch) / "build"
            build = [str(BIN / "qbuild"), str(path), "-o", str(folder), "--no-rtl-sim"]
            report(f"qbuild {path.name}", seconds(build, folder), BUILD_LIMIT_SECONDS)


if __name__ == "__main__":
    main()
