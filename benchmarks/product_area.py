"""LUTs of a product with its share of the adder tree: every way to multiply by weights.

A processing element of 16 columns alone, as Yosys synthesises it for 7-series, less the
bits of its accumulator, against the estimate that `qdialect.products` chooses by. `*`
marks the choice. With the word `all`, every pair of widths from 1 to 8 bits.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import product as pairs

import numpy as np
from area import synthesised
from xdsl.dialects.builtin import ModuleOp

from lowering.hw.units.encoding import DotProduct
from lowering.hw.units.pe import ProcessingElement
from qdialect.products import product_form, product_forms
from qdialect.types import unsigned

LANES, BEATS = 16, 2
SHIFTS = {
    "five levels": (-2, -1, 0, 1, 2),
    "0, +-1, +-4": (-4, -1, 0, 1, 4),
    "0, +-1, .., +-8": (-8, -4, -2, -1, 0, 1, 2, 4, 8),
}
WIDTHS = ((2, 2), (2, 4), (4, 4), (4, 5), (5, 5), (3, 8), (8, 8))


def cases(widths: Sequence[tuple[int, int]]) -> list[tuple[str, int, Sequence[int]]]:
    """Name, bits of an input, and the values that weights take."""
    found: list[tuple[str, int, Sequence[int]]] = []
    for input_bits, bits in widths:
        half = 1 << (bits - 1)
        if bits > 1:
            found.append((f"{bits} bits", input_bits, range(-half, half)))
        most = (1 << bits) - 1
        found.append((f"odd, {bits} bits", input_bits, range(-most, most + 1, 2)))
    found += [
        (name, bits, values) for name, values in SHIFTS.items() for bits in (1, 2, 4, 8)
    ]
    return found


def main(arguments: Sequence[str]) -> None:
    """Print a row a way."""
    widths = WIDTHS
    if "all" in arguments:
        widths = tuple(pairs(range(1, 9), range(1, 9)))
    print(f"{'weights':16s} {'input':>5s} {'product':12s} ", end="")
    print(f"{'LUT/product':>11s} {'DSP':>4s} {'estimate':>9s}")
    for name, input_bits, values in cases(widths):
        chosen = product_form(input_bits, np.array(values)).product
        for form in product_forms(input_bits, np.array(values)):
            dot = DotProduct(unsigned(input_bits), np.array([values]), form.product)
            sum_bits = input_bits + dot.weight_bits + 6
            element = ProcessingElement(dot, LANES, BEATS, sum_bits, 0)
            area = synthesised(ModuleOp(element.build("pe")), "pe")
            each = (area.luts - sum_bits) / LANES
            mark = "*" if form.product is chosen else " "
            print(
                f"{name:16s} {input_bits:5d} {form.product.name + mark:12s} {each:12.2f}"
                f" {area.dsps / LANES:4.0f} {form.luts:9.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
