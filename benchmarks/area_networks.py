"""Whole convolutional networks, synthesised by Yosys: LUTs, block RAMs, our estimate.

At the folding that they have by default, before place and route. Reads the networks
given as arguments, or our own convolutional ones; `FILE@CYCLES` is folded for so many
cycles a frame.

To compare with: FINN's CNV-W1A1 is stated to take 26,072 LUTs (2,025 of them memory),
41,312 flip-flops, 124 block RAMs and 24 DSPs of a Zynq 7020, 32,768 cycles a frame
(BNN-PYNQ, README of bnn/src/network/cnvW1A1). Those figures come from Vivado, ours from
Yosys, before placement; what surrounds the network there is not stated, nor whether a
block RAM counts 18 or 36 kbit. Here it counts 18.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from area import synthesised
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import top_module
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect.costs import Cost, unit_cost
from qdialect.timing import bottleneck_cycles
from qdialect.units import stream_functions, units
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import PIPELINES

MODELS = Path(__file__).resolve().parent.parent / "models"
NETWORKS = ("digits_cnn_w1a1.onnx", "digits_resnet_w2a2.onnx")
# Yosys works on one design as a whole and keeps all of it.
LIMIT_SECONDS = 900.0


def folded(path: Path, max_cycles: int | None) -> ModuleOp:
    """A network on streams."""
    module = import_onnx(path)
    for pass_ in (
        *PIPELINES["bnn-integer"].passes,
        ConvertToQflowPass(),
        FoldPass(max_cycles=max_cycles),
        InsertFifosPass(),
    ):
        pass_.apply(Context(), module)
    return module


def row(path: Path, max_cycles: int | None) -> str:
    """Fold and synthesise; a line of the table."""
    module = folded(path, max_cycles)
    (function,) = stream_functions(module)
    cycles = bottleneck_cycles(function)
    cost = sum((unit_cost(op) for op in units(function)), Cost())
    estimate = f"{cost.luts:9.0f} {cost.block_rams:7d}"
    ConvertQflowToHwPass().apply(Context(), module)
    top = top_module(module).sym_name.data
    start = time.perf_counter()
    try:
        area = synthesised(module, top, limit_seconds=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return (
            f"{path.stem:22s} {cycles:8d} not done in {LIMIT_SECONDS:.0f} s; {estimate}"
        )
    seconds = time.perf_counter() - start
    return (
        f"{path.stem:22s} {cycles:8d} {area.logic_luts:6d} {area.memory_luts:7d} "
        f"{area.registers:6d} {area.rams:7d} {area.dsps:4d} {estimate} {seconds:7.0f}"
    )


def main() -> None:
    """Print a row a network."""
    print(
        f"{'network':22s} {'cycles':>8s} {'LUT':>6s} {'LUTRAM':>7s} {'FF':>6s} "
        f"{'RAMB18':>7s} {'DSP':>4s} {'estimate':>9s} {'RAMB18':>7s} {'seconds':>7s}"
    )
    for given in sys.argv[1:] or [str(MODELS / name) for name in NETWORKS]:
        file, _, cycles = given.partition("@")
        print(row(Path(file), int(cycles) if cycles else None), flush=True)


if __name__ == "__main__":
    main()
