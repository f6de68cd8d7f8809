"""Test bench: drives many stream units at once in one Verilated model.

Every unit gets its own source and sink. A source offers its beats with a given chance a
cycle and then holds them; a sink is ready with a given chance a cycle. What comes out is
recorded with the cycle in which it was taken, and it is checked that an offered beat
stays as it is.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import IntegerType, ModuleOp, TensorType
from xdsl.ir import Attribute

from lowering.hw.builder import ModuleBuilder, Signal
from lowering.hw.stream import BuiltUnit
from lowering.hw.streams import from_beats, to_beats
from lowering.hw.sv import emit_files
from lowering.hw.verilate import compile_design
from qdialect.data import Array
from qdialect.streams import StreamType, stream_of

WARM_UP_VECTORS = 3
"""Vectors that may come in another rhythm than the rest, while buffers fill."""


@dataclass(frozen=True)
class Phase:
    """How often, in percent of the cycles, sources offer and sinks take."""

    offer_percent: int = 100
    take_percent: int = 100


PHASES = (Phase(), Phase(60, 60), Phase(30, 90), Phase(95, 25))
"""The first without stalls; it is the one whose cycles are checked."""


@dataclass(frozen=True)
class Case:
    """A unit, what it is fed and what it should give.

    Attributes:
        name: prefix of the unit's modules.
        unit: what is tested.
        source: type of the input stream.
        inputs: [N, elements].
        sink: type of the output streams.
        expected: [N, elements], the same for each output.
        cycles_per_vector: cycles between vectors without stalls.
        latency_cycles: cycles from the first input beat to the first output beat.
    """

    name: str
    unit: BuiltUnit
    source: StreamType
    inputs: Array
    sink: StreamType
    expected: Array
    cycles_per_vector: int
    latency_cycles: int

    @property
    def ports(self) -> dict[str, int]:
        """Width of every port but the clock."""
        ports = self.unit.top.module_type.ports.data
        return {
            port.port_name.data: port.type.width.data
            for port in ports
            if isinstance(port.type, IntegerType)
        }

    @property
    def outputs(self) -> list[str]:
        """Prefixes of the output streams' ports."""
        names = [port.removesuffix("_data") for port in self.ports if "_data" in port]
        return [name for name in names if name != "in"]

    def beats(self) -> list[int]:
        """The input beats, with random bits in the surplus lanes."""
        noise = random.Random(len(self.inputs))
        used = self.source.elements - (self.source.beats - 1) * self.source.lanes
        low = used * self.source.element_bits
        free = self.source.beat_bits - low
        return [
            beat | (noise.getrandbits(free) << low if free and last else 0)
            for i, beat in enumerate(to_beats(self.inputs, self.source))
            for last in [i % self.source.beats == self.source.beats - 1]
        ]


@dataclass
class Trace:
    """What happened at one unit in one phase; cycles count from the phase's start."""

    taken_cycles: list[int] = field(default_factory=list[int])
    given: list[list[tuple[int, int]]] = field(
        default_factory=list[list[tuple[int, int]]]
    )
    """For each output, pairs of cycle and beat."""


def stream(element: Attribute, elements: int, lanes: int) -> StreamType:
    """The stream of frames of one vector."""
    return stream_of(TensorType(element, (1, elements)), lanes)


def check(case: Case, traces: Sequence[Trace]) -> None:
    """Assert that a unit did what it should in each of `PHASES`."""
    vectors = len(case.inputs)
    for phase, trace in zip(PHASES, traces, strict=True):
        for given in trace.given:
            words = [beat for _, beat in given]
            found = from_beats(words, case.sink, vectors).reshape(case.expected.shape)
            np.testing.assert_array_equal(found, case.expected, str(phase))
    for given in traces[0].given:
        cycles = [cycle for cycle, _ in given]
        assert cycles[0] - traces[0].taken_cycles[0] == case.latency_cycles
        ends = cycles[case.sink.beats - 1 :: case.sink.beats][WARM_UP_VECTORS:]
        assert len(ends) > 1
        assert ends[-1] - ends[0] == case.cycles_per_vector * (len(ends) - 1)


