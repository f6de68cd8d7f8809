"""Weights that are stored as code words, and the functions that decode them.

What is coded in the module (`#qnn.coded`, `qnn.decode`) is stored by the same coding, in
the order in which its kernel reads, and decoded while a frame is computed: row by row
in a product of one vector, else all weights of the layer once, into memory of the step.
"""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from lowering.c.decoding import coding_of
from lowering.c.functions import Definition
from lowering.c.plan import Buffer
from lowering.c.scalars import (
    CType,
    arithmetic_ctype,
    literal,
)
from lowering.c.step import StepFunction
from lowering.text import Text
from qdialect.data import Array
from qdialect.prefix_codes import (
    MOST_BITS,
    MOST_SYMBOLS,
    Lengths,
    canonical_order,
    fixed_width,
)
from qdialect.symbol_streams import Coding, encode_symbols

_BYTE = CType(8, False)

# What decodes reads from a copy of its reader.
_FROM = "&at"

# A reader of Huffman code words looks at as many bytes beyond the last word.
_MARGIN_BYTES = MOST_BITS // 8


class DecodedWeights:
    """The coded weights of one step.

    Attributes:
        name: name of the memory that they are decoded into.
    """

    def __init__(self, step: StepFunction, name: str, decoder: str, stream: str):
        self._step = step
        self._decoder = decoder
        self.name = name
        if decoder:
            step.text(f"struct {_reader(step)} coded = {{{stream}, 0, 0}};")

    def read(self, count: int) -> None:
        """Write a call that decodes the next elements, where this is not done before."""
        if self._decoder:
            self._step.text(f"{self._decoder}(&coded, {self.name}, {count}u);")


def coded_weights(
    step: StepFunction,
    weights: SSAValue,
    memory: Buffer | None,
    values: Array,
    ctype: CType,
    comment: str,
) -> DecodedWeights | None:
    """The coded weights of a step, or None where they are stored plainly.

    Args:
        step: its function.
        weights: as the module holds them.
        memory: for the decoded elements; None where they are decoded before all steps.
        values: the weights in the order in which the kernel reads them.
        ctype: type of an element.
        comment: what they are.
    """
    coding = coding_of(weights)
    if coding is None:
        return None
    stored = _Stored(step, values.ravel(), ctype, coding, comment)
    decoder = stored.function()
    if memory is None:
        loaded, reader = step.source.loaded, _reader(step)
        name = loaded.add(ctype, values.size, reader, decoder, stored.stream)
        return DecodedWeights(step, name, "", stored.stream)
    name = step.output(memory, "weights")
    return DecodedWeights(step, name, decoder, stored.stream)


class _Stored:
    """Tables of coded elements, and the function that reads them.

    Where elements have at most 256 values, a symbol is one of these; else it is a byte
    of an element, the least significant one first.
    """

    def __init__(
        self,
        step: StepFunction,
        values: Array,
        ctype: CType,
        coding: Coding,
        comment: str,
    ) -> None:
        self._step = step
        self._ctype = ctype
        kind = "i" if ctype.signed else "u"
        stored = values.astype(f"<{kind}{ctype.size_bytes}")
        table, symbols = np.unique(stored, return_inverse=True)
        self._symbol = ctype
        if len(table) > MOST_SYMBOLS:
            symbols, table = stored.view(np.uint8), np.arange(MOST_SYMBOLS)
            self._symbol = _BYTE
        self._table = table
        width = max(1, (len(table) - 1).bit_length())
        coded = encode_symbols(symbols.astype(np.uint8), width, coding)
        self._coded = coded
        raw = coded.raw + bytes(_MARGIN_BYTES if coding.huffman else 0)
        self.stream = self._add(
            np.frombuffer(raw, np.uint8), f"code words of {comment}", _BYTE
        )

    def _add(self, values: Array, comment: str, ctype: CType | None = None) -> str:
        return self._step.table(values, comment, ctype)

    def function(self) -> str:
        """Name of the function that decodes the next elements."""
        coded, name = self._coded, f"decode_{self._ctype.short_name}"
        if self._symbol != self._ctype:
            name += "_bytes"
        value, tag = self._lookup(coded.values, self._table, self._symbol, "values")
        gap, name = "", f"{name}_{tag}"
        skipped = int(self._table[coded.skipped])
        if coded.gaps:
            gap, tag = self._lookup(coded.gaps, np.arange(MOST_SYMBOLS), _BYTE, "gaps")
            name = f"{name}_{tag}_{'m' if skipped < 0 else ''}{abs(skipped)}"
        filler = _literal(skipped, self._symbol)
        whole, reader = self._ctype, _reader(self._step)
        wide = arithmetic_ctype(whole.width_bits)

        def define(text: Text, full: str) -> None:
            text(f"static void {full}(struct {reader} *from, {whole.name} *out,")
            text("    uint32_t count)")
            with text.block("{", "}"):
                # A copy, since `out` may point to bytes: registers hold it.
                text(f"struct {reader} at = *from;")
                with text.block(_each("i", "count"), "}"):
                    element(text)
                text("*from = at;")

        def element(text: Text) -> None:
            if self._symbol == whole:
                symbol = _next(text, gap, value, filler)
                text(f"out[i] = ({whole.name})({symbol});")
                return
            text(f"{wide.name} bits = 0;")
            with text.block(_each("k", f"{whole.size_bytes}u"), "}"):
                symbol = _next(text, gap, value, filler)
                text(f"bits |= ({wide.name})({symbol}) << (8u * k);")
            text(f"out[i] = ({whole.name})bits;")

        return self._step.source.functions.add(name, define)

    def _lookup(
        self, code: Lengths, table: Array, ctype: CType, what: str
    ) -> tuple[str, str]:
        """The expression of the next symbol of a code, and a name that tells it."""
        functions, prefix = self._step.source.functions, self._step.source.prefix
        width = fixed_width(code)
        if width is not None:
            bits = functions.add("next_bits", _define_bits(_reader(self._step)))
            call = f"{bits}({_FROM}, {width}u)"
            if np.array_equal(table, np.arange(len(table))):
                return call, f"b{width}"
            name = self._add(table, f"{what} of codes", ctype)
            return f"{name}[{call}]", f"b{width}{name.removeprefix(prefix)}"
        order = canonical_order(code)
        symbols = self._add(table[order], f"{what} in the order of their words", ctype)
        lengths = [length for length in code if length]
        counts = np.bincount(lengths)[min(lengths) :]
        about = f"{what}: words of {min(lengths)}, .. bits, the number of the first"
        numbers = self._add(_canonical(code)[1], about, CType(16, False))
        shape = "_".join(map(str, (min(lengths), *counts)))
        define = _define_word(_reader(self._step), code, numbers)
        call = f"{functions.add(f'next_word_{shape}', define)}({_FROM})"
        tag = f"{symbols}_{shape}".removeprefix(f"{prefix}_")
        return f"{symbols}[{call}]", tag


