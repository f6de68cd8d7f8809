"""Every way to multiply k-bit weights and inputs, in the Verilated SystemVerilog.

DoReFa (arXiv:1606.06160): weights and inputs of any 1 to 8 bits, weights in two's
complement or odd; and weights that are 0 or powers of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product as pairs
from pathlib import Path

import numpy as np
import pytest
from integer_cores import random_levels
from stream_bench import Case, check, simulate, stream

from lowering.hw.units.mvu import Mvu
from qdialect.products import Product, product_forms
from qdialect.types import signed, unsigned

ROWS, COLUMNS, PE, SIMD, VECTORS = 2, 7, 1, 3, 6
SAMPLE = ((1, 3), (3, 2), (8, 8))
ALL = tuple(pairs(range(1, 9), range(1, 9)))
SHIFTED = ((-2, -1, 0, 1, 2), (-8, -1, 0, 2), (-128, -16, 0, 1, 4, 8))


def values_of(bits: int) -> dict[str, Sequence[int]]:
    """The weights of one width."""
    most = (1 << bits) - 1
    half = 1 << (bits - 1)
    numbers = {"numbers": range(-half, half)} if bits > 1 else {}
    return {"odd": range(-most, most + 1, 2), **numbers}


def units(widths: Sequence[tuple[int, int]]) -> Iterator[Case]:
    """A unit for every way to multiply."""
    kinds = [
        (f"x{input_bits}_w{bits}_{name}", input_bits, values)
        for input_bits, bits in widths
        for name, values in values_of(bits).items()
    ]
    kinds += [
        (f"x{input_bits}_shift{number}", input_bits, values)
        for number, values in enumerate(SHIFTED)
        for input_bits in sorted({pair[0] for pair in widths})
    ]
    rng = np.random.default_rng(0)
    for name, input_bits, values in kinds:
        weights = rng.choice(values, (ROWS, COLUMNS)).astype(np.int64)
        weights.flat[: min(2, len(values))] = sorted((values[0], values[-1]))
        element = unsigned(input_bits)
        inputs = random_levels(rng, element, (VECTORS, COLUMNS))
        sums = inputs.astype(np.int64) @ weights.T
        width = int(np.abs(weights).sum(axis=1).max()) << input_bits
        accumulator = signed(width.bit_length() + 1)
        for form in product_forms(input_bits, weights):
            unit = Mvu(weights, element, PE, SIMD, accumulator, product=form.product)
            assert unit.sums.dot.product is form.product
            label = f"{name}_{form.product.name.lower()}"
            yield Case(
                label,
                unit.build(label),
                stream(element, COLUMNS, SIMD),
                inputs,
                stream(accumulator, ROWS, PE),
                sums,
                unit.cycles_per_vector,
                unit.latency_cycles,
            )


@pytest.mark.parametrize(
    "widths",
    [SAMPLE, *(pytest.param(ALL[n::4], marks=pytest.mark.slow) for n in range(4))],
    ids=["some", "1", "2", "3", "4"],
)
def test_every_product(widths: Sequence[tuple[int, int]], tmp_path: Path) -> None:
    cases = list(units(widths))
    traces = simulate(cases, tmp_path)
    for case in cases:
        check(case, traces[case.name])


def test_every_kind_is_among_them() -> None:
    ways = {case.name.rpartition("_")[2] for case in units(SAMPLE)}
    assert ways == {kind.name.lower().rpartition("_")[2] for kind in Product} - {
        "gated"
    }
