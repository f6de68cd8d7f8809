"""`bitpack`: popcounts of words give the sums that `qnn.matmul` defines."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cores import (
    ELEMENTS,
    CoreBuilder,
    core_of,
    random_core,
    random_frames,
    random_levels,
)
from pass_agreement import apply
from xdsl.dialects.builtin import IntAttr, ModuleOp, TensorType
from xdsl.ir import Attribute
from xdsl.utils.exceptions import PassFailedException, VerifyException

from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass, tightest_element
from qdialect.bit_planes import pack_words, unpack_words
from qdialect.c_costs import MACHINES
from qdialect.constants import LoadOp, WeightOp
from qdialect.linear import MatMulOp
from qdialect.packed import (
    WORD_BITS,
    OddType,
    PackedMatMulOp,
    PackedType,
    PackOp,
    UnpackOp,
)
from qdialect.types import (
    BipolarType,
    TernaryType,
    element_of,
    signed,
    tensor_type,
    unsigned,
    value_range,
    width_bits,
)

PACK_ALL = BitpackPass(max_popcounts=10_000)
FEW = BitpackPass(max_popcounts=8)
SMALL = [e for e in ELEMENTS if width_bits(e) <= 4]


def assert_same_core(before: ModuleOp, after: ModuleOp, frames: int = 40) -> None:
    inputs = random_frames(before, frames)
    expected = Interpreter(before).run(inputs, "core")
    found = Interpreter(after).run(inputs, "core")
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def count(module: ModuleOp, kind: type) -> int:
    return sum(isinstance(op, kind) for op in module.walk())


def every_value(element: Attribute) -> list[int]:
    low, high = value_range(element)
    zero_missing = isinstance(element, BipolarType)
    return [v for v in range(low, high + 1) if v or not zero_missing]


@pytest.mark.parametrize(("x", "w"), list(product(SMALL, SMALL)), ids=str)
def test_every_product_of_two_values(x: Attribute, w: Attribute) -> None:
    builder = CoreBuilder()
    argument = builder.argument(x, 1, 1)
    weights = builder.weight(np.array(every_value(w))[:, np.newaxis], w)
    module = builder.module(builder.matmul(argument, weights))
    after = apply(module, PACK_ALL)
    assert count(after, PackedMatMulOp) == 1
    frames = np.array(every_value(x))[:, np.newaxis]
    (sums,) = Interpreter(after).run([frames], "core")
    np.testing.assert_array_equal(sums, frames * np.array(every_value(w)))


@pytest.mark.parametrize(("x", "w"), list(product(ELEMENTS, ELEMENTS)), ids=str)
def test_sums_of_every_pair_of_types(x: Attribute, w: Attribute) -> None:
    for seed, (columns, rows) in enumerate([(1, 1), (63, 4), (64, 5), (130, 7)]):
        builder = CoreBuilder(seed)
        sums = builder.linear(builder.argument(x, 1, columns), rows, w)
        module = builder.module(sums)
        after = apply(module, PACK_ALL)
        assert count(after, PackedMatMulOp) == 1
        assert count(after, MatMulOp) == 0
        assert_same_core(module, after, 10)


@pytest.mark.parametrize("x", ELEMENTS, ids=str)
def test_sums_of_odd_weights(x: Attribute) -> None:
    for bits, (columns, rows) in enumerate([(1, 2), (63, 4), (64, 5), (130, 7)], 2):
        builder = CoreBuilder(bits)
        codes = random_levels(builder.rng, unsigned(bits), (rows, columns))
        weights = 2 * codes.astype(np.int64) - ((1 << bits) - 1)
        weights[:2, 0] = 1 - (1 << bits), (1 << bits) - 1
        load = builder.weight(weights, signed(bits + 1))
        module = builder.module(builder.matmul(builder.argument(x, 1, columns), load))
        after = apply(module, PACK_ALL)
        assert f"!qnn.odd<{bits}>" in str(after)
        assert_same_core(module, after, 10)


def test_odd_weights_have_two_bits_or_more() -> None:
    with pytest.raises(VerifyException, match="2 to 32 bits, got 1"):
        OddType(IntAttr(1))


@settings(max_examples=150, deadline=None)
@given(
    x=st.sampled_from(ELEMENTS),
    w=st.sampled_from(ELEMENTS),
    columns=st.integers(1, 200),
    rows=st.integers(1, 30),
    word_bits=st.sampled_from(WORD_BITS),
    panel=st.integers(1, 9),
    leading=st.sampled_from([(1,), (1, 3), (1, 2, 2)]),
    seed=st.integers(0, 1000),
)
def test_sums_for_any_layout(
    x: Attribute,
    w: Attribute,
    columns: int,
    rows: int,
    word_bits: int,
    panel: int,
    leading: tuple[int, ...],
    seed: int,
) -> None:
    builder = CoreBuilder(seed)
    sums = builder.linear(builder.argument(x, *leading, columns), rows, w)
    module = builder.module(sums)
    options = BitpackPass(word_bits=word_bits, panel=panel, max_popcounts=10_000)
    assert_same_core(module, apply(module, options), 5)


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize("word_bits", WORD_BITS)
def test_unpacking_undoes_packing(element: Attribute, word_bits: int) -> None:
    rng = np.random.default_rng(0)
    for columns, panel in product((1, 8, 63, 64, 65), (1, 4)):
        shape = (6, columns)
        type_ = PackedType(
            TensorType(element, shape), IntAttr(word_bits), IntAttr(panel)
        )
        levels = random_levels(rng, element, shape)
        words = pack_words(levels, type_)
        assert words.shape == type_.storage.get_shape()
        np.testing.assert_array_equal(unpack_words(words, type_), levels)


def test_bits_beyond_the_last_column_are_zero() -> None:
    type_ = PackedType(TensorType(BipolarType(), (1, 70)), IntAttr(64), IntAttr(1))
    words = pack_words(np.ones((1, 70), np.int8), type_)
    assert words.tolist() == [[[2**64 - 1, 2**6 - 1]]]


def test_words_of_a_panel_stand_side_by_side() -> None:
    type_ = PackedType(TensorType(unsigned(8), (3, 1)), IntAttr(8), IntAttr(2))
    words = pack_words(np.array([[0b01], [0b11], [0b10]]), type_)
    assert words.shape == (2, 8, 1, 2)
    assert words[0, 0].tolist() == [[1, 1]]
    assert words[0, 1].tolist() == [[0, 1]]
    assert words[1, 1].tolist() == [[1, 0]]  # the row that pads is 0


@pytest.mark.parametrize("seed", range(30))
def test_whole_cores(seed: int) -> None:
    module = random_core(seed)
    assert_same_core(module, apply(module, PACK_ALL))
    assert_same_core(module, apply(module, BitpackPass()))


@pytest.mark.parametrize(
    ("x", "w", "machines"),
    [
        (BipolarType(), BipolarType(), "scalar portable avx2 avx512"),
        (TernaryType(), TernaryType(), "scalar portable avx2 avx512"),
        (unsigned(2), BipolarType(), "scalar portable avx2 avx512"),
        (unsigned(2), signed(3), "scalar portable avx2"),
        (signed(3), signed(3), "scalar avx2 avx512"),
        (unsigned(8), BipolarType(), "scalar portable avx2"),
        (signed(8), signed(8), ""),
    ],
    ids=str,
)
@pytest.mark.parametrize("machine", MACHINES)
def test_a_product_is_packed_where_it_pays(
    x: Attribute, w: Attribute, machines: str, machine: str
) -> None:
    builder = CoreBuilder()
    module = builder.module(builder.linear(builder.argument(x, 1, 512), 64, w))
    after = apply(module, BitpackPass(machine=machine))
    packed = machine in machines.split()
    assert count(after, PackedMatMulOp) == packed
    assert count(after, MatMulOp) == (not packed)
    if not packed:
        assert str(after) == str(module)


def test_packing_an_input_of_which_few_rows_are_computed_does_not_pay() -> None:
    for rows, packed in ((1, False), (64, True)):
        builder = CoreBuilder()
        x = builder.argument(unsigned(2), 1, 512)
        module = builder.module(builder.linear(x, rows, BipolarType()))
        assert count(apply(module, BitpackPass()), PackedMatMulOp) == packed


def test_a_product_of_few_weights_that_are_not_0_is_left() -> None:
    builder = CoreBuilder()
    weights = (builder.rng.random((64, 512)) < 0.002).astype(np.int64)
    load = builder.weight(weights, unsigned(1))
    module = builder.module(builder.matmul(builder.argument(unsigned(1), 1, 512), load))
    assert str(apply(module, BitpackPass())) == str(module)


@pytest.mark.parametrize(
    ("values", "element", "expected"),
    [
        ([-1, 1], signed(2), BipolarType()),
        ([1, 1], signed(8), BipolarType()),
        ([-1, 0, 1], signed(2), TernaryType()),
        ([-1, 0], signed(8), TernaryType()),
        ([0, 1], TernaryType(), unsigned(1)),
        ([0, 0], signed(4), unsigned(1)),
        ([-4, 3], signed(8), signed(3)),
        ([-4, 4], signed(4), signed(4)),
        ([0, 7], unsigned(3), unsigned(3)),
        ([-1, 1], BipolarType(), BipolarType()),
        ([-3, -1, 1, 3], signed(3), OddType(IntAttr(2))),
        ([-1, 3], signed(8), OddType(IntAttr(2))),
        ([-127, 255], signed(9), OddType(IntAttr(8))),
        ([1, 3], signed(3), unsigned(2)),
        ([-3, 0, 1], signed(8), signed(3)),
    ],
)
def test_tightest_element(
    values: list[int], element: Attribute, expected: Attribute
) -> None:
    assert tightest_element(np.array(values), element) == expected


def test_readers_of_one_value_share_its_words() -> None:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 1, 70)
    a, b = (builder.linear(x, 5, BipolarType()) for _ in range(2))
    module = builder.module(a, b)
    after = apply(module, BitpackPass())
    assert count(after, PackOp) == 1
    assert count(after, PackedMatMulOp) == 2
    assert_same_core(module, after)


def test_products_with_one_symbol_share_its_words() -> None:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 1, 9)
    y = builder.argument(TernaryType(), 1, 9)
    first = builder.linear(x, 4, TernaryType())
    load = builder.add(LoadOp("w0", TensorType(TernaryType(), (4, 9))))
    module = builder.module(first, builder.matmul(y, load))
    after = apply(module, BitpackPass())
    assert count(after, WeightOp) == 1
    assert count(after, LoadOp) == 2
    assert_same_core(module, after)


def test_a_symbol_with_another_reader_stays() -> None:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 1, 9)
    y = builder.argument(signed(16), 1, 9)
    first = builder.linear(x, 4, TernaryType())
    load = builder.add(LoadOp("w0", TensorType(TernaryType(), (4, 9))))
    module = builder.module(first, builder.matmul(y, load))
    after = apply(module, FEW)
    names = [op.sym_name.data for op in after.walk() if isinstance(op, WeightOp)]
    assert sorted(names) == ["w0", "w0_packed"]
    assert_same_core(module, after)


def test_a_taken_name_is_not_given_twice() -> None:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 1, 9)
    sums = builder.linear(x, 4, TernaryType())
    module = builder.module(sums)
    taken = WeightOp("w0_packed", builder.weights[0].value)
    module.body.block.add_op(taken)
    after = apply(module, FEW)
    names = [op.sym_name.data for op in after.walk() if isinstance(op, WeightOp)]
    assert sorted(names) == ["w0_packed", "w0_packed_1"]


def test_pack_and_unpack_cancel() -> None:
    builder = CoreBuilder()
    x = builder.argument(TernaryType(), 1, 9)
    type_ = PackedType(tensor_type(x), IntAttr(64), IntAttr(1))
    packed = builder.add(PackOp(x, type_))
    unpacked = builder.add(UnpackOp(packed, x.type))
    other = PackedType(tensor_type(x), IntAttr(32), IntAttr(1))
    narrower = builder.add(UnpackOp(builder.add(PackOp(unpacked, other)), x.type))
    module = builder.module(builder.linear(unpacked, 3, BipolarType()), narrower)
    after = apply(module, BitpackPass())
    assert count(after, UnpackOp) == 0
    assert_same_core(module, after)


def test_weights_that_are_computed_are_left() -> None:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 1, 4)
    w = builder.argument(BipolarType(), 1, 4)
    module = builder.module(builder.matmul(x, w))
    assert str(apply(module, PACK_ALL)) == str(module)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (BitpackPass(word_bits=24), "word-bits must be 8, 16, 32 or 64, got 24"),
        (BitpackPass(panel=0), "panel must be 1 or more, got 0"),
        (BitpackPass(max_popcounts=-1), "max-popcounts must be 0 or more, got -1"),
        (BitpackPass(machine="z80"), "one of scalar, portable, avx2, avx512, got z80"),
    ],
)
def test_bad_options(options: BitpackPass, message: str) -> None:
    with pytest.raises(PassFailedException, match=message):
        options.apply(None, random_core(0))  # pyright: ignore[reportArgumentType]


def test_a_packed_matmul_of_other_words_is_refused() -> None:
    builder = CoreBuilder()
    module = apply(
        builder.module(
            builder.linear(builder.argument(BipolarType(), 1, 9), 2, BipolarType())
        ),
        PACK_ALL,
    )
    (op,) = [op for op in core_of(module).walk() if isinstance(op, PackedMatMulOp)]
    load = op.weights.owner
    assert isinstance(load, LoadOp)
    wrong = PackedType(TensorType(BipolarType(), (2, 9)), IntAttr(32), IntAttr(2))
    op.operands[1] = LoadOp(load.weight.string_value(), wrong).out
    with pytest.raises(VerifyException, match="words of `weights`, 32 bits"):
        op.verify_()
    assert element_of(op.out) == signed(5)
