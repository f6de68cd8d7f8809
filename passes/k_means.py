"""Numbers in groups around their means: k-means in one dimension."""

from __future__ import annotations

import numpy as np

from qdialect.data import Array

_MOST_ROUNDS = 1000


def centroids(values: Array, clusters: int) -> Array:
    """Ascending centroids of groups of values, float64, at most `clusters`.

    The first centroids are spread evenly over [min, max]; then each value goes to the
    nearest (of two as near, the lower), and each centroid to the mean of its values,
    until none moves. A centroid without values goes away, and the group of the greatest
    squared error is cut at its mean in its stead. As many different values as
    `clusters`, or fewer, are themselves the centroids.

    Source: Lloyd 1982; Han et al. 2016, arXiv:1510.00149, section 3.2, for the first
    centroids ("linear initialization").
    """
    numbers, counts = np.unique(values.astype(np.float64), return_counts=True)
    if len(numbers) <= clusters:
        return numbers
    sums = _running(numbers * counts)
    squares, sizes = _running(numbers**2 * counts), _running(counts)

    def means(ends: Array) -> Array:
        return np.diff(sums[ends]) / np.diff(sizes[ends])

    found = _spread(float(numbers[0]), float(numbers[-1]), clusters)
    for _ in range(_MOST_ROUNDS):
        cuts = np.searchsorted(numbers, (found[1:] + found[:-1]) / 2, side="right")
        ends = np.unique(np.concatenate(([0], cuts, [len(numbers)])))
        moved = means(ends)
        if np.array_equal(moved, found):
            if len(found) == clusters:
                break
            # Of a group of one number the error is 0, but for rounding.
            errors = np.diff(squares[ends]) - means(ends) * np.diff(sums[ends])
            errors[np.diff(ends) == 1] = -1
            worst = int(errors.argmax())
            cut = int((numbers <= found[worst]).sum())
            cut = min(max(cut, ends[worst] + 1), ends[worst + 1] - 1)
            moved = means(np.insert(ends, worst + 1, cut))
        found = moved
    return found


def _spread(low: float, high: float, count: int) -> Array:
    """As many numbers at even distances."""
    return low + np.arange(count) * ((high - low) / max(1, count - 1))


def _running(terms: Array) -> Array:
    """Sums of the first 0, 1, .. terms."""
    return np.concatenate((np.zeros(1), np.cumsum(terms)))


def nearest(values: Array, table: Array) -> Array:
    """The index of the nearest entry of an ascending table, of two as near the lower."""
    return np.searchsorted((table[1:] + table[:-1]) / 2, values, side="left")
