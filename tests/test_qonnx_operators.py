"""QONNX's operators against its executor, on generated parameters and inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qonnx_operators import OPERATORS, compare

from qdialect.quantisers import Rounding
from qdialect.semantics import ROUNDINGS, Real

# The QONNX executor imports packages that warn.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("operator", OPERATORS)
def test_no_element_differs(operator: str) -> None:
    count = compare(operator, 40)
    assert count.cases == 40
    assert count.executed > 0
    assert count.different == 0, count.first


@pytest.mark.slow
def test_no_element_differs_in_ten_thousand_cases() -> None:
    counts = [compare(operator, 2000) for operator in OPERATORS]
    assert sum(count.cases for count in counts) >= 10_000
    assert sum(count.different for count in counts) == 0, [c.first for c in counts]


def _half_away(y: Real) -> Real:
    return np.trunc(y + np.copysign(np.float32(0.5), y))


def _half_upwards(y: Real) -> Real:
    return np.floor(y + np.float32(0.5))


@pytest.mark.parametrize("wrong", [_half_away, _half_upwards])
def test_a_wrong_rounding_is_seen(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Real], Real]
) -> None:
    """The cases hold ties, and numbers that the modes treat differently."""
    monkeypatch.setitem(ROUNDINGS, Rounding.HALF_EVEN, wrong)
    assert compare("Quant, IntQuant", 100).different > 10
