"""Lists of the weights that are not 0: the sums of all the others, in C."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from c_programs import compile_program, run_program, write_library
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cores import ELEMENTS, CoreBuilder, random_frames, random_levels
from map_cores import MapCore, random_window
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, SSAValue

from lowering.c.errors import CError
from lowering.c.kernels.zero_skip import Lists
from lowering.c.source import COptions, emit
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.data import Array
from qdialect.types import BipolarType, TernaryType, signed, unsigned

VALUES = {
    "signs": (-1, 1),
    "ones": (1,),
    "twos": (-2, 2),
    "five levels": (-2, -1, 1, 2),
    "bytes": tuple(range(-128, 128)),
    "words": (-30000, 30000, 7),
}
ELEMENT: dict[str, Attribute] = {
    "signs": TernaryType(),
    "ones": unsigned(1),
    "twos": signed(3),
    "five levels": signed(3),
    "bytes": signed(8),
    "words": signed(16),
}


def sparse(
    rng: np.random.Generator, kind: str, shape: Sequence[int], density: float
) -> Array:
    """Weights of which a share is not 0."""
    weights = rng.choice(VALUES[kind], shape)
    return np.where(rng.random(shape) < density, weights, 0)


def assert_skips(module: ModuleOp, frames: int = 5, calls: int = 1) -> str:
    """C with lists gives what the interpreter gives; the source."""
    arrays = random_frames(module, frames)
    expected = Interpreter(module).run(arrays, "core")
    with tempfile.TemporaryDirectory() as name:
        library = write_library(module, Path(name), max_density=1.0)
        found = run_program(compile_program(Path(name), ("-O0",)), library, arrays)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
    source = library.files["model.c"]
    assert len(re.findall("that are not 0, ", source)) == calls
    return source


@settings(max_examples=12, deadline=None)
@given(
    x=st.sampled_from(ELEMENTS),
    kind=st.sampled_from(sorted(VALUES)),
    columns=st.sampled_from([1, 5, 64, 256, 257, 700, 3000]),
    rows=st.integers(1, 20),
    density=st.sampled_from([0.002, 0.02, 0.2, 1.0]),
    leading=st.sampled_from([(1,), (1, 3)]),
    seed=st.integers(0, 1000),
)
def test_products(
    x: Attribute,
    kind: str,
    columns: int,
    rows: int,
    density: float,
    leading: tuple[int, ...],
    seed: int,
) -> None:
    builder = CoreBuilder(seed)
    weights = sparse(builder.rng, kind, (rows, columns), density)
    argument = builder.argument(x, *leading, columns)
    sums = builder.matmul(argument, builder.weight(weights, ELEMENT[kind]))
    results = [sums]
    if weights.any():
        results.append(builder.threshold(sums, unsigned(2)))
    assert_skips(builder.module(*results), calls=int(weights.any()))


class SparseMaps(MapCore):
    """Cores of maps whose weights are mostly 0."""

    density = 1.0

    def weight(self, values: Array, element: Attribute) -> SSAValue:
        """The weight, of which a share is kept."""
        kept = self.rng.random(values.shape) < self.density
        return super().weight(np.where(kept, values, 0), element)


@settings(max_examples=12, deadline=None)
@given(
    x=st.sampled_from([BipolarType(), unsigned(3), signed(8)]),
    element=st.sampled_from([TernaryType(), signed(3), signed(16)]),
    channels=st.sampled_from([2, 4, 96]),
    groups=st.sampled_from([1, 2]),
    rows=st.sampled_from([2, 6]),
    axes=st.sampled_from([1, 2]),
    density=st.sampled_from([0.01, 0.1, 0.7]),
    seed=st.integers(0, 1000),
)
def test_convolutions(
    x: Attribute,
    element: Attribute,
    channels: int,
    groups: int,
    rows: int,
    axes: int,
    density: float,
    seed: int,
) -> None:
    builder = SparseMaps(seed)
    builder.density = density
    extents = (6, 7)[:axes]
    window = random_window(builder.rng, extents)
    map = builder.argument(x, 1, *extents, channels)
    sums = builder.conv(map, rows, element, window, groups=groups)
    module = builder.module(sums)
    weights = builder.weights[0].value.to_numpy()
    assert_skips(module, calls=int(weights.any()))


def test_signs_are_added_and_taken_away() -> None:
    builder = CoreBuilder()
    weights = np.array([[1, 0, -1, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
    load = builder.weight(weights, TernaryType())
    module = builder.module(builder.matmul(builder.argument(signed(8), 1, 4), load))
    source = assert_skips(module)
    assert "sum += (int32_t)x[*i++];" in source
    assert "sum -= (int32_t)x[*i++];" in source
    assert re.search(r"uint8_t model_c0\[4\] = \{\n +0x00, 0x02, 0x00, 0x01,\n", source)
    assert re.search(
        r"model_c1\[6\] = \{\n +0x01, 0x01, 0x00, 0x00, 0x02, 0x00,", source
    )


def test_gaps_take_the_place_of_wide_columns() -> None:
    row = np.zeros((1, 1000), np.int64)
    row[0, [10, 100, 200, 265, 900]] = 5, 6, 7, 8, 9
    lists = Lists.of(np.repeat(row, 9, axis=0))
    assert lists.are_gaps
    assert lists.values is not None
    assert lists.places[:7].tolist() == [10, 90, 100, 65, 255, 255, 125]
    assert lists.values[:7].tolist() == [5, 6, 7, 8, 0, 0, 9]
    assert lists.counts.tolist() == [[7]] * 9


def test_columns_stay_where_gaps_would_be_many() -> None:
    row = np.zeros((1, 60_000), np.int64)
    row[0, [10_000, 50_000]] = 5, 6
    lists = Lists.of(row)
    assert not lists.are_gaps
    assert lists.places.tolist() == [10_000, 50_000]


def layer(density: float, x: Attribute, element: Attribute) -> ModuleOp:
    """A product of 64 rows of 512 weights."""
    builder = CoreBuilder()
    levels = random_levels(builder.rng, element, (64, 512))
    weights = np.where(builder.rng.random(levels.shape) < density, levels, 0)
    load = builder.weight(weights, element)
    return builder.module(builder.matmul(builder.argument(x, 1, 512), load))


@pytest.mark.parametrize(
    ("density", "machine", "skips"),
    [
        (0.6, "scalar", True),
        (0.15, "portable", True),
        (0.3, "portable", False),
        (0.15, "avx2", False),
        (0.05, "avx2", True),
        (0.05, "avx512", True),
    ],
)
def test_zeros_are_skipped_where_that_is_faster(
    density: float, machine: str, skips: bool
) -> None:
    module = layer(density, signed(8), signed(8))
    source = emit(module, COptions(machine=machine))["model.c"]
    assert ("that are not 0, " in source) == skips


@pytest.mark.parametrize(
    ("density", "kind"),
    [(0.001, "skipped"), (0.5, "packed")],
)
def test_ternary_weights_are_packed_or_skipped(density: float, kind: str) -> None:
    module = layer(density, BipolarType(), TernaryType())
    source = emit(apply(module, BitpackPass()))["model.c"]
    assert ("that are not 0, " in source) == (kind == "skipped")
    assert ("POPCOUNT" in source) == (kind == "packed")


def test_density_that_is_asked_for() -> None:
    module = layer(0.5, signed(8), signed(8))
    for most, skips in ((0.4, False), (0.6, True), (0.0, False)):
        source = emit(module, COptions(max_density=most))["model.c"]
        assert ("that are not 0, " in source) == skips


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(CError, match="one of scalar, portable, avx2, avx512, got z80"):
        emit(layer(0.5, signed(8), signed(8)), COptions(machine="z80"))
