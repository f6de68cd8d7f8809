"""LUTs, registers and block RAMs of matrix-vector units, synthesised by Yosys.

`synth_xilinx` for 7-series, flattened, without pads; counts are before place and route.
LUTs a product is the figure to compare engines by: everything the unit has, weights and
thresholds included, over PE * SIMD.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute

from lowering.hw.sv import emit_files
from lowering.hw.units.activation import Activation
from lowering.hw.units.mvu import Mvu
from qdialect.ranges import row_bounds
from qdialect.types import BipolarType, TernaryType, signed, unsigned, value_range


@dataclass(frozen=True)
class Case:
    """A unit with random weights and thresholds."""

    name: str
    columns: int
    rows: int
    simd: int
    pe: int
    weights: Attribute
    inputs: Attribute
    outputs: Attribute


CASES = (
    Case("W1A1", 832, 256, 64, 16, BipolarType(), BipolarType(), BipolarType()),
    Case("ternary, A1", 832, 256, 64, 16, TernaryType(), BipolarType(), BipolarType()),
    Case("W1A2", 832, 256, 64, 16, BipolarType(), unsigned(2), unsigned(2)),
    Case("W2A2", 256, 128, 16, 8, signed(2), unsigned(2), unsigned(2)),
    Case("W4A4", 256, 128, 16, 8, signed(4), unsigned(4), unsigned(4)),
)


def unit(case: Case) -> Mvu:
    """The unit of a case; thresholds near the middle of what a row can reach."""
    rng = np.random.default_rng(0)
    low, high = value_range(case.weights)
    weights = rng.integers(low, high + 1, (case.rows, case.columns))
    if isinstance(case.weights, BipolarType):
        weights = np.where(weights > 0, 1, -1)
    bottom, top = value_range(case.inputs)
    lows, highs = row_bounds(weights, bottom, top)
    first, last = value_range(case.outputs)
    steps = 1 if isinstance(case.outputs, BipolarType) else last - first
    spread = (highs - lows).mean() / 8
    middle = ((lows + highs) // 2)[:, None]
    thresholds = np.sort(
        middle + rng.normal(0, spread, (case.rows, steps)).astype(np.int64), axis=1
    )
    width = int(max(-lows.min(), highs.max())).bit_length() + 1
    return Mvu(
        weights=weights.astype(np.int64),
        input_type=case.inputs,
        pe=case.pe,
        simd=case.simd,
        accumulator_type=signed(width),
        activation=Activation(thresholds, case.outputs),
    )


# Look-up tables that a cell with memory takes; shift registers take one.
_MEMORY_LUTS = {
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "RAM512X1D": 16,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM512X1S": 8,
}


@dataclass(frozen=True)
class Area:
    """What a design takes.

    Attributes:
        logic_luts: look-up tables that compute.
        memory_luts: look-up tables that store.
        registers: flip-flops.
        rams: block RAMs of 18 kbit; one of 36 kbit is two.
        dsps: multipliers.
    """

    logic_luts: int
    memory_luts: int
    registers: int
    rams: int
    dsps: int

    @staticmethod
    def of(cells: Mapping[str, int]) -> Area:
        """Of cells by kind."""

        def count(*prefixes: str) -> int:
            return sum(n for kind, n in cells.items() if kind.startswith(prefixes))

        return Area(
            logic_luts=count("LUT"),
            memory_luts=sum(
                n * _MEMORY_LUTS.get(kind, 1)
                for kind, n in cells.items()
                if kind.startswith(("RAM32", "RAM64", "RAM128", "RAM256", "SRL"))
            ),
            registers=count("FD"),
            rams=count("RAMB18") + 2 * count("RAMB36"),
            dsps=count("DSP"),
        )

    @property
    def luts(self) -> int:
        """All look-up tables."""
        return self.logic_luts + self.memory_luts


def synthesised(
    module: ModuleOp, top: str, *, limit_seconds: float | None = None
) -> Area:
    """The area of a circuit.

    Args:
        module: a module of the circuit level.
        top: name of the `hw.module` at the top.
        limit_seconds: after which synthesis is given up.

    Raises:
        TimeoutExpired: it was.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = emit_files(module)
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        script = [
            *(f"read_verilog -sv {n}" for n in files if n.endswith(".sv")),
            f"synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",
            f"tee -q -o stat.json stat -json -top {top}",
        ]
        program = "\n".join(
            [
                "from pyosys import libyosys",
                "design = libyosys.Design()",
                *(f"libyosys.run_pass({line!r}, design)" for line in script),
            ]
        )
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=limit_seconds,
        )
        found = json.loads((Path(folder) / "stat.json").read_text())
    return Area.of(found["design"]["num_cells_by_type"])


def main() -> None:
    """Print a row a case."""
    print(
        f"{'unit':14s} {'MWxMH':>9s} {'SIMDxPE':>8s} {'LUT':>6s} {'LUTRAM':>7s} "
        f"{'FF':>6s} {'RAMB18':>7s} {'DSP':>4s} {'LUT/product':>12s}"
    )
    for case in CASES:
        built = unit(case).build("unit")
        area = synthesised(ModuleOp([*built.modules, *built.images]), "unit")
        print(
            f"{case.name:14s} {f'{case.columns}x{case.rows}':>9s} "
            f"{f'{case.simd}x{case.pe}':>8s} {area.logic_luts:6d} "
            f"{area.memory_luts:7d} {area.registers:6d} {area.rams:7d} {area.dsps:4d} "
            f"{area.logic_luts / (case.simd * case.pe):12.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