def _wrapper(cases: Sequence[Case]) -> ModuleOp:
    """A module `bench` with the ports of every unit, prefixed with its name."""
    m = ModuleBuilder("bench")
    rst = m.input("rst", 1)
    inputs: dict[str, dict[str, Signal]] = {}
    for case in cases:
        driven = ["in_data", "in_valid", *(f"{out}_ready" for out in case.outputs)]
        inputs[case.name] = {
            port: m.input(f"{case.name}_{port}", case.ports[port]) for port in driven
        }
    for case in cases:
        ports = {"rst": rst, **inputs[case.name]}
        for port, signal in m.instance(case.name, case.unit.top, ports).items():
            m.output(f"{case.name}_{port}", signal)
    ops = [op for case in cases for op in (*case.unit.images, *case.unit.modules)]
    module = ModuleOp([*ops, m.finish()])
    module.verify()
    return module


_CPP = r"""
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <type_traits>
#include <vector>
#include "Vbench.h"
#include "verilated.h"
using Beat = std::vector<uint32_t>;
template <typename T> void put(T& p, const Beat& b) {
  if constexpr (std::is_integral_v<T>) {
    uint64_t v = b[0];
    if (b.size() > 1) v |= uint64_t(b[1]) << 32;
    p = T(v);
  } else {
    for (size_t i = 0; i < b.size(); i++) p[i] = b[i];
  }
}
template <typename T> Beat get(const T& p, int words) {
  Beat b(words);
  if constexpr (std::is_integral_v<T>) {
    b[0] = uint32_t(p);
    if (words > 1) b[1] = uint32_t(uint64_t(p) >> 32);
  } else {
    for (int i = 0; i < words; i++) b[i] = p[i];
  }
  return b;
}
struct Out { Beat held; bool waiting = false; size_t taken = 0; };
struct Unit {
  std::vector<Beat> beats; size_t next = 0; bool offered = false;
  size_t expected; std::vector<Out> outs;
};
static std::mt19937 rng(7);
static bool chance(int percent) { return int(rng() % 100) < percent; }
static void die(const std::string& what) { std::cerr << what << "\n"; exit(1); }
static std::vector<Unit> units(@UNITS@);
static FILE* log_file;
static int phase_number, offer, take;
static long cycle;
static bool moved, done;
// A source offers a beat until it is taken, and random bits while it has none.
template <typename V, typename D> void drive(int unit, V& valid, D& data) {
  Unit& u = units[unit];
  if (!u.offered && u.next < u.beats.size() && chance(offer)) u.offered = true;
  valid = u.offered;
  put(data, u.beats[u.offered ? u.next : rng() % u.beats.size()]);
}
static void sample_source(int unit, bool ready) {
  Unit& u = units[unit];
  if (!u.offered || !ready) return;
  u.offered = false;
  u.next++;
  moved = true;
  fprintf(log_file, "%d %d i %ld\n", phase_number, unit, cycle);
}
static void sample_sink(int unit, int out, const Beat& b, bool valid, bool ready) {
  Out& o = units[unit].outs[out];
  if (o.waiting && (!valid || b != o.held))
    die("unit " + std::to_string(unit) + ": an offered beat changed");
  o.held = b;
  o.waiting = valid && !ready;
  if (valid && ready) {
    o.taken++;
    moved = true;
    fprintf(log_file, "%d %d %d %ld ", phase_number, unit, out, cycle);
    for (size_t k = b.size(); k-- > 0;) fprintf(log_file, "%08x", b[k]);
    fprintf(log_file, "\n");
  }
  if (o.taken < units[unit].expected) done = false;
}
int main(int argc, char** argv) {
  auto* top = new Vbench;
  std::ifstream in(argv[1]);
  log_file = fopen(argv[2], "w");
  int phases; in >> phases;
  std::vector<std::pair<int, int>> chances(phases);
  for (auto& p : chances) in >> p.first >> p.second;
  for (auto& u : units) {
    size_t words, outs, count; in >> words >> u.expected >> outs >> count;
    u.outs.resize(outs); u.beats.resize(count, Beat(words));
    for (auto& b : u.beats) for (auto& w : b) in >> w;
  }
  for (phase_number = 0; phase_number < phases; phase_number++) {
    offer = chances[phase_number].first;
    take = chances[phase_number].second;
    for (auto& u : units) {
      u.next = 0; u.offered = false;
      for (auto& o : u.outs) o = Out();
    }
    top->rst = 1;
    for (int i = 0; i < 4; i++) { top->clk = 0; top->eval(); top->clk = 1; top->eval(); }
    top->rst = 0;
    int quiet = 0;
    done = false;
    for (cycle = 0; !done; cycle++) {
      done = true;
      moved = false;
      top->clk = 0;
@DRIVE@
      top->eval();
@SAMPLE@
      top->clk = 1; top->eval();
      quiet = moved ? 0 : quiet + 1;
      if (quiet > 5000) die("phase " + std::to_string(phase_number) + ": deadlock");
    }
  }
  fclose(log_file);
  delete top;
  return 0;
}
"""


