"""Steps of monotone functions, by bisection."""

import numpy as np
import pytest

from qdialect.steps import Integers, steps_by_bisection


@pytest.mark.parametrize("bits", [8, 62, 63, 64])
def test_bisection_over_the_numbers_of_a_width(bits: int) -> None:
    """Also where the ends are further apart than 64 bits can say."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 2
    thresholds = np.array([[low + 1, high], [-3, 5]], np.int64)
    falling = np.array([False, True])

    def count(n: Integers) -> Integers:
        reached = (n[..., np.newaxis] >= thresholds).sum(axis=2)
        return np.where(falling, 2 - reached, reached)

    found = steps_by_bisection(low, high, falling, count)
    np.testing.assert_array_equal(found.thresholds, thresholds)
