"""`#qnn.data`: bit-packed constants of every element type."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, Float64Type
from xdsl.ir import Attribute
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError

from qdialect.data import TensorDataAttr
from qdialect.qnn import Qnn
from qdialect.types import (
    F32,
    BipolarType,
    TernaryType,
    signed,
    unsigned,
    value_range,
    width_bits,
)

ELEMENTS: list[Attribute] = [
    BipolarType(),
    TernaryType(),
    *(signed(n) for n in range(2, 65)),
    *(unsigned(n) for n in range(1, 65)),
]


def reparsed(data: TensorDataAttr) -> Attribute:
    context = Context()
    context.load_dialect(Builtin)
    context.load_dialect(Qnn)
    return Parser(context, str(data)).parse_attribute()


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize("count", [0, 1, 7, 65])
def test_values_survive_packing_and_text(element: Attribute, count: int) -> None:
    low, high = value_range(element)
    rng = np.random.default_rng(count)
    ends = [low, high] * count
    values = [int(v) for v in rng.permutation(np.array(ends, object))][:count]
    data = TensorDataAttr.from_numpy(np.array(values, object), element)
    assert [int(v) for v in data.to_numpy()] == values
    assert len(data.raw.data) == (count * width_bits(element) + 7) // 8
    assert reparsed(data) == data


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=True), max_size=40))
@settings(deadline=None, max_examples=50)
def test_floats_survive_text_bit_for_bit(values: list[float]) -> None:
    data = TensorDataAttr.from_numpy(np.array(values, np.float32), F32)
    again = reparsed(data)
    assert isinstance(again, TensorDataAttr)
    assert again.raw == data.raw


def test_doubles_survive_text() -> None:
    data = TensorDataAttr.from_numpy(np.array([0.1, 1e-300]), Float64Type())
    assert reparsed(data) == data


@given(
    st.integers(1, 200).flatmap(
        lambda width: st.tuples(
            st.just(width), st.lists(st.integers(0, 2**width - 1), max_size=20)
        )
    )
)
@settings(deadline=None, max_examples=50)
def test_words_of_any_width(case: tuple[int, list[int]]) -> None:
    width, words = case
    data = TensorDataAttr.from_words(words, width)
    assert data.words() == words
    assert reparsed(data) == data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#qnn.data<tensor<2xsi4>, [1, 9]>", r"9 does not fit si4, which is \[-8, 7\]"),
        ("#qnn.data<tensor<2x!qnn.bipolar>, [1, 0]>", "0 is not a value of !qnn.bip"),
        ("#qnn.data<tensor<2xsi4>, [1]>", "tensor<2xsi4> has 2 elements, got 1"),
        ("#qnn.data<tensor<2xsi4>, [1, 0.5]>", "0.5 is not a value of si4"),
        ('#qnn.data<tensor<2xsi4>, "0011">', "needs 1 bytes, got 2"),
        ('#qnn.data<tensor<2xsi4>, "zz">', "expected an even number of hex digits"),
        ('#qnn.data<tensor<?xsi4>, "00">', "unknown extent"),
        ('#qnn.data<tensor<2xi8>, "0000">', "the element type must be"),
        ('#qnn.data<si4, "00">', "expected a tensor type"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    context = Context()
    context.load_dialect(Builtin)
    context.load_dialect(Qnn)
    with pytest.raises((ParseError, Exception), match=message):
        Parser(context, text).parse_attribute()
