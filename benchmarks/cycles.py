"""Cycles per frame: predicted, simulated, and how busy the slowest unit is.

Builds networks at several frame rates, simulates the SystemVerilog with the input always
there and the output always taken, and with random pauses. Reads the networks given as
arguments, or our own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
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
from qdialect import qflow
from qdialect.data import Array
from qdialect.timing import bottleneck_cycles, frame_interval, unit_cycles
from qdialect.types import shape_of
from qdialect.units import stream_functions, unit_names, units
from tools.engines import entry_of
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import PIPELINES

MODELS = Path(__file__).resolve().parent.parent / "models"
FRAMES = 100
# Frame rates of the three foldings, as cycles a frame.
MAX_CYCLES = (4096, 1024, 256)


def integer_level(path: Path) -> tuple[ModuleOp, Array, Array]:
    """A network at the integer level, frames for it, and their outputs."""
    module = import_onnx(path)
    QuantizeInputsPass().apply(Context(), module)
    shape = shape_of(entry_of(module, str(path)).body.block.args[0])
    rng = np.random.default_rng(0)
    frames = rng.uniform(-2, 2, (FRAMES, *shape[1:])).astype(np.float32).round(2)
    (expected,) = Interpreter(module).run([frames])
    for pass_ in PIPELINES["bnn-integer"].passes:
        pass_.apply(Context(), module)
    return module, frames, expected


def row(name: str, module: ModuleOp, frames: Array, expected: Array, most: int) -> str:
    """Fold, simulate and compare; a line of the table."""
    module = module.clone()
    for pass_ in (ConvertToQflowPass(), FoldPass(max_cycles=most), InsertFifosPass()):
        pass_.apply(Context(), module)
    (function,) = stream_functions(module)
    predicted = frame_interval(function)
    slowest = bottleneck_cycles(function)
    names = unit_names(function)
    busiest = next(
        op
        for op in units(function)
        if unit_cycles(op) == max(map(unit_cycles, units(function)))
    )
    busy = unit_cycles(busiest)
    kind = "mvu" if isinstance(busiest, qflow.MvuOp) else busiest.name
    unit = names[busiest]
    ConvertQflowToHwPass().apply(Context(), module)
    engine = RtlEngine(module)
    (found,) = Interpreter(module, core=engine).run([frames])
    simulated = engine.cycles_per_frame
    same = bool((found == expected).all())
    (paused,) = Interpreter(
        module,
        core=lambda arrays: engine(arrays, pause_in_percent=30, pause_out_percent=40),
    ).run([frames])
    same = same and bool((paused == expected).all())
    verdict = "ok" if same and simulated == predicted == slowest else "DIFFERS"
    return (
        f"{name:22s} {most:6d} {predicted:9d} {simulated:9.6g} {unit:>28s} {kind:5s} "
        f"{100 * busy / simulated:6.1f} {verdict}"
    )


def main() -> None:
    """Print a row for each network and folding."""
    print(
        f"{'network':22s} {'at most':>6s} {'predicted':>9s} {'simulated':>9s} "
        f"{'slowest unit':>28s} {'kind':5s} {'busy %':>6s}"
    )
    paths = [Path(a) for a in sys.argv[1:]] or sorted(MODELS.glob("*.onnx"))
    for path in paths:
        module, frames, expected = integer_level(path)
        for most in MAX_CYCLES:
            try:
                print(row(path.stem, module, frames, expected, most), flush=True)
            except PassFailedException as error:
                print(f"{path.stem:22s} {most:6d} {str(error).splitlines()[0][:90]}")


if __name__ == "__main__":
    main()
