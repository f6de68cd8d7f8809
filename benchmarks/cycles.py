"""Cycles per frame and latency, predicted and simulated; how busy the slowest unit is.

Builds networks at several frame rates, simulates the SystemVerilog with the input always
there and the output always taken, and with random pauses. Reads the networks given as
arguments, or our own and FINN's CNV, where that stands beside the repository.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from own_networks import quantised_networks
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.timing import (
    bottleneck_cycles,
    frame_interval,
    frame_latency,
    unit_cycles,
)
from qdialect.types import shape_of
from qdialect.units import stream_functions, unit_names, units
from tools.build.agreement import Reference, reference_run
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import PIPELINES
from tools.signature import entry_of

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("QNNC_SHARED_MODELS", ROOT.parent / "shared" / "models"))
CNV = SHARED / "bnn_pynq" / "cnvW1A1_cifar10.onnx"
# A frame of a map is some thousand beats.
VECTOR_FRAMES, MAP_FRAMES = 100, 12
# The middle one of the three foldings has what `fold` aims at by default, or as many
# cycles a frame as it chooses; the others four times as many, and a quarter.
DEFAULT_CYCLES, BETWEEN = 1024, 4
# Share of the latency that a prediction may be wrong by.
LATENCY_ERROR = 0.02


def on_streams(path: Path) -> tuple[ModuleOp, Reference]:
    """A network before it is folded, and levels of some frames at both its ends."""
    module = import_onnx(path)
    QuantizeInputsPass().apply(Context(), module)
    shape = shape_of(entry_of(module, str(path)).body.block.args[0])
    count = VECTOR_FRAMES if len(shape) == 2 else MAP_FRAMES
    rng = np.random.default_rng(0)
    frames = rng.uniform(-2, 2, (count, *shape[1:])).astype(np.float32).round(2)
    # Inputs may be fractions, or numbers of 8 bits.
    frames[1::2] *= 64
    (expected,) = Interpreter(module).run([frames])
    for pass_ in PIPELINES["bnn-integer"].passes:
        pass_.apply(Context(), module)
    reference = reference_run(module, [frames])
    np.testing.assert_array_equal(reference.outputs[0], expected)
    ConvertToQflowPass().apply(Context(), module)
    return module, reference


def three_foldings(module: ModuleOp) -> tuple[int, int, int]:
    """Most cycles a frame of each."""
    trial = module.clone()
    FoldPass().apply(Context(), trial)
    (function,) = stream_functions(trial)
    middle = max(DEFAULT_CYCLES, bottleneck_cycles(function))
    return middle * BETWEEN, middle, middle // BETWEEN


def row(name: str, module: ModuleOp, reference: Reference, most: int) -> str:
    """Fold, simulate and compare; a line of the table."""
    module = module.clone()
    for pass_ in (FoldPass(max_cycles=most), InsertFifosPass()):
        pass_.apply(Context(), module)
    (function,) = stream_functions(module)
    predicted = frame_interval(function)
    slowest = bottleneck_cycles(function)
    latency = frame_latency(function)
    names = unit_names(function)
    busiest = next(
        op
        for op in units(function)
        if unit_cycles(op) == max(map(unit_cycles, units(function)))
    )
    busy = unit_cycles(busiest)
    kind = busiest.name.removeprefix("qflow.")
    unit = names[busiest]
    ConvertQflowToHwPass().apply(Context(), module)
    engine = RtlEngine(module)
    inputs, (expected,) = reference.core_inputs, reference.core_outputs
    (found,) = engine(inputs)
    simulated, measured = engine.cycles_per_frame, first_frame_cycles(engine)
    (paused,) = engine(inputs, pause_in_percent=30, pause_out_percent=40)
    same = bool((found == expected).all() and (paused == expected).all())
    same = same and abs(measured - latency) <= LATENCY_ERROR * measured
    verdict = "ok" if same and simulated == predicted == slowest else "DIFFERS"
    return (
        f"{name:22s} {most:6d} {predicted:9d} {simulated:9.6g} {latency:8d} "
        f"{measured:9d} {unit:>28s} {kind:10s} {100 * busy / simulated:6.1f} {verdict}"
    )


def first_frame_cycles(engine: RtlEngine) -> int:
    """Cycles from the first input beat of the last run to the end of its first frame."""
    assert engine.run is not None
    times = engine.run.times
    start = min(t.first[0] for name, t in times.items() if name.startswith("s_axis"))
    end = max(t.last[0] for name, t in times.items() if name.startswith("m_axis"))
    return end - start


def networks() -> list[Path]:
    """Those given, or our own and CNV."""
    if sys.argv[1:]:
        return [Path(a) for a in sys.argv[1:]]
    ours = quantised_networks()
    if CNV.is_file():
        return [*ours, CNV]
    print(f"{CNV.name} is not beside the repository: left out")
    return ours


def main() -> None:
    """Print a row for each network and folding."""
    print(
        f"{'network':22s} {'at most':>6s} {'predicted':>9s} {'simulated':>9s} "
        f"{'latency':>8s} {'simulated':>9s} {'slowest unit':>28s} {'kind':10s} "
        f"{'busy %':>6s}"
    )
    for path in networks():
        module, reference = on_streams(path)
        for most in three_foldings(module):
            try:
                print(row(path.stem, module, reference, most), flush=True)
            except PassFailedException as error:
                print(f"{path.stem:22s} {most:6d} {str(error).splitlines()[0][:90]}")


if __name__ == "__main__":
    main()
