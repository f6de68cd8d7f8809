"""Bit-serial products in C: every pair of 1 to 8 bits, packed against plain.

64 rows of 512 weights times unsigned inputs, as DoReFa (Zhou et al. 2016,
arXiv:1606.06160) has them, with weights in two's complement; nanoseconds a product on
one thread, the packing of the inputs included. `+` marks where `bitpack` packs. Give
machines of `qdialect.c_costs.MACHINES` as arguments; portable and avx512 by default.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region

from lowering.c.engine import CEngine
from lowering.c.source import COptions
from passes.bitpack import BitpackPass
from qdialect.constants import LoadOp, WeightOp
from qdialect.data import Array, TensorDataAttr
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp
from qdialect.types import signed, unsigned, value_range

ROWS, COLUMNS, FRAMES, ROUNDS = 64, 512, 400, 5
TUNING: dict[str, Sequence[str]] = {
    "scalar": ("-fno-tree-vectorize",),
    "portable": (),
    "avx2": ("-march=haswell",),
    "avx512": ("-march=icelake-server",),
}


def layer(input: Attribute, weights: Array, element: Attribute) -> ModuleOp:
    """A core of one product."""
    rows, columns = weights.shape
    block = Block(arg_types=[TensorType(input, (1, columns))])
    data = TensorDataAttr.from_numpy(weights, element)
    load = LoadOp("w", data.type)
    out = MatMulOp(block.args[0], load.out, TensorType(signed(32), (1, rows)))
    block.add_ops([load, out, ReturnOp(out.out)])
    kinds = FunctionType.from_lists([block.args[0].type], [out.out.type])
    return ModuleOp([FuncOp("core", kinds, Region(block)), WeightOp("w", data)])


def packed(module: ModuleOp, options: BitpackPass) -> ModuleOp:
    """A copy after `bitpack`."""
    copy = module.clone()
    options.apply(Context(), copy)
    return copy


def nanoseconds(engine: CEngine, frames: Array, products: int) -> float:
    """Of the processor for a product, the least of some rounds."""
    times: list[float] = []
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        engine([frames])
        times.append((time.process_time_ns() - start) / (len(frames) * products))
    return min(times)


def compared(
    modules: Sequence[tuple[ModuleOp, COptions]],
    frames: Array,
    tuning: Sequence[str],
    products: int,
) -> list[float]:
    """Nanoseconds a product of each; all give the same sums."""
    engines = [CEngine(module, options, tuning) for module, options in modules]
    (expected,) = engines[0]([frames])
    for engine in engines[1:]:
        np.testing.assert_array_equal(engine([frames])[0], expected)
    return [nanoseconds(engine, frames, products) for engine in engines]


def measure(machine: str) -> None:
    """Print a row a pair of widths."""
    plain = COptions(max_density=0.0)
    print(f"{machine}: ns a product of two numbers")
    print(f"{'inputs':>6s} {'weights':>7s} {'plain':>8s} {'packed':>8s} {'ratio':>6s}")
    for input_bits in range(1, 9):
        for bits in range(1, 9):
            rng = np.random.default_rng(bits)
            low, high = value_range(signed(bits))
            weights = rng.integers(low, high + 1, (ROWS, COLUMNS))
            module = layer(unsigned(input_bits), weights, signed(bits))
            counted = packed(module, BitpackPass(max_popcounts=1 << 16))
            frames = rng.integers(0, 1 << input_bits, (FRAMES, COLUMNS))
            modules = [(module, plain), (counted, plain)]
            slow, fast = compared(modules, frames, TUNING[machine], ROWS * COLUMNS)
            chosen = packed(module, BitpackPass(machine=machine))
            packs = any(isinstance(op, PackedMatMulOp) for op in chosen.walk())
            print(
                f"{input_bits:6d} {bits:7d} {slow:8.4f} {fast:8.4f} {slow / fast:6.2f}"
                f"{' +' if packs else ''}",
                flush=True,
            )


def main(arguments: Sequence[str]) -> None:
    """Measure on each kind of machine."""
    for machine in arguments or ("portable", "avx512"):
        measure(machine)


if __name__ == "__main__":
    main(sys.argv[1:])
