"""The stream level's figures for a unit's timing are those of the hardware unit."""

from collections.abc import Iterable

import pytest
from integer_cores import core_of, random_core
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.utils.exceptions import PassFailedException

from lowering.hw.unit_specs import UnitSpec, unit_spec
from lowering.hw.units.lookup import Lookup
from lowering.hw.units.mvu import Mvu
from lowering.hw.units.threshold import Threshold
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from qdialect.pipelines import Pipeline, stages_of
from qdialect.units import units


def check(module: ModuleOp, folds: Iterable[FoldPass]) -> int:
    streams = apply(module, ConvertToQflowPass())
    count = 0
    for fold in folds:
        try:
            folded = apply(streams, fold)
        except PassFailedException:
            continue
        for op in units(core_of(folded)):
            match spec := _spec(op):
                case Mvu() | Threshold() | Lookup():
                    [found] = stages_of(op)
                    assert isinstance(found, Pipeline)
                    first = found.gives[0] - found.takes[0] + found.latency
                    assert spec.latency_cycles == first, str(op)
                    assert spec.cycles_per_vector == found.slots
                    count += 1
                case _:
                    pass
    return count


def _spec(op: Operation) -> UnitSpec | None:
    try:
        return unit_spec(op)
    except PassFailedException:
        return None


@pytest.mark.parametrize("seed", range(25))
def test_random_units(seed: int) -> None:
    folds = [FoldPass(max_cycles=n, max_weight_bits=1 << 20) for n in (1, 3, 9, 50)]
    assert check(random_core(seed), [*folds, FoldPass()]) > 0
