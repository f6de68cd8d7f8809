"""`run_circuit`: the core of a network as a circuit, on frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.hw import HWModuleOp

from lowering.hw.hierarchy import CircuitError
from lowering.hw.streams import from_beats, to_beats
from lowering.hw.top import INPUTS, OUTPUTS, axis_names, stream_types
from lowering.interpreter.circuit import CircuitSimulator
from qdialect.data import Array

# Cycles without any beat after which a circuit is taken to hang.
_QUIET_CYCLES = 100_000
_RESET_CYCLES = 4


@dataclass
class _Source:
    name: str
    words: list[int]
    taken: int = 0


@dataclass
class _Sink:
    name: str
    wanted: int
    words: list[int]


def run_circuit(module: ModuleOp, top: str, arrays: Sequence[Array]) -> list[Array]:
    """The results of a circuit for frames along the leading axis.

    Frames follow each other without a pause, as in hardware.

    Args:
        module: the circuit level.
        top: name of the top module, which has AXI4-Stream ports.
        arrays: levels [N, ..], one array a stream.

    Raises:
        CircuitError: the circuit cannot be executed, or it hangs.
    """
    operation = next(
        op
        for op in module.body.ops
        if isinstance(op, HWModuleOp) and op.sym_name.data == top
    )
    inputs, outputs = stream_types(operation, INPUTS), stream_types(operation, OUTPUTS)
    frames = len(arrays[0])
    sources = [
        _Source(name, to_beats(array, stream))
        for name, array, stream in zip(
            axis_names("s", len(inputs)), arrays, inputs, strict=True
        )
    ]
    sinks = [
        _Sink(name, frames * stream.beats_per_frame, [])
        for name, stream in zip(axis_names("m", len(outputs)), outputs, strict=True)
    ]
    _simulate(CircuitSimulator(module, top), sources, sinks)
    return [
        from_beats(sink.words, stream, frames)
        for sink, stream in zip(sinks, outputs, strict=True)
    ]


def _simulate(
    simulator: CircuitSimulator, sources: list[_Source], sinks: list[_Sink]
) -> None:
    ready = {f"{sink.name}_tready": 1 for sink in sinks}
    for _ in range(_RESET_CYCLES):
        simulator.step({"aresetn": 0})
    quiet = 0
    while any(len(sink.words) < sink.wanted for sink in sinks):
        given = {"aresetn": 1, **ready}
        for source in sources:
            if source.taken < len(source.words):
                given[f"{source.name}_tvalid"] = 1
                given[f"{source.name}_tdata"] = source.words[source.taken]
        found = simulator.step(given)
        quiet += 1
        for source in sources:
            if f"{source.name}_tvalid" in given and found[f"{source.name}_tready"]:
                source.taken += 1
                quiet = 0
        for sink in sinks:
            if found[f"{sink.name}_tvalid"]:
                sink.words.append(found[f"{sink.name}_tdata"])
                quiet = 0
        if quiet > _QUIET_CYCLES:
            raise CircuitError(f"no beat moved for {_QUIET_CYCLES} cycles")
