"""The SystemVerilog is read by every tool, and CIRCT's rendering of it does the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from circuits import SEEDS, circuit, frames_and_outputs
from integer_cores import random_core
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp

from lowering.hw.circt_export import export_systemverilog
from lowering.hw.circt_text import circt_text
from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import ports_of, top_module
from lowering.hw.streams import from_beats, to_beats
from lowering.hw.sv import emit_files
from lowering.hw.top import INPUTS, OUTPUTS, stream_types
from lowering.hw.verilate import build
from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect.data import Array

seeds = pytest.mark.parametrize("seed", SEEDS)


@cache
def branching_circuit() -> ModuleOp:
    """A core with forks, tables, a top-k and several streams at both ends."""
    return apply(
        random_core(0),
        ConvertToQflowPass(),
        FoldPass(max_cycles=30),
        InsertFifosPass(),
        ConvertQflowToHwPass(),
    )


def modules() -> list[ModuleOp]:
    return [*(circuit(seed) for seed in SEEDS), branching_circuit()]


designs = pytest.mark.parametrize("index", range(len(SEEDS) + 1))


def written(module: ModuleOp, folder: Path) -> list[str]:
    """The design of a network in `folder`; names of its SystemVerilog files."""
    files = emit_files(module)
    for name, text in files.items():
        (folder / name).write_text(text)
    return [name for name in files if name.endswith(".sv")]


@designs
def test_icarus(index: int, tmp_path: Path) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed")
    module = modules()[index]
    names = written(module, tmp_path)
    top = "qnnc_top"
    done = subprocess.run(
        ["iverilog", "-g2012", "-Wall", "-s", top, "-o", "out", *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    # Icarus has no time scale to inherit and says so of every file.
    said = [line for line in done.stderr.splitlines() if "timescale" not in line]
    assert (done.returncode, said) == (0, [])


@designs
def test_slang(index: int, tmp_path: Path) -> None:
    pyslang = pytest.importorskip("pyslang")
    names = written(modules()[index], tmp_path)
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    paths = " ".join(str(tmp_path / name) for name in names)
    assert driver.parseCommandLine(f"slang -Wextra {paths}")
    assert driver.processOptions()
    assert driver.parseAllSources()
    compilation = driver.createCompilation()
    assert list(compilation.getAllDiagnostics()) == []


@designs
def test_yosys_own_reader(index: int, tmp_path: Path) -> None:
    libyosys = pytest.importorskip("pyosys.libyosys")
    module = modules()[index]
    names = written(module, tmp_path)
    top = "qnnc_top"
    script = [f"read_verilog -sv {tmp_path / name}" for name in names]
    script += [f"hierarchy -check -top {top}", "proc", "check -assert"]
    program = "\n".join(
        [
            "import os",
            f"os.chdir({str(tmp_path)!r})",
            "from pyosys import libyosys",
            "design = libyosys.Design()",
            *(f"libyosys.run_pass({line!r}, design)" for line in script),
        ]
    )
    assert libyosys is not None
    # Yosys ends the process at an error, so it gets one of its own.
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@seeds
def test_circt_reads_the_circuit_and_its_export_does_the_same(
    seed: int, tmp_path: Path
) -> None:
    pytest.importorskip("pycde")
    module = circuit(seed)
    top = top_module(module)
    exported = export_systemverilog(circt_text(module))
    memories = {n: t for n, t in emit_files(module).items() if n.endswith(".mem")}
    inputs, outputs = stream_types(top, INPUTS), stream_types(top, OUTPUTS)
    simulation = build(
        {"circt.sv": exported, **memories},
        top.sym_name.data,
        ports_of("s", inputs),
        ports_of("m", outputs),
        tmp_path,
        warnings=False,
    )

    def run(arrays: list[Array]) -> list[Array]:
        words = [to_beats(a, s) for a, s in zip(arrays, inputs, strict=True)]
        done = simulation.run(
            words, len(arrays[0]), pause_in_percent=20, pause_out_percent=20
        )
        (name,) = done.words
        return [from_beats(done.words[name], outputs[0], len(arrays[0]))]

    frames, expected = frames_and_outputs(seed, 200)
    (found,) = Interpreter(module, core=lambda arrays: run(list(arrays))).run([frames])
    np.testing.assert_array_equal(found, expected)
