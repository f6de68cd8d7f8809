"""Frames to beats and back: every element type, lanes, padding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute

from lowering.hw.streams import from_beats, to_beats
from qdialect.streams import stream_of
from qdialect.types import (
    BipolarType,
    TernaryType,
    signed,
    unsigned,
    value_range,
)

ELEMENTS: list[Attribute] = [
    BipolarType(),
    TernaryType(),
    *map(signed, (1, 2, 5, 8, 17, 33, 63)),
    *map(unsigned, (1, 3, 8, 16, 31)),
]


@settings(deadline=None, max_examples=200)
@given(
    element=st.sampled_from(ELEMENTS),
    elements=st.integers(1, 40),
    vectors=st.integers(1, 3),
    frames=st.integers(1, 3),
    data=st.data(),
)
def test_round_trip(
    element: Attribute, elements: int, vectors: int, frames: int, data: st.DataObject
) -> None:
    lanes = data.draw(st.integers(1, elements))
    low, high = value_range(element)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    array = rng.integers(low, high, (frames, vectors, elements), endpoint=True)
    if isinstance(element, BipolarType):
        array = np.where(array > 0, 1, -1)
    stream = stream_of(TensorType(element, (1, vectors, elements)), lanes)
    words = to_beats(array, stream)
    assert len(words) == frames * vectors * -(-elements // lanes)
    assert all(0 <= word < 1 << stream.beat_bits for word in words)
    np.testing.assert_array_equal(from_beats(words, stream, frames), array)
    # What stands in surplus lanes and above the beat does not matter.
    used = elements - (stream.beats - 1) * lanes
    surplus = -1 << (used * stream.element_bits)
    dirty = list(words)
    dirty[stream.beats - 1] |= surplus & ((1 << (stream.beat_bits + 8)) - 1)
    np.testing.assert_array_equal(from_beats(dirty, stream, frames), array)


def test_lane_0_is_in_the_low_bits_and_padding_is_0() -> None:
    stream = stream_of(TensorType(signed(4), (1, 3)), 2)
    assert to_beats(np.array([[1, -2, -1]], np.int8), stream) == [0xE1, 0x0F]
    bipolar = stream_of(TensorType(BipolarType(), (1, 5)), 4)
    assert to_beats(np.array([[1, -1, -1, 1, 1]], np.int8), bipolar) == [0b1001, 1]


def test_a_wrong_number_of_beats_is_refused() -> None:
    stream = stream_of(TensorType(signed(4), (1, 3)), 2)
    with pytest.raises(ValueError, match="expected 4 beats"):
        from_beats([0, 0, 0], stream, 2)
