"""Sums of several rows of plain weights at once: a row is a lane of a vector machine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import numpy as np

from lowering.c.functions import Functions
from lowering.c.scalars import CType
from lowering.c.step import StepFunction
from lowering.text import Text
from qdialect.data import Array

# As many sums of 32 bits as registers of every vector machine hold.
_PANEL = 16


def panel_order(weights: Array) -> Array:
    """Weights [O, K] as the panels read them: column by column of 16 rows, then the next.

    The last panel has as many rows as are left; the result has no shape.
    """
    starts = range(0, len(weights), _PANEL)
    return np.concatenate([weights[h : h + _PANEL].T.reshape(-1) for h in starts])


def write_panels(
    step: StepFunction,
    rows: int,
    sums: CType,
    call: Callable[[int], str],
    row: Callable[[str], None],
) -> None:
    """Write the loops over panels and their rows.

    Args:
        step: the function.
        rows: number of rows.
        sums: type of a sum.
        call: the call that computes the array `sums` of that many rows from row `h` on.
        row: writes what is done with an expression of the sum of row `c`.
    """

    def panel(count: int) -> None:
        step.text(f"{sums.name} sums[{count}];")
        step.text(call(count))
        with step.loop("r", count):
            step.text("const uint32_t c = h + r;")
            row("sums[r]")

    full = rows - rows % _PANEL
    if full:
        with step.loop("h", full, _PANEL):
            panel(_PANEL)
    if rows > full:
        with step.text.block("{", "}"):
            step.text(f"const uint32_t h = {full}u;")
            panel(rows - full)


def rows_function(
    functions: Functions, input: CType, weights: CType, sums: CType, rows: int
) -> str:
    """Name of a function of the products of one vector with `rows` rows.

    `void f(const X *x, const W *w, uint32_t columns, S *sums)`
    """

    def define(text: Text, full: str) -> None:
        text(f"/* One vector times {rows} rows side by side. */")
        text(f"static inline void {full}(const {input.name} *x,")
        text(f"    const {weights.name} *w, uint32_t columns, {sums.name} *sums)")
        with text.block("{", "}"), _lanes(text, rows, sums, "columns"):
            text(f"const {sums.name} v = x[i];")
            with text.block(_each(rows), "}"):
                text(f"lanes[r] += v * ({sums.name})w[r];")
            text(f"w += {rows};")

    return functions.add(_name("rows", input, weights, sums, rows), define)


def channels_function(
    functions: Functions, input: CType, weights: CType, sums: CType, rows: int
) -> str:
    """Name of a function of the products of `rows` channels with a row each.

    `void f(const X *x, const W *w, uint32_t taps, uint32_t distance, S *sums)`
    """

    def define(text: Text, full: str) -> None:
        text(f"/* {rows} channels side by side, each times a row of its own. */")
        text(f"static inline void {full}(const {input.name} *x,")
        text(f"    const {weights.name} *w, uint32_t taps, uint32_t distance,")
        text(f"    {sums.name} *sums)")
        with text.block("{", "}"), _lanes(text, rows, sums, "taps"):
            with text.block(_each(rows), "}"):
                text(f"lanes[r] += ({sums.name})x[r] * ({sums.name})w[r];")
            text("x += distance;")
            text(f"w += {rows};")

    return functions.add(_name("channels", input, weights, sums, rows), define)


def _name(kind: str, input: CType, weights: CType, sums: CType, rows: int) -> str:
    types = f"{input.short_name}_{weights.short_name}_{sums.short_name}"
    return f"{kind}_{types}_r{rows}"


def _each(rows: int) -> str:
    return f"for (uint32_t r = 0; r < {rows}u; ++r) {{"


@contextmanager
def _lanes(text: Text, rows: int, sums: CType, end: str) -> Generator[None]:
    """A loop that adds to sums in variables, so that registers hold them."""
    text(f"{sums.name} lanes[{rows}];")
    with text.block(_each(rows), "}"):
        text("lanes[r] = 0;")
    with text.block(f"for (uint32_t i = 0; i < {end}; ++i) {{", "}"):
        yield
    with text.block(_each(rows), "}"):
        text("sums[r] = lanes[r];")
