"""Runs a module before and after passes and compares every output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from lowering.interpreter.engine import Interpreter
from passes.choose_layout import ChooseLayoutPass
from passes.drop_unused_weights import DropUnusedWeightsPass
from passes.floor_thresholds import FloorThresholdsPass
from passes.fold_batch_norm import FoldBatchNormPass
from passes.lower_to_integer import LowerToIntegerPass
from passes.move_past_quantisers import MovePastQuantisersPass
from passes.narrow_accumulators import NarrowAccumulatorsPass
from passes.narrow_sums import NarrowSumsPass
from passes.outline_core import OutlineCorePass
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.data import Array

TO_INTEGER: tuple[ModulePass, ...] = (
    FoldBatchNormPass(),
    QuantizeInputsPass(),
    MovePastQuantisersPass(),
    LowerToIntegerPass(),
    FloorThresholdsPass(),
    NarrowSumsPass(),
    ChooseLayoutPass(),
    NarrowAccumulatorsPass(),
    OutlineCorePass(),
    DropUnusedWeightsPass(),
)


def apply(module: ModuleOp, *passes: ModulePass) -> ModuleOp:
    """A copy of `module` after `passes`, verified after each."""
    changed = module.clone()
    for pass_ in passes:
        pass_.apply(Context(), changed)
        changed.verify()
    return changed


def assert_same(before: ModuleOp, after: ModuleOp, inputs: Sequence[Array]) -> None:
    """Every output of @main is bit for bit the same."""
    expected = Interpreter(before).run(inputs)
    found = Interpreter(after).run(inputs)
    assert len(expected) == len(found)
    for a, b in zip(expected, found, strict=True):
        assert (a.dtype.kind == "f") == (b.dtype.kind == "f")
        np.testing.assert_array_equal(a, b)
