"""The report of a build: as JSON for programs, as a table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from passes.weights_record import WeightsRecord
from qdialect.storage import StoredWeights
from tools.build.agreement import Agreement
from tools.build.layers import Layer, Streaming

HEADERS = (
    "layer",
    "kind",
    "MW x MH",
    "W/A/acc bits",
    "weights",
    "thresholds",
    "PE",
    "SIMD",
    "cycles",
)


@dataclass
class Simulation:
    """What the simulated circuit took.

    Attributes:
        simulator: its name.
        frames: frames that were simulated.
        cycles_per_frame: between two frames in steady state, without stalls; None
            where there were too few frames to tell.
        latency_cycles: from the first input beat to the last output beat of a frame.
        drain_cycles: from the last input beat to the last output beat of a frame.
    """

    simulator: str
    frames: int
    cycles_per_frame: float | None
    latency_cycles: int
    drain_cycles: int


@dataclass
class Report:
    """Everything that a build found out.

    Attributes:
        version: of the compiler.
        model: file of the network.
        clock_mhz: clock that frame rates are meant at.
        target_fps: frame rate that was asked for.
        before: passes that were asked for before all others; empty for none.
        input_origin: where the inputs of the comparison come from.
        layers: the layers, folded where there is a circuit.
        streaming: what the units of the circuit predict; None without a circuit.
        simulation: what the simulation measured; None where it was not run.
        weights: what passes made of weights that were real numbers.
        storage: how C holds weights; empty where they are not coded.
        agreements: how the engines compare with the interpreter.
        host: what the host does between inputs, core and outputs.
        problems: what was asked for and is not there, and why.
        notes: what was left out, and why.
        accuracy: of the first output; None without labels.
        steps: seconds of each step.
        contents: what was written, by folder: number of files.
    """

    version: str
    model: str
    clock_mhz: float
    target_fps: float | None = None
    before: str = ""
    input_origin: str = ""
    layers: list[Layer] = field(default_factory=list[Layer])
    streaming: Streaming | None = None
    simulation: Simulation | None = None
    weights: list[WeightsRecord] = field(default_factory=list[WeightsRecord])
    storage: list[StoredWeights] = field(default_factory=list[StoredWeights])
    agreements: list[Agreement] = field(default_factory=list[Agreement])
    host: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    accuracy: str | None = None
    steps: dict[str, float] = field(default_factory=dict[str, float])
    contents: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def succeeded(self) -> bool:
        """Whether all that was asked for is there, and all that was run agrees."""
        return not self.problems and all(found.agrees for found in self.agreements)

    def json(self) -> str:
        """All fields as JSON."""
        return f"{json.dumps(asdict(self), indent=2)}\n"

    def text(self) -> str:
        """The tables that a build ends in."""
        lines = [f"{self.model}", "", *table(self.layers), ""]
        lines += self._circuit_lines()
        lines += self._agreement_lines()
        lines += [f"host: {line}" for line in self.host]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"NOT BUILT: {problem}" for problem in self.problems]
        return "".join(f"{line}\n" for line in lines)

    def _circuit_lines(self) -> list[str]:
        found = self.streaming
        if found is None:
            return []
        cycles, latency = found.interval_cycles, found.latency_cycles
        simulated = simulated_latency = simulated_drain = "not simulated"
        if self.simulation is not None:
            simulated_latency = f"{self.simulation.latency_cycles:,} simulated"
            simulated_drain = f"{self.simulation.drain_cycles:,} simulated"
            if self.simulation.cycles_per_frame is not None:
                simulated = f"{self.simulation.cycles_per_frame:,.10g} simulated"
        rate = self.clock_mhz * 1e6 / cycles
        target = ""
        if self.target_fps is not None:
            reached = "reached" if rate >= self.target_fps else "MISSED"
            target = f" (target {self.target_fps:,.0f} {reached})"
        dsps = f", {found.cost.dsps} DSPs" if found.cost.dsps else ""
        return [
            f"cycles per frame: {cycles:,} predicted, {simulated}; slowest unit "
            f"{found.slowest}",
            f"latency: {latency:,} cycles predicted, {simulated_latency} "
            f"({latency / self.clock_mhz:,.2f} us)",
            f"from the last input beat: {found.drain_cycles:,} cycles predicted, "
            f"{simulated_drain}",
            f"frame rate: {rate:,.0f} frames/s at {self.clock_mhz:g} MHz{target}",
            f"estimate: {found.cost.luts:,.0f} LUTs, {found.cost.block_rams} block RAMs "
            f"of 18 kbit{dsps}; FIFOs hold {found.fifo_bits:,} bits",
            "",
        ]

    def _agreement_lines(self) -> list[str]:
        lines = [f"equal to the interpreter, bit for bit, on {self.input_origin}:"]
        width = max((len(a.engine) for a in self.agreements), default=0)
        for found in self.agreements:
            mark = "" if found.agrees else f"  DIFFERS: {found.first}"
            lines.append(
                f"  {found.engine:<{width}}  {found.frames_equal:,} of {found.frames:,} "
                f"frames ({found.values:,} values){mark}"
            )
        if not self.agreements:
            lines = ["nothing was compared with the interpreter"]
        if self.accuracy is not None:
            lines.append(self.accuracy)
        return [*lines, ""]


def table(layers: Sequence[Layer]) -> list[str]:
    """Rows of aligned columns, numbers to the right."""
    rows = [HEADERS, *map(_row, layers)]
    total = Layer("total", "", 0, 0, None, 0, None, 0, 0)
    if len(layers) > 1:
        weights = sum(layer.weights for layer in layers)
        thresholds = sum(layer.thresholds for layer in layers)
        rows.append(
            (total.name, "", "", "", f"{weights:,}", f"{thresholds:,}", "", "", "")
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADERS))]
    return [_aligned(row, widths) for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if index < 2 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _row(layer: Layer) -> tuple[str, ...]:
    bits = (layer.weight_bits, layer.input_bits, layer.accumulator_bits)
    return (
        layer.name,
        layer.kind,
        f"{layer.inputs} x {layer.outputs}",
        "/".join("-" if n is None else str(n) for n in bits),
        f"{layer.weights:,}" if layer.weights else "-",
        f"{layer.thresholds:,}" if layer.thresholds else "-",
        _number(layer.pe),
        _number(layer.simd),
        _number(layer.cycles),
    )


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
