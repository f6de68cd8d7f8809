"""`fold` skips zeros where that costs least, and only there."""

import json
from pathlib import Path

import numpy as np
import pytest
from integer_cores import CoreBuilder, core_of
from pass_agreement import apply
from pruned import pruned
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.folding_choices import possible_folds
from qdialect import qflow
from qdialect.costs import Cost, unit_cost
from qdialect.timing import unit_cycles
from qdialect.types import BipolarType, TernaryType, shape_of, signed, unsigned
from qdialect.units import units


def mlp(*widths: int) -> ModuleOp:
    """Dense ternary layers, without a 0."""
    builder = CoreBuilder(1)
    x = builder.argument(unsigned(2), 1, widths[0])
    for width in widths[1:]:
        signs = builder.rng.choice([-1, 1], (width, shape_of(x)[-1]))
        x = builder.matmul(x, builder.weight(signs, TernaryType()))
        x = builder.threshold(x, unsigned(2))
    return apply(builder.module(x), ConvertToQflowPass())


def cost(module: ModuleOp) -> float:
    return sum((unit_cost(op) for op in units(core_of(module))), Cost()).weight


def products(module: ModuleOp) -> list[qflow.MvuOp]:
    return [op for op in units(core_of(module)) if isinstance(op, qflow.MvuOp)]


@pytest.mark.parametrize("cycles", [40, 300, 2000])
@pytest.mark.parametrize("block", [(1, 1), (4, 8)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_it_is_cheaper_and_as_fast(
    share: float, block: tuple[int, int], cycles: int
) -> None:
    module = pruned(mlp(64, 48, 20), share, block)
    may = apply(module, FoldPass(max_cycles=cycles))
    never = apply(module, FoldPass(max_cycles=cycles, zero_skip=False))
    assert not any(op.skips_zeros for op in products(never))
    assert all(unit_cycles(op) <= cycles for op in units(core_of(may)))
    assert cost(may) <= cost(never)
    if any(op.skips_zeros for op in products(may)):
        assert cost(may) < cost(never)
    else:
        assert str(may) == str(never)
    frames = np.random.default_rng(0).integers(0, 4, (10, 64))
    expected, found = (Interpreter(m).run([frames], "core")[0] for m in (module, may))
    np.testing.assert_array_equal(found, expected)


def test_many_zeros_are_skipped() -> None:
    module = apply(pruned(mlp(64, 48, 20), 0.2, (4, 8)), FoldPass(max_cycles=64))
    assert products(module)[0].skips_zeros


def test_single_zeros_are_skipped_lane_by_lane() -> None:
    weights = [f for f in products(pruned(mlp(256, 128), 0.05))]
    folds = possible_folds(weights[0], 8192, pe=1, simd=16)
    cycles = {fold.zero_skip: fold.cycles for fold in folds}
    # A column in three of 16 rows' slices holds something, on some lane.
    assert cycles[1] < cycles[16] < cycles[0]


@pytest.mark.parametrize("cycles", [10, 64, 500])
def test_without_zeros_nothing_changes(cycles: int) -> None:
    module = mlp(30, 24, 10)
    may = apply(module, FoldPass(max_cycles=cycles))
    assert str(may) == str(apply(module, FoldPass(max_cycles=cycles, zero_skip=False)))


def test_folding_again_starts_afresh() -> None:
    module = pruned(mlp(64, 48, 20), 0.2, (4, 8))
    once = apply(module, FoldPass(max_cycles=64))
    never = FoldPass(max_cycles=64, zero_skip=False)
    assert str(apply(once, never)) == str(apply(module, never))
    assert str(apply(apply(module, never), FoldPass(max_cycles=64))) == str(once)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_choices_have_the_figures_of_the_unit(share: float, tmp_path: Path) -> None:
    module = pruned(mlp(13, 9), share, (2, 3))
    (op,) = products(module)
    folds = [f for f in possible_folds(op, 8192) if f.zero_skip]
    assert any(fold.zero_skip == 1 < fold.simd for fold in folds)
    assert any(fold.zero_skip == fold.simd > 1 for fold in folds)
    for fold in folds[::3]:
        entry = {"pe": fold.pe, "simd": fold.simd, "zero_skip": fold.zero_skip}
        path = tmp_path / "folding.json"
        path.write_text(json.dumps({"mvu_0": entry}))
        (unit,) = products(apply(module, FoldPass(folding_file=str(path))))
        assert (unit.pe, unit.simd) == (fold.pe, fold.simd)
        assert unit.skip_lanes == fold.zero_skip
        assert unit_cycles(unit) == fold.cycles
        assert unit_cost(unit).weight == fold.weight


def test_a_folding_file_says_who_skips(tmp_path: Path) -> None:
    path = tmp_path / "folding.json"
    path.write_text('{"mvu_0": {"simd": 4, "zero_skip": 2}, "mvu_1": {"pe": 1}}')
    module = apply(
        pruned(mlp(64, 48, 20), 0.2, (4, 8)), FoldPass(folding_file=str(path))
    )
    assert [op.skip_lanes for op in products(module)] == [2, 0]
    # Also where nothing is gained by it.
    dense = apply(mlp(6, 5, 4), FoldPass(folding_file=str(path)))
    assert [op.skip_lanes for op in products(dense)] == [2, 0]


def test_refusals(tmp_path: Path) -> None:
    builder = CoreBuilder()
    x = builder.argument(signed(3), 1, 8)
    x = builder.threshold(builder.linear(x, 6, BipolarType()), unsigned(2))
    module = apply(builder.module(x), ConvertToQflowPass())
    path = tmp_path / "folding.json"
    fold = FoldPass(folding_file=str(path))
    for entry, message in (
        ("1", "unit mvu_0: zero_skip needs weights that can be 0, got !qnn.bipolar"),
        ("-1", r'expected {"pe": number, .*}, got \'zero_skip\': -1'),
        ("true", r'expected {"pe": number, .*}, got \'zero_skip\': True'),
    ):
        path.write_text(f'{{"mvu_0": {{"zero_skip": {entry}}}}}')
        with pytest.raises(PassFailedException, match=message):
            apply(module, fold)
