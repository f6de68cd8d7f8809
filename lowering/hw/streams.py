"""Frames as beats: what goes over the wires of a stream, one unsigned word a beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qdialect.data import Array
from qdialect.semantics import storage_dtype
from qdialect.streams import StreamType
from qdialect.types import BipolarType, is_signed


def to_beats(array: Array, stream: StreamType) -> list[int]:
    """The beats of frames, lane 0 in the low bits, surplus lanes 0.

    Args:
        array: levels [N, ..], a frame of the stream's shape each; of its element type.
        stream: type of the stream.
    """
    bits, beats, lanes = stream.element_bits, stream.beats, stream.lanes
    values = array.reshape(-1, stream.elements)
    if isinstance(stream.tensor.element_type, BipolarType):
        codes = (values > 0).astype(np.uint64)
    else:
        # Two's complement: the low bits of a wider number are the number's own.
        codes = values.astype(np.int64).view(np.uint64)
    padded = np.zeros((len(values), beats * lanes), np.uint64)
    padded[:, : stream.elements] = codes
    each = padded.reshape(-1, lanes)
    if stream.beat_bits <= 64:
        return _small_words(each, bits)
    return _words(_bits_of(each, bits))


def _small_words(lanes: npt.NDArray[np.uint64], bits: int) -> list[int]:
    mask = np.uint64((1 << bits) - 1)
    words = np.zeros(len(lanes), np.uint64)
    for lane in range(lanes.shape[1]):
        words |= (lanes[:, lane] & mask) << np.uint64(lane * bits)
    return words.tolist()


def _bits_of(lanes: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.uint8]:
    """The low `bits` bits of each lane, one an element: [beats, lanes * bits]."""
    as_bytes = lanes.astype("<u8").view(np.uint8).reshape(*lanes.shape, 8)
    unpacked = np.unpackbits(as_bytes, axis=2, count=bits, bitorder="little")
    return unpacked.reshape(len(lanes), -1)


def _words(bits: npt.NDArray[np.uint8]) -> list[int]:
    rows = np.packbits(bits, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def from_beats(words: Sequence[int], stream: StreamType, frames: int) -> Array:
    """The frames that beats carry; surplus lanes and bits above them are ignored.

    Args:
        words: the beats of `frames` frames.
        stream: type of the stream.
        frames: their number.

    Returns:
        Levels [frames, ..] in the storage dtype of the element type.

    Raises:
        ValueError: there are more beats, or fewer.
    """
    expected = frames * stream.beats_per_frame
    if len(words) != expected:
        raise ValueError(f"expected {expected} beats of {stream}, got {len(words)}")
    element = stream.tensor.element_type
    bits, size = stream.element_bits, -(-stream.beat_bits // 8)
    mask = (1 << stream.beat_bits) - 1
    raw = b"".join((word & mask).to_bytes(size, "little") for word in words)
    by_beat = np.frombuffer(raw, np.uint8).reshape(expected, size)
    by_bit = np.unpackbits(
        by_beat, axis=1, count=stream.beat_bits, bitorder="little"
    ).reshape(-1, stream.beats * stream.lanes, bits)[:, : stream.elements]
    weights = np.int64(1) << np.arange(bits, dtype=np.int64)
    if is_signed(element):
        weights[-1] = -weights[-1]
    values = by_bit.astype(np.int64) @ weights
    if isinstance(element, BipolarType):
        values = 2 * values - 1
    shape = (frames, *stream.tensor.get_shape()[1:])
    return values.reshape(shape).astype(storage_dtype(element))
