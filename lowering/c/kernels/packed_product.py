"""`qnn.packed_matmul`: a panel of rows at a time, from words of bit planes."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from lowering.c.affine import Affine
from lowering.c.errors import refusal
from lowering.c.kernels.popcount import ones_function, panel_function
from lowering.c.kernels.values import Consumer
from lowering.c.scalars import Scalar, literal, word_ctype
from lowering.c.step import StepFunction, flat_index, row_major
from qdialect.bit_planes import plane_words
from qdialect.constants import constant_data
from qdialect.data import Array
from qdialect.packed import PackedMatMulOp, packed_type
from qdialect.popcount import Form, PopcountSum, Term, popcount_sum
from qdialect.types import element_of, shape_of, value_range


@dataclass(frozen=True)
class _Product:
    """What the kernel needs to know of one product.

    Attributes:
        plan: the popcounts of a row.
        slope: greatest common factor of the terms, negative where all are.
        offset: what is added to the counts, known when the source is written.
        words: words that a plane of a row takes.
        panel: rows that stand side by side.
        planes: planes of the weights.
    """

    op: PackedMatMulOp
    plan: PopcountSum
    slope: int
    offset: int | Array
    words: int
    panel: int
    planes: int

    @property
    def factors(self) -> list[int]:
        """Factors of the terms, without the slope."""
        return [term.factor // self.slope for term in self.plan.terms]


def _product_of(op: PackedMatMulOp) -> tuple[_Product, Array]:
    """The product and the storage of its weights."""
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
    storage = data.to_numpy()
    offset: int | Array = plan.constant * weight_type.tensor.get_shape()[1]
    if plan.of_weights:
        planes = plane_words(storage, weight_type)
        sums = [
            factor * np.bitwise_count(planes[:, plane]).sum(axis=-1, dtype=np.int64)
            for factor, plane in plan.of_weights
        ]
        offset = np.sum(sums, axis=0) + offset
    product = _Product(
        op,
        plan,
        slope,
        offset,
        weight_type.words,
        weight_type.panel.data,
        weight_type.planes,
    )
    return product, storage


def packed_product(step: StepFunction, op: PackedMatMulOp, consumer: Consumer) -> None:
    """Write the loops of a product; `consumer` takes each sum."""
    product, storage = _product_of(op)
    rows, columns = packed_type(op.weights).tensor.get_shape()
    weights = step.table(
        storage,
        f"weights {rows} x {columns} of {packed_type(op.weights).tensor.element_type}",
        word_ctype(packed_type(op.weights).word.data),
    )
    input = step.pointer(op.input, "input")
    leading = shape_of(op.out)[:-1]
    input_words = packed_type(op.input).planes * product.words
    with step.loops(leading) as position:
        strides = [input_words * stride for stride in row_major(leading)]
        at = flat_index(position, strides)
        x = input if at == "0u" else f"{input} + {at}"
        if at != "0u":
            step.text(f"const {_word(op)} *const x = {x};")
            x = "x"
        base = _base(step, product, x)
        consumer.begin(position)
        panel = _Panel(step, product, weights, x, base, position, consumer)
        full = rows - rows % product.panel
        if full:
            with step.loop("h", full, product.panel):
                _panel(panel, product.panel)
        if rows > full:
            with step.text.block("{", "}"):
                step.text(f"const uint32_t h = {full}u;")
                _panel(panel, rows - full)
        consumer.end(position)


def _word(op: PackedMatMulOp) -> str:
    return word_ctype(packed_type(op.input).word.data).name


def _base(step: StepFunction, product: _Product, x: str) -> Scalar | None:
    """What the input vector adds to every sum: a variable, or None."""
    if not product.plan.of_input:
        return None
    op = product.op
    ones = ones_function(step.source.functions, packed_type(op.input).word.data)
    columns = packed_type(op.weights).tensor.get_shape()[1]
    low = sum(min(f, 0) for f, _ in product.plan.of_input) * columns
    high = sum(max(f, 0) for f, _ in product.plan.of_input) * columns
    ctype = Scalar("", low, high).ctype(op)
    terms = [
        _times(
            factor,
            f"({ctype.name}){ones}({_plus(x, plane * product.words)}, "
            f"{product.words}u)",
        )
        for factor, plane in product.plan.of_input
    ]
    return step.variable(op, Scalar(f"({' + '.join(terms)})", low, high), "base")


def _plus(pointer: str, offset: int) -> str:
    return f"{pointer} + {offset}" if offset else pointer


def _times(factor: int, text: str) -> str:
    return text if factor == 1 else f"{literal(factor)} * {text}"


def _arguments(term: Term, product: _Product, x: str) -> list[str]:
    """Pointers to the planes that a term reads."""
    words, panel = product.words, product.panel
    inputs, weights = [term.input_plane], [term.weight_plane]
    if term.form in (Form.INPUT_MASK, Form.DIFFER):
        inputs = [0, 1]
    if term.form in (Form.WEIGHT_MASK, Form.DIFFER):
        weights = [0, 1]
    return [
        *(_plus(x, plane * words) for plane in inputs),
        *(_plus("w", plane * words * panel) for plane in weights),
    ]


@dataclass(frozen=True)
class _Panel:
    """What a panel is written from: names, and where its sums go."""

    step: StepFunction
    product: _Product
    weights: str
    x: str
    base: Scalar | None
    leading: list[str]
    consumer: Consumer


def _panel(panel: _Panel, rows: int) -> None:
    """The sums of `rows` rows from row `h` on, which is a multiple of the panel."""
    step, product = panel.step, panel.product
    text = step.text
    word_bits = packed_type(product.op.input).word.data
    start = f"{panel.weights} + h * {product.planes * product.words}u"
    text(f"const {_word(product.op)} *const w = {start};")
    for k, term in enumerate(product.plan.terms):
        call = panel_function(
            step.source.functions, term.form, word_bits, product.panel
        )
        arguments = ", ".join(_arguments(term, product, panel.x))
        text(f"uint32_t n{k}[{product.panel}];")
        text(f"{call}({arguments}, {product.words}u, n{k});")
    with step.loop("r", rows):
        text("const uint32_t c = h + r;")
        sums = _sum(step, product, panel.base)
        panel.consumer.element(sums, [*panel.leading, "c"])


def _sum(step: StepFunction, product: _Product, base: Scalar | None) -> Affine:
    """The counts of row `r`, weighted."""
    op = product.op
    columns = packed_type(op.weights).tensor.get_shape()[1]
    low = sum(min(f, 0) for f in product.factors) * columns
    high = sum(max(f, 0) for f in product.factors) * columns
    ctype = Scalar("", low, high).ctype(op)
    terms = [
        _times(factor, f"({ctype.name})n{k}[r]")
        for k, factor in enumerate(product.factors)
    ]
    text = terms[0] if len(terms) == 1 else f"({' + '.join(terms)})"
    counts = step.variable(op, Scalar(text, low, high), "s")
    least, greatest = value_range(element_of(op.out))
    if base is None:
        return Affine(counts, least, greatest, product.slope, product.offset)
    scaled = [product.slope * low + base.low, product.slope * high + base.high]
    wide = Scalar("", min(*scaled, base.low, low), max(*scaled, base.high, high))
    wide_type = wide.ctype(op)
    sum_text = (
        f"({base.as_type(op, wide_type)} + "
        f"{_times(product.slope, counts.as_type(op, wide_type))})"
    )
    number = step.variable(op, Scalar(sum_text, wide.low, wide.high))
    narrow = Scalar(number.text, max(least, wide.low), min(greatest, wide.high))
    if narrow.ctype(op) != wide_type:
        narrow = Scalar(
            f"({narrow.ctype(op).name}){number.text}", narrow.low, narrow.high
        )
    return Affine(narrow, narrow.low, narrow.high, 1, product.offset)
