"""CIRCT's own view of a circuit: does it parse, and what SystemVerilog does it print?

A neutral check of the circuit level and of the printer in `sv.py`, and a second way
out. CIRCT comes with the wheel `pycde` (or `circt`); nothing else here needs it.
"""

from __future__ import annotations

import importlib
from io import StringIO
from types import ModuleType

from lowering.hw.hierarchy import CircuitError

_LOWERING_OPTIONS = "disallowLocalVariables,disallowPackedArrays,locationInfoStyle=none"
_PIPELINE = (
    "builtin.module("
    "hw.module(lower-seq-compreg-ce),"
    "lower-seq-to-sv{disable-reg-randomization disable-mem-randomization},"
    "canonicalize,cse,hw.module(hw-cleanup,prettify-verilog))"
)


class CirctMissingError(CircuitError):
    """CIRCT is not installed."""


def _bindings() -> tuple[ModuleType, ModuleType, ModuleType]:
    """The modules `circt`, `circt.ir` and `circt.passmanager`, wherever they live."""
    for root in ("circt", "pycde.circt"):
        try:
            return (
                importlib.import_module(root),
                importlib.import_module(f"{root}.ir"),
                importlib.import_module(f"{root}.passmanager"),
            )
        except ImportError:
            continue
    raise CirctMissingError(
        "CIRCT is not installed; `pip install pycde==0.12.1` brings it"
    )


def export_systemverilog(text: str) -> str:
    """The SystemVerilog that CIRCT prints for `text`, the output of `circt_text`.

    Raises:
        CirctMissingError: neither `pycde` nor `circt` can be imported.
        CircuitError: CIRCT refuses the text.
    """
    circt, ir, passmanager = _bindings()
    with ir.Context() as context, ir.Location.unknown():
        circt.register_dialects(context)
        try:
            module = ir.Module.parse(text)
            options = ir.StringAttr.get(_LOWERING_OPTIONS)
            module.operation.attributes["circt.loweringOptions"] = options
            passmanager.PassManager.parse(_PIPELINE).run(module.operation)
            output = StringIO()
            circt.export_verilog(module, output)
        except (ir.MLIRError, ValueError) as error:
            raise CircuitError(
                f"CIRCT refuses the circuit: {_first_line(error)}"
            ) from error
        return output.getvalue()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 and lines[0].endswith(":") else lines[0]
