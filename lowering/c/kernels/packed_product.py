"""`qnn.packed_matmul`: popcounts of a packed vector and packed rows."""

from __future__ import annotations

from lowering.c.kernels.packed_rows import rows_of, write_rows
from lowering.c.kernels.values import Consumer
from lowering.c.plan import Buffer
from lowering.c.step import StepFunction, flat_index, row_major
from qdialect.packed import PackedMatMulOp, packed_type
from qdialect.types import shape_of


def packed_product(
    step: StepFunction, op: PackedMatMulOp, decoded: Buffer | None, consumer: Consumer
) -> None:
    """Write the loops of a product; `consumer` takes each sum.

    Args:
        step: the function.
        op: the product.
        decoded: memory for weights that are code words.
        consumer: where the sums go.
    """
    rows = rows_of(op).decoded(step, decoded)
    input = step.pointer(op.input, "input")
    leading = shape_of(op.out)[:-1]
    input_words = packed_type(op.input).planes * rows.words
    with step.loops(leading) as position:
        at = flat_index(
            position, [input_words * stride for stride in row_major(leading)]
        )
        x = input
        if at != "0u":
            step.text(f"const {rows.word} *const x = {input} + {at};")
            x = "x"
        write_rows(step, rows, x, None, position, consumer)
