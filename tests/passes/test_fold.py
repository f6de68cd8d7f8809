"""`fold`: the cheapest folding within a number of cycles, from targets and files."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from integer_cores import CoreBuilder, core_of, random_core, random_frames
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.utils.exceptions import PassFailedException

from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.folding_choices import possible_folds, useful_lanes
from passes.insert_fifos import InsertFifosPass
from qdialect import qflow
from qdialect.costs import Cost, unit_cost
from qdialect.selection import TopKOp
from qdialect.streams import stream_type
from qdialect.timing import bottleneck_cycles, unit_cycles
from qdialect.types import BipolarType, TernaryType, element_of, signed, unsigned
from qdialect.units import unit_names, units


def mlp(*widths: int, seed: int = 0) -> ModuleOp:
    """A folded-to-one-lane network of ternary layers that ends in a top-1."""
    builder = CoreBuilder(seed)
    x = builder.argument(signed(3), 1, widths[0])
    for width in widths[1:-1]:
        x = builder.threshold(builder.linear(x, width, TernaryType()), signed(2))
    x = builder.linear(x, widths[-1], TernaryType())
    value, index = TensorType(element_of(x), (1, 1)), TensorType(unsigned(8), (1, 1))
    top = TopKOp(x, value, index, axis=1)
    builder.add(top)
    return apply(builder.module(top.indices), ConvertToQflowPass())


def total_cost(module: ModuleOp) -> float:
    return sum((unit_cost(op) for op in units(core_of(module))), Cost()).weight


def lanes(module: ModuleOp) -> dict[str, tuple[int, int]]:
    """PE and SIMD of each unit by name, converters left out."""
    return {
        name: (stream_type(op.results[0]).lanes, stream_type(op.operands[0]).lanes)
        for op, name in unit_names(core_of(module)).items()
        if not isinstance(op, qflow.DwcOp | qflow.FifoOp | qflow.ForkOp)
    }


@pytest.mark.parametrize("elements", [*range(1, 70), 784])
def test_useful_lanes_reach_every_number_of_beats(elements: int) -> None:
    found = useful_lanes(elements)
    assert found == sorted(set(found))
    beats = {-(-elements // n) for n in range(1, elements + 1)}
    assert {-(-elements // n) for n in found} == beats
    assert len(found) == len(beats)
    assert all(-(-elements // (n - 1)) > -(-elements // n) for n in found if n > 1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("cycles", [9, 40, 300, 5000])
def test_values_stay_and_no_unit_is_slower(seed: int, cycles: int) -> None:
    module = random_core(seed)
    streams = apply(module, ConvertToQflowPass())
    try:
        after = apply(streams, FoldPass(max_cycles=cycles, max_weight_bits=1 << 20))
    except PassFailedException as error:
        pytest.fail(str(error))
    assert all(unit_cycles(op) <= cycles for op in units(core_of(after)))
    inputs = random_frames(module, 20)
    expected = Interpreter(module).run(inputs, "core")
    for a, b in zip(expected, Interpreter(after).run(inputs, "core"), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cycles", [4, 7, 12, 35])
def test_no_folding_costs_less(cycles: int, tmp_path: Path) -> None:
    """Every folding of a small network is tried, given by file."""
    module = mlp(5, 4, 3)
    best = total_cost(apply(module, FoldPass(max_cycles=cycles)))
    names = unit_names(core_of(module))
    choices = [possible_folds(op, 8192) for op in names]
    path = tmp_path / "folding.json"
    cheapest = float("inf")
    for folds in product(*choices):
        if any(fold.cycles > cycles for fold in folds):
            continue
        entries = {
            name: {"pe": fold.pe, "simd": fold.simd}
            for name, fold in zip(names.values(), folds, strict=True)
        }
        path.write_text(json.dumps(entries))
        folded = apply(module, FoldPass(folding_file=str(path)))
        assert lanes(folded) == {n: (e["pe"], e["simd"]) for n, e in entries.items()}
        cheapest = min(cheapest, total_cost(folded))
    assert best == cheapest


def test_folds_that_do_not_divide_are_used() -> None:
    # 7 x 11 products in 24 cycles: divisors only would take 7 x 1 or 1 x 11.
    module = apply(mlp(7, 11, 2), FoldPass(max_cycles=24))
    pe, simd = lanes(module)["mvu_0"]
    assert 7 % simd != 0 or 11 % pe != 0
    assert bottleneck_cycles(core_of(module)) <= 24


def test_a_frame_rate_is_cycles_at_a_clock() -> None:
    module = mlp(20, 16, 10)
    rate = apply(module, FoldPass(target_fps=2e6, clock_mhz=150))
    cycles = apply(module, FoldPass(max_cycles=75))
    assert str(rate) == str(cycles)
    assert bottleneck_cycles(core_of(rate)) <= 75


def test_default() -> None:
    """1,024 cycles; more where over 1,024 products a cycle would be needed."""
    small = mlp(64, 64, 10)
    assert str(apply(small, FoldPass())) == str(apply(small, FoldPass(max_cycles=1024)))
    large = mlp(1200, 1024, 10)
    macs = 1024 * 1200 + 1024 * 10
    expected = apply(large, FoldPass(max_cycles=-(-macs // 1024)))
    assert str(apply(large, FoldPass())) == str(expected)


def test_weight_words_are_capped() -> None:
    module = mlp(60, 50, 10)
    after = apply(module, FoldPass(max_cycles=300, max_weight_bits=24))
    for op in units(core_of(after)):
        if isinstance(op, qflow.MvuOp):
            assert op.pe * op.simd * 2 <= 24
    too_fast = FoldPass(max_cycles=200, max_weight_bits=24, zero_skip=False)
    with pytest.raises(PassFailedException, match="at least 250 cycles"):
        apply(module, too_fast)
    with pytest.raises(PassFailedException, match="raise max-weight-bits"):
        apply(module, FoldPass(max_weight_bits=1))


def test_folding_again_starts_afresh() -> None:
    module = mlp(20, 16, 10)
    once = apply(module, FoldPass(max_cycles=40))
    again = apply(
        module,
        FoldPass(max_cycles=7),
        InsertFifosPass(),
        FoldPass(max_cycles=40),
    )
    assert str(once) == str(again)


def test_forked_branches_share_lanes_or_are_converted() -> None:
    builder = CoreBuilder(4)
    x = builder.argument(BipolarType(), 1, 24)
    ends = [builder.linear(x, 12, TernaryType()), builder.linear(x, 3, signed(4))]
    module = apply(builder.module(*ends), ConvertToQflowPass(), FoldPass(max_cycles=30))
    fork = next(op for op in units(core_of(module)) if isinstance(op, qflow.ForkOp))
    assert len({out.type for out in fork.outs}) == 1
    assert bottleneck_cycles(core_of(module)) <= 30


def refusal(module: ModuleOp, fold: FoldPass) -> str:
    with pytest.raises(PassFailedException) as error:
        apply(module, fold)
    return str(error.value)


def test_an_unreachable_rate_names_the_best() -> None:
    module = mlp(8, 6, 4)
    text = refusal(module, FoldPass(target_fps=3e7, clock_mhz=50, max_weight_bits=24))
    assert text == (
        "fold: unit mvu_0 takes at least 4 cycles a frame, 1 are allowed; the best "
        "reachable is 12500000 frames a second at 50 MHz, 4 cycles a frame"
    )
    assert "must be positive" in refusal(module, FoldPass(target_fps=0))


def test_of_several_units_that_are_too_slow_the_slowest_is_named() -> None:
    text = refusal(mlp(8, 6, 12), FoldPass(max_cycles=1, max_weight_bits=24))
    assert text == (
        "fold: unit mvu_1 takes at least 6 cycles a frame, 1 are allowed; the best "
        "reachable is 6 cycles a frame"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"mvu_9": {"pe": 1}}',
            "no unit is called 'mvu_9'; the units are mvu_0, mvu_1",
        ),
        ('{"mvu_0": {"pe": 7}}', r"pe must be in \[1, 6\], got 7"),
        ('{"mvu_0": {"simd": 0}}', r"simd must be in \[1, 8\], got 0"),
        ('{"mvu_0": {"PE": 1}}', "got 'PE': 1"),
        ('{"mvu_0": {"pe": 1.5}}', "got 'pe': 1.5"),
        ('{"mvu_0": 4}', "got 4"),
        ('{"topk_0": {"pe": 2}}', r"unit topk_0: pe must be in \[1, 1\], got 2"),
        ('["mvu_0"]', "expected an object"),
        ('{"mvu_0": ', ":1:11: expected JSON"),
        ("[" * 100_000, "expected an object of unit names; it nests too deeply"),
        ('{"mvu_0": ' + "9" * 5000, "or a number in it is too long"),
    ],
)
def test_folding_file_refusals(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "folding.json"
    path.write_text(text)
    with pytest.raises(PassFailedException, match=message):
        apply(mlp(8, 6, 4), FoldPass(folding_file=str(path)))


def test_a_missing_folding_file_is_refused() -> None:
    text = refusal(mlp(8, 6, 4), FoldPass(folding_file="/nowhere/folding.json"))
    assert text == "fold: cannot read /nowhere/folding.json: No such file or directory"


def test_the_other_units_follow_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "folding.json"
    path.write_text('{"mvu_0": {"pe": 3, "simd": 4}}')
    module = apply(mlp(20, 16, 10), FoldPass(folding_file=str(path)))
    assert lanes(module)["mvu_0"] == (3, 4)
    assert bottleneck_cycles(core_of(module)) == 30
