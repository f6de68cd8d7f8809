"""`bitpack`: turn integer products into popcounts of bit planes in machine words."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntAttr, ModuleOp, TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from qdialect.bit_planes import pack_words
from qdialect.constants import (
    LoadOp,
    WeightOp,
    constant_array,
)
from qdialect.data import Array, TensorDataAttr
from qdialect.linear import MatMulOp
from qdialect.location import source_name
from qdialect.packed import (
    WORD_BITS,
    PackedMatMulOp,
    PackedType,
    PackOp,
    UnpackOp,
)
from qdialect.popcount import popcount_sum
from qdialect.types import (
    AnyTensor,
    BipolarType,
    TernaryType,
    element_of,
    integer_type_for,
    is_level,
    tensor_type,
    width_bits,
)


def tightest_element(values: Array, element: Attribute) -> Attribute:
    """The element type with the fewest planes that holds all `values`.

    Never one with as many planes as `element` has.
    """
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if (low, high) in {(-1, -1), (1, 1), (-1, 1)} and bool((values != 0).all()):
        found: Attribute = BipolarType()
    elif low >= -1 and high <= 1 and low < 0:
        # As many planes as si2, but its products with signs take half the popcounts.
        found = TernaryType()
    else:
        found = integer_type_for(low, high)
    if width_bits(found) < width_bits(element) or isinstance(found, TernaryType):
        return found
    return element


class CancelPack(RewritePattern):
    """`pack(unpack(x))` becomes `x`, where both have one layout."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: PackOp, rewriter: PatternRewriter, /) -> None:
        source = op.input.owner
        if isinstance(source, UnpackOp) and source.input.type == op.out.type:
            rewriter.replace(op, (), (source.input,))
            if not source.out.uses:
                rewriter.erase(source)


class CancelUnpack(RewritePattern):
    """`unpack(pack(x))` becomes `x`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: UnpackOp, rewriter: PatternRewriter, /) -> None:
        source = op.input.owner
        if isinstance(source, PackOp) and source.input.type == op.out.type:
            rewriter.replace(op, (), (source.input,))
            if not source.out.uses:
                rewriter.erase(source)


@dataclass(frozen=True)
class BitpackPass(ModulePass):
    """Compute integer `qnn.matmul` of constant weights by popcounts, where that pays.

    1. Weights get the narrowest type that holds them: bipolar, ternary, uiN or siN.
    2. A product that takes at most `max_popcounts` popcounts for a word of its inputs
       becomes `qnn.packed_matmul`; others, such as 8-bit by 8-bit, are left.
    3. Its weights become a symbol of words, in panels of `panel` rows; symbols of
       weights that nothing reads any more are erased.
    4. Its input is packed once, whatever number of products reads it.
    5. `pack(unpack(x))` and `unpack(pack(x))` cancel.

    Exact: every factor of a plane, and so every sum, is an integer (the equations are
    those of `qnn.packed_matmul`), and the bits that pad a word are 0 on both sides,
    which adds to no popcount.
    """

    name = "bitpack"

    word_bits: int = 64
    """Width of the machine words: 8, 16, 32 or 64."""
    panel: int = 4
    """Rows of weights that stand side by side, for kernels that compute as many."""
    max_popcounts: int = 8
    """Most popcounts for a word of a dot product; a popcount of a 64-bit word costs
    about what 8 multiplications and additions do."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        self._check_options()
        packing = _Packing(op, self)
        for inner in list(op.walk()):
            if isinstance(inner, MatMulOp) and is_level(element_of(inner.out)):
                packing.pack_product(inner)
        packing.erase_unread()
        PatternRewriteWalker(
            GreedyRewritePatternApplier(
                [CancelPack(), CancelUnpack()], dce_enabled=False
            )
        ).rewrite_module(op)

    def _check_options(self) -> None:
        if self.word_bits not in WORD_BITS:
            raise PassFailedException(
                f"bitpack: word-bits must be 8, 16, 32 or 64, got {self.word_bits}"
            )
        if self.panel < 1:
            raise PassFailedException(
                f"bitpack: panel must be 1 or more, got {self.panel}"
            )
        if self.max_popcounts < 1:
            raise PassFailedException(
                f"bitpack: max-popcounts must be 1 or more, got {self.max_popcounts}"
            )


