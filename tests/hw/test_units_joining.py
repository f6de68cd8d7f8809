"""Units that join streams, or leave pixels out or put some in, against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from integer_cores import ELEMENTS, core_of
from pass_agreement import apply
from stream_functions import StreamFunction, check_simulation, frames_for, stream
from xdsl.dialects.builtin import UnrealizedConversionCastOp
from xdsl.ir import Attribute
from xdsl.utils.exceptions import PassFailedException

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.unit_specs import unit_spec
from lowering.interpreter.engine import Interpreter
from qdialect import qflow
from qdialect.beats import beat_times
from qdialect.qflow import PoolKind
from qdialect.streams import stream_type
from qdialect.types import (
    BipolarType,
    integer_type_for,
    signed,
    unsigned,
    value_range,
)
from qdialect.windows import Axis

SMALL = [element for element in ELEMENTS if value_range(element)[1] < 256]


def _pick(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _element(rng: np.random.Generator) -> Attribute:
    return SMALL[_pick(rng, 0, len(SMALL) - 1)]


def _wider(*elements: Attribute) -> Attribute:
    """The one type of all elements, or one that holds every value of each."""
    if len(set(elements)) == 1:
        return elements[0]
    ranges = [value_range(element) for element in elements]
    return integer_type_for(min(r[0] for r in ranges), max(r[1] for r in ranges))


def _shape(rng: np.random.Generator) -> tuple[int, ...]:
    extents = [_pick(rng, 1, 5) for _ in range(_pick(rng, 0, 2))]
    return (1, *extents, _pick(rng, 1, 9))


def _add(f: StreamFunction, kind: int) -> None:
    rng = f.rng
    shape, count = _shape(rng), _pick(rng, 1, 4)
    channels = shape[-1]
    lanes = _pick(rng, 1, channels)
    elements = [_element(rng) for _ in range(count)]
    # Powers of two, sums of up to six of them, or numbers that differ between channels.
    sums = [-683, -43, -7, -3, -1, 1, 3, 5, 6, 200, 529]
    pools = ([-4, -2, -1, 1, 1, 2, 8, 0], sums, range(-9, 10))
    columns = channels if kind == 2 else 1
    factors = rng.choice(pools[kind], (count, columns)) * np.ones((1, channels), int)
    bias = rng.integers(-20, 21, channels) * _pick(rng, 0, 1)
    if kind < 2:
        bias[:] = bias[0]
    corners = [
        np.stack([factors[i] * bound for bound in value_range(element)])
        for i, element in enumerate(elements)
    ]
    low = int((sum(c.min(axis=0) for c in corners) + bias).min())
    high = int((sum(c.max(axis=0) for c in corners) + bias).max())
    inputs = [f.argument(element, shape, lanes) for element in elements]
    out = stream(integer_type_for(low, high), shape, lanes)
    constants = f.constant(factors), f.constant(bias)
    f.result(f.add(qflow.AddOp(inputs, *constants, out)))


def _mul(f: StreamFunction) -> None:
    rng = f.rng
    shape = _shape(rng)
    lanes = _pick(rng, 1, shape[-1])
    elements = [_element(rng), _element(rng)]
    a, b = map(value_range, elements)
    corners = [x * y for x in a for y in b]
    both = all(isinstance(element, BipolarType) for element in elements)
    element = BipolarType() if both else integer_type_for(min(corners), max(corners))
    lhs, rhs = (f.argument(e, shape, lanes) for e in elements)
    f.result(f.add(qflow.MulOp(lhs, rhs, stream(element, shape, lanes))))


def _abs(f: StreamFunction) -> None:
    rng = f.rng
    shape = _shape(rng)
    lanes = _pick(rng, 1, shape[-1])
    element = _element(rng)
    most = max(map(abs, value_range(element)))
    out = stream(integer_type_for(0, most + _pick(rng, 0, 20)), shape, lanes)
    f.result(f.add(qflow.AbsOp(f.argument(element, shape, lanes), out)))


def _concat(f: StreamFunction) -> None:
    rng = f.rng
    lanes, count = _pick(rng, 1, 3), _pick(rng, 1, 4)
    shape = [1, *(_pick(rng, 1, 4) for _ in range(_pick(rng, 0, 2)))]
    axis = _pick(rng, 1, len(shape))
    shape.append(_pick(rng, lanes, 7))
    extents = [_pick(rng, 1, 4) for _ in range(count)]
    if axis == len(shape) - 1:
        extents = [n * lanes for n in extents]
        extents[-1] += _pick(rng, 0, lanes - 1)
    elements = [_element(rng) for _ in range(count)]
    inputs = [
        f.argument(element, (*shape[:axis], n, *shape[axis + 1 :]), lanes)
        for element, n in zip(elements, extents, strict=True)
    ]
    whole = (*shape[:axis], sum(extents), *shape[axis + 1 :])
    out = stream(_wider(*elements), whole, lanes)
    f.result(f.add(qflow.ConcatOp(inputs, out, axis=axis)))


def _pad(f: StreamFunction) -> None:
    rng = f.rng
    rank = _pick(rng, 1, 2)
    extents = [_pick(rng, 1, 6) for _ in range(rank)]
    channels = _pick(rng, 1, 7)
    lanes = _pick(rng, 1, channels)
    element = _element(rng)
    pads = [_pick(rng, 0, 3) for _ in range(2 * rank)]
    stretch = (
        [_pick(rng, 1, 5) for _ in range(rank)] if rng.random() < 0.5 else [1] * rank
    )
    padded = [
        pads[i] + (extents[i] - 1) * stretch[i] + 1 + pads[rank + i]
        for i in range(rank)
    ]
    low, high = value_range(element)
    value = int(rng.choice([low, high]))
    out = element
    if rng.random() < 0.5:
        value = _pick(rng, -3, 3)
        out = _wider(element, integer_type_for(value, value))
    x = f.argument(element, (1, *extents, channels), lanes)
    out = stream(out, (1, *padded, channels), lanes)
    f.result(f.add(qflow.PadOp(x, out, value=value, pads=pads, stretch=stretch)))


def _slice(f: StreamFunction) -> None:
    rng = f.rng
    offsets, steps, counts, shape = [0], [1], [1], [1]
    for _ in range(_pick(rng, 0, 2)):
        step, count, offset = _pick(rng, 1, 4), _pick(rng, 1, 4), _pick(rng, 0, 3)
        shape.append(offset + (count - 1) * step + 1 + _pick(rng, 0, 4))
        offsets.append(offset)
        steps.append(step)
        counts.append(count)
    lanes = _pick(rng, 1, 3)
    match _pick(rng, 0, 2):
        case 0:
            shape.append(_pick(rng, lanes, 8))
            offsets.append(0)
            steps.append(1)
            counts.append(shape[-1])
        case 1:
            first, count = _pick(rng, 0, 2), _pick(rng, 1, 2)
            shape.append((first + count) * lanes + _pick(rng, 0, 5))
            offsets.append(first * lanes)
            steps.append(1)
            counts.append(count * lanes)
        case _:
            lanes = 1
            shape.append(11)
            offsets.append(_pick(rng, 0, 2))
            steps.append(_pick(rng, 1, 4))
            counts.append(_pick(rng, 1, 3))
    element = _element(rng)
    x = f.argument(element, shape, lanes)
    out = stream(element, counts, lanes)
    f.result(f.add(qflow.SliceOp(x, out, offsets=offsets, steps=steps)))


def _wire(f: StreamFunction) -> None:
    """A stream that is taken at once, so that cycles are counted from the first."""
    f.result(f.argument(unsigned(1), (1, 1), 1))


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))]


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_products_and_magnitudes(seed: int) -> None:
    f = StreamFunction(seed)
    for i in range(12):
        _add(f, i % 3)
    for _ in range(8):
        _mul(f)
        _abs(f)
    check_simulation(f.module(), frames=4)


@pytest.mark.parametrize("seed", SEEDS)
def test_frames(seed: int) -> None:
    f = StreamFunction(seed)
    _wire(f)
    for _ in range(8):
        _concat(f)
        _pad(f)
        _slice(f)
    check_simulation(f.module(), frames=4)


def test_many_operands_and_long_tables() -> None:
    """A sum with a register inside its tree, and constants in a block RAM."""
    f = StreamFunction()
    inputs = [f.argument(BipolarType(), (1, 5), 2) for _ in range(18)]
    factors, bias = f.constant(np.ones((18, 5), int)), f.constant(np.ones(5, int))
    out = stream(integer_type_for(-17, 19), (1, 5), 2)
    f.result(f.add(qflow.AddOp(inputs, factors, bias, out)))
    channels = 600
    x = f.argument(unsigned(4), (1, 2, channels), 2)
    factors = f.constant(f.rng.integers(-99, 100, (1, channels)))
    bias = f.constant(f.rng.integers(-99, 100, channels))
    out = stream(integer_type_for(-1600, 1600), (1, 2, channels), 2)
    op = qflow.AddOp([x], factors, bias, out)
    f.result(f.add(op))
    assert any("rom_style" in str(m) for m in unit_spec(op).build("sum").modules)
    check_simulation(f.module(), frames=3)


def test_branches_that_meet() -> None:
    """A residual block of two branches, one of which is padded and pooled."""
    f = StreamFunction()
    shape, element = (1, 5, 6, 4), unsigned(3)
    fork = qflow.ForkOp(f.argument(element, shape, 2), 2)
    f.add(fork)
    padded = stream(element, (1, 7, 8, 4), 2)
    pad = f.add(qflow.PadOp(fork.outs[0], padded, value=0, pads=[1] * 4))
    out = stream(element, shape, 2)
    pool = f.add(qflow.PoolOp(PoolKind.MAX, pad, out, (Axis(3), Axis(3))))
    kept = f.add(qflow.FifoOp(fork.outs[1], 40))
    constants = f.constant(np.full((2, 4), [[1], [-1]])), f.constant(np.zeros(4, int))
    sums = stream(signed(4), shape, 2)
    total = f.add(qflow.AddOp([pool, kept], *constants, sums))
    flat = f.add(qflow.ReshapeOp(total, stream(signed(4), (1, 120), 2)))
    f.result(flat)
    # Both ends of a wire are ports.
    x = f.argument(element, (1, 2, 4), 4)
    f.result(f.add(qflow.ReshapeOp(x, stream(element, (1, 8), 4))))
    module = f.module()
    check_simulation(module)
    circuit = apply(module, ConvertQflowToHwPass())
    frames = frames_for(module, 2)
    for found, expected in zip(
        Interpreter(circuit).run(frames, "main"),
        Interpreter(module).run(frames, "main"),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_padding_waits_for_its_frame() -> None:
    """Not a beat of padding is given before the first beat of its frame is there."""
    f = StreamFunction()
    element = unsigned(4)
    x = f.argument(element, (1, 9, 1), 1)
    late = stream(element, (1, 3, 1), 1)
    late = f.add(qflow.SliceOp(x, late, offsets=[0, 6, 0], steps=[1, 1, 1]))
    padded = stream(element, (1, 7, 1), 1)
    f.result(f.add(qflow.PadOp(late, padded, value=7, pads=[4, 0])))
    module = f.module()
    # Six pixels are dropped, one is on its way; padding, pixels and a register follow.
    assert beat_times(core_of(module), 1).last_beats() == [7 + 4 + 3]
    check_simulation(module)


def test_refuses_computed_factors() -> None:
    f = StreamFunction()
    x = f.argument(unsigned(3), (1, 4), 1)
    source = f.constant(np.ones((1, 4), int))
    computed = UnrealizedConversionCastOp.get([source], [source.type]).results[0]
    op = qflow.AddOp([x], computed, f.constant(np.zeros(4, int)), stream_type(x))
    with pytest.raises(PassFailedException, match="its factors must be constants"):
        unit_spec(op)
