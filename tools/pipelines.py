"""Named pipelines: tuples of pass instances.

Importing this imports every pass; commands do so when a pipeline is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec, ParameterListType

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from passes.bitpack import BitpackPass
from passes.choose_layout import ChooseLayoutPass
from passes.convert_to_qflow import ConvertToQflowPass
from passes.drop_unused_weights import DropUnusedWeightsPass
from passes.fixed_point_batch_norm import FixedPointBatchNormPass
from passes.floor_thresholds import FloorThresholdsPass
from passes.fold import FoldPass
from passes.fold_batch_norm import FoldBatchNormPass
from passes.insert_fifos import InsertFifosPass
from passes.lower_to_integer import LowerToIntegerPass
from passes.move_past_quantisers import MovePastQuantisersPass
from passes.narrow_accumulators import NarrowAccumulatorsPass
from passes.narrow_sums import NarrowSumsPass
from passes.outline_core import OutlineCorePass
from passes.quantize_inputs import QuantizeInputsPass
from passes.shift_batch_norm import ShiftBatchNormPass
from tools.mistakes import UsageError
from tools.specs import configured
from tools.suggestions import unknown


@dataclass(frozen=True)
class Pipeline:
    """Passes in order, and one line that says what they make of a module."""

    summary: str
    passes: tuple[ModulePass, ...]

    def __str__(self) -> str:
        """The passes as `qopt -p` takes them."""
        return ",".join(map(str, self.passes))


_INTEGER: tuple[ModulePass, ...] = (
    FoldBatchNormPass(),
    QuantizeInputsPass(),
    MovePastQuantisersPass(),
    LowerToIntegerPass(),
    FloorThresholdsPass(),
    NarrowSumsPass(),
    ChooseLayoutPass(),
    NarrowAccumulatorsPass(),
    DropUnusedWeightsPass(),
    OutlineCorePass(),
)

PIPELINES = {
    "bnn-integer": Pipeline(
        "a trained network to the integer level: @main calls an exact integer @core",
        _INTEGER,
    ),
    "bnn-c": Pipeline(
        "a trained network to bit-packed words, for target c",
        (*_INTEGER, BitpackPass()),
    ),
    "bnn-fpga": Pipeline(
        "a trained network to a streaming circuit, for targets sv and circt",
        (
            *_INTEGER,
            ConvertToQflowPass(),
            FoldPass(),
            InsertFifosPass(),
            ConvertQflowToHwPass(),
        ),
    ),
}


def find_pipeline(
    name: str, options: Mapping[str, ParameterListType] | None = None
) -> Pipeline:
    """The pipeline of that name.

    Args:
        name: one of `PIPELINES`.
        options: options of its passes by name; an option goes to every pass that has
            it. `batch_norm` is `exact`, `fixedN`, batch norms in fixed point of N bits
            (`fixed-point-batch-norm`), or `shift` (`shift-batch-norm`).

    Raises:
        UsageError: there is no such pipeline or option, or a value does not fit.
    """
    if name not in PIPELINES:
        raise UsageError(unknown("pipeline", name, PIPELINES))
    pipeline = PIPELINES[name]
    given = {key.replace("-", "_"): value for key, value in (options or {}).items()}
    norm = _batch_norm(name, given.pop("batch_norm", ("exact",)))
    known = {field.name for pass_ in pipeline.passes for field in fields(pass_)}
    known.add("batch_norm")
    for key in given:
        if key not in known:
            dashed = [option.replace("_", "-") for option in known]
            text = unknown("option", key.replace("_", "-"), dashed)
            raise UsageError(f"pipeline '{name}': {text}")
    passes = tuple(_with_options(pass_, given) for pass_ in pipeline.passes)
    if norm is not None:
        passes = _with_batch_norm(passes, norm)
    return Pipeline(pipeline.summary, passes)


BATCH_NORM_PASSES = (FixedPointBatchNormPass, ShiftBatchNormPass)
"""The passes that approximate batch norms."""


def _batch_norm(
    name: str, value: ParameterListType
) -> FixedPointBatchNormPass | ShiftBatchNormPass | None:
    """The pass for batch norms, or None where they are exact."""
    text = ",".join(map(str, value))
    if text == "exact":
        return None
    if text == "shift":
        return ShiftBatchNormPass()
    if (found := re.fullmatch(r"fixed(\d+)", text)) is None:
        raise UsageError(
            f"pipeline '{name}': option 'batch-norm': expected exact, shift or fixedN, "
            f"such as fixed16, got {text or 'nothing'}"
        )
    return FixedPointBatchNormPass(int(found[1]))


def _with_batch_norm(
    passes: tuple[ModulePass, ...], norm: FixedPointBatchNormPass | ShiftBatchNormPass
) -> tuple[ModulePass, ...]:
    """The passes with that for batch norms before thresholds are floored."""
    found: list[ModulePass] = []
    for pass_ in passes:
        if isinstance(pass_, FloorThresholdsPass):
            found.append(replace(norm, max_table=pass_.max_table))
        found.append(pass_)
    return tuple(found)


def _with_options(
    pass_: ModulePass, given: Mapping[str, ParameterListType]
) -> ModulePass:
    own = {field.name for field in fields(pass_)}
    chosen = {key: value for key, value in given.items() if key in own}
    if not chosen:
        return pass_
    spec = ArgSpec(pass_.name, {**pass_.spec().parameters, **chosen})
    return configured("pass", type(pass_), spec)
