"""The matrix-vector unit against NumPy, in the Verilated SystemVerilog."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from integer_cores import random_levels
from stream_bench import Case, Trace, check, simulate, stream
from xdsl.ir import Attribute

from lowering.hw.units.activation import Activation
from lowering.hw.units.mvu import Mvu
from qdialect.semantics import Levels, threshold_levels
from qdialect.types import BipolarType, TernaryType, signed, unsigned, width_bits

VECTORS = 12
BIPOLAR, TERNARY = BipolarType(), TernaryType()
FAR = 1 << 40


@dataclass(frozen=True)
class Config:
    """One unit; thresholds are drawn around the sums that occur.

    Attributes:
        why: what the configuration is there for; names the test.
        size: MH, MW, PE, SIMD.
        input_type: element type of the inputs.
        weights: the values that weights are drawn from.
        thresholds: number of thresholds; None for the sums themselves.
        falling: chance that a channel falls.
        output_type: element type of levels; the narrowest unsigned one by default.
        offset: least level.
        extremes: whether thresholds are often out of reach or always reached.
    """

    why: str
    size: tuple[int, int, int, int]
    input_type: Attribute
    weights: tuple[int, ...]
    thresholds: int | None = None
    falling: float = 0
    output_type: Attribute | None = None
    offset: int = 0
    extremes: bool = False


SIGNS, TRITS = (-1, 1), (-1, 0, 1)
ODD3 = tuple(range(-7, 8, 2))
INT3, INT4, INT8 = tuple(range(-4, 4)), tuple(range(-8, 8)), tuple(range(-128, 128))

CONFIGS = [
    Config("binary", (16, 32, 4, 8), BIPOLAR, SIGNS, 1, 0.5, BIPOLAR),
    Config("binary_no_divisors", (23, 101, 5, 17), BIPOLAR, SIGNS, 1, 0.5, BIPOLAR),
    Config("binary_wide", (6, 200, 3, 100), BIPOLAR, SIGNS, 1, 0, BIPOLAR),
    Config("binary_one_beat", (7, 9, 2, 9), BIPOLAR, SIGNS, 1, 0, BIPOLAR),
    Config("binary_all_rows", (5, 20, 5, 4), BIPOLAR, SIGNS, 1, 0.5, BIPOLAR),
    Config("binary_all_at_once", (5, 9, 5, 9), BIPOLAR, SIGNS, 3, 0.5),
    Config("binary_serial", (3, 7, 1, 1), BIPOLAR, SIGNS),
    Config("binary_one_weight", (1, 1, 1, 1), BIPOLAR, SIGNS, 1, 0, BIPOLAR),
    Config("binary_sums", (7, 13, 3, 5), BIPOLAR, SIGNS),
    Config("binary_extremes", (9, 30, 4, 7), BIPOLAR, SIGNS, 3, 0.5, extremes=True),
    Config("binary_15_levels", (90, 12, 1, 12), BIPOLAR, SIGNS, 15, 0.5),
    Config("binary_5_levels", (6, 40, 4, 9), BIPOLAR, SIGNS, 5, 0.5, signed(4), -3),
    Config("binary_2_bit_inputs", (8, 50, 3, 12), unsigned(2), SIGNS, 3, 0.5),
    Config("binary_8_bit_inputs", (5, 20, 2, 6), signed(8), SIGNS, 255, 0.5),
    Config("binary_32_bit_inputs", (3, 7, 2, 3), unsigned(32), SIGNS),
    Config("ternary", (6, 70, 4, 23), BIPOLAR, TRITS, 1, 0.5, BIPOLAR),
    Config("ternary_sums", (6, 20, 4, 7), BIPOLAR, TRITS),
    Config("ternary_ternary", (6, 20, 4, 7), TERNARY, TRITS, 2, 0.5, TERNARY, -1),
    Config("ternary_8_bit", (4, 9, 2, 4), signed(8), TRITS, 7, 0.5, signed(3), -4),
    Config("no_positive", (4, 10, 2, 4), BIPOLAR, (-1, 0), 1, 0.5, BIPOLAR),
    Config("no_negative", (4, 10, 3, 4), BIPOLAR, (0, 1), 3, 0.5),
    Config("all_zero", (4, 10, 3, 4), unsigned(3), (0,), 3, 0.5),
    Config("five_level", (5, 22, 2, 5), unsigned(2), tuple(range(-2, 3)), 3, 0.5),
    Config("3x3_bit", (6, 20, 4, 8), signed(3), INT3, 7, 0.5, signed(3), -4),
    Config("4_bit_bipolar", (5, 16, 2, 6), BIPOLAR, INT4),
    Config("4x4_bit", (6, 20, 3, 7), unsigned(4), INT4, 15, 0.5),
    Config("8x8_bit", (6, 20, 4, 20), unsigned(8), INT8),
    Config("8x8_bit_levels", (4, 11, 3, 4), signed(8), INT8, 15, 0.5, extremes=True),
    Config("8_bit_unsigned", (4, 11, 3, 4), unsigned(8), tuple(range(256)), 3, 0.5),
    Config("16x3_bit_serial", (3, 6, 1, 1), signed(16), INT3),
    Config("odd_2_bit", (6, 20, 4, 7), unsigned(2), (-3, -1, 1, 3), 3, 0.5),
    Config("odd_3_bit_bipolar", (5, 16, 2, 6), BIPOLAR, ODD3, 1, 0.5, BIPOLAR),
    Config("odd_3_bit_signed", (5, 16, 2, 6), signed(4), ODD3),
    Config("odd_doubled", (5, 16, 2, 6), unsigned(2), (-6, -2, 2, 6), 3, 0.5),
    Config("shifts", (5, 22, 2, 5), signed(8), (-4, -2, -1, 0, 1, 8), 15, 0.5),
    Config("shifts_one_lane", (3, 6, 1, 1), unsigned(8), tuple(range(-2, 3))),
    Config("shifts_bipolar", (5, 20, 3, 8), BIPOLAR, (-4, -1, 0, 1, 4), 3, 0.5),
    Config("signs_times_4", (5, 20, 3, 8), BIPOLAR, (-4, 4), 3, 0.5),
    Config("trits_times_2_sums", (5, 20, 3, 8), BIPOLAR, (-2, 0, 2)),
]


def _mvu(config: Config, rng: np.random.Generator) -> tuple[Mvu, Levels, Levels]:
    """The unit, its inputs and what it should give."""
    rows, columns, pe, simd = config.size
    weights = rng.choice(config.weights, (rows, columns)).astype(np.int64)
    inputs = random_levels(rng, config.input_type, (VECTORS, columns))
    sums = inputs.astype(np.int64) @ weights.T
    bound = int(np.abs(weights).sum(axis=1).max()) << width_bits(config.input_type)
    accumulator = signed(bound.bit_length() + 1)
    if config.thresholds is None:
        return Mvu(weights, config.input_type, pe, simd, accumulator), inputs, sums
    spread = int(np.abs(sums).max()) + 1
    thresholds = rng.integers(-spread, spread + 1, (rows, config.thresholds))
    if config.extremes:
        choice = rng.random(thresholds.shape)
        thresholds = np.where(
            choice < 0.3, -FAR, np.where(choice > 0.7, FAR, thresholds)
        )
    activation = Activation(
        np.sort(thresholds, axis=1),
        config.output_type or unsigned(config.thresholds.bit_length()),
        config.offset,
        (rng.random(rows) < config.falling).astype(np.int64)
        if config.falling
        else None,
    )
    expected = threshold_levels(
        sums,
        activation.thresholds,
        activation.falling,
        activation.offset,
        1,
        activation.output_type,
    )
    unit = Mvu(weights, config.input_type, pe, simd, accumulator, activation)
    return unit, inputs, expected


def _case(config: Config, number: int) -> Case:
    unit, inputs, expected = _mvu(config, np.random.default_rng(number))
    activation = unit.activation
    output = activation.output_type if activation else unit.accumulator_type
    rows, columns, pe, simd = config.size
    name = f"u{number}_{config.why}"
    return Case(
        name,
        unit.build(name),
        stream(config.input_type, columns, simd),
        inputs,
        stream(output, rows, pe),
        expected,
        unit.cycles_per_vector,
        unit.latency_cycles,
    )


CASES = [_case(config, number) for number, config in enumerate(CONFIGS)]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trace]]:
    return simulate(CASES, tmp_path_factory.mktemp("mvu"))


@pytest.mark.parametrize("case", CASES, ids=[config.why for config in CONFIGS])
def test_agrees_with_numpy(case: Case, traces: dict[str, list[Trace]]) -> None:
    check(case, traces[case.name])


def test_elements_are_one_module() -> None:
    unit, _, _ = _mvu(CONFIGS[1], np.random.default_rng(0))
    names = [module.sym_name.data for module in unit.build("net").modules]
    assert names == ["net_pe_popcount", "net_pe", "net"]


def test_equal_channels_need_no_threshold_memory() -> None:
    weights = np.ones((64, 8), np.int64)
    thresholds = np.tile(np.arange(-3, 4), (64, 1))
    activation = Activation(thresholds, unsigned(3))
    unit = Mvu(weights, unsigned(4), 1, 8, signed(8), activation)
    assert [image.sym_name.data for image in unit.build("net").images] == []


@pytest.mark.parametrize(
    ("pe", "simd", "message"),
    [
        (5, 1, r"PE must be in \[1, 4\]"),
        (1, 0, r"SIMD in \[1, 6\], got 1 and 0"),
    ],
)
def test_refuses_folds(pe: int, simd: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mvu(np.ones((4, 6), np.int64), BIPOLAR, pe, simd, signed(8))
