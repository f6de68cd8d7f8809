"""What `quantize-inputs` does to the values that a network is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.func import FuncOp
from xdsl.ir import BlockArgument

from passes.quantize_inputs import QuantizeInputsPass
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.location import source_name
from qdialect.quantisers import QuantizeOp
from tools.mistakes import UserError
from tools.signature import input_names


def rounding_notes(function: FuncOp, inputs: Sequence[Array], file: str) -> list[str]:
    """A line for each input that the network does not quantise itself.

    Args:
        function: a network after `quantize-inputs`.
        inputs: its inputs, frames along the leading axis.
        file: where the network comes from, for messages.

    Raises:
        UserError: a value lies outside the fixed-point range and would saturate.
    """
    notes: list[str] = []
    names = input_names(function)
    for name, argument, array in zip(
        names, function.body.block.args, inputs, strict=True
    ):
        op = _raw_quantiser(argument)
        if op is None:
            continue
        scale = float(_scalar(op))
        low, high = (bound * scale for bound in op.level_range)
        values = array.astype(np.float64)
        if values.size and (values.min() < low or values.max() > high):
            worst = values.ravel()[np.abs(values).argmax()]
            raise UserError(
                f"{file}: error: input '{name}' has no quantiser and is taken as fixed "
                f"point in [{low:g}, {high:g}], but holds {worst:g};\n"
                "put a Quant behind it, or annotate the type of its integers"
            )
        changed = int((np.rint(values / scale) * scale != values).sum())
        notes.append(
            f"input '{name}' has no quantiser: taken as fixed point, multiples of "
            f"2**{int(np.log2(scale))}; {changed:,} of {values.size:,} values rounded"
        )
    return notes


def _raw_quantiser(argument: BlockArgument) -> QuantizeOp | None:
    for use in argument.uses:
        op = use.operation
        if isinstance(op, QuantizeOp) and source_name(op) == QuantizeInputsPass.name:
            return op
    return None


def _scalar(op: QuantizeOp) -> float:
    scale = constant_array(op.scale)
    assert scale is not None
    return float(scale.ravel()[0])