class _Packing:
    """The rewriting of one module, and what it has packed so far."""

    def __init__(self, module: ModuleOp, options: BitpackPass) -> None:
        self._module = module
        self._options = options
        self._names = {
            attribute.data
            for symbol in module.body.block.ops
            if (attribute := getattr(symbol, "sym_name", None)) is not None
        }
        self._symbols: dict[tuple[str, Attribute], str] = {}
        self._packed_inputs: dict[SSAValue, SSAValue] = {}
        self._replaced: list[Operation] = []

    def pack_product(self, op: MatMulOp) -> None:
        """Rewrite one product, or leave it where popcounts do not pay."""
        values = constant_array(op.weights)
        if values is None:
            return
        element = tightest_element(values, element_of(op.weights))
        plan = popcount_sum(element_of(op.input), element)
        if len(plan.terms) > self._options.max_popcounts:
            return
        shape = tensor_type(op.weights).get_shape()
        weights = self._load_packed(op, values, TensorType(element, shape))
        input = self._packed_input(op.input)
        product = PackedMatMulOp(input, weights, op.out.type)
        weights.location = product.location = op.location
        product.out.name_hint = op.out.name_hint
        Rewriter.insert_op((weights, product), InsertPoint.before(op))
        op.out.replace_all_uses_with(product.out)
        if isinstance(op.weights.owner, Operation):
            self._replaced.append(op.weights.owner)
        op.detach()
        op.erase()

    def _load_packed(self, op: MatMulOp, values: Array, tensor: AnyTensor) -> LoadOp:
        rows = tensor.get_shape()[0]
        panel = min(self._options.panel, max(rows, 1))
        type_ = PackedType(tensor, IntAttr(self._options.word_bits), IntAttr(panel))
        source = op.weights.owner
        original = source.weight.string_value() if isinstance(source, LoadOp) else None
        if original is not None and (original, type_) in self._symbols:
            return LoadOp(self._symbols[original, type_], type_)
        name = self._new_name(f"{original or _symbol_for(op)}_packed")
        words = pack_words(values, type_)
        data = TensorDataAttr.from_numpy(words, type_.storage.element_type)
        symbol = WeightOp(name, data)
        symbol.location = op.location
        self._module.body.block.add_op(symbol)
        if original is not None:
            self._symbols[original, type_] = name
        return LoadOp(name, type_)

    def _new_name(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self._names:
            name, count = f"{wanted}_{count}", count + 1
        self._names.add(name)
        return name

    def _packed_input(self, value: SSAValue) -> SSAValue:
        if value not in self._packed_inputs:
            word = IntAttr(self._options.word_bits)
            pack = PackOp(value, PackedType(tensor_type(value), word, IntAttr(1)))
            owner = value.owner
            if isinstance(owner, Operation):
                pack.location = owner.location
                place = InsertPoint.after(owner)
            else:
                place = InsertPoint.at_start(owner)
            Rewriter.insert_op(pack, place)
            self._packed_inputs[value] = pack.out
        return self._packed_inputs[value]

    def erase_unread(self) -> None:
        """Erase the constants whose last reader was a product that is packed now."""
        symbols = {
            symbol.sym_name.data: symbol
            for symbol in self._module.body.block.ops
            if isinstance(symbol, WeightOp)
        }
        names: set[str] = set()
        for source in dict.fromkeys(self._replaced):
            if not source.results[0].uses:
                if isinstance(source, LoadOp):
                    names.add(source.weight.string_value())
                source.detach()
                source.erase()
        read = {
            inner.weight.string_value()
            for inner in self._module.walk()
            if isinstance(inner, LoadOp)
        }
        for name in sorted(names - read):
            symbols[name].detach()
            symbols[name].erase()


def _symbol_for(op: MatMulOp) -> str:
    """A name for weights that had none."""
    name = source_name(op)
    return (
        "weights"
        if name is None
        else "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
    )
