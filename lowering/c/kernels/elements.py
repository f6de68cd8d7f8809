"""Elements that are loaded: stored ones and unpacked ones."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from xdsl.ir import Operation, SSAValue

from lowering.c.affine import Affine
from lowering.c.kernels.values import Consumer
from lowering.c.scalars import Scalar, arithmetic_ctype, literal
from lowering.c.step import StepFunction, flat_index, row_major
from qdialect.packed import UnpackOp, packed_type
from qdialect.popcount import plane_factors
from qdialect.types import BipolarType, shape_of, value_range


@contextmanager
def every_element(
    step: StepFunction, shape: tuple[int, ...], consumer: Consumer
) -> Generator[list[str]]:
    """A loop over every element of a tensor; the index along each axis."""
    with step.loops(shape[:-1]) as leading:
        consumer.begin(leading)
        with step.axis(len(shape) - 1, shape[-1]) as index:
            yield [*leading, index]
        consumer.end(leading)


def stored_elements(
    step: StepFunction,
    op: Operation,
    value: SSAValue,
    shape: tuple[int, ...],
    consumer: Consumer,
) -> None:
    """Load every element of a value, broadcast to `shape`."""
    with every_element(step, shape, consumer) as position:
        consumer.element(Affine.of(step.element(op, value, position)), position)


def unpacked_elements(step: StepFunction, op: UnpackOp, consumer: Consumer) -> None:
    """Put every element together from its planes."""
    packed = packed_type(op.input)
    element = packed.tensor.element_type
    shape = shape_of(op.out)
    words = step.pointer(op.input, "packed words")
    leading = [
        stride * packed.planes for stride in row_major((*shape[:-1], packed.words))[:-1]
    ]
    low, high = value_range(element)
    ctype = Scalar("", low, high).ctype(op)
    constant, factors = plane_factors(element)
    word_bits, wide = packed.word.data, arithmetic_ctype(packed.word.data)
    with every_element(step, shape, consumer) as position:
        at = flat_index(position[:-1], leading)
        column = position[-1]
        bits: list[str] = []
        for plane in range(packed.planes):
            index = f"{column} / {word_bits}u"
            first = [t for t in (at, f"{plane * packed.words}u") if t != "0u"]
            word = f"({wide.name}){words}[{' + '.join((*first, index))}]"
            bits.append(f"({word} >> ({column} % {word_bits}u) & 1u)")
        terms = [
            f"{literal(factor)} * ({ctype.name}){bit}"
            for factor, bit in zip(factors, bits, strict=True)
        ]
        if constant:
            terms.append(literal(constant))
        bit = f"(uint32_t){bits[0]}" if isinstance(element, BipolarType) else None
        level = Scalar(f"({' + '.join(terms)})", low, high, bit)
        consumer.element(Affine.of(step.variable(op, level)), position)
