"""Nanoseconds that products take in C: by multiplying, by counting bits, without zeros.

Fitted to what `benchmarks/bit_serial.py` and `benchmarks/zero_skip_c.py` measure of the
library, compiled for each kind of machine, on an AMD EPYC of 2024. They serve to choose
between kernels, for which the ratios matter, not the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.ir import Attribute, Operation

from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.popcount import popcount_sum
from qdialect.types import element_of, shape_of, value_range, width_bits


@dataclass(frozen=True)
class Machine:
    """What a machine takes, in nanoseconds.

    Attributes:
        product: a multiplication of two bytes and an addition.
        unsigned_product: the same where the input is unsigned.
        word: counting the bits of a word and adding.
        word_row: a row of packed weights, beside its words.
        row_count: each count of such a row.
        pack: packing an element, beside its planes.
        plane: a plane of it.
        nonzero: a product of a list of those that are not 0.
        added: the same where all of these have one magnitude, and are only added.
        list_row: a row of such a list.
    """

    product: float
    unsigned_product: float
    word: float
    word_row: float
    row_count: float
    pack: float
    plane: float
    nonzero: float
    added: float
    list_row: float


MACHINES = {
    "scalar": Machine(0.44, 0.41, 1.26, 1.3, 0.8, 0.06, 0.04, 0.55, 0.4, 1.5),
    "portable": Machine(0.12, 0.12, 0.80, 0.7, 0.25, 0.08, 0.045, 0.55, 0.4, 1.5),
    "avx2": Machine(0.065, 0.065, 0.34, 1.0, 0.0, 0.06, 0.05, 0.55, 0.4, 1.5),
    "avx512": Machine(0.040, 0.016, 0.16, 0.8, 0.04, 0.08, 0.05, 0.55, 0.4, 1.5),
}
"""By name: without vectors; with those of 16 bytes that every x86-64 and AArch64 has;
with AVX2 and a popcount of words; with AVX-512, VNNI and a popcount of vectors."""


# A plane of an element that has just been computed: no vectors do that.
_COMPUTED_PLANE = 0.4


@dataclass(frozen=True)
class ProductCosts:
    """The ways to compute one product.

    Attributes:
        multiplied: nanoseconds by multiplying all.
        counted: by counting bits of packed words; None where the product has no such
            form.
        skipped: by multiplying those of weights that are not 0.
    """

    multiplied: float
    counted: float | None
    skipped: float


def product_costs(
    op: MatMulOp | ConvOp,
    weights: Array,
    element: Attribute,
    machine: Machine,
    word_bits: int = 64,
) -> ProductCosts:
    """What the ways to compute a product take.

    Args:
        op: the product.
        weights: its constant weights.
        element: the type that they are packed in.
        machine: what runs it.
        word_bits: of packed words.
    """
    input = element_of(op.input)
    rows, columns = len(weights), prod(weights.shape[1:])
    vectors = prod(shape_of(op.out)) // max(rows, 1)
    pairs = float(vectors * rows)
    is_unsigned = value_range(input)[0] >= 0
    each = machine.unsigned_product if is_unsigned else machine.product
    # Wider elements fill more lanes of a vector.
    widest = max(width_bits(input), width_bits(element_of(op.weights)))
    each *= max(1, (widest + 7) // 8)
    kept = np.abs(weights[weights != 0].astype(np.int64))
    is_added = kept.size > 0 and kept.min() == kept.max()
    skipping = kept.size * (machine.added if is_added else machine.nonzero)
    return ProductCosts(
        multiplied=pairs * columns * each,
        counted=_counted(op, element, machine, word_bits, pairs),
        skipped=skipping * float(vectors) + pairs * machine.list_row,
    )


def _counted(
    op: MatMulOp | ConvOp,
    element: Attribute,
    machine: Machine,
    word_bits: int,
    pairs: float,
) -> float | None:
    input, depth = element_of(op.input), shape_of(op.weights)[-1]
    taps = 1
    if isinstance(op, ConvOp):
        if not op.is_channels_last or op.group_count != 1:
            return None
        taps = prod(op.kernel)
    # A word that is partly filled takes as long as a full one.
    words = taps * -(-depth // word_bits)
    counts = len(popcount_sum(input, element).terms)
    row = machine.word_row + counts * (words * machine.word + machine.row_count)
    planes = width_bits(input)
    packing = machine.pack + planes * machine.plane
    if planes > 1 and isinstance(op.input.owner, Operation):
        packing += planes * _COMPUTED_PLANE
    return pairs * row + prod(shape_of(op.input)) * packing
