"""Whether this machine can simulate SystemVerilog."""

from __future__ import annotations

import pytest

from lowering.hw.verilate import SimulatorMissingError, find_simulator


def has_simulator() -> bool:
    """Whether Verilator and a C++ compiler are here."""
    try:
        find_simulator()
    except SimulatorMissingError:
        return False
    return True


needs_simulator = pytest.mark.skipif(
    not has_simulator(), reason="needs Verilator and g++"
)
