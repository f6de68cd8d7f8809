"""Sums of rows of packed weights and one packed vector, a panel of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd, prod

import numpy as np

from lowering.c.affine import Affine
from lowering.c.errors import refusal
from lowering.c.kernels.coded_weights import coded_weights
from lowering.c.kernels.popcount import ones_function, panel_function
from lowering.c.kernels.values import Consumer
from lowering.c.plan import Buffer
from lowering.c.scalars import Scalar, literal, word_ctype
from lowering.c.step import StepFunction
from qdialect.bit_planes import plane_words
from qdialect.constants import constant_data
from qdialect.data import Array
from qdialect.packed import PackedMatMulOp, packed_type
from qdialect.packed_maps import PackedConvOp
from qdialect.popcount import Form, PopcountSum, Term, popcount_sum
from qdialect.types import element_of, value_range


@dataclass(frozen=True)
class Rows:
    """What the kernel needs to know of the rows of one product.

    Attributes:
        op: the product.
        plan: the popcounts of a row.
        slope: greatest common factor of the terms, negative where all are.
        offset: what is added to the counts, known when the source is written.
        storage: the weights, [panels, planes, words, panel].
        count: number of rows.
        columns: elements of a row.
        memory: where the weights stand decoded; empty where they are a constant.
    """

    op: PackedMatMulOp | PackedConvOp
    plan: PopcountSum
    slope: int
    offset: int | Array
    storage: Array
    count: int
    columns: int
    memory: str = ""

    @property
    def words(self) -> int:
        """Words that a plane of a row takes."""
        return self.storage.shape[2]

    @property
    def planes(self) -> int:
        """Planes of the weights."""
        return self.storage.shape[1]

    @property
    def panel(self) -> int:
        """Rows that stand side by side."""
        return self.storage.shape[3]

    @property
    def word_bits(self) -> int:
        """Width of a word."""
        return packed_type(self.op.weights).word.data

    @property
    def word(self) -> str:
        """The type of a word in memory."""
        return word_ctype(self.word_bits).name

    @property
    def factors(self) -> list[int]:
        """Factors of the terms, without the slope."""
        return [term.factor // self.slope for term in self.plan.terms]

    def decoded(self, step: StepFunction, memory: Buffer | None) -> Rows:
        """The same rows, decoded into memory where they are stored as code words."""
        weights, ctype = self.op.weights, word_ctype(self.word_bits)
        coded = coded_weights(step, weights, memory, self.storage, ctype, self._comment)
        if coded is None:
            return self
        coded.read(self.storage.size)
        return replace(self, memory=coded.name)

    def table(self, step: StepFunction) -> str:
        """Name of the memory that holds the weights."""
        if self.memory:
            return self.memory
        return step.table(self.storage, self._comment, word_ctype(self.word_bits))

    @property
    def _comment(self) -> str:
        tensor = packed_type(self.op.weights).tensor
        shape = " x ".join(map(str, tensor.get_shape()))
        return f"weights {shape} of {tensor.element_type}"


def rows_of(op: PackedMatMulOp | PackedConvOp) -> Rows:
    """The rows of a product.

    Raises:
        CError: the weights are no constant of the words that their type asks for.
    """
    weight_type = packed_type(op.weights)
    data = constant_data(op.weights)
    if data is None:
        raise refusal(op, "the weights are computed, expected a constant")
    if data.type != weight_type.storage:
        raise refusal(
            op, f"the constant is {data.type}, expected the words {weight_type.storage}"
        )
    plan = popcount_sum(
        packed_type(op.input).tensor.element_type, weight_type.tensor.element_type
    )
    factors = [term.factor for term in plan.terms]
    slope = gcd(*factors)
    if all(factor < 0 for factor in factors):
        slope = -slope
    count, *inner = weight_type.tensor.get_shape()
    planes = plane_words(data.to_numpy(), weight_type)
    # A window is one vector: the words of its taps side by side, plane by plane.
    planes = np.moveaxis(planes, -2, 1).reshape(count, weight_type.planes, -1)
    offset: int | Array = plan.constant * prod(inner)
    if plan.of_weights:
        sums = [
            factor * np.bitwise_count(planes[:, plane]).sum(axis=-1, dtype=np.int64)
            for factor, plane in plan.of_weights
        ]
        offset = np.sum(sums, axis=0) + offset
    panel = weight_type.panel.data
    padded = np.pad(planes, [(0, -count % panel), (0, 0), (0, 0)])
    tiles = padded.reshape(-1, panel, *padded.shape[1:])
    storage = np.ascontiguousarray(np.moveaxis(tiles, 1, -1))
    return Rows(op, plan, slope, offset, storage, count, prod(inner))


def write_rows(
    step: StepFunction,
    rows: Rows,
    x: str,
    added: Scalar | None,
    position: list[str],
    consumer: Consumer,
) -> None:
    """Write the sums of all rows; `consumer` takes each, as an element of one vector.

    Args:
        step: the function.
        rows: the rows.
        x: pointer to the vector, its planes one after another.
        added: what is added to the sum of row `c`, in place of the offset of `rows`.
        position: index along each axis before the rows.
        consumer: where the sums go.
    """
    base = _base(step, rows, x) if added is None else added
    if added is not None:
        rows = replace(rows, offset=0)
    table = rows.table(step)
    consumer.begin(position)
    panel = _Panel(step, rows, table, x, base, position, consumer)
    full = rows.count - rows.count % rows.panel
    if full:
        with step.loop("h", full, rows.panel):
            _write_panel(panel, rows.panel)
    if rows.count > full:
        with step.text.block("{", "}"):
            step.text(f"const uint32_t h = {full}u;")
            _write_panel(panel, rows.count - full)
    consumer.end(position)


def _base(step: StepFunction, rows: Rows, x: str) -> Scalar | None:
    """What the vector adds to every sum: a variable, or None."""
    if not rows.plan.of_input:
        return None
    op = rows.op
    ones = ones_function(step.source.functions, rows.word_bits)
    low = sum(min(f, 0) for f, _ in rows.plan.of_input) * rows.columns
    high = sum(max(f, 0) for f, _ in rows.plan.of_input) * rows.columns
    ctype = Scalar("", low, high).ctype(op)
    terms = [
        _times(
            factor,
            f"({ctype.name}){ones}({_plus(x, plane * rows.words)}, {rows.words}u)",
        )
        for factor, plane in rows.plan.of_input
    ]
    return step.variable(op, Scalar(f"({' + '.join(terms)})", low, high), "base")


def _plus(pointer: str, offset: int) -> str:
    return f"{pointer} + {offset}" if offset else pointer


def _times(factor: int, text: str) -> str:
    return text if factor == 1 else f"{literal(factor)} * {text}"


def _arguments(term: Term, rows: Rows, x: str) -> list[str]:
    """Pointers to the planes that a term reads."""
    words, panel = rows.words, rows.panel
    inputs, weights = [term.input_plane], [term.weight_plane]
    if term.form in (Form.INPUT_MASK, Form.DIFFER):
        inputs = [0, 1]
    if term.form in (Form.WEIGHT_MASK, Form.DIFFER):
        weights = [term.weight_plane, rows.planes - 1]
    return [
        *(_plus(x, plane * words) for plane in inputs),
        *(_plus("w", plane * words * panel) for plane in weights),
    ]


@dataclass(frozen=True)
class _Panel:
    """What a panel is written from: names, and where its sums go."""

    step: StepFunction
    rows: Rows
    weights: str
    x: str
    base: Scalar | None
    leading: list[str]
    consumer: Consumer


def _write_panel(panel: _Panel, count: int) -> None:
    """The sums of `count` rows from row `h` on, which is a multiple of the panel."""
    step, rows = panel.step, panel.rows
    text = step.text
    start = f"{panel.weights} + h * {rows.planes * rows.words}u"
    text(f"const {rows.word} *const w = {start};")
    for k, term in enumerate(rows.plan.terms):
        call = panel_function(
            step.source.functions, term.form, rows.word_bits, rows.panel
        )
        arguments = ", ".join(_arguments(term, rows, panel.x))
        text(f"uint32_t n{k}[{rows.panel}];")
        text(f"{call}({arguments}, {rows.words}u, n{k});")
    with step.loop("r", count):
        text("const uint32_t c = h + r;")
        sums = _sum(step, rows, panel.base)
        panel.consumer.element(sums, [*panel.leading, "c"])


def _sum(step: StepFunction, rows: Rows, base: Scalar | None) -> Affine:
    """The counts of row `r`, weighted."""
    op = rows.op
    low = sum(min(f, 0) for f in rows.factors) * rows.columns
    high = sum(max(f, 0) for f in rows.factors) * rows.columns
    ctype = Scalar("", low, high).ctype(op)
    terms = [
        _times(factor, f"({ctype.name})n{k}[r]")
        for k, factor in enumerate(rows.factors)
    ]
    text = terms[0] if len(terms) == 1 else f"({' + '.join(terms)})"
    counts = step.variable(op, Scalar(text, low, high), "s")
    least, greatest = value_range(element_of(op.out))
    if base is None:
        return Affine(counts, least, greatest, rows.slope, rows.offset)
    scaled = [rows.slope * low + base.low, rows.slope * high + base.high]
    if rows.slope < 0:
        scaled = [rows.slope * high + base.low, rows.slope * low + base.high]
    wide = Scalar("", min(*scaled, base.low, low), max(*scaled, base.high, high))
    wide_type = wide.ctype(op)
    sum_text = (
        f"({base.as_type(op, wide_type)} + "
        f"{_times(rows.slope, counts.as_type(op, wide_type))})"
    )
    number = step.variable(op, Scalar(sum_text, wide.low, wide.high))
    narrow = Scalar(number.text, max(least, wide.low), min(greatest, wide.high))
    if narrow.ctype(op) != wide_type:
        narrow = Scalar(
            f"({narrow.ctype(op).name}){number.text}", narrow.low, narrow.high
        )
    return Affine(narrow, narrow.low, narrow.high, 1, rows.offset)
