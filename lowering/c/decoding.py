"""Which weights are stored as code words, and the memory that they are decoded into."""

from __future__ import annotations

from math import prod

from xdsl.ir import SSAValue

from lowering.c.plan import Buffer, Head
from lowering.c.scalars import element_ctype, word_ctype
from qdialect.coded_data import CodedDataAttr
from qdialect.constants import DecodeOp
from qdialect.convolution import ConvOp
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp, packed_type
from qdialect.packed_maps import PackedConvOp
from qdialect.storage import held
from qdialect.symbol_streams import Coding
from qdialect.types import element_of, shape_of


def coding_of(weights: SSAValue) -> Coding | None:
    """How constant weights are coded; None where they are stored plainly."""
    owner = weights.owner
    value = held(owner.codes if isinstance(owner, DecodeOp) else weights)
    if isinstance(value, CodedDataAttr):
        return value.coding
    return Coding(huffman=False) if isinstance(owner, DecodeOp) else None


def decodes_rows(head: Head | None) -> bool:
    """Whether each row of weights is read once a frame, and in order."""
    return isinstance(head, MatMulOp) and prod(shape_of(head.out)[:-1]) == 1


def decoded_memory(head: Head | None) -> Buffer | None:
    """Memory for the decoded weights of a step, or None where nothing is coded."""
    match head:
        case MatMulOp() | ConvOp():
            shape = shape_of(head.weights)
            ctype = element_ctype(head, element_of(head.weights))
            count = shape[-1] if decodes_rows(head) else prod(shape)
        case PackedMatMulOp() | PackedConvOp():
            type_ = packed_type(head.weights)
            ctype = word_ctype(type_.word.data)
            count = prod(type_.storage.get_shape())
        case _:
            return None
    return None if coding_of(head.weights) is None else Buffer(ctype, count)