def _cpp(cases: Sequence[Case]) -> str:
    drive: list[str] = []
    sample: list[str] = []
    for i, case in enumerate(cases):
        unit = f"top->{case.name}"
        drive.append(f"drive({i}, {unit}_in_valid, {unit}_in_data);")
        sample.append(f"sample_source({i}, {unit}_in_ready);")
        for j, out in enumerate(case.outputs):
            port = f"{unit}_{out}"
            words = -(-case.ports[f"{out}_data"] // 32)
            drive.append(f"{port}_ready = chance(take);")
            sample.append(
                f"sample_sink({i}, {j}, get({port}_data, {words}), {port}_valid, "
                f"{port}_ready);"
            )
    return (
        _CPP.replace("@UNITS@", str(len(cases)))
        .replace("@DRIVE@", "\n".join(drive))
        .replace("@SAMPLE@", "\n".join(sample))
    )


def _stimuli(cases: Sequence[Case]) -> str:
    lines = [f"{len(PHASES)}"]
    lines += [f"{phase.offer_percent} {phase.take_percent}" for phase in PHASES]
    for case in cases:
        words = -(-case.ports["in_data"] // 32)
        beats = case.beats()
        expected = len(case.inputs) * case.sink.beats
        lines.append(f"{words} {expected} {len(case.outputs)} {len(beats)}")
        lines += [
            " ".join(str(beat >> (32 * k) & 0xFFFFFFFF) for k in range(words))
            for beat in beats
        ]
    return "\n".join(lines)


def simulate(cases: Sequence[Case], directory: Path) -> dict[str, list[Trace]]:
    """Run every unit through `PHASES`; returns traces by phase, by unit name."""
    files = emit_files(_wrapper(cases))
    program = compile_design(files, "bench", _cpp(cases), directory)
    (directory / "stimuli.txt").write_text(_stimuli(cases))
    done = subprocess.run(
        [str(program), "stimuli.txt", "log.txt"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    traces = {
        case.name: [Trace([], [[] for _ in case.outputs]) for _ in PHASES]
        for case in cases
    }
    for line in (directory / "log.txt").read_text().splitlines():
        phase, unit, kind, cycle, *beat = line.split()
        trace = traces[cases[int(unit)].name][int(phase)]
        if kind == "i":
            trace.taken_cycles.append(int(cycle))
        else:
            trace.given[int(kind)].append((int(cycle), int(beat[0], 16)))
    return traces
