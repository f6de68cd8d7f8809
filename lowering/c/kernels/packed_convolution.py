"""`qnn.packed_conv` and `qnn.packed_max_pool`: windows of packed pixels."""

from __future__ import annotations

from math import prod

import numpy as np

from lowering.c.kernels.gathering import gather
from lowering.c.kernels.packed_rows import Rows, rows_of, write_rows
from lowering.c.kernels.values import Consumer
from lowering.c.kernels.windows import tap_loops, taps_of
from lowering.c.plan import Loop, PackedPool
from lowering.c.scalars import Scalar, word_ctype
from lowering.c.step import StepFunction, flat_index, row_major
from lowering.c.window_vector import window_vector
from qdialect.bit_planes import unpack_words
from qdialect.constants import constant_data
from qdialect.packed import packed_type
from qdialect.packed_maps import PackedConvOp, sums_under_padding
from qdialect.types import BipolarType, shape_of


def packed_convolution(
    step: StepFunction, op: PackedConvOp, loop: Loop, consumer: Consumer
) -> None:
    """Write the loops of a convolution; `consumer` takes each sum.

    Args:
        step: the function.
        op: the convolution.
        loop: the step, with memory for what it needs.
        consumer: where the sums go.
    """
    rows = rows_of(op).decoded(step, loop.decoded)
    map = step.pointer(op.input, "input")
    vector = window_vector(op)
    with step.loops(shape_of(op.out)[:-1]) as position:
        added = _padding(step, op, rows, position)
        word = word_ctype(rows.word_bits)
        x = gather(step, vector, map, word, loop.scratch, position)
        write_rows(step, rows, x, added, position, consumer)


def _padding(
    step: StepFunction, op: PackedConvOp, rows: Rows, position: list[str]
) -> Scalar | None:
    """What is added to row `c` where words of padding read as -1: offset and all."""
    weight_type = packed_type(op.weights)
    data = constant_data(op.weights)
    if not isinstance(packed_type(op.input).tensor.element_type, BipolarType):
        return None
    assert data is not None  # `rows_of` has refused others
    levels = unpack_words(data.to_numpy(), weight_type).astype(np.int64)
    missing, classes = sums_under_padding(op.window, op.extents, levels.sum(axis=-1))
    if prod(missing.shape[:-1]) == 1 and not missing.any():
        return None
    added = missing + rows.offset
    table = step.table(added, "what windows add that stand on padding")
    indices: list[str] = []
    for of_window, at in zip(classes, position[1:], strict=True):
        index = f"{of_window[0]}u"
        if (of_window != of_window[0]).any():
            # Unsigned, so that it is an index as it stands.
            unsigned = word_ctype(8 if of_window.max() < 256 else 32)
            index = f"{step.table(of_window, 'classes of windows', unsigned)}[{at}]"
        indices.append(index)
    at = flat_index(indices, row_major(missing.shape)[:-1])
    ctype = step.source.tables.ctype(table)
    step.text(f"const {ctype.name} *const pad = {table} + {at};")
    low, high = int(added.min()), int(added.max())
    number = Scalar("", low, high)
    return Scalar(f"({number.ctype(op).name})pad[c]", low, high)


def packed_pool(step: StepFunction, plan: PackedPool) -> None:
    """Write a pool: the OR of the words of each window."""
    op = plan.source
    input, out = packed_type(op.input), packed_type(op.out)
    words = out.words
    map = step.pointer(op.input, "input")
    result = step.output(plan.out, "y")
    ctype = word_ctype(out.word.data)
    shape = out.tensor.get_shape()[:-1]
    distances = [words * stride for stride in row_major(input.tensor.get_shape()[1:-1])]
    with step.loops(shape) as position:
        at = flat_index(position, [words * stride for stride in row_major(shape)])
        step.text(f"{ctype.name} *const to = {result} + {at};")
        with step.loop("n", words):
            step.text("to[n] = 0;")
        taps = [
            taps_of(step, axis, extent, index, f"t{k}")
            for k, (axis, extent, index) in enumerate(
                zip(op.window, op.extents, position[1:], strict=True)
            )
        ]
        with tap_loops(step, taps) as place:
            source = flat_index(place, distances)
            step.text(f"const {ctype.name} *const from = {map} + {source};")
            with step.loop("n", words):
                # An OR of narrow words is an int: as it was, but to be converted.
                text = "to[n] | from[n]"
                if ctype.width_bits < 32:
                    text = f"({ctype.name})({text})"
                step.text(f"to[n] = {text};")
