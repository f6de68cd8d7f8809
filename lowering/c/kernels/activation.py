"""`qnn.threshold` and `qnn.lookup`: from a number to a level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation, SSAValue

from lowering.c.affine import Affine
from lowering.c.errors import refusal
from lowering.c.functions import Functions
from lowering.c.scalars import CType, Scalar, literal, table_ctype
from lowering.c.step import StepFunction, flat_index
from lowering.text import Text
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.types import BipolarType, element_of, shape_of

Integers = npt.NDArray[np.int64]

# Up to here thresholds are compared one after another, above by bisection.
_MAX_COMPARED = 15


@dataclass(frozen=True)
class _Steps:
    """Thresholds of a number that is only known as `slope * s + offset`.

    A channel counts the thresholds with `s >= t`, or, where it falls in s, those with
    `~s >= t`, since `s <= v` is `~s >= ~v`.

    Attributes:
        thresholds: [C, T], rising along T.
        falls: [C], whether the channel falls in s.
    """

    thresholds: Integers
    falls: npt.NDArray[np.bool_]

    def merged(self) -> _Steps:
        """One channel for all, where all are alike."""
        if (self.thresholds == self.thresholds[0]).all() and (
            self.falls == self.falls[0]
        ).all():
            return _Steps(self.thresholds[:1], self.falls[:1])
        return self


def _constant(op: Operation, value: SSAValue, name: str) -> Array:
    array = constant_array(value)
    if array is None:
        raise refusal(op, f"`{name}` is computed, expected a constant")
    return array


def _steps_of(op: ThresholdOp, value: Affine, offset: int | Integers) -> _Steps:
    """Move slope and offset into the thresholds, and clamp them to what s reaches."""
    wanted = _constant(op, op.thresholds, "thresholds").astype(object)
    falling = np.zeros(wanted.shape[0], np.bool_)
    if op.falling is not None:
        falling = _constant(op, op.falling, "falling") != 0
    # Of the number v: counted is v >= t, or v < t, which is v <= t - 1, where it falls.
    bounds = np.where(falling[:, np.newaxis], wanted - 1, wanted)
    bounds = bounds - np.reshape(np.asarray(offset, object), (-1, 1))
    falls = falling != (value.slope < 0)
    size = abs(value.slope)
    bounds = bounds if value.slope > 0 else -bounds
    # Of s: s >= ceil(b / size), or s <= floor(b / size).
    quotients = np.where(falls[:, np.newaxis], bounds // size, -((-bounds) // size))
    low, high = value.scalar.low, value.scalar.high
    clamped = np.where(
        falls[:, np.newaxis],
        np.clip(quotients, low - 1, high),
        np.clip(quotients, low, high + 1),
    )
    complemented = np.where(falls[:, np.newaxis], -clamped - 1, clamped)
    if int(complemented.max()) >= 1 << 63:
        raise refusal(op, "a threshold that no value reaches needs more than 64 bits")
    return _Steps(np.sort(complemented.astype(np.int64), axis=1), falls).merged()


def threshold(
    step: StepFunction, op: ThresholdOp, value: Affine, position: list[str]
) -> Affine:
    """Write a threshold; the level."""
    channels, count = shape_of(op.thresholds)
    axis = op.axis.value.data
    element = element_of(op.out)
    offset = op.offset.value.data
    if count == 0 or channels == 0:
        return Affine.of(Scalar(literal(offset), offset, offset))
    last = axis == len(shape_of(op.input)) - 1
    if not isinstance(value.offset, int) and not last:
        # The offsets differ along another axis than the thresholds do.
        value = Affine.of(value.number(step, op, position[-1]))
    known = (
        value.offset
        if isinstance(value.offset, int)
        else (value.offset.astype(np.int64))
    )
    steps = _steps_of(op, value, known)
    compared = _complemented(step, op, value.scalar, steps, position[axis])
    reached = _reached(step, op, compared, steps, position[axis])
    if isinstance(element, BipolarType):
        bit = f"(uint32_t)({reached})"
        return Affine.of(Scalar(f"(2 * (int32_t)({reached}) - 1)", -1, 1, bit))
    text = f"(int32_t)({reached})"
    if offset:
        # The levels of an element type are small: the sum is one of them.
        wide = Scalar("", min(offset, 0), max(offset + count, count))
        text = f"({literal(offset)} + ({wide.ctype(op).name})({reached}))"
    level = step.variable(op, Scalar(text, offset, offset + count))
    return Affine.of(level)


def _complemented(
    step: StepFunction, op: Operation, scalar: Scalar, steps: _Steps, channel: str
) -> Scalar:
    """s, or ~s where the channel falls in s; both within the type of s."""
    if not steps.falls.any():
        return scalar
    low = min(scalar.low, ~scalar.high)
    high = max(scalar.high, ~scalar.low)
    wide = Scalar("", low, high).ctype(op)
    if steps.falls.all():
        # Of a variable: compilers warn of what a promoted unsigned element becomes.
        known = scalar.text.isidentifier()
        scalar = scalar if known else step.variable(op, scalar)
        return Scalar(f"(~{scalar.as_type(op, wide)})", low, high)
    text = scalar.as_type(op, wide)
    signs = step.table(np.where(steps.falls, -1, 0), "-1 where a channel falls, else 0")
    return Scalar(f"({text} ^ {signs}[{channel}])", low, high)


def _reached(
    step: StepFunction, op: Operation, scalar: Scalar, steps: _Steps, channel: str
) -> str:
    """An expression of the number of thresholds that s reaches."""
    channels, count = steps.thresholds.shape
    ctype = table_ctype(int(steps.thresholds.min()), int(steps.thresholds.max()))
    if not ctype.signed:
        ctype = table_ctype(-1, int(steps.thresholds.max()))
    # Compilers warn of a comparison with a literal that decides nothing.
    if count == channels == 1 and scalar.low < steps.thresholds[0, 0] <= scalar.high:
        return f"{scalar.text} >= {literal(int(steps.thresholds[0, 0]))}"
    name = step.table(steps.thresholds, f"thresholds {channels} x {count}", ctype)
    index = "0u" if channels == 1 else channel
    if count == 1:
        return f"{scalar.text} >= {name}[{index}]"
    row = flat_index([index], [count])
    row = name if row == "0u" else f"{name} + {row}"
    function = _counting_function(
        step.source.functions, ctype, scalar.ctype(op), count > _MAX_COMPARED
    )
    return f"{function}({row}, {count}u, {scalar.text})"


def _counting_function(
    functions: Functions, table: CType, value: CType, bisect: bool
) -> str:
    """Name of a function that counts the thresholds that a number reaches."""

    def define(text: Text, full: str) -> None:
        text(f"static inline uint32_t {full}(const {table.name} *t, uint32_t steps,")
        text(f"    {value.name} x)")
        with text.block("{", "}"):
            text("uint32_t reached = 0;")
            (_bisect if bisect else _compare)(text)
            text("return reached;")

    kind = "search" if bisect else "count"
    return functions.add(f"{kind}_{table.short_name}_{value.short_name}", define)


def _compare(text: Text) -> None:
    with text.block("for (uint32_t i = 0; i < steps; ++i) {", "}"):
        text("reached += (uint32_t)(x >= t[i]);")


def _bisect(text: Text) -> None:
    """The thresholds rise: all before the answer are reached, none behind it."""
    with text.block("while (steps > 0u) {", "}"):
        text("const uint32_t half = steps / 2u;")
        with text.block("if (x >= t[reached + half]) {"):
            text("reached += half + 1u;")
            text("steps -= half + 1u;")
        with text.block("} else {", "}"):
            text("steps = half;")


def lookup(
    step: StepFunction, op: LookupOp, value: Affine, position: list[str]
) -> Affine:
    """Write a table look-up; the level."""
    table = _constant(op, op.table, "table")
    channels, rows = table.shape
    low = op.low.value.data
    number = value.number(step, op, position[-1])
    channel = position[op.axis.value.data]
    if (table == table[0]).all():
        table, channels, channel = table[:1], 1, "0u"
    name = step.table(table, f"table {channels} x {rows}")
    wide = Scalar(
        "", min(number.low, number.low - low), max(number.high, number.high - low)
    )
    text = number.as_type(op, wide.ctype(op))
    shifted = f"({text} - {literal(low)})" if low else text
    index = flat_index([channel], [rows])
    at = f"(uint32_t){shifted}"
    entry = f"{name}[{at if index == '0u' else f'{index} + {at}'}]"
    least, greatest = int(table.min()), int(table.max())
    level = Scalar(
        f"({Scalar('', least, greatest).ctype(op).name}){entry}", least, greatest
    )
    return Affine.of(step.variable(op, level))
