"""The circuit level, executed without any tool, is the network."""

import math

import numpy as np
import pytest
from circuits import SEEDS, circuit, frames_and_outputs
from xdsl.context import Context
from xdsl.parser import Parser

from lowering.hw.hierarchy import CircuitError
from lowering.interpreter.circuit import CircuitSimulator
from lowering.interpreter.engine import Interpreter
from tools.registry import build_registry


@pytest.mark.parametrize("seed", SEEDS)
def test_circuit_equals_the_network(seed: int) -> None:
    frames, expected = frames_and_outputs(seed, 20)
    (found,) = Interpreter(circuit(seed)).run([frames])
    np.testing.assert_array_equal(found, expected)


def parsed(text: str) -> CircuitSimulator:
    context: Context = build_registry([]).context()
    return CircuitSimulator(Parser(context, text).parse_module(), "top")


def test_every_operation_of_comb() -> None:
    simulator = parsed(
        """
        hw.module @top(in %a: i5, in %b: i5, out sum: i5, out difference: i5,
                       out product: i5, out less: i1, out shifted: i5, out signed: i5,
                       out left: i5, out joined: i10, out twice: i10, out part: i2,
                       out chosen: i5, out ratio: i5, out rest: i5,
                       out sratio: i5, out srest: i5, out element: i5) {
          %0 = comb.add %a, %b : i5
          %1 = comb.sub %a, %b : i5
          %2 = comb.mul %a, %b : i5
          %3 = comb.icmp slt %a, %b : i5
          %4 = comb.shru %a, %b : i5
          %5 = comb.shrs %a, %b : i5
          %6 = comb.shl %a, %b : i5
          %7 = comb.concat %a, %b : i5, i5
          %8 = comb.replicate %a : (i5) -> i10
          %9 = comb.extract %a from 2 : (i5) -> i2
          %10 = comb.mux %3, %a, %b : i5
          %11 = comb.divu %a, %b : i5
          %12 = comb.modu %a, %b : i5
          %13 = comb.divs %a, %b : i5
          %14 = comb.mods %a, %b : i5
          %list = hw.array_create %1, %b, %a : i5
          %15 = hw.array_get %list[%9] : !hw.array<3xi5>, i2
          hw.output %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15
              : i5, i5, i5, i1, i5, i5, i5, i10, i10, i2, i5, i5, i5, i5, i5, i5
        }
        """
    )

    def signed(x: int) -> int:
        return x - 32 if x >= 16 else x

    for a in range(32):
        for b in range(32):
            found = simulator.step({"a": a, "b": b})
            assert found == {
                "sum": (a + b) % 32,
                "difference": (a - b) % 32,
                "product": a * b % 32,
                "less": signed(a) < signed(b),
                "shifted": a >> b,
                "signed": (signed(a) >> b) % 32,
                "left": (a << b) % 32,
                "joined": a * 32 + b,
                "twice": a * 33,
                "part": a >> 2 & 3,
                "chosen": a if signed(a) < signed(b) else b,
                "ratio": a // b if b else 0,
                "rest": a % b if b else 0,
                "sratio": int(signed(a) / signed(b)) % 32 if b else 0,
                "srest": int(math.fmod(signed(a), signed(b))) % 32 if b else 0,
                # The last element of a list has index 0, and one past it is the last.
                "element": [a, b, (a - b) % 32, (a - b) % 32][a >> 2 & 3],
            }


def test_a_register_with_reset_and_enable() -> None:
    simulator = parsed(
        """
        hw.module @top(in %clk: !seq.clock, in %rst: i1, in %en: i1, in %d: i4,
                       out q: i4) {
          %nine = hw.constant 9 : i4
          %q = seq.compreg.ce %d, %clk, %en reset %rst, %nine : i4
          hw.output %q : i4
        }
        """
    )
    seen = [
        simulator.step({"rst": rst, "en": en, "d": d})["q"]
        for rst, en, d in [(1, 0, 3), (0, 0, 3), (0, 1, 4), (1, 1, 5), (0, 0, 6)]
    ]
    assert seen == [0, 9, 9, 4, 9]


def test_a_combinational_cycle_is_refused() -> None:
    with pytest.raises(CircuitError, match="combinational cycle"):
        parsed(
            """
            hw.module @top(in %a: i1, out q: i1) {
              %0 = comb.and %a, %1 : i1
              %1 = comb.or %a, %0 : i1
              hw.output %1 : i1
            }
            """
        )
