"""Where the elements of a step go: to memory one by one, or as bits into words."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Operation

from lowering.c.affine import Affine
from lowering.c.errors import refusal
from lowering.c.plan import Buffer
from lowering.c.scalars import Scalar, arithmetic_ctype
from lowering.c.step import StepFunction, bare, flat_index, row_major
from qdialect.packed import PackOp, packed_type
from qdialect.types import BipolarType, TernaryType, shape_of


@dataclass
class Store:
    """Writes every element to its place."""

    step: StepFunction
    op: Operation
    out: Buffer
    shape: tuple[int, ...]

    def begin(self, leading: list[str]) -> None:
        """Nothing."""

    def element(self, value: Affine, position: list[str]) -> None:
        """Write an element."""
        name = self.step.output(self.out, "y")
        number = value.number(self.step, self.op, position[-1])
        text = number.text
        if number.ctype(self.op) != self.out.ctype:
            text = f"({self.out.ctype.name}){text}"
        index = flat_index(position, row_major(self.shape))
        self.step.text(f"{name}[{index}] = {bare(text)};")

    def end(self, leading: list[str]) -> None:
        """Nothing."""


class Pack:
    """Gathers the bits of a vector in a variable a plane; stores words when full."""

    def __init__(self, step: StepFunction, op: PackOp, out: Buffer) -> None:
        self._packed = packed_type(op.out)
        if self._packed.panel.data != 1:
            raise refusal(op, "packs computed values in panels, expected panel 1")
        self._step = step
        self._op = op
        self._out = out
        self._word_bits = self._packed.word.data
        self._wide = arithmetic_ctype(self._word_bits)

    def begin(self, leading: list[str]) -> None:
        """Empty words."""
        for plane in range(self._packed.planes):
            self._step.text(f"{self._wide.name} bits{plane} = 0;")

    def element(self, value: Affine, position: list[str]) -> None:
        """Put in the bits of an element; store the words that it fills."""
        number = value.number(self._step, self._op, position[-1])
        self.put(self._bits(number), 1, position)

    def put(self, bits: list[str], count: int, position: list[str]) -> None:
        """Put in the bits of `count` elements from a position on, a multiple of it."""
        step, column = self._step, position[-1]
        for plane, bit in enumerate(bits):
            text = f"({self._wide.name}){bit} << ({column} % {self._word_bits}u)"
            step.text(f"bits{plane} |= {text};")
        columns = shape_of(self._op.input)[-1]
        if columns < self._word_bits:
            return
        full = f"{column} % {self._word_bits}u == {self._word_bits - count}u"
        with step.text.block(f"if ({full}) {{", "}"):
            self._store_words(position[:-1], f"{column} / {self._word_bits}u")
            for plane in range(self._packed.planes):
                step.text(f"bits{plane} = 0;")

    def end(self, leading: list[str]) -> None:
        """Store the words that the vector did not fill."""
        columns = shape_of(self._op.input)[-1]
        if columns % self._word_bits:
            self._store_words(leading, f"{columns // self._word_bits}u")

    def _store_words(self, leading: list[str], word: str) -> None:
        name = self._step.output(self._out, "y")
        packed = self._packed
        strides = [
            stride * packed.planes * packed.words
            for stride in row_major(shape_of(self._op.input)[:-1])
        ]
        at = flat_index(leading, strides)
        for plane in range(packed.planes):
            terms = [t for t in (at, f"{plane * packed.words}u", word) if t != "0u"]
            value = f"bits{plane}"
            if self._wide.width_bits != self._word_bits:
                value = f"({self._out.ctype.name}){value}"
            self._step.text(f"{name}[{' + '.join(terms) or '0u'}] = {value};")

    def _bits(self, number: Scalar) -> list[str]:
        """An expression of 0 or 1 for each plane of an element."""
        match self._packed.tensor.element_type:
            case BipolarType():
                return [number.bit or f"({number.text} > 0)"]
            case TernaryType():
                value = self._step.variable(self._op, number)
                return [f"({value.text} != 0)", f"({value.text} > 0)"]
            case _:
                value = self._step.variable(self._op, number)
                unsigned = f"u{value.ctype(self._op).name}"
                return [
                    f"(({unsigned}){value.text} >> {plane}u & 1u)"
                    for plane in range(self._packed.planes)
                ]
