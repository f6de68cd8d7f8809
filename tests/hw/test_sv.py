"""The printed SystemVerilog does what the circuit does, and says it legally."""

from __future__ import annotations

from pathlib import Path

import pytest
from lockstep import in_python, in_verilator, random_stimulus
from random_circuits import random_circuit
from simulators import needs_simulator
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from lowering.hw.circt_export import CirctMissingError, export_systemverilog
from lowering.hw.circt_text import circt_text
from lowering.hw.hierarchy import CircuitError, hw_modules
from lowering.hw.sv import emit_files, emit_module
from lowering.interpreter.circuit import CircuitSimulator
from tools.registry import build_registry

CIRCUITS = Path(__file__).parent / "circuits"
NAMES = ("counter", "adder_tree", "rom_reader", "ram_fifo")
CYCLES = 400


def parsed(text: str) -> ModuleOp:
    module = Parser(build_registry([]).context(), text).parse_module()
    module.verify()
    return module


def assert_all_agree(module: ModuleOp, top: str, seed: int, folder: Path) -> None:
    """Our text, CIRCT's text and Python give the same outputs in every cycle."""
    stimulus = random_stimulus(hw_modules(module)[top], CYCLES, seed)
    expected = in_python(module, top, stimulus)
    assert len({tuple(outputs) for outputs in expected}) > 1
    ours, theirs = folder / "ours", folder / "theirs"
    ours.mkdir()
    assert in_verilator(module, top, stimulus, ours) == expected
    try:
        exported = export_systemverilog(circt_text(module))
    except CirctMissingError:
        return
    theirs.mkdir()
    assert in_verilator(module, top, stimulus, theirs, source=exported) == expected


@needs_simulator
@pytest.mark.parametrize("name", NAMES)
def test_small_circuits(name: str, tmp_path: Path) -> None:
    module = parsed((CIRCUITS / f"{name}.mlir").read_text())
    assert_all_agree(module, name, 1, tmp_path)


@needs_simulator
@pytest.mark.parametrize("seed", range(3))
def test_random_circuits(seed: int, tmp_path: Path) -> None:
    assert_all_agree(parsed(random_circuit(seed, modules=8)), "top", seed, tmp_path)


@needs_simulator
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 40))
def test_many_random_circuits(seed: int, tmp_path: Path) -> None:
    assert_all_agree(parsed(random_circuit(seed, modules=8)), "top", seed, tmp_path)


def test_a_queue_keeps_words_in_order() -> None:
    simulator = CircuitSimulator(
        parsed((CIRCUITS / "ram_fifo.mlir").read_text()), "ram_fifo"
    )
    simulator.step({"rst": 1})
    words = [7 << 60 | i for i in range(9)]
    sent: list[int] = []
    got: list[int] = []
    for cycle in range(40):
        waiting = words[len(sent) : len(sent) + 1]
        taking = int(cycle % 3 == 0)
        given = {"in_valid": len(waiting), "in_data": sum(waiting), "out_ready": taking}
        found = simulator.step(given)
        sent += waiting if found["in_ready"] else []
        got += [found["out_data"]] if found["out_valid"] and taking else []
    assert got == words


def test_the_text_is_the_same_every_time() -> None:
    text = random_circuit(0, modules=3)
    assert emit_files(parsed(text)) == emit_files(parsed(text))


def test_files_of_a_design() -> None:
    files = emit_files(parsed((CIRCUITS / "adder_tree.mlir").read_text()))
    assert list(files) == ["leaf.sv", "adder_tree.sv", "filelist.f"]
    assert files["filelist.f"] == "leaf.sv\nadder_tree.sv\n"
    rom = emit_files(parsed((CIRCUITS / "rom_reader.mlir").read_text()))
    assert rom["rom_reader_table.mem"].splitlines()[:3] == ["3ff", "000", "200"]


def test_bits_that_nothing_reads_have_one_reader() -> None:
    """Also where bits are taken of bits: only what is written in the end is read."""
    text = emit_module(
        parsed(
            """
            hw.module @top(in %a : i16, in %b : i4, out q : i2) {
              %middle = comb.extract %a from 4 : (i16) -> i8
              %q = comb.extract %middle from 3 : (i8) -> i2
              hw.output %q : i2
            }
            """
        )
    )
    assert "assign q = a[8:7];" in text
    assert "wire _unused = &{1'b0, a[6:0], a[15:9], b};" in text


REFUSED = {
    "comb.parity in module @top has no SystemVerilog form": """
        hw.module @top(in %a : i1, out q : i1) {
          %0 = comb.parity %a : i1
          hw.output %0 : i1
        }
    """,
    "has a power-on value; give it a reset": """
        hw.module @top(in %clk : !seq.clock, in %a : i4, out q : i4) {
          %0 = seq.compreg %a, %clk powerOn %a : i4
          hw.output %0 : i4
        }
    """,
    "combinational cycle through .* break it with a register": """
        hw.module @top(in %a : i1, out q : i1) {
          %0 = comb.and %a, %1 : i1
          %1 = comb.or %a, %0 : i1
          hw.output %1 : i1
        }
    """,
    "port a: found a value of type !hw.array<2xi4>": """
        hw.module @top(in %a : !hw.array<2xi4>, out q : i4) {
          %i = hw.constant true
          %0 = hw.array_get %a[%i] : !hw.array<2xi4>, i1
          hw.output %0 : i4
        }
    """,
    "reads t.mem, but the module has no qnn.weight @t": """
        hw.module @top(in %a : i2, out q : i4) {
          %t = sv.reg {name = "t"} : !hw.inout<!hw.uarray<4xi4>>
          sv.initial { sv.readmem %t, "t.mem", MemBaseHex : !hw.inout<!hw.uarray<4xi4>> }
          %p = sv.array_index_inout %t[%a] : !hw.inout<!hw.uarray<4xi4>>, i2
          %0 = sv.read_inout %p : !hw.inout<i4>
          hw.output %0 : i4
        }
    """,
    "the memory has 4 words, t.mem has 2": """
        qnn.weight @t = <tensor<2xui4>, [1, 2]>
        hw.module @top(in %a : i2, out q : i4) {
          %t = sv.reg {name = "t"} : !hw.inout<!hw.uarray<4xi4>>
          sv.initial { sv.readmem %t, "t.mem", MemBaseHex : !hw.inout<!hw.uarray<4xi4>> }
          %p = sv.array_index_inout %t[%a] : !hw.inout<!hw.uarray<4xi4>>, i2
          %0 = sv.read_inout %p : !hw.inout<i4>
          hw.output %0 : i4
        }
    """,
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        emit_files(parsed(REFUSED[message]))


def test_the_top_must_exist() -> None:
    module = parsed((CIRCUITS / "counter.mlir").read_text())
    with pytest.raises(CircuitError, match="@other; there are: counter"):
        CircuitSimulator(module, "other")
