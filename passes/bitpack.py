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
from qdialect.c_costs import MACHINES, product_costs
from qdialect.constants import (
    DecodeOp,
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
    OddType,
    PackedMatMulOp,
    PackedType,
    PackOp,
    SignMagnitudeType,
    UnpackOp,
    packed_planes,
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


def tightest_element(
    values: Array, element: Attribute, *, of_signs: bool = False
) -> Attribute:
    """The element type of weights that makes the fewest popcounts of a product.

    Never one with as many planes as `element` has, unless it takes fewer popcounts.

    Args:
        values: all weights.
        element: their type.
        of_signs: whether they meet bipolar or ternary inputs.
    """
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if (low, high) in {(-1, -1), (1, 1), (-1, 1)} and bool((values != 0).all()):
        found: Attribute = BipolarType()
    elif low >= -1 and high <= 1 and low < 0:
        # As many planes as si2, but its products with signs take half the popcounts.
        found = TernaryType()
    elif low < 0 and bool((values & 1).all()):
        found = OddType(IntAttr(max(-low, high).bit_length()))
    else:
        found = integer_type_for(low, high)
        magnitude_bits = max(-low, high).bit_length()
        if of_signs and 2 <= magnitude_bits < width_bits(found):
            found = SignMagnitudeType(IntAttr(magnitude_bits))
    if isinstance(found, TernaryType | SignMagnitudeType):
        return found
    return found if packed_planes(found) < width_bits(element) else element


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

    1. Weights get the narrowest type that holds them: bipolar, ternary, uiN, siN, or
       odd<N>, which is what DoReFa's weights of N bits are; beside inputs of signs also
       sign and magnitude, such as two planes and a sign for {-2, .., 2}.
    2. A `qnn.matmul` whose popcounts take less time on `machine` than multiplications
       do, packing included, and than the products of those weights that are not 0,
       becomes `qnn.packed_matmul`; likewise a `qnn.conv` with channels last and one
       group becomes `qnn.packed_conv`. Others, such as 8-bit by 8-bit, are left.
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
    machine: str = "portable"
    """What will run the library: scalar, portable, avx2 or avx512."""
    max_popcounts: int | None = None
    """Where given, decides in place of `machine`: most popcounts for a full word of a dot
    product. A word that is partly filled counts as much as a full one; 0 packs nothing."""

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
        if self.machine not in MACHINES:
            raise PassFailedException(
                f"bitpack: machine must be one of {', '.join(MACHINES)}, got "
                f"{self.machine}"
            )
        if self.max_popcounts is not None and self.max_popcounts < 0:
            raise PassFailedException(
                f"bitpack: max-popcounts must be 0 or more, got {self.max_popcounts}"
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
        of_signs = isinstance(element_of(op.input), BipolarType | TernaryType)
        element = tightest_element(values, element_of(op.weights), of_signs=of_signs)
        weights = _Weights(values, element)
        if isinstance(op, ConvOp) and not (op.is_channels_last and op.group_count == 1):
            return None
        most = self._options.max_popcounts
        pays = (
            self._is_cheap(op, weights)
            if most is None
            else _fits(op, weights, most, self._options.word_bits)
        )
        return weights if pays else None

    def _is_cheap(self, op: MatMulOp | ConvOp, weights: _Weights) -> bool:
        """Whether popcounts take less time than any other way."""
        machine = MACHINES[self._options.machine]
        costs = product_costs(
            op, weights.values, weights.element, machine, self._options.word_bits
        )
        if costs.counted is None:
            return False
        return costs.counted < min(costs.multiplied, costs.skipped)

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
        if isinstance(source, DecodeOp):
            source = source.codes.owner
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
                if isinstance(source, DecodeOp):
                    self._replaced.update(_operations(source))
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


def _fits(op: MatMulOp | ConvOp, weights: _Weights, most: int, word_bits: int) -> bool:
    """Whether a word of a dot product takes at most so many popcounts."""
    popcounts = len(popcount_sum(element_of(op.input), weights.element).terms)
    if isinstance(op, ConvOp):
        # A word that is partly filled takes as many popcounts as a full one.
        popcounts *= -(-op.channels // word_bits) * word_bits
        most *= op.channels
    return popcounts <= most


def _operations(op: DecodeOp) -> list[Operation]:
    """What gives the operands of `op`."""
    return [v.owner for v in op.operands if isinstance(v.owner, Operation)]


def _symbol_for(op: MatMulOp | ConvOp) -> str:
    """A name for weights that had none."""
    name = source_name(op)
    return (
        "weights"
        if name is None
        else "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
    )
