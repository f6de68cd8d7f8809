"""Zero-skipping in C: nanoseconds and flash of one layer by its density.

64 rows of 512 weights: 8-bit ones, and ternary ones times bipolar inputs; all products,
those of packed words, and those of the weights that are not 0, on one thread. Flash is
that of the tables. `+` marks what is chosen without options. Give machines of
`qdialect.c_costs.MACHINES` as arguments; portable and avx512 by default.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from bit_serial import COLUMNS, ROWS, TUNING, compared, layer, packed
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute

from lowering.c.source import COptions, build_library
from passes.bitpack import BitpackPass
from qdialect.c_costs import MACHINES, product_costs
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.types import BipolarType, TernaryType, signed

DENSITIES = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.005)
FRAMES = 300


def drawn(kind: str, density: float, rng: np.random.Generator) -> Array:
    """Weights of which a share is not 0."""
    values = rng.choice(
        [-1, 1] if kind == "ternary" else range(1, 128), (ROWS, COLUMNS)
    )
    return np.where(rng.random((ROWS, COLUMNS)) < density, values, 0)


def choice(module: ModuleOp, weights: Array, element: Attribute, machine: str) -> int:
    """Which of the three ways the costs say: plain, packed or skipping."""
    (op,) = [op for op in module.walk() if isinstance(op, MatMulOp)]
    costs = product_costs(op, weights, element, MACHINES[machine])
    ways = (costs.multiplied, costs.counted, costs.skipped)
    known = [float("inf") if way is None else way for way in ways]
    return known.index(min(known))


def measure(machine: str) -> None:
    """Print a row a density."""
    print(f"{machine}: ns a weight, and bytes of flash")
    print(
        f"{'weights':8s} {'density':>7s} {'plain':>9s} {'packed':>9s} {'skipping':>9s} "
        f"{'plain B':>8s} {'packed B':>8s} {'skip B':>8s}"
    )
    inputs = {"8-bit": signed(8), "ternary": BipolarType()}
    elements = {"8-bit": signed(8), "ternary": TernaryType()}
    for kind, density in [(k, d) for k in inputs for d in DENSITIES]:
        rng = np.random.default_rng(0)
        weights = drawn(kind, density, rng)
        module = layer(inputs[kind], weights, elements[kind])
        counted = packed(module, BitpackPass(max_popcounts=1 << 16))
        frames = rng.choice([-1, 1], (FRAMES, COLUMNS))
        modules = [
            (module, COptions(max_density=0.0)),
            (counted, COptions()),
            (module, COptions(max_density=1.0)),
        ]
        times = compared(modules, frames, TUNING[machine], ROWS * COLUMNS)
        sizes = [build_library(*pair).interface.flash_bytes for pair in modules]
        chosen = choice(module, weights, elements[kind], machine)
        text = " ".join(
            f"{ns:8.4f}{'+' if way == chosen else ' '}" for way, ns in enumerate(times)
        )
        print(
            f"{kind:8s} {density:7.3f} {text} "
            f"{sizes[0]:8d} {sizes[1]:8d} {sizes[2]:8d}",
            flush=True,
        )


def main(arguments: Sequence[str]) -> None:
    """Measure on each kind of machine."""
    for machine in arguments or ("portable", "avx512"):
        measure(machine)


if __name__ == "__main__":
    main(sys.argv[1:])
