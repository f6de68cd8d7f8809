"""`compress-weights`: hold the weights of products in as few bits as coding allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from passes.drop_unused_weights import DropUnusedWeightsPass
from passes.new_weights import new_symbol
from qdialect.coded_data import CodedDataAttr, symbol_bits, symbols_of
from qdialect.constants import (
    ConstantOp,
    DecodeOp,
    LoadOp,
    WeightOp,
    constant_data,
    weight_of,
)
from qdialect.convolution import ConvOp
from qdialect.data import TensorDataAttr
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp
from qdialect.packed_maps import PackedConvOp
from qdialect.prefix_codes import MOST_SYMBOLS
from qdialect.storage import stored_weights
from qdialect.symbol_streams import Coding, coded_bits
from qdialect.types import is_level, unsigned, width_bits

Product: TypeAlias = MatMulOp | ConvOp | PackedMatMulOp | PackedConvOp

_CODINGS = ("smallest", "raw", "huffman", "relative", "relative-huffman")
_MOST_GAP_BITS = 8


@dataclass(frozen=True)
class _Stored:
    """One way to hold a constant.

    Attributes:
        bits: that it takes in all.
        data: what is coded: the constant, or codes of its elements.
        table: values of the codes; None where there are none.
        coding: of `data`.
    """

    bits: int
    data: TensorDataAttr
    table: TensorDataAttr | None
    coding: Coding

    def value(self) -> TensorDataAttr | CodedDataAttr:
        """The value of the symbol."""
        if self.coding == Coding(huffman=False):
            return self.data
        return CodedDataAttr.encode(self.data, self.coding)


@dataclass(frozen=True)
class CompressWeightsPass(ModulePass):
    """Code the constant weights of integer products, each in the smallest way.

    1. Where the weights have at most 256 values, they may become codes with a table
       (`qnn.decode`, a codebook).
    2. The codes, or the weights themselves, are stored plainly, in a Huffman code, as a
       relative index that leaves out the most frequent one, or as both: what takes the
       fewest bits, with tables and code lengths. Of equal ones the first is taken.
    3. What is coded is a symbol of the module, `#qnn.coded`. Weights in place get one.

    For the end of a pipeline, behind `bitpack`: passes that change weights afterwards
    store them plainly again, or as codes of the same table. Exact: everything that reads
    a constant reads the same elements as before.

    Source: Han et al. 2016, Deep Compression, arXiv:1510.00149, sections 2 and 4.
    """

    name = "compress-weights"

    coding: str = "smallest"
    """smallest, or for all weights raw, huffman, relative or relative-huffman."""
    gap_bits: int = 0
    """Bits of a gap of a relative index, from 1 to 8; 0 takes the best number."""
    codebook: bool = True
    """Whether weights of few values may become codes with a table."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        self._check_options()
        done: set[SSAValue] = set()
        for product in list(op.walk()):
            if not isinstance(product, Product):
                continue
            weights = product.weights
            if weights in done or not _is_level_constant(product):
                continue
            done.add(self._compress(product, weights))
        if done:
            DropUnusedWeightsPass().apply(ctx, op)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each weight: what it took, its entropy, and what it takes."""
        return [str(stored) for stored in stored_weights(module)]

    def _check_options(self) -> None:
        if self.coding not in _CODINGS:
            raise PassFailedException(
                f"{self.name}: coding must be {', '.join(_CODINGS[:-1])} or "
                f"{_CODINGS[-1]}, got {self.coding}"
            )
        if not 0 <= self.gap_bits <= _MOST_GAP_BITS:
            raise PassFailedException(
                f"{self.name}: gap-bits must be from 0 to {_MOST_GAP_BITS}, got "
                f"{self.gap_bits}"
            )

    def _compress(self, product: Product, weights: SSAValue) -> SSAValue:
        """Store one constant anew; the value that the product reads then."""
        data = constant_data(weights)
        assert data is not None
        is_packed = isinstance(product, PackedMatMulOp | PackedConvOp)
        best = min(self._ways(data, is_packed), key=lambda way: way.bits)
        value, symbol = best.value(), _symbol(weights, best)
        if symbol is not None:
            symbol.value = value
            return weights
        if isinstance(weights.owner, ConstantOp) and value == data:
            return weights
        load = LoadOp(new_symbol(product, value, weights, "codes"), value.type)
        if best.table is None:
            return _replace(weights, [load])
        table = ConstantOp(best.table)
        return _replace(weights, [load, table, DecodeOp(load, table)])

    def _ways(self, data: TensorDataAttr, is_packed: bool) -> Iterator[_Stored]:
        """Every way that the options allow."""
        yield from self._codings(data, None)
        if not self.codebook or is_packed or width_bits(data.type.element_type) > 64:
            return
        values = data.to_numpy()
        table = np.unique(values)
        bits = max(1, (len(table) - 1).bit_length())
        if len(table) > MOST_SYMBOLS or bits >= width_bits(data.type.element_type):
            return
        codes = np.searchsorted(table, values)
        yield from self._codings(
            TensorDataAttr.from_numpy(codes, unsigned(bits)),
            TensorDataAttr.from_numpy(table, data.type.element_type),
        )

    def _codings(
        self, data: TensorDataAttr, table: TensorDataAttr | None
    ) -> Iterator[_Stored]:
        around = 0 if table is None else 8 * len(table.raw.data)
        symbols, width = symbols_of(data), symbol_bits(data.type)
        for coding in self._wanted():
            bits = 8 * len(data.raw.data)
            if coding != Coding(huffman=False):
                bits = coded_bits(symbols, width, coding)
            yield _Stored(bits + around, data, table, coding)

    def _wanted(self) -> Iterator[Coding]:
        """Codings that the options allow, simple ones first."""
        gaps = [self.gap_bits] if self.gap_bits else range(1, _MOST_GAP_BITS + 1)
        for huffman in (False, True):
            for gap_bits in (0, *gaps):
                coding = Coding(huffman, gap_bits)
                if self.coding in ("smallest", coding.name):
                    yield coding


def _is_level_constant(product: Product) -> bool:
    """Whether the weights are a constant of levels that is not empty."""
    data = constant_data(product.weights)
    return data is not None and is_level(data.type.element_type) and data.size > 0


def _symbol(weights: SSAValue, best: _Stored) -> WeightOp | None:
    """The symbol that holds what is to be coded already, if one does."""
    owner = weights.owner
    if isinstance(owner, DecodeOp) and best.table is not None:
        is_same = constant_data(owner.table) == best.table
        if not is_same or owner.codes.type != best.data.type:
            return None
        owner = owner.codes.owner
    elif best.table is not None:
        return None
    return weight_of(owner) if isinstance(owner, LoadOp) else None


def _replace(weights: SSAValue, ops: list[Operation]) -> SSAValue:
    """Put `ops`, of which the last gives the weights, in the place of a constant."""
    owner = weights.owner
    assert isinstance(owner, Operation)
    for op in ops:
        op.location = owner.location
    Rewriter.insert_op(ops, InsertPoint.after(owner))
    result = ops[-1].results[0]
    result.name_hint = weights.name_hint
    weights.replace_all_uses_with(result)
    _erase(owner)
    return result


def _erase(op: Operation) -> None:
    """Erase a constant that nothing reads, and what only that read."""
    operands = op.operands
    if not op.results[0].uses:
        Rewriter.erase_op(op)
        for operand in operands:
            if isinstance(operand.owner, Operation):
                _erase(operand.owner)
