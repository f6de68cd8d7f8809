"""`qnn.conv` on integers: multiplications and additions, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from lowering.c.errors import refusal
from lowering.c.functions import Functions
from lowering.c.kernels.coded_weights import coded_weights
from lowering.c.kernels.gathering import gather
from lowering.c.kernels.plain_panels import (
    channels_function,
    panel_order,
    rows_function,
    write_panels,
)
from lowering.c.kernels.plain_product import (
    accumulator,
    dot_function,
    operand,
    result_of,
    weight_comment,
)
from lowering.c.kernels.values import Consumer
from lowering.c.plan import Buffer, Loop
from lowering.c.scalars import CType, element_ctype
from lowering.c.step import StepFunction
from lowering.c.window_vector import window_vector
from lowering.text import Text
from qdialect.constants import constant_array
from qdialect.convolution import ConvOp
from qdialect.types import element_of, shape_of

# Rows of as many elements fill the lanes of a vector machine each by itself.
_LONG_ROW = 128


def plain_convolution(
    step: StepFunction, op: ConvOp, loop: Loop, consumer: Consumer
) -> None:
    """Write the loops of a convolution; `consumer` takes each sum.

    Args:
        step: the function.
        op: with channels last.
        loop: the step, with memory for what it needs.
        consumer: where the sums go.

    Raises:
        CError: the channels are not last.
    """
    if not op.is_channels_last:
        raise refusal(op, "channels come first, expected channels_last; run bnn-c")
    sums = accumulator(op)
    map, map_type = operand(step, op, "input")
    vector = window_vector(op)
    rows = shape_of(op.weights)[0]
    weights = _weights(step, op, loop.decoded)
    with step.loops(shape_of(op.out)[:-1]) as position:
        x = gather(step, vector, map, map_type, loop.scratch, position)
        window = _Window(step, op, x, vector.taps, map_type, weights, sums)
        consumer.begin(position)

        def row(text: str) -> None:
            number = result_of(step, op, text, sums)
            consumer.element(number, [*position, "c"])

        if _goes_in_panels(op):
            write_panels(step, rows, sums, window.panel, row)
        else:
            with step.loop("c", rows):
                row(window.dot())
        consumer.end(position)


def _weights(step: StepFunction, op: ConvOp, decoded: Buffer | None) -> str:
    """Name of the memory of the weights, in the order in which they are read."""
    values = constant_array(op.weights)
    if values is None:
        return operand(step, op, "weights")[0]
    comment = weight_comment(op)
    if _goes_in_panels(op):
        values = panel_order(values.reshape(len(values), -1))
        comment = f"{comment}, in panels"
    ctype = element_ctype(op, element_of(op.weights))
    coded = coded_weights(step, op.weights, decoded, values, ctype, comment)
    if coded is None:
        return step.table(values, comment, ctype)
    coded.read(values.size)
    return coded.name


def _goes_in_panels(op: ConvOp) -> bool:
    """Whether several rows at once pay: short ones, or one of each channel."""
    if constant_array(op.weights) is None:
        return False
    rows, *inner = shape_of(op.weights)
    if op.group_count == 1:
        return prod(inner) < _LONG_ROW
    return op.group_count == op.channels == rows


@dataclass(frozen=True)
class _Window:
    """What the products of one window are written from.

    Attributes:
        step: the function.
        op: the convolution.
        x: pointer to the window, [taps, channels].
        taps: number of taps.
        input: type of an element.
        weights: name of the memory of the weights, in the order of the kernel.
        sums: type of a sum.
    """

    step: StepFunction
    op: ConvOp
    x: str
    taps: int
    input: CType
    weights: str
    sums: CType

    def panel(self, rows: int) -> str:
        """The call that gives the sums of `rows` rows from row `h` on."""
        op, step = self.op, self.step
        ctype = element_ctype(op, element_of(op.weights))
        columns = prod(shape_of(op.weights)[1:])
        functions = step.source.functions
        first = f"{self.weights} + h * {columns}u"
        if op.group_count == 1:
            name = rows_function(functions, self.input, ctype, self.sums, rows)
            return f"{name}({self.x}, {first}, {columns}u, sums);"
        name = channels_function(functions, self.input, ctype, self.sums, rows)
        return f"{name}({self.x} + h, {first}, {self.taps}u, {op.channels}u, sums);"

    def dot(self) -> str:
        """The dot product that is the sum of row `c`."""
        op = self.op
        weight_type = element_ctype(op, element_of(op.weights))
        rows, depth = shape_of(op.weights)[0], shape_of(op.weights)[-1]
        columns = self.taps * depth
        functions = self.step.source.functions
        row = f"{self.weights} + c * {columns}u"
        types = (self.input, weight_type, self.sums)
        if op.group_count == 1:
            return f"{dot_function(functions, *types)}({self.x}, {row}, {columns}u)"
        rows_a_group = rows // op.group_count
        group = "c" if rows_a_group == 1 else f"c / {rows_a_group}u"
        first = f"{self.x} + {group} * {depth}u"
        sizes = f"{self.taps}u, {depth}u, {op.channels}u"
        return f"{_group_dot_function(functions, *types)}({first}, {row}, {sizes})"


def _group_dot_function(
    functions: Functions, input: CType, weights: CType, sums: CType
) -> str:
    """Name of a function that gives the dot product of one group of channels."""

    def define(text: Text, full: str) -> None:
        text(f"static inline {sums.name} {full}(const {input.name} *x,")
        text(f"    const {weights.name} *w, uint32_t taps, uint32_t depth,")
        text("    uint32_t distance)")
        with text.block("{", "}"):
            text(f"{sums.name} sum = 0;")
            with text.block("for (uint32_t i = 0; i < taps; ++i) {", "}"):
                with text.block("for (uint32_t j = 0; j < depth; ++j) {", "}"):
                    text(f"sum += ({sums.name})x[j] * ({sums.name})w[j];")
                text("x += distance;")
                text("w += depth;")
            text("return sum;")

    name = f"group_dot_{input.short_name}_{weights.short_name}_{sums.short_name}"
    return functions.add(name, define)
