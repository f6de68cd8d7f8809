"""Real weights that are whole multiples of a step, and the levels that they stand for.

Exporters fold the arithmetic behind a quantiser of weights into the constants: DoReFa's
`2 * quantise_k(w) - 1` (Zhou et al. 2016, arXiv:1606.06160, eq. 9), XNOR-Net's
`alpha * sign(w)` (Rastegari et al. 2016, arXiv:1603.05279), or a scale for each channel.
What is left are real numbers, each rounded to float32 a few times on the way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qdialect.semantics import Levels, Real

MAX_STEPS = 255
"""Greatest level of a grid that float32 rounds: 2^k - 1 of DoReFa's 8 bits."""

_MAX_EXACT_BITS = 15
# Of the greatest weight: four roundings of a float32 number.
_TOLERANCE = 2.0**-22


class WeightGrid(NamedTuple):
    """Weights as `levels * scale`.

    Attributes:
        levels: integers, in the shape of the weights.
        scale: float32; [] or, with a scale for each row, [O, 1, ..].
    """

    levels: Levels
    scale: Real

    @property
    def greatest(self) -> int:
        """The greatest magnitude of a level."""
        return int(np.abs(self.levels).max())


def weight_grid(weights: Real) -> WeightGrid | None:
    """The coarsest grid on which all weights lie, or one for each row.

    One for each row is taken where its levels are smaller, as those of signs times a
    scale of the row are.

    A grid has at most 255 steps on either side of 0, and each weight is within four
    float32 roundings of the greatest from its level; or its step is a power of two,
    with at most 2^15 steps, and each weight is its level exactly.

    Args:
        weights: [O, ..], finite.

    Returns:
        The grid, or None where there is none.
    """
    if not weights.size:
        return None
    # Most real-valued weights are told by their first row.
    if _row_grid(weights[0]) is None:
        return None
    found = _row_grid(weights)
    whole = None if found is None else WeightGrid(found[0], np.array(found[1]))
    if whole is not None and whole.greatest <= 1:
        return whole
    by_row = _grids_of_rows(weights)
    if by_row is None or (whole is not None and whole.greatest <= by_row.greatest):
        return whole
    return by_row


def _grids_of_rows(weights: Real) -> WeightGrid | None:
    rows: list[tuple[Levels, np.float32]] = []
    for row in weights:
        found = _row_grid(row)
        if found is None:
            return None
        rows.append(found)
    steps = np.array([step for _, step in rows], np.float32)
    shape = (-1, *(1 for _ in weights.shape[1:]))
    return WeightGrid(np.stack([levels for levels, _ in rows]), steps.reshape(shape))


def _row_grid(weights: Real) -> tuple[Levels, np.float32] | None:
    """Levels and step of weights that share a grid."""
    values = np.unique(np.abs(weights.astype(np.float64)))
    most = float(values[-1])
    if most == 0:
        return weights.astype(np.int16), np.float32(1)
    step = _rounded_step(values, most) or _exact_step(values, most)
    if step is None:
        return None
    levels = np.rint(weights.astype(np.float64) / step).astype(np.int16)
    return levels, np.float32(step)


def _rounded_step(values: Real, most: float) -> float | None:
    """The greatest step of which all values are multiples, but for roundings."""
    if len(values) > MAX_STEPS + 1:
        return None
    steps = most / np.arange(1, MAX_STEPS + 1)[:, np.newaxis]
    errors = np.abs(np.rint(values / steps) * steps - values).max(axis=1)
    fits = np.flatnonzero(errors <= _TOLERANCE * most)
    return float(steps[fits[0], 0]) if fits.size else None


def _exact_step(values: Real, most: float) -> float | None:
    """The greatest power of two of which all values are multiples."""
    finest = 2.0 ** (np.floor(np.log2(most)) + 1 - _MAX_EXACT_BITS)
    steps = values / finest
    if not bool((steps == np.rint(steps)).all()):
        return None
    common = int(np.gcd.reduce(steps.astype(np.int64)))
    step = finest * (common & -common)
    return step if np.float32(step) > 0 else None
