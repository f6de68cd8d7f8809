"""The weight memory of a unit that skips zeros: words made of columns of several blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lowering.hw.units.channel_order import ChannelOrder
from lowering.hw.units.encoding import DotProduct
from qdialect.zero_blocks import SkipSchedule


def gathered_words(
    dot: DotProduct, order: ChannelOrder, simd: int, schedule: SkipSchedule
) -> list[int]:
    """A word for each step, laid out like those of `DotProduct.words`.

    Args:
        dot: coding of the weights.
        order: of the rows.
        simd: columns of a slice.
        schedule: from which slice each share of a word comes; where none is left, what
            adds nothing stands in its place.
    """
    bits = _unpacked(dot, order, simd)
    nothing = dot.stored(np.array([dot.padding_weight]))[0]
    lanes = np.arange(simd)
    words: list[int] = []
    for beat, reads in zip(bits, schedule.beats, strict=True):
        slices = reads.repeat(schedule.together, axis=1)[:, :simd]
        filled = np.concatenate([beat, np.broadcast_to(nothing, (1, *beat.shape[1:]))])
        # [steps, SIMD, PE, bits of a weight]
        chosen = filled[slices, lanes]
        words += _packed(dot, chosen)
    return words


def _unpacked(dot: DotProduct, order: ChannelOrder, simd: int) -> npt.NDArray[np.uint8]:
    """The bits of all words, [beats of rows, SF, SIMD, PE, bits of a weight]."""
    words, pe, each = dot.words(order, simd), order.lanes, dot.weight_bits
    size = -(-pe * simd * each // 8)
    rows = [np.frombuffer(word.to_bytes(size, "little"), np.uint8) for word in words]
    bits = np.unpackbits(np.array(rows), axis=1, bitorder="little")
    bits = bits[:, : pe * simd * each]
    if dot.product.takes_numbers:
        bits = bits.reshape(order.beats, -1, pe, simd, each).transpose(0, 1, 3, 2, 4)
    else:
        bits = bits.reshape(order.beats, -1, pe, each, simd).transpose(0, 1, 4, 2, 3)
    return bits


def _packed(dot: DotProduct, bits: npt.NDArray[np.uint8]) -> list[int]:
    """Words from [steps, SIMD, PE, bits of a weight]."""
    axes = (0, 2, 1, 3) if dot.product.takes_numbers else (0, 2, 3, 1)
    flat = bits.transpose(axes).reshape(len(bits), -1)
    packed = np.packbits(flat.astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
