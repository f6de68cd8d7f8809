"""Pools of every shape against simulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from integer_cores import ELEMENTS
from stream_functions import StreamFunction, check_simulation, stream
from xdsl.ir import Attribute
from xdsl.utils.exceptions import PassFailedException

from lowering.hw.unit_specs import unit_spec
from qdialect import qflow
from qdialect.map_timing import in_blocks, map_extents, pool_fits, pool_window
from qdialect.pipeline_stage import Pipeline
from qdialect.pipelines import stages_of
from qdialect.qflow import PoolKind
from qdialect.streams import stream_type
from qdialect.types import integer_type_for, signed, unsigned, value_range
from qdialect.windows import Axis, Window

SMALL = [element for element in ELEMENTS if value_range(element)[1] < 256]


def pool(
    f: StreamFunction,
    kind: PoolKind,
    element: Attribute,
    extents: Sequence[int],
    window: Window,
    channels: int,
    lanes: int,
) -> qflow.PoolOp | None:
    """A pool of an argument of its own, or None where no unit can do it."""
    counts = [axis.windows(n) for axis, n in zip(window, extents, strict=True)]
    result = element
    if kind is PoolKind.SUM:
        taps = int(np.prod([axis.kernel for axis in window]))
        low, high = value_range(element)
        result = integer_type_for(low * taps, high * taps)
    out = stream(result, (1, *counts, channels), lanes)
    if not pool_fits(window, stream(element, (1, *extents, channels), lanes)):
        return None
    x = f.argument(element, (1, *extents, channels), lanes)
    op = qflow.PoolOp(kind, x, out, window)
    f.result(f.add(op))
    return op


def _pick(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _axis(rng: np.random.Generator, extent: int, *, blocks: bool) -> Axis | None:
    """A random window over an axis, or None for one that does not fit."""
    kernel = extent if rng.random() < 0.15 else _pick(rng, 1, 4)
    dilation = 1 if blocks else _pick(rng, 1, 3)
    stride = kernel + _pick(rng, 0, 2) if blocks else _pick(rng, 1, 3)
    before, after = (_pick(rng, 0, kernel - 1) for _ in range(2))
    if rng.random() < 0.4:
        before = after = 0
    axis = Axis(kernel, stride, before, after, dilation)
    fits = axis.windows(extent) > 0 and bool(axis.masks(extent).any(axis=1).all())
    return axis if fits else None


def random_pool(f: StreamFunction, *, blocks: bool) -> qflow.PoolOp:
    """A random pool that some unit can do."""
    rng = f.rng
    while True:
        extents = [_pick(rng, 1, 9) for _ in range(_pick(rng, 1, 2))]
        axes = [_axis(rng, extent, blocks=blocks) for extent in extents]
        window = tuple(axis for axis in axes if axis is not None)
        if len(window) < len(axes):
            continue
        element = SMALL[_pick(rng, 0, len(SMALL) - 1)]
        kind = PoolKind.MAX if rng.random() < 0.5 else PoolKind.SUM
        channels = _pick(rng, 1, 6)
        lanes = _pick(rng, 1, channels)
        op = pool(f, kind, element, extents, window, channels, lanes)
        if op is not None:
            return op


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]
)
@pytest.mark.parametrize("blocks", [True, False])
def test_random_pools(seed: int, *, blocks: bool) -> None:
    f = StreamFunction(seed)
    for _ in range(18):
        random_pool(f, blocks=blocks)
    check_simulation(f.module(), frames=4)


def test_large_memories() -> None:
    """Row memories in block RAM."""
    f = StreamFunction()
    two, three = Axis(2, 2), Axis(3, 2, 1, 0)
    large = (
        # A word for each column, several for each, and several for all columns.
        (signed(12), (4, 160), (two, two), 9, 9),
        (signed(12), (4, 24), (two, two), 63, 9),
        (signed(16), (3, 2), (Axis(3), two), 560, 8),
        (unsigned(8), (5, 140), (three, three), 9, 9),
        (unsigned(8), (4, 4), (three, Axis(3, 1, 1, 1)), 560, 8),
    )
    for kind in PoolKind:
        for case in large:
            op = pool(f, kind, *case)
            assert op is not None
            assert "block" in str(unit_spec(op).build("pool").top)
    check_simulation(f.module(), frames=2)


def test_padding_that_does_not_fit() -> None:
    window = (Axis(3, 1, 2, 2),)
    f = StreamFunction()
    x = f.argument(unsigned(3), (1, 4, 1), 1)
    op = qflow.PoolOp(PoolKind.MAX, x, stream(unsigned(3), (1, 6, 1), 1), window)
    op.verify()
    assert not pool_fits(window, stream_type(x))
    with pytest.raises(PassFailedException, match=r"put a qflow.pad in front"):
        unit_spec(op)


def test_a_pixel_beat_a_cycle() -> None:
    """No pool is slower than its map, apart from the padding behind it."""
    f = StreamFunction(3)
    for blocks in (True, False):
        for _ in range(40):
            op = random_pool(f, blocks=blocks)
            (stage,) = stages_of(op)
            assert isinstance(stage, Pipeline)
            source = stream_type(op.input)
            window = pool_window(op.window, source)
            late = (window[0].after + 1) * map_extents(source)[1] * source.beats
            assert stage.slots <= source.beats_per_frame + late
            if in_blocks(window):
                assert stage.slots == source.beats_per_frame
