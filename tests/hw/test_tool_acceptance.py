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
from pass_agreement import TO_INTEGER, apply
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.hw import HWModuleOp

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
from qdialect.types import shape_of
from tools.onnx_import.frontend import import_onnx
from tools.signature import entry_of

MODELS = Path(__file__).resolve().parents[2] / "models"
TO_CIRCUIT = (
    ConvertToQflowPass(),
    FoldPass(),
    InsertFifosPass(),
    ConvertQflowToHwPass(),
)

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


@cache
def convolutional_circuit(name: str) -> ModuleOp:
    """One of our own networks, as it folds by default."""
    return apply(import_onnx(MODELS / f"{name}.onnx"), *TO_INTEGER, *TO_CIRCUIT)


convolutional = pytest.mark.parametrize(
    "name",
    ["digits_cnn_w1a1", pytest.param("digits_resnet_w2a2", marks=pytest.mark.slow)],
)


def design(name: int | str) -> ModuleOp:
    """A random MLP by its seed, or one of those above."""
    if isinstance(name, int):
        return circuit(name)
    return branching_circuit() if name == "branching" else convolutional_circuit(name)


designs = pytest.mark.parametrize(
    "name",
    [
        *SEEDS,
        "branching",
        "digits_cnn_w1a1",
        pytest.param("digits_resnet_w2a2", marks=pytest.mark.slow),
    ],
)


def written(module: ModuleOp, folder: Path) -> list[str]:
    """The design of a network in `folder`; names of its SystemVerilog files."""
    files = emit_files(module)
    for name, text in files.items():
        (folder / name).write_text(text)
    return [name for name in files if name.endswith(".sv")]


@designs
def test_icarus(name: int | str, tmp_path: Path) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed")
    module = design(name)
    files = written(module, tmp_path)
    top = "qnnc_top"
    done = subprocess.run(
        ["iverilog", "-g2012", "-Wall", "-s", top, "-o", "out", *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    # Icarus has no time scale to inherit and says so of every file.
    said = [line for line in done.stderr.splitlines() if "timescale" not in line]
    assert (done.returncode, said) == (0, [])


@designs
def test_slang(name: int | str, tmp_path: Path) -> None:
    pyslang = pytest.importorskip("pyslang")
    files = written(design(name), tmp_path)
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    paths = " ".join(str(tmp_path / file) for file in files)
    assert driver.parseCommandLine(f"slang -Wextra {paths}")
    assert driver.processOptions()
    assert driver.parseAllSources()
    compilation = driver.createCompilation()
    assert list(compilation.getAllDiagnostics()) == []


@designs
def test_yosys_own_reader(name: int | str, tmp_path: Path) -> None:
    libyosys = pytest.importorskip("pyosys.libyosys")
    module = design(name)
    files = written(module, tmp_path)
    top = "qnnc_top"
    script = [f"read_verilog -sv {tmp_path / file}" for file in files]
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
    frames, expected = frames_and_outputs(seed, 200)
    assert_export_gives(circuit(seed), frames, expected, tmp_path)


@convolutional
def test_circt_reads_a_convolutional_network(name: str) -> None:
    pytest.importorskip("pycde")
    module = convolutional_circuit(name)
    exported = export_systemverilog(circt_text(module))
    modules = [op for op in module.body.block.ops if isinstance(op, HWModuleOp)]
    assert modules
    for op in modules:
        assert f"module {op.sym_name.data}(" in exported


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_cnn_w1a1", "digits_resnet_w2a2"])
def test_circt_export_of_a_convolutional_network(name: str, tmp_path: Path) -> None:
    with np.load(MODELS / "digits_test.npz") as data:
        frames = data["inputs"][:8]
    network = import_onnx(MODELS / f"{name}.onnx")
    frames = frames.reshape(-1, *shape_of(entry_of(network, name).args[0])[1:])
    (expected,) = Interpreter(network).run([frames])
    assert_export_gives(convolutional_circuit(name), frames, expected, tmp_path)


def assert_export_gives(
    module: ModuleOp, frames: Array, expected: Array, tmp_path: Path
) -> None:
    """What CIRCT writes, simulated with pauses, gives the outputs."""
    pytest.importorskip("pycde")
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

    (found,) = Interpreter(module, core=lambda arrays: run(list(arrays))).run([frames])
    np.testing.assert_array_equal(found, expected)
