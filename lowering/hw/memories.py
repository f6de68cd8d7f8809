"""Memories: read-only ones with an image, and RAMs with one write and one read port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ArrayAttr, IntegerType

from lowering.hw.builder import ModuleBuilder, Signal, mux
from lowering.hw.circt_ops import (
    SV_ATTRIBUTES,
    AlwaysOp,
    ArrayIndexInOutOp,
    FromClockOp,
    IfOp,
    InitialOp,
    PAssignOp,
    ReadInOutOp,
    ReadMemOp,
    RegOp,
)
from lowering.hw.circt_types import SvAttribute, UnpackedArrayType
from qdialect.constants import WeightOp
from qdialect.data import TensorDataAttr

MAX_CONSTANT_BITS = 64
"""A ROM of at most this many bits in all is written as constants, not as a memory."""

LUT_DEPTH_WORDS = 64
"""What one 6-input look-up table stores of each bit of a memory."""

MIN_BLOCK_BITS = 8192
"""Below this many bits a block RAM (18 kbit) would stand mostly empty."""


def address_bits(depth_words: int) -> int:
    """Width of an address into a memory; at least one bit."""
    return max(1, (depth_words - 1).bit_length())


def fits_lut(depth_words: int, width_bits: int) -> bool:
    """Whether a memory belongs in look-up tables rather than in block RAM."""
    return depth_words <= LUT_DEPTH_WORDS or depth_words * width_bits <= MIN_BLOCK_BITS


def _memory(
    builder: ModuleBuilder, name: str, depth_words: int, width_bits: int
) -> RegOp:
    op = RegOp(name, UnpackedArrayType(IntegerType(width_bits), depth_words))
    builder.append(op)
    builder.name_property(op, name)
    return op


def _set_style(memory: RegOp, attribute: str, style: str) -> None:
    memory.attributes[SV_ATTRIBUTES] = ArrayAttr([SvAttribute(attribute, f'"{style}"')])


def _read(builder: ModuleBuilder, memory: RegOp, address: Signal) -> Signal:
    place = ArrayIndexInOutOp(memory.result, address.value)
    word = ReadInOutOp(place.result)
    builder.append(place)
    builder.append(word)
    return Signal(builder, word.result)


def rom(
    builder: ModuleBuilder,
    name: str,
    words: Sequence[int],
    width_bits: int,
    address: Signal,
) -> Signal:
    """The word at `address`, combinationally; register it to get a block RAM's read.

    Words that are all equal become a constant, a ROM of `MAX_CONSTANT_BITS` or fewer a
    tree of multiplexers, everything else a memory whose image is added to the module's.

    Args:
        builder: the module that reads.
        name: of the memory; its image carries the module's name in front.
        words: contents, address 0 first, unsigned.
        width_bits: width of a word.
        address: of `address_bits(len(words))` bits; what an address past the end gives
            is not defined.
    """
    if all(word == words[0] for word in words):
        return builder.constant(words[0], width_bits)
    if len(words) * width_bits <= MAX_CONSTANT_BITS:
        return _constant_tree(builder, words, width_bits, address)
    memory = _memory(builder, name, len(words), width_bits)
    if not fits_lut(len(words), width_bits):
        # Without it Yosys makes logic of a ROM of any size.
        _set_style(memory, "rom_style", "block")
    image = f"{builder.name}_{memory.reg_name.data}"
    builder.append(InitialOp([ReadMemOp(memory.result, f"{image}.mem")]))
    builder.images.append(
        WeightOp(image, TensorDataAttr.from_words(list(words), width_bits))
    )
    return _read(builder, memory, address)


def _constant_tree(
    builder: ModuleBuilder, words: Sequence[int], width_bits: int, address: Signal
) -> Signal:
    level = [builder.constant(word, width_bits) for word in words]
    for bit in address.lanes(1):
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [mux(bit, pair[1], pair[0]) if pair[1:] else pair[0] for pair in pairs]
    return level[0]


@dataclass(frozen=True)
class Ram:
    """A memory that is written at clock edges and read combinationally."""

    builder: ModuleBuilder
    memory: RegOp

    @staticmethod
    def create(
        builder: ModuleBuilder, name: str, depth_words: int, width_bits: int
    ) -> Ram:
        """An uninitialised memory named `name`."""
        memory = _memory(builder, name, depth_words, width_bits)
        small = fits_lut(depth_words, width_bits)
        _set_style(memory, "ram_style", "distributed" if small else "block")
        return Ram(builder, memory)

    def write(self, enable: Signal, address: Signal, word: Signal) -> None:
        """Store `word` at each clock edge where `enable` is 1."""
        place = ArrayIndexInOutOp(self.memory.result, address.value)
        clk = FromClockOp(self.builder.clk)
        store = PAssignOp(place.result, word.value)
        self.builder.append(clk)
        self.builder.append(AlwaysOp(clk.output, [IfOp(enable.value, [place, store])]))

    def read(self, address: Signal) -> Signal:
        """The word that stands at `address` now."""
        return _read(self.builder, self.memory, address)
