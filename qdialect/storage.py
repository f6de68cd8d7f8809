"""What the weights of a network take: bits in store, bits plain, entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from qdialect.bit_planes import unpack_words
from qdialect.coded_data import CodedDataAttr
from qdialect.constants import (
    ConstantOp,
    DecodeOp,
    LoadOp,
    constant_array,
    constant_data,
    weight_of,
)
from qdialect.convolution import ConvOp
from qdialect.data import TensorDataAttr
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp, PackedType
from qdialect.packed_maps import PackedConvOp
from qdialect.symbol_streams import Coding

Value: TypeAlias = TensorDataAttr | CodedDataAttr

_PRODUCTS = (MatMulOp, ConvOp, PackedMatMulOp, PackedConvOp)


@dataclass(frozen=True)
class StoredWeights:
    """How the weights of one product, or of several that share them, are held.

    Attributes:
        name: of the symbol; `weights` where they stand in place.
        count: number of weights.
        plain_bits: that they take as elements of their type, or as packed words.
        stored_bits: that they take as they are held, with tables and code lengths.
        entropy_bits: Shannon's entropy of their values, bits a weight.
        how: in words.
    """

    name: str
    count: int
    plain_bits: int
    stored_bits: int
    entropy_bits: float
    how: str

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"weights @{self.name}: {self.count:,} in {self.plain_bits // 8:,} bytes, "
            f"{self.plain_bits / self.count:.2f} bits each; {self.how}: "
            f"{self.stored_bits // 8:,} bytes, {self.stored_bits / self.count:.2f} bits "
            f"each, entropy {self.entropy_bits:.2f}"
        )


def stored_weights(module: ModuleOp) -> list[StoredWeights]:
    """How the constant weights of products are held, each symbol once, in order."""
    found: dict[tuple[str, object], StoredWeights] = {}
    for op in module.walk():
        if isinstance(op, _PRODUCTS) and (data := constant_data(op.weights)):
            parts = _parts(op.weights)
            name = _name(op.weights)
            key = (name, op.weights if name == "weights" else None)
            if data.size and parts and key not in found:
                found[key] = _stored(op.weights, name, data, parts)
    return list(found.values())


def held(value: SSAValue) -> Value | None:
    """The constant of a `qnn.constant` or a `qnn.load`, as it is held."""
    match value.owner:
        case ConstantOp() as op:
            return op.value
        case LoadOp() as op:
            weight = weight_of(op)
            return None if weight is None else weight.value
        case _:
            return None


def _parts(weights: SSAValue) -> list[Value]:
    """What is held: the constant, or codes and a table."""
    owner = weights.owner
    values = [owner.codes, owner.table] if isinstance(owner, DecodeOp) else [weights]
    return [part for part in map(held, values) if part is not None]


def _name(weights: SSAValue) -> str:
    owner = weights.owner
    if isinstance(owner, DecodeOp):
        owner = owner.codes.owner
    return owner.weight.string_value() if isinstance(owner, LoadOp) else "weights"


def _stored(
    weights: SSAValue, name: str, data: TensorDataAttr, parts: list[Value]
) -> StoredWeights:
    values = constant_array(weights)
    assert values is not None
    if isinstance(weights.type, PackedType):
        values = unpack_words(values, weights.type)
    _, counts = np.unique(values, return_counts=True)
    shares = counts / values.size
    entropy = float(-(shares * np.log2(shares)).sum()) + 0.0
    return StoredWeights(
        name,
        values.size,
        8 * len(data.raw.data),
        sum(map(_bits, parts)),
        entropy,
        _how(parts),
    )


def _bits(value: Value) -> int:
    if isinstance(value, CodedDataAttr):
        return value.stream.stored_bits
    return 8 * len(value.raw.data)


def _how(parts: list[Value]) -> str:
    first = parts[0]
    coding = first.coding if isinstance(first, CodedDataAttr) else Coding(False)
    words = [f"as {first.type.element_type}"]
    if len(parts) > 1:
        words = [f"codes of {parts[1].size} values"]
    if coding.gap_bits:
        words.append(f"relative index of {coding.gap_bits} bits")
    if coding.huffman:
        words.append("Huffman")
    return ", ".join(words)
