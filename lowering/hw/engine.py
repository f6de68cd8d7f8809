"""`RtlEngine`: runs the core of a network in simulated SystemVerilog."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.hw import HWModuleOp
from xdsl.utils.exceptions import DiagnosticException

from lowering.hw.streams import from_beats, to_beats
from lowering.hw.sv import emit_files
from lowering.hw.testbench import Port
from lowering.hw.top import INPUTS, OUTPUTS, axis_names, stream_types, tdata_bits
from lowering.hw.verilate import Run, Simulation, build
from qdialect.calls import CallOp
from qdialect.data import Array
from qdialect.streams import StreamType


class RtlEngine:
    """Runs frames through the top module that `qnn.call` names.

    The design is emitted and compiled when the engine is made, in a temporary folder
    that goes with it.

    Args:
        module: a module of the circuit level.

    Raises:
        DiagnosticException: the module has no circuit.
        SimulationError: it cannot be simulated here.
    """

    def __init__(self, module: ModuleOp):
        top = top_module(module)
        self.inputs = stream_types(top, INPUTS)
        self.outputs = stream_types(top, OUTPUTS)
        self.run: Run | None = None
        folder = tempfile.mkdtemp(prefix="qnnc-rtl-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._simulation: Simulation = build(
            emit_files(module),
            top.sym_name.data,
            ports_of("s", self.inputs),
            ports_of("m", self.outputs),
            Path(folder),
        )

    def __call__(
        self,
        arrays: Sequence[Array],
        *,
        pause_in_percent: int = 0,
        pause_out_percent: int = 0,
        seed: int = 1,
    ) -> list[Array]:
        """The results for frames along the leading axis.

        Args:
            arrays: levels [N, ..] for each argument of the core.
            pause_in_percent: chance that an input pauses in a cycle.
            pause_out_percent: chance that an output pauses in a cycle.
            seed: of the pauses.

        Raises:
            SimulationError: the circuit hangs or breaks the protocol.
        """
        frames = len(arrays[0])
        self.run = self._simulation.run(
            [
                to_beats(array, stream)
                for array, stream in zip(arrays, self.inputs, strict=True)
            ],
            frames,
            pause_in_percent=pause_in_percent,
            pause_out_percent=pause_out_percent,
            seed=seed,
        )
        names = axis_names("m", len(self.outputs))
        return [
            from_beats(self.run.words[name], stream, frames)
            for name, stream in zip(names, self.outputs, strict=True)
        ]

    @property
    def cycles_per_frame(self) -> float:
        """Cycles between two frames of the last run, in steady state.

        Of several outputs the slowest counts.

        Raises:
            ValueError: nothing ran yet, or fewer than four frames.
        """
        if self.run is None:
            raise ValueError("nothing has run yet")
        run = self.run
        return max(map(run.cycles_per_frame, axis_names("m", len(self.outputs))))


def top_module(module: ModuleOp) -> HWModuleOp:
    """The hw.module that a `qnn.call` of `module` names.

    Raises:
        DiagnosticException: there is none.
    """
    modules = {
        op.sym_name.data: op for op in module.body.ops if isinstance(op, HWModuleOp)
    }
    for op in module.walk():
        if isinstance(op, CallOp) and op.callee.string_value() in modules:
            return modules[op.callee.string_value()]
    raise DiagnosticException(
        "the module calls no circuit; run --pipeline=bnn-fpga first"
    )


def ports_of(kind: str, streams: Sequence[StreamType]) -> list[Port]:
    """The AXI4-Stream ports that carry `streams`; `kind` is `s` or `m`."""
    names = axis_names(kind, len(streams))
    return [
        Port(name, tdata_bits(stream), stream.beats_per_frame)
        for name, stream in zip(names, streams, strict=True)
    ]
