"""The test bench of a circuit as files: C++, stimuli, expected beats, a Makefile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects.hw import HWModuleOp

from lowering.banner import banner
from lowering.hw.engine import ports_of, stream_types
from lowering.hw.streams import to_beats
from lowering.hw.testbench import Port, emit_bench
from lowering.hw.top import INPUTS, OUTPUTS
from lowering.hw.verilate import BENCH_FILE
from qdialect.data import Array
from qdialect.streams import StreamType

_MAKEFILE = """\
# {banner}
# `make` simulates the circuit of ../sv with Verilator, without pauses and with random
# ones, and compares every output beat with what the interpreter gives.
VERILATOR      ?= verilator
VERILATOR_ROOT ?= $(shell $(VERILATOR) --getenv VERILATOR_ROOT)
CXX            ?= g++
INCLUDE        := $(VERILATOR_ROOT)/include
FRAMES         := {frames}
SOURCES        := {sources}

.PHONY: check clean

check: simulation
\tcd ../sv && ../tb/simulation $(FRAMES) 0 0 1 1000000 ../tb > ../tb/cycles.txt
{compare}
\tcd ../sv && ../tb/simulation $(FRAMES) 30 30 2 1000000 ../tb > /dev/null
{compare}
\t@echo "$(FRAMES) frames: every beat as expected; cycles of frames in cycles.txt"

simulation: {bench} $(SOURCES)
\t$(VERILATOR) --cc -Wall --no-timing -O3 --top-module {top} --Mdir obj_dir $(SOURCES)
\t$(CXX) -std=c++17 -O1 -pthread -DVM_TRACE=0 -DVM_COVERAGE=0 -I $(INCLUDE) \\
\t  -I $(INCLUDE)/vltstd -I obj_dir {bench} obj_dir/*.cpp $(INCLUDE)/verilated.cpp \\
\t  $(INCLUDE)/verilated_threads.cpp -o $@

clean:
\trm -rf obj_dir simulation cycles.txt *.out
"""


def bench_files(
    top: HWModuleOp,
    sources: Sequence[str],
    inputs: Sequence[Array],
    outputs: Sequence[Array],
) -> dict[str, str | bytes]:
    """Contents by file name, for a directory beside the one of the SystemVerilog.

    Args:
        top: the top module.
        sources: names of the SystemVerilog files, in order.
        inputs: levels [N, ..] for each input of the core.
        outputs: levels [N, ..] that the core shall give.
    """
    name = top.sym_name.data
    types = (stream_types(top, INPUTS), stream_types(top, OUTPUTS))
    ports = (ports_of("s", types[0]), ports_of("m", types[1]))
    makefile = _MAKEFILE.format(
        banner=banner(),
        frames=len(inputs[0]),
        sources=" ".join(f"../sv/{source}" for source in sources),
        compare="\n".join(f"\tcmp {p.name}.out {p.name}.expected" for p in ports[1]),
        bench=BENCH_FILE,
        top=name,
    )
    return {
        "Makefile": makefile,
        BENCH_FILE: f"{emit_bench(name, *ports)}\n",
        **_beat_files(ports[0], types[0], inputs, "in"),
        **_beat_files(ports[1], types[1], outputs, "expected"),
    }


def _beat_files(
    ports: Sequence[Port],
    types: Sequence[StreamType],
    arrays: Sequence[Array],
    extension: str,
) -> Mapping[str, bytes]:
    return {
        f"{port.name}.{extension}": b"".join(
            word.to_bytes(port.tdata_bits // 8, "little")
            for word in to_beats(array, type_)
        )
        for port, type_, array in zip(ports, types, arrays, strict=True)
    }
