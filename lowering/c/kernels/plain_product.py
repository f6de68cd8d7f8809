"""`qnn.matmul` on integers: multiplications and additions; what convolutions share."""

from __future__ import annotations

from math import prod

import numpy as np

from lowering.c.affine import Affine
from lowering.c.decoding import decodes_rows
from lowering.c.errors import refusal
from lowering.c.functions import Functions
from lowering.c.kernels.coded_weights import DecodedWeights, coded_weights
from lowering.c.kernels.values import Consumer
from lowering.c.plan import Buffer
from lowering.c.scalars import CType, Scalar, compute_ctype, element_ctype
from lowering.c.step import StepFunction, flat_index, row_major
from lowering.text import Text
from qdialect.constants import constant_array
from qdialect.convolution import ConvOp
from qdialect.linear import MatMulOp
from qdialect.ranges import bounds
from qdialect.types import element_of, shape_of, value_range

# Compilers vectorise a loop without -O3 only where its count is known to be a multiple.
_LANES = 16


def plain_product(
    step: StepFunction, op: MatMulOp, decoded: Buffer | None, consumer: Consumer
) -> None:
    """Write the loops of a product; `consumer` takes each sum.

    Args:
        step: the function.
        op: the product.
        decoded: memory for weights that are code words: a row of them where each is
            read once a frame.
        consumer: where the sums go.
    """
    rows, columns = shape_of(op.weights)
    leading = shape_of(op.out)[:-1]
    sums = accumulator(op)
    input, input_type = operand(step, op, "input")
    coded = _coded(step, op, decoded)
    by_rows = coded is not None and decoded is not None and decodes_rows(op)
    if coded is None:
        weights, weight_type = operand(step, op, "weights")
    else:
        weights, weight_type = coded.name, element_ctype(op, element_of(op.weights))
        if not by_rows:
            coded.read(rows * columns)
    dot = dot_function(step.source.functions, input_type, weight_type, sums)
    with step.loops(leading) as position:
        at = flat_index(position, [columns * stride for stride in row_major(leading)])
        x = input if at == "0u" else f"{input} + {at}"
        consumer.begin(position)
        with step.loop("c", rows):
            row = f"{weights} + c * {columns}u"
            if coded is not None and by_rows:
                coded.read(columns)
                row = weights
            number = result_of(step, op, f"{dot}({x}, {row}, {columns}u)", sums)
            consumer.element(number, [*position, "c"])
        consumer.end(position)


def _coded(
    step: StepFunction, op: MatMulOp, memory: Buffer | None
) -> DecodedWeights | None:
    values, element = constant_array(op.weights), element_of(op.weights)
    if values is None:
        return None
    comment = weight_comment(op)
    ctype = element_ctype(op, element)
    return coded_weights(step, op.weights, memory, values, ctype, comment)


def weight_comment(op: MatMulOp | ConvOp) -> str:
    """What the constant weights of a product are."""
    shape = " x ".join(map(str, shape_of(op.weights)))
    return f"weights {shape} of {element_of(op.weights)}"


def operand(step: StepFunction, op: MatMulOp | ConvOp, name: str) -> tuple[str, CType]:
    """Name and element type of the memory of `input` or `weights`."""
    value = op.input if name == "input" else op.weights
    if isinstance(place := step.source.plan.place(value), Buffer):
        return step.pointer(value, name), place.ctype
    shape = " x ".join(map(str, shape_of(value)))
    table = step.table(
        place.to_numpy(),
        f"{name} {shape} of {element_of(value)}",
        element_ctype(op, element_of(value)),
    )
    return table, step.source.tables.ctype(table)


def accumulator(op: MatMulOp | ConvOp) -> CType:
    """The type that holds every partial sum, in whatever order it is taken.

    Raises:
        CError: 64 bits do not hold one.
    """
    low, high = bounds(op.input)
    magnitude = max(-low, high)
    weights = constant_array(op.weights)
    if weights is None:
        least, greatest = value_range(element_of(op.weights))
        total = magnitude * max(-least, greatest) * prod(shape_of(op.weights)[1:])
    else:
        # Python integers: an absolute value of int64 may not fit.
        rows = np.abs(weights.astype(object)).reshape(len(weights), -1).sum(axis=1)
        total = magnitude * max(int(rows.max()), 1) if rows.size else 0
    if total >= 1 << 63:
        raise refusal(op, f"sums up to {total} need more than 64 bits")
    return compute_ctype(op, -total, total)


def result_of(
    step: StepFunction, op: MatMulOp | ConvOp, text: str, sums: CType
) -> Affine:
    """A variable of a sum `text` of type `sums`, as the type of the result holds it."""
    least, greatest = value_range(element_of(op.out))
    narrow = Scalar("", least, greatest).ctype(op)
    if narrow != sums:
        text = f"({narrow.name}){text}"
    return Affine.of(step.variable(op, Scalar(text, least, greatest), "sum"))


def dot_function(
    functions: Functions, input: CType, weights: CType, sums: CType
) -> str:
    """Name of a function that gives one dot product."""

    def define(text: Text, full: str) -> None:
        text(f"static inline {sums.name} {full}(const {input.name} *x,")
        text(f"    const {weights.name} *w, uint32_t columns)")
        with text.block("{", "}"):
            text(f"{sums.name} sum = 0;")
            text(f"const uint32_t whole = columns - columns % {_LANES}u;")
            for first, end in (("0", "whole"), ("whole", "columns")):
                head = f"for (uint32_t i = {first}; i < {end}; ++i) {{"
                with text.block(head, "}"):
                    text(f"sum += ({sums.name})x[i] * ({sums.name})w[i];")
            text("return sum;")

    name = f"dot_{input.short_name}_{weights.short_name}_{sums.short_name}"
    return functions.add(name, define)
