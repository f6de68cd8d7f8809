"""Popcounts of combined words, for a panel of rows at once.

The bits of a word are counted by the instruction of the machine where the compiler is
told that there is one, and else without a multiplication a word: counts stay in the
bytes of a word while they fit. A library call is never made.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowering.c.functions import Functions
from lowering.c.scalars import CType, arithmetic_ctype, word_ctype
from lowering.text import Text
from qdialect.popcount import Form

# Bytes hold counts up to 255; a word adds at most 8 to each.
_WORDS_A_BLOCK = 31


@dataclass(frozen=True)
class _Shape:
    """How a form reads: planes of the input, planes of the weights, the word."""

    inputs: tuple[str, ...]
    weights: tuple[str, ...]
    word: str


# The letters of `qdialect.popcount.Form`: x, w planes; m, n masks; p, q positive bits.
_SHAPES = {
    Form.AND: _Shape(("x",), ("w",), "{x} & {w}"),
    Form.XOR: _Shape(("x",), ("w",), "{x} ^ {w}"),
    Form.WEIGHT_MASK: _Shape(("x",), ("m", "p"), "{m} & ({p} ^ {x})"),
    Form.INPUT_MASK: _Shape(("m", "p"), ("w",), "{m} & ({p} ^ {w})"),
    Form.DIFFER: _Shape(("m", "p"), ("n", "q"), "{m} & {n} & ({p} ^ {q})"),
}

COUNT_MACRO = """\
/* Bits set in a word, where the machine counts them in one instruction. */
#if (defined(__GNUC__) || defined(__clang__)) && \\
    (defined(__POPCNT__) || defined(__aarch64__))
#define {macro}(word) {cast}{builtin}(word)
#endif"""


def count_macro(prefix: str, word_bits: int) -> str:
    """Definition of the macro that counts bits, where there is an instruction."""
    return COUNT_MACRO.format(
        macro=_macro(prefix, word_bits),
        cast=f"({arithmetic_ctype(word_bits).name})",
        builtin="__builtin_popcount" + ("ll" if word_bits == 64 else ""),
    )


def _macro(prefix: str, word_bits: int) -> str:
    return f"{prefix.upper()}_POPCOUNT{64 if word_bits == 64 else 32}"


def panel_function(functions: Functions, form: Form, word_bits: int, panel: int) -> str:
    """Name of a function that counts a form's bits for `panel` rows.

    `void f(const W *x, .., const W *w, .., uint32_t words, uint32_t *count)`; the words
    of the rows stand side by side in `w`. Its hardware variants belong here.
    """
    byte_counts = _byte_functions(functions, word_bits)
    name = f"{form.name.lower()}_u{word_bits}_r{panel}"

    def define(text: Text, full: str) -> None:
        _define_panel(text, full, functions.prefix, form, word_bits, panel, byte_counts)

    return functions.add(name, define)


def ones_function(functions: Functions, word_bits: int) -> str:
    """Name of a function that counts the bits of a vector of words."""
    byte_counts = _byte_functions(functions, word_bits)
    word, wide = word_ctype(word_bits), arithmetic_ctype(word_bits)
    macro = _macro(functions.prefix, word_bits)

    def define(text: Text, full: str) -> None:
        head = f"static inline uint32_t {full}(const {word.name} *x, uint32_t words)"
        text(head)
        with text.block("{", "}"):
            text("uint32_t count = 0;")
            with text.block("for (uint32_t i = 0; i < words; ++i) {", "}"):
                text(f"const {wide.name} v = x[i];")
                text(f"#ifdef {macro}")
                text(f"count += (uint32_t){macro}(v);")
                text("#else")
                text(f"count += {byte_counts[1]}({byte_counts[0]}(v));")
                text("#endif")
            text("return count;")

    return functions.add(f"ones_u{word_bits}", define)


def _define_panel(
    text: Text,
    name: str,
    prefix: str,
    form: Form,
    word_bits: int,
    panel: int,
    byte_counts: tuple[str, str],
) -> None:
    shape = _SHAPES[form]
    word, wide = word_ctype(word_bits), arithmetic_ctype(word_bits)
    pointers = [f"const {word.name} *{p}" for p in (*shape.inputs, *shape.weights)]
    text(f"/* Bits of {form.value}, words of {panel} rows side by side. */")
    text(f"static inline void {name}({', '.join(pointers)},")
    text("    uint32_t words, uint32_t *count)")
    with text.block("{", "}"):
        text(f"#ifdef {_macro(prefix, word_bits)}")
        _counted_by_machine(text, shape, prefix, word_bits, panel)
        text("#else")
        _counted_in_bytes(text, shape, wide, panel, byte_counts)
        text("#endif")


