"""The one list of what exists: dialects, passes and targets.

Everything is named here and imported when it is used, so that a command starts fast.
A name is `module:object`; the pass `a-b` is the class `ABPass` of a module `a_b`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar, cast

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.target import Target

T = TypeVar("T")

DIALECTS = {
    "qnn": "qdialect.qnn:Qnn",
    "qflow": "qdialect.qflow:Qflow",
}

# What the circuit level adds to xDSL's dialects. A universe may not take a name of
# xDSL's, so these are qopt's alone: `xdsl-opt` does not read the circuit level.
CIRCUIT_DIALECTS = {
    "hw": "lowering.hw.circt_ops:HwExtended",
    "seq": "lowering.hw.circt_ops:SeqExtended",
    "sv": "lowering.hw.circt_ops:Sv",
}

PASSES = {
    "binarise-weights": "passes.binarise_weights:BinariseWeightsPass",
    "ternarise-weights": "passes.ternarise_weights:TernariseWeightsPass",
    "posit-weights": "passes.posit_weights:PositWeightsPass",
    "quantize-weights": "passes.quantize_weights:QuantizeWeightsPass",
    "prune-weights": "passes.prune_weights:PruneWeightsPass",
    "share-weights": "passes.share_weights:ShareWeightsPass",
    "quantize-inputs": "passes.quantize_inputs:QuantizeInputsPass",
    "fold-batch-norm": "passes.fold_batch_norm:FoldBatchNormPass",
    "move-past-quantisers": "passes.move_past_quantisers:MovePastQuantisersPass",
    "lower-to-integer": "passes.lower_to_integer:LowerToIntegerPass",
    "fixed-point-batch-norm": "passes.fixed_point_batch_norm:FixedPointBatchNormPass",
    "shift-batch-norm": "passes.shift_batch_norm:ShiftBatchNormPass",
    "floor-thresholds": "passes.floor_thresholds:FloorThresholdsPass",
    "narrow-sums": "passes.narrow_sums:NarrowSumsPass",
    "choose-layout": "passes.choose_layout:ChooseLayoutPass",
    "narrow-accumulators": "passes.narrow_accumulators:NarrowAccumulatorsPass",
    "drop-unused-weights": "passes.drop_unused_weights:DropUnusedWeightsPass",
    "outline-core": "passes.outline_core:OutlineCorePass",
    "bitpack": "passes.bitpack:BitpackPass",
    "compress-weights": "passes.compress_weights:CompressWeightsPass",
    "convert-to-qflow": "passes.convert_to_qflow:ConvertToQflowPass",
    "fold": "passes.fold:FoldPass",
    "insert-fifos": "passes.insert_fifos:InsertFifosPass",
    "convert-qflow-to-hw": "lowering.hw.convert_qflow_to_hw:ConvertQflowToHwPass",
}

TARGETS = {
    "c": "lowering.c.target:CTarget",
    "sv": "lowering.hw.sv:SystemVerilogTarget",
    "circt": "lowering.hw.circt_text:CirctTarget",
}


def load(place: str) -> object:
    """The object that `module:object` names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def lazy(place: str, kind: type[T]) -> Callable[[], T]:
    """A function that imports what `place` names, when called.

    `kind` is only for the type checker: what the object is, or is a class of.
    """
    return lambda: cast(T, load(place))


def _all(places: dict[str, str], kind: type[T]) -> dict[str, Callable[[], T]]:
    return {name: lazy(place, kind) for name, place in places.items()}


UNIVERSE = Universe(
    all_dialects=_all(DIALECTS, Dialect),
    all_passes=_all(PASSES, type[ModulePass]),
    all_targets=_all(TARGETS, type[Target]),
)
