"""The integer level against the QONNX executor, over a grid of quantisers."""

import pytest
from probe_grid import ROUNDINGS, differences, grid


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_no_activation_differs(rounding: str) -> None:
    pytest.importorskip("qonnx")
    cases = [c for c in grid(widths=(1, 2, 4)) if c.rounding == rounding]
    assert len(cases) == 60
    assert {c: n for c in cases if (n := differences(c))} == {}