def _inputs(text: Text, shape: _Shape, wide: CType) -> dict[str, str]:
    """Variables of the input's words; what stands for each letter of the form."""
    for letter in shape.inputs:
        text(f"const {wide.name} {letter}_i = {letter}[i];")
    return {letter: f"{letter}_i" for letter in shape.inputs}


def _counted_by_machine(
    text: Text, shape: _Shape, prefix: str, word_bits: int, panel: int
) -> None:
    wide = arithmetic_ctype(word_bits)
    macro = _macro(prefix, word_bits)
    # As wide as a word, so that a compiler may keep the counts in one vector.
    for r in range(panel):
        text(f"{wide.name} n{r} = 0;")
    with text.block("for (uint32_t i = 0; i < words; ++i) {", "}"):
        letters = _inputs(text, shape, wide)
        for r in range(panel):
            combined = shape.word.format(
                **letters, **{w: f"{w}[{r}]" for w in shape.weights}
            )
            text(f"n{r} += {macro}({combined});")
        for letter in shape.weights:
            text(f"{letter} += {panel};")
    for r in range(panel):
        text(f"count[{r}] = (uint32_t)n{r};")


def _counted_in_bytes(
    text: Text, shape: _Shape, wide: CType, panel: int, byte_counts: tuple[str, str]
) -> None:
    in_bytes, sum_of_bytes = byte_counts
    rows = f"for (uint32_t r = 0; r < {panel}u; ++r) {{"
    with text.block(rows, "}"):
        text("count[r] = 0;")
    with text.block("while (words > 0u) {", "}"):
        text(
            f"const uint32_t block = words < {_WORDS_A_BLOCK}u ? words : "
            f"{_WORDS_A_BLOCK}u;"
        )
        text(f"{wide.name} bytes[{panel}] = {{0}};")
        with text.block("for (uint32_t i = 0; i < block; ++i) {", "}"):
            letters = _inputs(text, shape, wide)
            with text.block(rows, "}"):
                combined = shape.word.format(
                    **letters, **{w: f"{w}[r]" for w in shape.weights}
                )
                text(f"bytes[r] += {in_bytes}({combined});")
            for letter in shape.weights:
                text(f"{letter} += {panel};")
        with text.block(rows, "}"):
            text(f"count[r] += {sum_of_bytes}(bytes[r]);")
        for letter in shape.inputs:
            text(f"{letter} += block;")
        text("words -= block;")


def _byte_functions(functions: Functions, word_bits: int) -> tuple[str, str]:
    """Names of the functions that count into the bytes of a word, and add them up."""
    wide = arithmetic_ctype(word_bits)
    # A machine that counts in one instruction does without them.
    guard = f"#ifndef {_macro(functions.prefix, word_bits)}"
    digits = wide.width_bits // 8

    def define_counts(text: Text, full: str) -> None:
        text(guard)
        text("/* The number of bits set in each byte. */")
        text(f"static inline {wide.name} {full}({wide.name} v)")
        with text.block("{", "}"):
            text(f"v -= (v >> 1) & 0x{'55' * digits};")
            text(f"v = (v & 0x{'33' * digits}) + ((v >> 2) & 0x{'33' * digits});")
            text(f"return (v + (v >> 4)) & 0x{'0f' * digits};")
        text("#endif")

    def define_sum(text: Text, full: str) -> None:
        text(guard)
        text("/* The sum of the bytes. */")
        text(f"static inline uint32_t {full}({wide.name} v)")
        with text.block("{", "}"):
            mask = "00ff" * (digits // 2)
            text(f"v = (v & 0x{mask}) + ((v >> 8) & 0x{mask});")
            if wide.width_bits == 64:
                text("v += v >> 32;")
            text("return (uint32_t)((v + (v >> 16)) & 0xffff);")
        text("#endif")

    return (
        functions.add(f"byte_counts_u{wide.width_bits}", define_counts),
        functions.add(f"sum_of_bytes_u{wide.width_bits}", define_sum),
    )