def _reader(step: StepFunction) -> str:
    """Name of the struct that says how far a stream is read."""

    def define(text: Text, full: str) -> None:
        text("/* Code words, the first bit that is not read, and with a relative index")
        text("   how many elements are left up to the next entry, with it. */")
        with text.block(f"struct {full} {{", "};"):
            text("const uint8_t *words;")
            text("uint32_t at;")
            text("uint32_t left;")

    return step.source.functions.add("reader", define)


def _define_bits(reader: str) -> Definition:
    def define(text: Text, full: str) -> None:
        text("/* The next 1 to 8 bits as a number. */")
        text(f"static inline uint32_t {full}(struct {reader} *from, uint32_t count)")
        with text.block("{", "}"):
            text("const uint32_t first = from->words[from->at >> 3];")
            text("const uint32_t last = from->words[(from->at + count - 1) >> 3];")
            text("const uint32_t spare = 16u - (from->at & 7u) - count;")
            text("from->at += count;")
            text("return (first << 8 | last) >> spare & ((1u << count) - 1u);")

    return define


def _define_word(reader: str, code: Lengths, numbers: str) -> Definition:
    ends, _ = _canonical(code)
    shortest = min(length for length in code if length)

    def define(text: Text, full: str) -> None:
        text(
            "/* The number of the next word of a canonical code. A word is one bit longer"
        )
        text("   for each length whose last word is less than the bits that follow. */")
        text(f"static inline uint32_t {full}(struct {reader} *from)")
        with text.block("{", "}"):
            text("const uint8_t *const at = from->words + (from->at >> 3);")
            text(
                "uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];"
            )
            text(f"uint32_t length = {shortest};")
            text("bits = bits >> (8u - (from->at & 7u)) & 0xffffu;")
            for end in ends[:-1]:
                text(f"length += (uint32_t)(bits > {end}u);")
            text("from->at += length;")
            first = f"{numbers}[length - {shortest}u]"
            text(f"return ({first} + (bits >> ({MOST_BITS}u - length))) & 0xffffu;")

    return define


def _next(text: Text, gap: str, value: str, filler: str) -> str:
    """Write what leads up to the next symbol; its expression."""
    if not gap:
        return value
    with text.block("if (at.left == 0) {", "}"):
        text(f"at.left = {gap} + 1u;")
    text("--at.left;")
    return f"at.left ? {filler} : {value}"


def _canonical(code: Lengths) -> tuple[Array, Array]:
    """For each length from the shortest on: the greatest bits, the first number.

    The first are `MOST_BITS` bits that begin with a word of that length or a shorter
    one; the second is what, added to a word, gives its place in the canonical order,
    modulo 2**16.
    """
    lengths = sorted(length for length in code if length)
    ends: list[int] = []
    numbers: list[int] = []
    word = count = 0
    for length in range(lengths[0], lengths[-1] + 1):
        numbers.append((count - word) % (1 << 16))
        words = lengths.count(length)
        word, count = word + words, count + words
        ends.append((word << (MOST_BITS - length)) - 1)
        word <<= 1
    return np.array(ends), np.array(numbers)


def _literal(value: int, ctype: CType) -> str:
    return literal(value) if ctype.signed else f"0x{value:x}u"


def _each(name: str, end: str) -> str:
    return f"for (uint32_t {name} = 0; {name} < {end}; ++{name}) {{"
