"""Levels as bit planes in words, and back: the layout of `!qnn.packed`."""

from __future__ import annotations

import numpy as np

from qdialect.data import Array
from qdialect.packed import OddType, PackedType, SignMagnitudeType
from qdialect.popcount import plane_factors
from qdialect.semantics import storage_dtype
from qdialect.types import BipolarType, TernaryType


def _bits_of(levels: Array, type_: PackedType) -> Array:
    """Planes [.., planes, K] of levels [.., K], as 0 and 1."""
    match type_.tensor.element_type:
        case BipolarType():
            return (levels > 0)[..., np.newaxis, :]
        case TernaryType():
            return np.stack((levels != 0, levels > 0), axis=-2)
        case OddType():
            codes = (levels.astype(np.int64) + (1 << type_.planes) - 1) >> 1
            return np.stack([(codes >> i) & 1 for i in range(type_.planes)], axis=-2)
        case SignMagnitudeType():
            sizes = np.abs(levels.astype(np.int64))
            bits = [(sizes >> i) & 1 for i in range(type_.planes - 1)]
            return np.stack([*bits, levels > 0], axis=-2)
        case _:
            wide = levels.astype(np.int64)
            return np.stack([(wide >> i) & 1 for i in range(type_.planes)], axis=-2)


def pack_words(levels: Array, type_: PackedType) -> Array:
    """Storage of `type_` for levels [.., K], any number of frames along the first axis.

    With panels the levels are all weights [rows, .., K] and the result is
    [ceil(rows / R), .., planes, words, R]; else it is [.., planes, words].
    """
    word_bits, panel = type_.word.data, type_.panel.data
    bits = _bits_of(levels, type_).astype(np.uint8)
    padding = type_.words * word_bits - bits.shape[-1]
    bits = np.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, padding)])
    octets = np.packbits(bits, axis=-1, bitorder="little")
    words = octets.view(f"<u{word_bits // 8}")
    if panel == 1:
        return words
    words = np.pad(words, [(0, -len(words) % panel)] + [(0, 0)] * (words.ndim - 1))
    tiles = words.reshape(-1, panel, *words.shape[1:])
    return np.ascontiguousarray(np.moveaxis(tiles, 1, -1))


def plane_words(storage: Array, type_: PackedType) -> Array:
    """Planes [.., planes, words] of a storage, its panels undone, padding dropped."""
    if type_.panel.data == 1:
        return storage
    rows = type_.tensor.get_shape()[0]
    tiles = np.moveaxis(storage, -1, 1)
    return tiles.reshape(-1, *storage.shape[1:-1])[:rows]


def unpack_words(storage: Array, type_: PackedType) -> Array:
    """Levels [.., K] of a storage: the inverse of `pack_words`."""
    planes = plane_words(storage, type_)
    octets = np.ascontiguousarray(planes).view(np.uint8)
    columns = type_.tensor.get_shape()[-1]
    bits = np.unpackbits(octets, axis=-1, bitorder="little", count=columns)
    element = type_.tensor.element_type
    if isinstance(element, SignMagnitudeType):
        sizes = 1 << np.arange(element.bits.data, dtype=np.int64)[:, np.newaxis]
        sign = 2 * bits[..., -1, :].astype(np.int64) - 1
        return (bits[..., :-1, :] * sizes).sum(axis=-2) * sign
    constant, factors = plane_factors(element)
    weights = np.array(factors, np.int64)[:, np.newaxis]
    levels = (bits * weights).sum(axis=-2) + constant
    return (
        levels
        if isinstance(element, OddType)
        else levels.astype(storage_dtype(element))
    )
