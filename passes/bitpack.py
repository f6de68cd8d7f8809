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
from qdialect.convolution import ConvOp
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
from qdialect.packed_maps import (
    PackedConvOp,
    PackedMaxPoolOp,
    PackedReshapeOp,
    keeps_words,
    max_is_or,
)
from qdialect.pooling import MaxPoolOp
from qdialect.popcount import popcount_sum
from qdialect.shaping import ReshapeOp
from qdialect.types import (
    AnyTensor,
    BipolarType,
    TernaryType,
    element_of,
    integer_type_for,
    is_level,
    shape_of,
    tensor_type,
    width_bits,
)
from qdialect.windows import numbers


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
    """Compute integer products of constant weights by popcounts, where that pays.

    1. Weights get the narrowest type that holds them: bipolar, ternary, uiN or siN.
    2. A `qnn.matmul` that takes at most `max_popcounts` popcounts for a word of its
       inputs becomes `qnn.packed_matmul`; a `qnn.conv` with channels last and one group
       becomes `qnn.packed_conv`, where the words of a pixel are filled as well as that
       asks for. Others, such as 8-bit by 8-bit, are left.
    3. Their weights become a symbol of words, in panels of `panel` rows; symbols of
       weights that nothing reads any more are erased.
    4. Their input is packed once, whatever number of products reads it.
    5. What stands between two of them stays packed: a `qnn.max_pool` of bipolar
       or ui1 maps becomes `qnn.packed_max_pool`, and a `qnn.reshape` that leaves all
       words whole becomes `qnn.packed_reshape`.
    6. `pack(unpack(x))` and `unpack(pack(x))` cancel.

    Exact: every factor of a plane, and so every sum, is an integer (the equations are
    those of `qnn.packed_matmul`), and the bits that pad a word are 0 on both sides,
    which adds to no popcount. Of two bipolar or ui1 values the greater has bit 1.
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
        _Packing(op, self).run()
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


@dataclass(frozen=True)
class _Weights:
    """Constant weights of a product, and the type they are packed in."""

    values: Array
    element: Attribute


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
        self._products: dict[Operation, _Weights] = {}
        self._symbols: dict[tuple[str, Attribute], str] = {}
        self._packed_inputs: dict[SSAValue, SSAValue] = {}
        self._replaced: set[Operation] = set()

    def run(self) -> None:
        """Choose the products, rewrite them, and erase what nothing reads any more."""
        for inner in self._module.walk():
            if (
                isinstance(inner, MatMulOp | ConvOp)
                and (weights := self._packable(inner)) is not None
            ):
                self._products[inner] = weights
        for inner, weights in list(self._products.items()):
            assert isinstance(inner, MatMulOp | ConvOp)
            self._pack_product(inner, weights)
        self._erase_unread()

    def _packable(self, op: MatMulOp | ConvOp) -> _Weights | None:
        """The weights of a product that popcounts pay for, else None."""
        if not is_level(element_of(op.out)):
            return None
        values = constant_array(op.weights)
        if values is None:
            return None
        element = tightest_element(values, element_of(op.weights))
        popcounts = len(popcount_sum(element_of(op.input), element).terms)
        most = self._options.max_popcounts
        if isinstance(op, ConvOp):
            if not op.is_channels_last or op.group_count != 1:
                return None
            # A word that is partly filled takes as many popcounts as a full one.
            word_bits = self._options.word_bits
            popcounts *= -(-op.channels // word_bits) * word_bits
            most *= op.channels
        return _Weights(values, element) if popcounts <= most else None

    def _pack_product(self, op: MatMulOp | ConvOp, constant: _Weights) -> None:
        weights = self._load_packed(op, constant)
        input = self._packed_input(op.input)
        product: PackedMatMulOp | PackedConvOp
        if isinstance(op, MatMulOp):
            product = PackedMatMulOp(input, weights, op.out.type)
        else:
            product = PackedConvOp(
                input,
                weights,
                op.out.type,
                strides=numbers(op.strides),
                pads=numbers(op.pads),
                dilations=numbers(op.dilations),
                stretch=() if op.stretch is None else numbers(op.stretch),
            )
        weights.location = product.location = op.location
        product.out.name_hint = op.out.name_hint
        Rewriter.insert_op((weights, product), InsertPoint.before(op))
        op.out.replace_all_uses_with(product.out)
        if isinstance(op.weights.owner, Operation):
            self._replaced.add(op.weights.owner)
        op.detach()
        op.erase()

    def _load_packed(self, op: MatMulOp | ConvOp, weights: _Weights) -> LoadOp:
        tensor: AnyTensor = TensorType(weights.element, shape_of(op.weights))
        rows = tensor.get_shape()[0]
        panel = min(self._options.panel, max(rows, 1))
        type_ = PackedType(tensor, IntAttr(self._options.word_bits), IntAttr(panel))
        source = op.weights.owner
        original = source.weight.string_value() if isinstance(source, LoadOp) else None
        if original is not None and (original, type_) in self._symbols:
            return LoadOp(self._symbols[original, type_], type_)
        name = self._new_name(f"{original or _symbol_for(op)}_packed")
        words = pack_words(weights.values, type_)
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
        """The words of a value, from as far up as it stays packed."""
        if value not in self._packed_inputs:
            packing = self._packing_of(value)
            owner = value.owner
            if isinstance(owner, Operation):
                packing.location = owner.location
                place = InsertPoint.after(owner)
            else:
                place = InsertPoint.at_start(owner)
            Rewriter.insert_op(packing, place)
            self._packed_inputs[value] = packing.out
        return self._packed_inputs[value]

    def _packing_of(
        self, value: SSAValue
    ) -> PackOp | PackedMaxPoolOp | PackedReshapeOp:
        """The op that gives the words of a value."""
        type_ = self._type_of(value)
        owner = value.owner
        if not isinstance(owner, MaxPoolOp | ReshapeOp) or not self._is_bypassed(owner):
            return PackOp(value, type_)
        self._replaced.add(owner)
        input = self._packed_input(owner.input)
        if isinstance(owner, ReshapeOp):
            return PackedReshapeOp(input, type_)
        return PackedMaxPoolOp(
            input,
            type_,
            kernel=numbers(owner.kernel),
            strides=numbers(owner.strides),
            pads=numbers(owner.pads),
            dilations=numbers(owner.dilations),
        )

    def _is_bypassed(self, op: MaxPoolOp | ReshapeOp) -> bool:
        """Whether an op has a packed form, and nothing needs its elements."""
        shape = shape_of(op.out)
        if isinstance(op, ReshapeOp):
            if not keeps_words(self._type_of(op.input), shape):
                return False
        elif not op.is_channels_last or not max_is_or(element_of(op.out)):
            return False
        return all(
            user in self._products
            or (isinstance(user, MaxPoolOp | ReshapeOp) and self._is_bypassed(user))
            for user in (use.operation for use in op.out.uses)
        )

    def _type_of(self, value: SSAValue) -> PackedType:
        word = IntAttr(self._options.word_bits)
        return PackedType(tensor_type(value), word, IntAttr(1))

    def _erase_unread(self) -> None:
        """Erase what was read by nothing but products that are packed now."""
        symbols = {
            symbol.sym_name.data: symbol
            for symbol in self._module.body.block.ops
            if isinstance(symbol, WeightOp)
        }
        names: set[str] = set()
        for source in reversed(list(self._module.walk())):
            if source in self._replaced and not source.results[0].uses:
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


def _symbol_for(op: MatMulOp | ConvOp) -> str:
    """A name for weights that had none."""
    name = source_name(op)
    return (
        "weights"
        if name is None
        else "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
    )
