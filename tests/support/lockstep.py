"""Runs a circuit in Verilator and in Python on the same stimulus, cycle by cycle."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.hw import HWModuleOp

from lowering.hw.hierarchy import Port, hw_modules, module_ports
from lowering.hw.sv import emit_files
from lowering.hw.verilate import compile_design
from lowering.interpreter.circuit import CircuitSimulator

RESET_CYCLES = 2
"""Cycles at the start in which `rst` is set, and whose outputs mean nothing yet."""

# Reads `rst` and then the inputs of each cycle as hexadecimal numbers, prints outputs.
_BENCH = """
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include "V@TOP@.h"

template <class T> static void put(T& port, const std::string& digits) {
    port = T(std::strtoull(digits.c_str(), 0, 16));
}
template <size_t N> static void put(VlWide<N>& port, std::string digits) {
    digits.insert(0, N * 8 - digits.size(), '0');
    for (size_t i = 0; i < N; i++)
        port[N - 1 - i] = std::strtoul(digits.substr(i * 8, 8).c_str(), 0, 16);
}
template <class T> static void print(const T& port) {
    std::printf("%llx ", (unsigned long long)port);
}
template <size_t N> static void print(const VlWide<N>& port) {
    for (size_t i = N; i--;) std::printf("%08x", port[i]);
    std::printf(" ");
}
static bool next(std::string& digits) {
    char text[4096];
    if (std::scanf("%4095s", text) != 1) return false;
    digits = text;
    return true;
}
int main() {
    V@TOP@ top;
    std::string digits;
    while (next(digits)) {
        put(top.rst, digits);
@PUT@
        top.clk = 0; top.eval();
@PRINT@
        std::printf("\\n");
        top.clk = 1; top.eval();
    }
}
"""


def random_stimulus(top: HWModuleOp, cycles: int, seed: int) -> list[dict[str, int]]:
    """Values for every input but the clock: bits at random, and the extremes."""
    chance = random.Random(seed)
    stimulus: list[dict[str, int]] = []
    for cycle in range(cycles):
        given = {"rst": int(cycle < RESET_CYCLES or chance.random() < 0.03)}
        for port in _data_inputs(top):
            ones = (1 << port.width_bits) - 1
            any_ = chance.getrandbits(port.width_bits)
            given[port.name] = chance.choice((any_, any_, 0, ones, ones // 2 + 1))
        stimulus.append(given)
    return stimulus


def in_python(
    module: ModuleOp, top: str, stimulus: Sequence[Mapping[str, int]]
) -> list[list[int]]:
    """Outputs of each cycle after reset, in the order of the ports."""
    simulator = CircuitSimulator(module, top)
    found = [list(simulator.step(given).values()) for given in stimulus]
    return found[RESET_CYCLES:]


def in_verilator(
    module: ModuleOp,
    top: str,
    stimulus: Sequence[Mapping[str, int]],
    folder: Path,
    *,
    source: str | None = None,
) -> list[list[int]]:
    """The same from Verilator, which has nothing to say about our own text.

    Args:
        module: the circuit, with its memory images.
        top: name of the top module, with ports `clk` and `rst`.
        stimulus: values of the inputs in each cycle.
        folder: where files go; it exists.
        source: SystemVerilog to run in place of our own.
    """
    operation = hw_modules(module)[top]
    files = emit_files(module)
    if source is not None:
        images = {name: text for name, text in files.items() if name.endswith(".mem")}
        files = {"other.sv": source, **images}
    inputs = _data_inputs(operation)
    outputs = [port for port in module_ports(operation) if not port.is_input]
    bench = _BENCH.replace("@TOP@", top)
    put = [f"        next(digits); put(top.{port.name}, digits);" for port in inputs]
    shown = [f"        print(top.{port.name});" for port in outputs]
    bench = bench.replace("@PUT@", "\n".join(put))
    bench = bench.replace("@PRINT@", "\n".join(shown))
    program = compile_design(files, top, bench, folder, warnings=source is None)
    lines = [
        " ".join(f"{given[name]:x}" for name in ("rst", *(p.name for p in inputs)))
        for given in stimulus
    ]
    done = subprocess.run(
        [str(program)],
        input="\n".join(lines),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [
        [int(word, 16) for word in line.split()] for line in done.stdout.splitlines()
    ]
    return found[RESET_CYCLES:]


def _data_inputs(top: HWModuleOp) -> list[Port]:
    return [
        port
        for port in module_ports(top)
        if port.is_input and not port.is_clock and port.name != "rst"
    ]
