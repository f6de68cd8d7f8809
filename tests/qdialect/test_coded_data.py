"""`#qnn.coded` holds every constant that `#qnn.data` holds, and prints and parses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cores import ELEMENTS, random_levels
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin
from xdsl.ir import Attribute
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from qdialect.coded_data import CodedDataAttr
from qdialect.constants import ConstantOp, DecodeOp, constant, constant_array
from qdialect.data import TensorDataAttr
from qdialect.qnn import Qnn
from qdialect.symbol_streams import Coding
from qdialect.types import BipolarType, signed, unsigned


def parsed(text: str) -> Attribute:
    context = Context()
    context.load_dialect(Builtin)
    context.load_dialect(Qnn)
    return Parser(context, text).parse_attribute()


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from((*ELEMENTS, unsigned(64), signed(40), unsigned(96))),
    st.sampled_from(((1,), (3, 5), (2, 0), (7, 1, 9), (40, 12))),
    st.builds(Coding, st.booleans(), st.integers(0, 8)),
    st.integers(0, 2**32),
)
def test_constants_come_back(
    element: Attribute, shape: tuple[int, ...], coding: Coding, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    if element in (unsigned(64), unsigned(96)):
        array = rng.integers(0, 2**62, shape)
    else:
        array = random_levels(rng, element, shape)
    if not isinstance(element, BipolarType):
        array = np.where(rng.random(shape) < 0.7, 0, array)
    data = TensorDataAttr.from_numpy(array, element)
    if not data.size:
        return
    coded = CodedDataAttr.encode(data, coding)
    assert coded.data() == data
    assert coded.coding.gap_bits <= coding.gap_bits
    assert bool(coded.coding.gap_bits) == bool(coding.gap_bits)
    assert coding.huffman or not coded.coding.huffman
    assert parsed(str(coded)) == coded


def test_a_stream_of_too_few_elements_is_refused() -> None:
    data = TensorDataAttr.from_numpy(np.arange(16), unsigned(4))
    coded = CodedDataAttr.encode(data, Coding(huffman=True))
    text = str(coded).replace("tensor<16x", "tensor<640x")
    with pytest.raises(VerifyException, match="expected 640"):
        parsed(text)


@given(st.integers(1, 256), st.integers(0, 2**32))
def test_decoded_constants_are_entries_of_the_table(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(-(2**40), 2**40, count)
    codes = rng.integers(0, count, (4, 9))
    operands = (
        constant(codes, unsigned(max(1, (count - 1).bit_length()))),
        constant(table, signed(50)),
    )
    decode = DecodeOp(*operands)
    decode.verify()
    found = constant_array(decode.out)
    assert found is not None
    np.testing.assert_array_equal(found, table[codes])


def test_tables_wider_than_a_word_of_the_machine() -> None:
    words = [1 << 80, 3, 1 << 99]
    table = ConstantOp(TensorDataAttr.from_words(words, 100))
    decode = DecodeOp(constant(np.array([2, 0, 1, 2]), unsigned(2)), table)
    data = decode.decoded()
    assert data is not None
    assert data.words() == [1 << 99, 1 << 80, 3, 1 << 99]
