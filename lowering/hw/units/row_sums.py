"""What the elements of a product unit add up, and how levels are read off the sums.

A row of weights with bias b[p] at place p gives `scale * g * raw + constant + b[p]`, see
`encoding`. The accumulator counts that in steps of its own, its *grain*, from a start for
each place and row: constants and biases cost nothing but the memory of the starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute

from lowering.hw.units.activation import Activation, SearchTables
from lowering.hw.units.channel_order import ChannelOrder
from lowering.hw.units.encoding import DotProduct
from lowering.hw.units.level_search import LevelSearch
from qdialect.products import Product
from qdialect.types import width_bits

Ints = npt.NDArray[np.int64]


class RowSums(NamedTuple):
    """What the hardware computes: raw sums from `starts`, then a search.

    Attributes:
        dot: coding of inputs and weights.
        starts: per place, where the sum of each row starts.
        sum_bits: width of an accumulator.
        shift: a raw sum of 1 is 2^shift in the accumulator.
        search: of the level of a sum; None where the sums are the result.
    """

    dot: DotProduct
    starts: Sequence[Sequence[int]]
    sum_bits: int
    shift: int
    search: LevelSearch | None

    @staticmethod
    def of(
        input_type: Attribute,
        weights: Ints,
        bias: Ints,
        accumulator_type: Attribute,
        activation: Activation | None,
        order: ChannelOrder,
        product: Product | None = None,
    ) -> RowSums:
        """The sums of a unit.

        Args:
            input_type: element type of the inputs.
            weights: [R, MW].
            bias: [P, R], for each place and row.
            accumulator_type: holds every sum.
            activation: of R channels, or None.
            order: in which the R channels leave.
            product: what multiplies, where the weights allow it; None for the cheapest.
        """
        dot = DotProduct(input_type, weights, product)
        if activation is not None:
            return _with_activation(dot, bias, activation, order)
        places: list[list[int]] = bias.tolist()
        starts = [
            [constant + b for constant, b in zip(dot.constants, row, strict=True)]
            for row in places
        ]
        sum_bits, shift = width_bits(accumulator_type), dot.scale.bit_length() - 1
        return RowSums(dot, starts, sum_bits, shift, None)


def _with_activation(
    dot: DotProduct, bias: Ints, activation: Activation, order: ChannelOrder
) -> RowSums:
    """The thresholds in terms of the accumulator; the first is part of the starts."""
    dot, bias, activation = _risen(dot, bias, activation)
    places = len(bias)
    if activation.steps == 1:
        # The start takes the one threshold in, so that each place may have its own.
        rows = [_rows(dot, bias[p : p + 1], activation) for p in range(places)]
        counted = _counted([row for place in rows for row in place], activation)
        starts = np.array(counted.starts).reshape(bias.shape)
    else:
        counted = _counted(_rows(dot, bias, activation), activation)
        starts = np.array(counted.starts).T
    tables = counted.tables
    search = LevelSearch(activation, tables, order, known_steps=1)
    return RowSums(dot, starts.tolist(), tables.number_bits, counted.shift, search)


def _risen(
    dot: DotProduct, bias: Ints, activation: Activation
) -> tuple[DotProduct, Ints, Activation]:
    """The same function with rising rows only, if negated weights take no more bits.

    acc < t exactly where -acc >= 1 - t.
    """
    falling = np.array(activation.falling_channels)
    turned_weights = np.where(falling[:, None], -dot.weights, dot.weights)
    negated = replace(dot, weights=turned_weights)
    if negated.weight_bits > dot.weight_bits:
        return dot, bias, activation
    # Far beyond every sum, and safe to negate.
    rising = np.clip(activation.thresholds, -(1 << 62), 1 << 62)
    turned = np.where(falling[:, None], 1 - rising[:, ::-1], rising)
    return (
        negated,
        np.where(falling, -bias, bias),
        Activation(turned, activation.output_type, activation.offset),
    )


class _Row(NamedTuple):
    """A row at those places where it has one set of thresholds."""

    scale: int
    constant: int
    """sum = scale * raw + constant + bias"""
    low: int
    high: int
    """Least and greatest sum without bias."""
    biases: Sequence[int]
    """Of each place."""
    thresholds: Sequence[int]
    falling: bool


def _rows(dot: DotProduct, bias: Ints, activation: Activation) -> list[_Row]:
    by_row: list[list[int]] = bias.T.tolist()
    thresholds: list[list[int]] = activation.thresholds.tolist()
    return [
        _Row(dot.scale, constant, low, high, biases, steps, falls)
        for constant, (low, high), biases, steps, falls in zip(
            dot.constants,
            dot.sum_ranges,
            by_row,
            thresholds,
            activation.falling_channels,
            strict=True,
        )
    ]


class _Counted(NamedTuple):
    """Rows as the accumulators count them."""

    tables: SearchTables
    starts: list[list[int]]
    """For each row, where it starts at each place."""
    shift: int


def _counted(rows: Sequence[_Row], activation: Activation) -> _Counted:
    """The rows counted in steps of `grain`, with their thresholds in terms of these.

    grain * n + base >= t exactly where n >= ceil((t - base) / grain), with n = 0 and the
    raw sum 0 at the place of `base`. Where the biases of a row differ by less than the
    raw sum counts in, the grain must be as small.
    """
    scale = rows[0].scale
    grain = gcd(scale, *(b - r.biases[0] for r in rows for b in r.biases))
    thresholds: list[list[int]] = []
    ranges: list[tuple[int, int]] = []
    offsets: list[list[int]] = []
    for row in rows:
        base = row.constant + row.biases[0]
        steps = [(bias - row.biases[0]) // grain for bias in row.biases]
        low, high = row.low + min(row.biases), row.high + max(row.biases)
        clamped = [min(max(t, low), high + 1) for t in row.thresholds]
        thresholds.append([-((base - t) // grain) for t in clamped])
        least_raw = -((row.constant - row.low) // scale)
        most_raw = (row.high - row.constant) // scale
        weight = scale // grain
        ranges.append((least_raw * weight + min(steps), most_raw * weight + max(steps)))
        offsets.append(steps)
    tables = SearchTables.centred(
        Activation(
            np.array(thresholds, np.int64).reshape(len(rows), -1),
            activation.output_type,
            activation.offset,
            np.array([row.falling for row in rows], np.int64),
        ),
        ranges,
    )
    starts = [
        [first + step for step in steps]
        for first, steps in zip(tables.biases, offsets, strict=True)
    ]
    return _Counted(tables, starts, (scale // grain).bit_length() - 1)
