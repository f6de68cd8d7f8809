"""Target `circt`: the circuit level as text that CIRCT parses.

The operations and their syntax are CIRCT's own; left out are the memory images, which
stand beside the circuit as symbols of the `qnn` dialect and which CIRCT knows only by
the names of their files.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.dialects.hw import HWModuleExternOp, HWModuleOp
from xdsl.ir import Operation
from xdsl.printer import Printer
from xdsl.utils.target import Target

from lowering.hw.hierarchy import CircuitError
from qdialect.constants import WeightOp


@dataclass(frozen=True)
class CirctTarget(Target):
    """The circuit level as CIRCT reads it (`circt-opt` and the like)."""

    name = "circt"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        print(circt_text(module), file=output, end="")


def _without_own_attributes(op: Operation) -> Operation:
    """`op` without what CIRCT cannot parse: attributes of our dialects, for our tools."""
    own = [name for name in op.attributes if name.startswith(("qnn.", "qflow."))]
    if not own:
        return op
    plain = op.clone()
    for name in own:
        del plain.attributes[name]
    return plain


def circt_text(module: ModuleOp) -> str:
    """The hardware modules of `module`, in CIRCT's syntax.

    The functions beside them are what the host does; they are left out, as are memory
    images.

    Raises:
        CircuitError: there is no hardware module, or something else than these.
    """
    if not any(isinstance(op, HWModuleOp) for op in module.body.block.ops):
        raise CircuitError("the module has no hw.module; run the pipeline bnn-fpga")
    stream = StringIO()
    for op in module.body.block.ops:
        match op:
            case HWModuleOp() | HWModuleExternOp():
                Printer(stream).print_op(_without_own_attributes(op))
                stream.write("\n")
            case WeightOp() | FuncOp():
                pass
            case _:
                raise CircuitError(
                    f"{op.name} has no counterpart in CIRCT; lower the module to "
                    "hw, comb, seq and sv first"
                )
    return stream.getvalue()
