"""The circuit of a network: SystemVerilog and test bench, simulated and compared."""

from __future__ import annotations

from functools import partial

from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import DiagnosticException

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine, top_module
from lowering.hw.sv import emit_files
from lowering.hw.verilate import SimulationError, SimulatorMissingError
from passes.outline_core import OutlineCorePass
from qdialect.units import stream_functions
from tools.build.agreement import compare_core
from tools.build.layers import predict, stream_layers
from tools.build.report import Simulation
from tools.build.test_bench import bench_files
from tools.build.workspace import Workspace
from tools.diagnostics import in_file
from tools.engines import STEADY_FRAMES
from tools.pipelines import find_pipeline

# Chance in percent that each side of the circuit pauses in a cycle.
_PAUSE_PERCENT = 30


def add_circuit(work: Workspace) -> None:
    """Write the SystemVerilog of a network, simulate it, compare with the interpreter.

    Raises:
        UserError: the network has no streaming circuit, or does not simulate.
    """
    module = work.module.clone()
    options = {**work.options.pass_options, "prefix": (work.name,)}
    passes = find_pipeline("bnn-fpga", options).passes
    kinds = [type(pass_) for pass_ in passes]
    first, last = kinds.index(OutlineCorePass) + 1, kinds.index(ConvertQflowToHwPass)
    with work.progress.step("streams") as step:
        work.stages.apply(module, passes[first:last], work.next_stage)
        function = stream_functions(module)[0]
        layers, figures = stream_layers(function), predict(function)
        step.result = f"{figures.interval_cycles:,} cycles a frame"
    with work.progress.step("circuit") as step:
        work.stages.apply(module, passes[last:], work.next_stage + last - first)
        try:
            files = emit_files(module)
            top = top_module(module)
        except DiagnosticException as error:
            raise in_file(work.options.model, error) from error
        frames = work.options.frames
        bench = bench_files(
            top,
            [name for name in files if name.endswith(".sv")],
            [array[:frames] for array in work.reference.core_inputs],
            [array[:frames] for array in work.reference.core_outputs],
        )
        work.put("sv", files)
        work.put("tb", bench)
        step.result = f"{len(files)} files"
    work.report.layers, work.report.streaming = layers, figures
    if work.options.simulates:
        _simulate(work, module)
    else:
        work.report.notes.append("the circuit was not simulated (--no-rtl-sim)")


def _simulate(work: Workspace, module: ModuleOp) -> None:
    inputs = [array[: work.options.frames] for array in work.inputs]
    try:
        with work.progress.step("simulation, compiled") as step:
            engine = RtlEngine(module)
            step.result = "Verilator accepts the design without a warning"
        for name, pause in (
            ("SystemVerilog", 0),
            ("SystemVerilog, random stalls", _PAUSE_PERCENT),
        ):
            with work.progress.step(name) as step:
                core = partial(engine, pause_in_percent=pause, pause_out_percent=pause)
                found = compare_core(name, module, core, inputs, work.reference)
                work.report.agreements.append(found)
                step.result = f"{found.frames_equal:,} of {found.frames:,} frames equal"
            if pause == 0:
                work.report.simulation = _measured(engine, found.frames)
    except SimulatorMissingError as error:
        work.report.notes.append(f"the circuit was NOT simulated: {error}")
    except (SimulationError, DiagnosticException) as error:
        raise in_file(work.options.model, error) from error


def _measured(engine: RtlEngine, frames: int) -> Simulation:
    assert engine.run is not None
    times = engine.run.times
    cycles = engine.cycles_per_frame if frames >= STEADY_FRAMES else None
    outputs = [times[name] for name in engine.run.words]
    inputs = [times[name] for name in times if name not in engine.run.words]
    end = max(port.last[0] for port in outputs)
    return Simulation(
        simulator="Verilator",
        frames=frames,
        cycles_per_frame=cycles,
        latency_cycles=end - min(port.first[0] for port in inputs),
        drain_cycles=end - max(port.last[0] for port in inputs),
    )
