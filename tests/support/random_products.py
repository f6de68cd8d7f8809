"""What surrounds the products of an MVU or VVU, drawn at random: biases and levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from stream_functions import StreamFunction
from xdsl.ir import Attribute, SSAValue

from qdialect.data import Array
from qdialect.types import BipolarType, TernaryType, signed, unsigned, value_range

BIPOLAR, TERNARY = BipolarType(), TernaryType()


@dataclass(frozen=True)
class Drawn:
    """What a unit may have.

    Attributes:
        inputs: element type of the inputs.
        weights: element type of the weights.
        steps: thresholds of a row, None for the sums themselves.
        output: element type of the levels; the narrowest unsigned one by default.
        offset: least level.
        falling: chance that a row falls.
        kinds: VY, VX, kinds of rows and of columns of the map; None for no bias.
        even: whether the biases of a row differ by even numbers only.
        odd: whether weights are -1 and +1 though their type has other values.
    """

    inputs: Attribute
    weights: Attribute
    steps: int | None = None
    output: Attribute | None = None
    offset: int = 0
    falling: float = 0
    kinds: tuple[int, int] | None = None
    even: bool = False
    odd: bool = False


class Arguments(TypedDict):
    """Of `qflow.MvuOp` and `qflow.VvuOp`, behind those that differ."""

    accumulator: Attribute
    bias: SSAValue | None
    row_places: Sequence[int] | None
    column_places: Sequence[int] | None
    thresholds: SSAValue | None
    falling: SSAValue | None
    offset: int


@dataclass(frozen=True)
class Products:
    """A unit's constants in a function on streams.

    Attributes:
        weights: the operand.
        output: element type of the result.
        arguments: the others.
    """

    weights: SSAValue
    output: Attribute
    arguments: Arguments


def _levels(
    rng: np.random.Generator, element: Attribute, shape: Sequence[int]
) -> Array:
    low, high = value_range(element)
    values = rng.integers(low, high + 1, shape)
    return np.where(values > 0, 1, -1) if element == BIPOLAR else values


def _places(rng: np.random.Generator, extent: int, kinds: int) -> list[int]:
    """A place for each row or column, each of them at least once."""
    others = rng.integers(0, kinds, extent - kinds).tolist()
    found: list[int] = [*range(kinds), *others]
    if rng.random() < 0.5:
        # A border, an interior and another border.
        return sorted(found)
    return rng.permutation(found).tolist()


def rows_and_columns(extents: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a map that may have fewer axes."""
    rows, columns = (*(1,) * (2 - len(extents)), *extents)
    return rows, columns


def random_products(
    function: StreamFunction,
    drawn: Drawn,
    shape: tuple[int, int],
    extents: tuple[int, int],
    kept: Array | None = None,
) -> Products:
    """Weights, biases and thresholds near the sums that occur.

    Args:
        function: gets the constants.
        drawn: what they are like.
        shape: of the weights, rows of all groups by columns.
        extents: rows and columns of the map that leaves.
        kept: of `shape`, false where a weight is 0 whatever was drawn.
    """
    rng, (rows, columns) = function.rng, shape
    weights = _levels(rng, BIPOLAR if drawn.odd else drawn.weights, shape)
    if kept is not None:
        weights = np.where(kept, weights, 0)
    low, high = value_range(drawn.inputs)
    reach = int(np.abs(weights).sum(axis=1).max()) * max(-low, high)
    spread = max(2, int(columns**0.5 * high * np.abs(weights).max()))
    bias = None
    places: list[list[int] | None] = [None, None]
    if drawn.kinds is not None:
        bias = rng.integers(-spread, spread + 1, (*drawn.kinds, rows))
        if drawn.even:
            bias = bias // 2 * 2 + rng.integers(0, 2, rows)
        places = [
            _places(rng, extent, kinds) if kinds > 1 or rng.random() < 0.5 else None
            for extent, kinds in zip(extents, drawn.kinds, strict=True)
        ]
    accumulator = signed((reach + spread).bit_length() + 1)
    output, thresholds, falling = accumulator, None, None
    if drawn.steps is not None:
        output = drawn.output or unsigned(drawn.steps.bit_length())
        found = rng.integers(-spread, spread + 1, (rows, drawn.steps))
        # Some that no sum comes near.
        far = rng.random(found.shape)
        found = np.where(far < 0.04, -4 * reach, np.where(far > 0.96, 4 * reach, found))
        thresholds = np.sort(found, axis=1)
        if drawn.falling:
            falling = (rng.random(rows) < drawn.falling).astype(np.int64)

    def operand(values: Array | None, element: Attribute) -> SSAValue | None:
        return None if values is None else function.constant(values, element)

    weight = operand(weights, drawn.weights)
    assert weight is not None
    return Products(
        weight,
        output,
        Arguments(
            accumulator=accumulator,
            bias=operand(bias, signed(spread.bit_length() + 2)),
            row_places=places[0],
            column_places=places[1],
            thresholds=operand(
                thresholds, signed(max(4 * reach, spread).bit_length() + 1)
            ),
            falling=operand(falling, unsigned(1)),
            offset=drawn.offset,
        ),
    )


def random_drawn(rng: np.random.Generator, extents: tuple[int, int]) -> Drawn:
    """Any of all combinations, most often bipolar ones with biases by place."""

    def one_of(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    inputs = one_of(BIPOLAR, BIPOLAR, BIPOLAR, TERNARY, unsigned(2), signed(3))
    weights = one_of(BIPOLAR, BIPOLAR, TERNARY, signed(3), unsigned(2), signed(9))
    steps, output, offset = one_of(
        (None, None, 0),
        (1, BIPOLAR, 0),
        (1, BIPOLAR, 0),
        (2, TERNARY, -1),
        (3, None, 0),
        (6, signed(3), -4),
        (15, unsigned(4), 0),
    )
    kinds = tuple(int(rng.integers(1, min(n, 4) + 1)) for n in extents)
    return Drawn(
        inputs,
        weights,
        steps,
        output,
        offset,
        one_of(0, 0.5),
        one_of(None, kinds, kinds, kinds),
        one_of(False, True),
    )
