"""Signals, registers and memories as the unit writers see them."""

from __future__ import annotations

import pytest
from xdsl.dialects import comb
from xdsl.dialects.builtin import ModuleOp

from lowering.hw.builder import ModuleBuilder, concat, mux, pack
from lowering.hw.memories import MAX_CONSTANT_BITS, address_bits, rom
from lowering.hw.sv import emit_module


def test_equal_expressions_are_one() -> None:
    m = ModuleBuilder("m")
    a, b = m.input("a", 8), m.input("b", 8)
    assert (a + b).value is (a + b).value
    assert (a + b).value is not (b + a).value
    assert m.constant(-1, 8).value is m.constant(255, 8).value


def test_constants_vanish() -> None:
    m = ModuleBuilder("m")
    a, b = m.input("a", 1), m.input("b", 1)
    one, zero = m.constant(1, 1), m.constant(0, 1)
    assert (a & one).value is a.value
    assert (zero | a).value is a.value
    assert (~one).constant_value == 0
    assert mux(one, a, b).value is a.value
    assert mux(zero, a, b).value is b.value


def test_bits_of_joined_signals_are_bits_of_the_parts() -> None:
    m = ModuleBuilder("m")
    a, b = m.input("a", 4), m.input("b", 4)
    joined = concat(a, b)
    assert joined.bits(4, 4).value is a.value
    assert joined.bits(1, 2).value is b.bits(1, 2).value
    assert isinstance(joined.bits(2, 4).value.owner, comb.ExtractOp)
    assert [part.value for part in pack([a, b]).lanes(4)] == [a.value, b.value]
    with pytest.raises(ValueError, match=r"bits 3\+:2 of a signal of 4 bits"):
        a.bits(3, 2)


def test_register_reads_itself() -> None:
    m = ModuleBuilder("m", "Counts.")
    rst = m.input("rst", 1)
    count = m.register("count", 3, reset=(rst, 0))
    count.set_next(count + m.constant(1, 3))
    m.output("now", count)
    text = emit_module(ModuleOp([m.finish()]))
    assert "// Counts." in text
    assert "count_q <= count_q + 3'd1;" in text


def test_names_are_told_apart() -> None:
    m = ModuleBuilder("m")
    a = m.input("a", 1)
    m.output("x", m.registered(m.registered(a, "late"), "late"))
    text = emit_module(ModuleOp([m.finish()]))
    assert "late_q <= a;" in text
    assert "late_2_q <= late_q;" in text


@pytest.mark.parametrize(
    ("words", "width", "kind"),
    [
        ([5], 8, "hw.constant"),
        ([9] * 100, 8, "hw.constant"),
        ([1, 2, 3], MAX_CONSTANT_BITS // 3, "comb.mux"),
        ([1, 2, 3], MAX_CONSTANT_BITS // 3 + 1, "sv.read_inout"),
    ],
)
def test_rom(words: list[int], width: int, kind: str) -> None:
    m = ModuleBuilder("m")
    address = m.input("address", address_bits(len(words)))
    word = rom(m, "table", words, width, address)
    m.output("word", word)
    owner = word.value.owner
    assert getattr(owner, "name", None) == kind
    images = [(i.sym_name.data, i.data.words()) for i in m.images]
    assert images == ([("m_table", words)] if kind == "sv.read_inout" else [])


@pytest.mark.parametrize(
    ("depth", "width", "style"), [(64, 1024, None), (128, 8, None), (128, 65, "block")]
)
def test_rom_style(depth: int, width: int, style: str | None) -> None:
    m = ModuleBuilder("m")
    address = m.input("address", address_bits(depth))
    m.output("word", rom(m, "table", list(range(depth)), width, address))
    text = emit_module(ModuleOp([m.finish()]))
    assert ('(* rom_style = "block" *)' in text) == (style == "block")
