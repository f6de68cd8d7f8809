"""Patterns: what is added to the sums of a product, and their thresholds, go into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import FusedLoc, NoneAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)

from passes.stream_conversion import stream_in
from qdialect import qflow
from qdialect.constants import constant, constant_array
from qdialect.data import Array
from qdialect.streams import stream_type
from qdialect.types import element_of, is_signed, shape_of
from qdialect.windows import numbers


@dataclass(frozen=True)
class _Sums:
    """Sums that only one unit reads, and the product that makes them.

    Attributes:
        product: an MVU or VVU without thresholds.
        reshape: between the product and its reader, if any.
    """

    product: qflow.MvuOp | qflow.VvuOp
    reshape: qflow.ReshapeOp | None

    @property
    def rows(self) -> int:
        """Rows of weights."""
        return shape_of(self.product.weights)[0]


def _sums(stream: SSAValue) -> _Sums | None:
    """Where the sums that a unit reads come from, if nothing else reads them."""
    reshape = stream.owner if isinstance(stream.owner, qflow.ReshapeOp) else None
    source = stream if reshape is None else reshape.input
    product = source.owner
    if (
        not isinstance(product, qflow.MvuOp | qflow.VvuOp)
        or product.thresholds is not None
        or not stream.has_one_use()
        or not source.has_one_use()
    ):
        return None
    return _Sums(product, reshape)


def _for_rows(parameter: Array, rows: int) -> Array | None:
    """A parameter a place of a vector as one a row of weights; None where it varies."""
    if rows % len(parameter) == 0:
        repeats = rows // len(parameter)
        return np.tile(parameter, (repeats, *(1 for _ in parameter.shape[1:])))
    if len(parameter) % rows:
        return None
    split = parameter.reshape(-1, rows, *parameter.shape[1:])
    return split[0] if bool((split == split[0]).all()) else None


@dataclass(frozen=True)
class _ConstantOfRows:
    """A constant with an entry for each row of weights, not made before it is needed.

    Attributes:
        value: the constant that it comes from.
        rows: its entries, or None where they are those of `value`.
    """

    value: SSAValue
    rows: Array | None

    @classmethod
    def of(cls, value: SSAValue, rows: int) -> _ConstantOfRows | None:
        """From a constant of each place of a vector; None where rows would differ."""
        if shape_of(value)[0] == rows:
            return cls(value, None)
        array = constant_array(value)
        found = None if array is None else _for_rows(array, rows)
        return None if found is None else cls(value, found)

    def made(self, op: Operation, rewriter: PatternRewriter) -> SSAValue:
        """The constant, in front of `op`."""
        if self.rows is None:
            return self.value
        new = constant(self.rows, element_of(self.value))
        new.location = op.location
        rewriter.insert(new)
        return new.out


def _replace(
    op: Operation, sums: _Sums, product: Operation, rewriter: PatternRewriter
) -> None:
    """Put `product` in the place of the old one and of `op`, its only reader."""
    product.location = FusedLoc((sums.product.location, op.location), NoneAttr())
    new = [product]
    if sums.reshape is not None:
        shape = stream_type(sums.reshape.out).tensor.get_shape()
        element = stream_type(product.results[0]).tensor.element_type
        new.append(qflow.ReshapeOp(product.results[0], stream_in(element, shape)))
        new[-1].location = sums.reshape.location
    rewriter.replace(op, new)
    if sums.reshape is not None:
        rewriter.erase(sums.reshape)
    rewriter.erase(sums.product)


def _with(
    product: qflow.MvuOp | qflow.VvuOp,
    element: Attribute,
    *,
    accumulator: Attribute,
    bias: SSAValue | None,
    thresholds: SSAValue | None = None,
    falling: SSAValue | None = None,
    offset: int = 0,
) -> qflow.MvuOp | qflow.VvuOp:
    """The same product with something else behind it."""
    out = stream_in(element, stream_type(product.out).tensor.get_shape())
    rows, columns = product.row_places, product.column_places
    row_places = None if rows is None else numbers(rows)
    column_places = None if columns is None else numbers(columns)
    if isinstance(product, qflow.VvuOp):
        return qflow.VvuOp(
            product.input,
            product.weights,
            out,
            product.window,
            accumulator=accumulator,
            bias=bias,
            row_places=row_places,
            column_places=column_places,
            thresholds=thresholds,
            falling=falling,
            offset=offset,
        )
    return qflow.MvuOp(
        product.input,
        product.weights,
        out,
        accumulator=accumulator,
        bias=bias,
        row_places=row_places,
        column_places=column_places,
        thresholds=thresholds,
        falling=falling,
        offset=offset,
        groups=product.group_count,
    )


class FuseThreshold(RewritePattern):
    """A product and its only reader, a threshold, become one unit.

    %a = qflow.mvu %x, %w : -> stream of accumulators
    %y = qflow.threshold %a, %t          -->  %y = qflow.mvu %x, %w thresholds %t

    A reshape between them comes behind the unit, where every row keeps its thresholds.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: qflow.ThresholdOp, rewriter: PatternRewriter, /
    ) -> None:
        sums = _sums(op.input)
        if sums is None:
            return
        rows = sums.rows
        thresholds = _ConstantOfRows.of(op.thresholds, rows)
        falling = None if op.falling is None else _ConstantOfRows.of(op.falling, rows)
        if thresholds is None or (op.falling is not None and falling is None):
            return
        fused = _with(
            sums.product,
            stream_type(op.out).tensor.element_type,
            accumulator=sums.product.accumulator,
            bias=sums.product.bias,
            thresholds=thresholds.made(op, rewriter),
            falling=None if falling is None else falling.made(op, rewriter),
            offset=op.offset.value.data,
        )
        _replace(op, sums, fused, rewriter)


class FuseBias(RewritePattern):
    """A constant a row that is added to the sums of a product becomes its bias.

    %a = qflow.mvu %x, %w
    %y = qflow.add %a factors 1 bias %c      -->  %y = qflow.mvu %x, %w bias %c
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: qflow.AddOp, rewriter: PatternRewriter, /) -> None:
        if len(op.inputs) != 1:
            return
        sums = _sums(op.inputs[0])
        factors, added = constant_array(op.factors), constant_array(op.bias)
        if sums is None or factors is None or added is None or (factors != 1).any():
            return
        element = stream_type(op.out).tensor.element_type
        if not is_signed(element):
            return
        rows = _for_rows(added, sums.rows)
        bias = np.zeros((1, 1, sums.rows), np.int64)
        if sums.product.bias is not None:
            old = constant_array(sums.product.bias)
            if old is None:
                return
            bias = old.astype(np.int64)
        if rows is None:
            return
        new = constant(bias + rows.astype(np.int64))
        new.location = op.location
        rewriter.insert(new)
        fused = _with(sums.product, element, accumulator=element, bias=new.out)
        _replace(op, sums, fused, rewriter)
