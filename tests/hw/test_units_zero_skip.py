"""Matrix-vector units that skip zeros, against the interpreter and the beat model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_products import Drawn, random_drawn, random_products, rows_and_columns
from simulators import needs_simulator
from stream_functions import StreamFunction, check_simulation, stream

from lowering.hw.unit_specs import unit_spec
from lowering.hw.units.zero_skip_mvu import ZeroSkipMvu
from qdialect import qflow
from qdialect.pipelines import Pipeline, Store, pixel_slots, stages_of
from qdialect.timing import unit_cycles
from qdialect.types import BipolarType, TernaryType, signed, unsigned
from qdialect.zero_blocks import ZeroBlocks

BIPOLAR, TERNARY = BipolarType(), TernaryType()
FRAMES = 5
Kept = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def add_mvu(
    function: StreamFunction,
    drawn: Drawn,
    extents: tuple[int, ...],
    size: tuple[int, int, int, int],
    kept: Kept,
    together: int,
    groups: int = 1,
) -> qflow.MvuOp:
    """A unit with an argument and a result of its own.

    Args:
        function: gets it.
        drawn: what it is like.
        extents: of the map, none for a vector.
        size: MH, MW, PE, SIMD.
        kept: [G * MH, MW], which weights may differ from 0.
        together: lanes that go together.
        groups: G.
    """
    rows, columns, pe, simd = size
    inner = (*extents, groups) if groups > 1 else extents
    source = function.argument(drawn.inputs, (1, *inner, columns), simd)
    products = random_products(
        function, drawn, (groups * rows, columns), rows_and_columns(extents), kept
    )
    op = qflow.MvuOp(
        source,
        products.weights,
        stream(products.output, (1, *inner, rows), pe),
        groups=groups,
        zero_skip=together,
        **products.arguments,
    )
    function.result(function.add(op))
    return op


def kept_blocks(
    rng: np.random.Generator,
    rows: int,
    columns: int,
    block: Sequence[int],
    share: float,
) -> Kept:
    """Whole blocks of weights that are kept or not."""
    high, wide = block
    blocks = rng.random((-(-rows // high), -(-columns // wide))) < share
    return blocks.repeat(high, axis=0).repeat(wide, axis=1)[:rows, :columns]


@dataclass(frozen=True)
class Config:
    """A unit, and the share of its weights that is kept.

    Attributes:
        drawn: what it is like.
        extents: of the map.
        size: MH, MW, PE, SIMD.
        share: of those that are kept: of blocks of PE x SIMD where all lanes go together,
            else of single weights.
        together: lanes that go together; all where it is 0.
        groups: G.
    """

    drawn: Drawn
    extents: tuple[int, ...]
    size: tuple[int, int, int, int]
    share: float
    together: int = 0
    groups: int = 1


CONFIGS = (
    # The sums take longer than the beats, and the other way round.
    Config(Drawn(BIPOLAR, TERNARY, 1, BIPOLAR, falling=0.5), (), (12, 20, 2, 4), 0.6),
    Config(Drawn(unsigned(2), TERNARY, 3), (7,), (6, 40, 2, 4), 0.15, 1),
    # PE and SIMD that divide nothing, nor what goes together; numbers, and bit planes.
    Config(Drawn(unsigned(8), signed(8)), (), (6, 20, 4, 7), 0.3, 3),
    Config(Drawn(signed(3), signed(3), 7, falling=0.5), (2,), (7, 18, 3, 5), 0.4, 2),
    # A slice a vector, a beat of rows.
    Config(Drawn(BIPOLAR, TERNARY, 1, BIPOLAR), (2, 3), (6, 9, 2, 9), 0.5),
    Config(Drawn(BIPOLAR, TERNARY, 3), (2, 3), (6, 9, 6, 2), 0.5, 1),
    # All is 0; nothing is: odd weights are their own product, whose surplus is masked.
    Config(Drawn(unsigned(3), TERNARY, 3), (), (6, 20, 4, 7), 0),
    Config(Drawn(BIPOLAR, TERNARY, 3, odd=True), (), (4, 9, 2, 5), 1, 1),
    # Biases by place; groups, too.
    Config(
        Drawn(BIPOLAR, TERNARY, 1, BIPOLAR, kinds=(3, 3)), (4, 5), (8, 18, 2, 6), 0.4
    ),
    Config(Drawn(BIPOLAR, TERNARY, 3, kinds=(2, 3)), (2, 3), (3, 9, 1, 3), 0.5, 1, 5),
    # Orders of reads and weights in memories that are read through a register.
    Config(Drawn(BIPOLAR, TERNARY, 3), (), (40, 200, 1, 8), 0.4, 1),
)
MORE_CONFIGS = (
    Config(Drawn(BIPOLAR, TERNARY, 1, BIPOLAR), (), (6, 40, 2, 2), 0.1),
    Config(Drawn(signed(3), TERNARY), (), (23, 31, 5, 7), 0.3),
    Config(Drawn(unsigned(4), signed(4), 15, falling=0.5), (3, 3), (7, 18, 3, 5), 0.4),
    Config(Drawn(unsigned(8), signed(8)), (), (6, 20, 4, 6), 0.4),
    Config(Drawn(signed(4), signed(9), 3), (), (6, 20, 2, 5), 0.2, 1),
    Config(Drawn(unsigned(2), TERNARY, 3), (2, 3), (6, 9, 6, 9), 0.5, 2),
    Config(Drawn(unsigned(2), signed(3)), (), (1, 1, 1, 1), 1),
    Config(Drawn(unsigned(2), unsigned(1), 3), (), (4, 9, 2, 3), 1),
    Config(Drawn(BIPOLAR, TERNARY, 3, odd=True), (), (4, 9, 2, 5), 1),
    Config(Drawn(BIPOLAR, TERNARY, 1, BIPOLAR), (3,), (6, 20, 2, 7), 0, 3),
    Config(
        Drawn(BIPOLAR, TERNARY, 3, falling=0.5), (3, 3), (4, 18, 2, 6), 0.5, groups=2
    ),
    Config(Drawn(unsigned(2), TERNARY), (4,), (3, 7, 2, 7), 0.5, 2, 3),
    Config(Drawn(BIPOLAR, TERNARY, 3), (), (96, 200, 1, 4), 0.4),
)


@needs_simulator
@pytest.mark.parametrize(
    "configs", [CONFIGS, pytest.param(MORE_CONFIGS, marks=pytest.mark.slow)], ids=len
)
def test_agrees_with_interpreter_and_schedule(configs: Sequence[Config]) -> None:
    function = StreamFunction()
    for config in configs:
        rows, columns, pe, simd = config.size
        together = config.together or simd
        block = (1, 1) if config.together else (pe, simd)
        shape = (config.groups * rows, columns)
        kept = kept_blocks(function.rng, *shape, block, config.share)
        op = add_mvu(
            function,
            config.drawn,
            config.extents,
            config.size,
            kept,
            together,
            config.groups,
        )
        check_figures(op)
    check_simulation(function.module(), FRAMES)


def check_figures(op: qflow.MvuOp) -> None:
    """The stream level's figures for a unit's timing are those of the hardware."""
    spec = unit_spec(op)
    assert isinstance(spec, ZeroSkipMvu)
    store, products = stages_of(op)
    assert isinstance(store, Store)
    assert isinstance(products, Pipeline)
    first = store.in_beats + 1 + products.gives[0] + products.latency
    assert spec.latency_cycles == first
    assert spec.cycles_per_pixel == pixel_slots(op)
    assert unit_cycles(op) == pixel_slots(op) * products.repeats


def add_random_mvu(function: StreamFunction) -> None:
    """A unit of any kind, with zeros in blocks, rows, columns or anywhere."""
    rng = function.rng

    def number(most: int) -> int:
        return int(rng.integers(1, most + 1))

    rank = int(rng.choice([0, 1, 2, 2, 2]))
    extents = tuple(number(5) for _ in range(rank))
    groups = 1 if rank == 0 else int(rng.choice([1, 1, 2, 3]))
    rows, columns = number(12), number(24)
    size = (rows, columns, number(rows), number(columns))
    drawn = random_drawn(rng, rows_and_columns(extents))
    while drawn.weights == BIPOLAR:
        drawn = random_drawn(rng, rows_and_columns(extents))
    shapes = [
        (1, 1),
        (1, columns),
        (rows, 1),
        (number(rows), number(columns)),
        size[2:],
    ]
    block = shapes[int(rng.integers(len(shapes)))]
    kept = kept_blocks(rng, groups * rows, columns, block, rng.random())
    together = int(rng.choice([1, number(size[3]), size[3]]))
    op = add_mvu(function, drawn, extents, size, kept, together, groups)
    check_figures(op)


def check_random(seed: int, count: int) -> None:
    function = StreamFunction(seed)
    for _ in range(count):
        add_random_mvu(function)
    check_simulation(function.module(), FRAMES)


@needs_simulator
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_random(seed: int) -> None:
    check_random(seed, 25)


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Ints, int, int, int, int]:
    """Weights of some pattern, groups, PE, SIMD, and how many lanes go together."""
    groups, rows = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    columns = draw(st.integers(1, 14))
    values = st.sampled_from([0, 0, 0, 0, 1, -1, 3])
    size = groups * rows * columns
    flat = draw(
        st.one_of(st.just([0] * size), st.lists(values, min_size=size, max_size=size))
    )
    weights = np.array(flat, np.int64).reshape(groups * rows, columns)
    weights[list(draw(st.sets(st.integers(0, groups * rows - 1))))] = 0
    weights[:, list(draw(st.sets(st.integers(0, columns - 1))))] = 0
    pe, simd = draw(st.integers(1, rows)), draw(st.integers(1, columns))
    return weights, groups, pe, simd, draw(st.integers(1, simd))


@settings(deadline=None)
@given(matrices())
def test_every_weight_is_read_once(case: tuple[Ints, int, int, int, int]) -> None:
    """And no more of them than go together with one that is not 0."""
    weights, groups, pe, simd, together = case
    blocks = ZeroBlocks(weights, groups)
    schedule = blocks.schedule(pe, simd, together)
    rows, columns = len(weights) // groups, weights.shape[1]
    slices = -(-columns // simd)
    beats = [
        weights[g * rows : (g + 1) * rows][n : n + pe]
        for g in range(groups)
        for n in range(0, rows, pe)
    ]
    assert len(schedule.beats) == len(beats)
    for beat, reads in zip(beats, schedule.beats, strict=True):
        most = 0
        for share, begin in enumerate(range(0, simd, together)):
            end = min(begin + together, simd)
            expected = [
                s
                for s in range(slices)
                if beat[:, s * simd + begin : s * simd + end].any()
            ]
            found = reads[:, share].tolist()
            assert found == expected + [slices] * (len(found) - len(expected))
            most = max(most, len(expected))
        assert len(reads) == max(1, most)
    if together == simd:
        assert blocks.steps(pe, [simd]) == [sum(schedule.steps)]
    if together == 1:
        assert blocks.lane_steps(pe, [simd]) == [sum(schedule.steps)]
