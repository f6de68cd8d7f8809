"""Products with those weights of a row that are not 0: lists of their columns.

A row is one list of columns with a value for each, or, where all weights that are not 0
have one magnitude, two: what is added and what is taken away, without multiplications.
Columns are stored as they are, or as gaps from one to the next, whichever is smaller.

Source: Han et al. 2016, Deep Compression, arXiv:1510.00149, section 2 (relative
indices); Li et al. 2016, Ternary Weight Networks, arXiv:1605.04711 (zero-skipping).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from lowering.c.decoding import coding_of
from lowering.c.functions import Functions
from lowering.c.kernels.gathering import gather
from lowering.c.kernels.plain_product import accumulator, operand, result_of
from lowering.c.kernels.values import Consumer
from lowering.c.plan import Buffer
from lowering.c.scalars import CType, element_ctype, literal, table_ctype
from lowering.c.step import StepFunction, flat_index, row_major
from lowering.c.window_vector import window_vector
from lowering.text import Text
from qdialect.c_costs import product_costs
from qdialect.constants import constant_array
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.types import element_of, shape_of

_MAX_GAP = 255


@dataclass(frozen=True)
class Lists:
    """The weights of all rows that are not 0, row by row.

    Attributes:
        places: columns, or gaps from the one before, from 0 for the first of a list.
        are_gaps: which of the two.
        values: a weight for each; None where they are `magnitude` in the first list of a
            row, and its negative in the second.
        magnitude: what all of them have, or 1.
        counts: lengths of the lists, [O, 1] or [O, 2].
    """

    places: Array
    are_gaps: bool
    values: Array | None
    magnitude: int
    counts: Array

    @staticmethod
    def of(matrix: Array) -> Lists:
        """The lists of weights [O, K], of which one is not 0."""
        matrix = matrix.astype(np.int64)
        found = np.unique(np.abs(matrix[matrix != 0]))
        if len(found) > 1:
            lists = [(np.flatnonzero(row),) for row in matrix]
            values = matrix[matrix != 0]
            return _smallest(lists, matrix.shape[1], values, 1)
        signs = [(np.flatnonzero(row > 0), np.flatnonzero(row < 0)) for row in matrix]
        return _smallest(signs, matrix.shape[1], None, int(found[0]))


def _smallest(
    lists: list[tuple[Array, ...]], columns: int, values: Array | None, magnitude: int
) -> Lists:
    """Columns or gaps, whichever take fewer bytes."""
    flat = [one for row in lists for one in row]
    counts = np.array([[len(one) for one in row] for row in lists], np.int64)
    places = np.concatenate(flat).astype(np.int64)
    plain = Lists(places, False, values, magnitude, counts)
    if columns <= _MAX_GAP + 1:
        return plain
    gaps = [np.diff(one, prepend=0) for one in flat]
    if values is None:
        if any(int(gap.max(initial=0)) > _MAX_GAP for gap in gaps):
            return plain
        return Lists(np.concatenate(gaps), True, None, magnitude, counts)
    # A gap that a byte does not hold is several, with zeros on the way.
    gap = np.concatenate(gaps)
    zeros = np.maximum(gap - 1, 0) // _MAX_GAP
    ends = np.cumsum(zeros + 1) - 1
    filled = np.full(int(ends[-1]) + 1, _MAX_GAP, np.int64)
    filled[ends] = gap - zeros * _MAX_GAP
    spread = np.zeros_like(filled)
    spread[ends] = values
    place_bytes = 2 if columns <= 1 << 16 else 4
    value_bytes = table_ctype(int(values.min()), int(values.max())).size_bytes
    if len(filled) * (1 + value_bytes) >= len(gap) * (place_bytes + value_bytes):
        return plain
    row_of = np.repeat(np.arange(len(counts)), counts[:, 0])
    longer = np.bincount(row_of, zeros + 1, len(counts)).astype(np.int64)
    return Lists(filled, True, spread, magnitude, longer[:, np.newaxis])


def skips_zeros(step: StepFunction, op: MatMulOp | ConvOp) -> bool:
    """Whether a product reads lists of the weights that are not 0.

    That is where it takes less time, or the density is at most what the options say.
    Weights that are stored as codes stay so.
    """
    weights = constant_array(op.weights)
    if weights is None or not weights.any():
        return False
    if isinstance(op, ConvOp) and not op.is_channels_last:
        return False
    if coding_of(op.weights) is not None:
        return False
    most = step.source.max_density
    if most is not None:
        return int(np.count_nonzero(weights)) <= most * weights.size
    element = element_of(op.weights)
    costs = product_costs(op, weights, element, step.source.machine)
    return costs.skipped < costs.multiplied


def skipping_product(step: StepFunction, op: MatMulOp, consumer: Consumer) -> None:
    """Write the loops of a product; `consumer` takes each sum."""
    weights = constant_array(op.weights)
    assert weights is not None
    columns = weights.shape[1]
    leading = shape_of(op.out)[:-1]
    input, input_type = operand(step, op, "input")
    with step.loops(leading) as position:
        at = flat_index(position, [columns * stride for stride in row_major(leading)])
        x = input if at == "0u" else f"{input} + {at}"
        _write_rows(step, op, weights, x, input_type, position, consumer)


def skipping_convolution(
    step: StepFunction, op: ConvOp, scratch: Buffer | None, consumer: Consumer
) -> None:
    """Write the loops of a convolution with channels last; as `plain_convolution`."""
    weights = constant_array(op.weights)
    assert weights is not None
    map, map_type = operand(step, op, "input")
    vector = window_vector(op)
    matrix = _over_windows(weights, op.group_count)
    with step.loops(shape_of(op.out)[:-1]) as position:
        x = gather(step, vector, map, map_type, scratch, position)
        _write_rows(step, op, matrix, x, map_type, position, consumer)


def _over_windows(weights: Array, groups: int) -> Array:
    """Weights [O, .., C/groups] as rows over whole windows, [O, taps * C]."""
    rows, depth = len(weights), weights.shape[-1]
    by_tap = weights.reshape(groups, rows // groups, -1, depth)
    full = np.zeros((*by_tap.shape[:3], groups, depth), weights.dtype)
    for group in range(groups):
        full[group, :, :, group] = by_tap[group]
    return full.reshape(rows, prod(full.shape[2:]))


def _write_rows(
    step: StepFunction,
    op: MatMulOp | ConvOp,
    matrix: Array,
    x: str,
    input: CType,
    position: list[str],
    consumer: Consumer,
) -> None:
    """The sums of all rows of `matrix` and the vector at `x`."""
    consumer.begin(position)
    lists, sums = Lists.of(matrix), accumulator(op)
    total = len(lists.places)
    kind = "gaps" if lists.are_gaps else "columns"
    shape = " x ".join(map(str, shape_of(op.weights)))
    places = step.table(
        lists.places,
        f"{kind} of the weights that are not 0, {total} of {shape}",
        _unsigned(int(lists.places.max())),
    )
    tables = step.source.tables
    place = tables.ctype(places)
    step.text(f"const {place.name} *at = {places};")
    pointers = [x, "&at"]
    element: CType | None = None
    if lists.values is not None:
        element = element_ctype(op, element_of(op.weights))
        values = step.table(
            lists.values, f"their values, {element_of(op.weights)}", element
        )
        step.text(f"const {tables.ctype(values).name} *w = {values};")
        pointers.append("&w")
    counts = step.table(
        lists.counts, "lengths of the lists", _unsigned(int(lists.counts.max()))
    )
    function = _list_function(
        step.source.functions, input, place, lists.are_gaps, element, sums
    )
    width = lists.counts.shape[1]
    with step.loop("c", len(matrix)):
        at = "c" if width == 1 else f"{width}u * c"
        lengths = [
            f"{counts}[{at if k == 0 else f'{at} + {k}u'}]" for k in range(width)
        ]
        text = f"{function}({', '.join((*pointers, *lengths))})"
        if lists.magnitude != 1:
            text = f"{literal(lists.magnitude)} * {text}"
        consumer.element(result_of(step, op, f"({text})", sums), [*position, "c"])
    consumer.end(position)


def _unsigned(most: int) -> CType:
    return next(
        ctype for width in (8, 16, 32) if (ctype := CType(width, False)).holds(0, most)
    )


def _list_function(
    functions: Functions,
    input: CType,
    place: CType,
    are_gaps: bool,
    element: CType | None,
    sums: CType,
) -> str:
    """Name of a function of the sum of one row, which moves past its lists.

    `S f(const X *x, const P **at, const W **w, uint32_t count)`, or without values
    `S f(const X *x, const P **at, uint32_t plus, uint32_t minus)`.
    """

    def define(text: Text, full: str) -> None:
        def add(count: str, sign: str, factor: str = "") -> None:
            with text.block(f"for (; {count} > 0u; --{count}) {{", "}"):
                if are_gaps:
                    text("x += *i++;")
                read = "*x" if are_gaps else "x[*i++]"
                text(f"sum {sign}= ({sums.name}){read}{factor};")

        text(f"static inline {sums.name} {full}(const {input.name} *x,")
        if element is None:
            text(f"    const {place.name} **at, uint32_t plus, uint32_t minus)")
        else:
            text(f"    const {place.name} **at, const {element.name} **w,")
            text("    uint32_t count)")
        with text.block("{", "}"):
            text(f"{sums.name} sum = 0;")
            text(f"const {place.name} *i = *at;")
            if element is not None:
                text(f"const {element.name} *v = *w;")
                add("count", "+", f" * ({sums.name})*v++")
                text("*w = v;")
            else:
                if are_gaps:
                    text(f"const {input.name} *const first = x;")
                add("plus", "+")
                if are_gaps:
                    text("x = first;")
                add("minus", "-")
            text("*at = i;")
            text("return sum;")

    kind = "gaps" if are_gaps else "columns"
    value = "signs" if element is None else element.short_name
    types = f"{input.short_name}_{place.short_name}_{value}_{sums.short_name}"
    return functions.add(f"{kind}_{types}", define)
