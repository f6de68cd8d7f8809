"""The operations that CIRCT has and xDSL lacks: text, verifiers, names."""

from __future__ import annotations

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, IntegerType
from xdsl.dialects.hw import HWModuleOp
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from lowering.hw.circt_ops import (
    ArrayIndexInOutOp,
    RegOp,
    load_circuit_dialects,
    name_of,
    sv_attributes,
)
from lowering.hw.circt_types import InOutType, SvAttribute, UnpackedArrayType

TEXT = """\
builtin.module {
  hw.module @m(in %clk: !seq.clock, in %rst: i1, in %a: i3, in %d: i8, out o: i8) {
    %zero = hw.constant 0 : i8
    %en = comb.extract %a from 0 :  (i3) -> i1
    %ram = sv.reg {sv.attributes = [#sv.attribute<"ram_style" = "\\22block\\22">, \
#sv.attribute<"keep">], name = "ram"} : !hw.inout<!hw.uarray<8xi8>>
    sv.initial {
      sv.readmem %ram, "ram.mem", MemBaseHex : !hw.inout<!hw.uarray<8xi8>>
    }
    %place = sv.array_index_inout %ram[%a] : !hw.inout<!hw.uarray<8xi8>>, i3
    %word = sv.read_inout %place : !hw.inout<i8>
    %bit = seq.from_clock %clk
    sv.always posedge %bit {
      sv.if %en {
        sv.passign %place, %d : i8
      }
    }
    %held = seq.compreg.ce %word, %clk, %en reset %rst, %zero {name = "held"} : i8
    %out = hw.wire %held name "out" : i8
    hw.output %out : i8
  }
}"""


@pytest.fixture
def ctx() -> Context:
    context = Context()
    context.load_dialect(Builtin)
    load_circuit_dialects(context)
    return context


def test_text_round_trip(ctx: Context) -> None:
    module = Parser(ctx, TEXT).parse_module()
    module.verify()
    assert str(module) == TEXT


def test_reads_circt_short_types(ctx: Context) -> None:
    text = TEXT.replace("!hw.inout<!hw.uarray", "!hw.inout<uarray")
    assert str(Parser(ctx, text).parse_module()) == TEXT


def test_names_and_tool_attributes(ctx: Context) -> None:
    module = Parser(ctx, TEXT).parse_module()
    names = [name_of(op) for op in module.walk() if name_of(op)]
    assert names == ["ram", "held", "out"]
    ram = next(op for op in module.walk() if isinstance(op, RegOp))
    assert [a.text for a in sv_attributes(ram)] == ['ram_style = "block"', "keep"]
    assert SvAttribute("keep").text == "keep"


def test_address_must_be_as_wide_as_the_memory_needs(ctx: Context) -> None:
    module = Parser(ctx, TEXT).parse_module()
    hw_module = module.body.block.first_op
    assert isinstance(hw_module, HWModuleOp)
    memory = RegOp("deep", UnpackedArrayType(IntegerType(8), 9))
    index = ArrayIndexInOutOp(memory.result, hw_module.body.block.args[2])
    with pytest.raises(VerifyException, match="memory of 9 words must be i4, found i3"):
        index.verify()


def test_refuses_an_empty_memory() -> None:
    with pytest.raises(VerifyException, match="at least one element"):
        InOutType(UnpackedArrayType(IntegerType(8), 0))
