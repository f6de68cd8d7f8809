"""One step of element-wise operations behind a head, from its plan to its text."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.ir import Operation, SSAValue

from lowering.c.affine import Affine
from lowering.c.kernels.activation import lookup, threshold
from lowering.c.kernels.arithmetic import binary, magnitude
from lowering.c.kernels.elements import stored_elements, unpacked_elements
from lowering.c.kernels.packed_bytes import pack_bytes
from lowering.c.kernels.packed_convolution import packed_convolution
from lowering.c.kernels.packed_product import packed_product
from lowering.c.kernels.plain_convolution import plain_convolution
from lowering.c.kernels.plain_product import plain_product
from lowering.c.kernels.pooling import pool
from lowering.c.kernels.rearranging import (
    joined_elements,
    moved_elements,
    padded_elements,
)
from lowering.c.kernels.results import Pack, Store
from lowering.c.kernels.values import Consumer
from lowering.c.kernels.zero_skip import (
    skipping_convolution,
    skipping_product,
    skips_zeros,
)
from lowering.c.plan import Elementwise, Loop
from lowering.c.step import StepFunction
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.convolution import ConvOp
from qdialect.elementwise import AbsOp, AddOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp, UnpackOp
from qdialect.packed_maps import PackedConvOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.rearranging import (
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.shaping import TransposeOp


class _Body:
    """Applies the element-wise operations of a step, then hands the result on."""

    def __init__(self, step: StepFunction, loop: Loop, sink: Consumer) -> None:
        self._step = step
        self._loop = loop
        self._sink = sink

    def begin(self, leading: list[str]) -> None:
        """Nothing of its own."""
        self._sink.begin(leading)

    def element(self, value: Affine, position: list[str]) -> None:
        """Apply every operation to one element."""
        for op, streamed in _streams(self._loop):
            value = _applied(self._step, op, streamed, value, position)
        self._sink.element(value, position)

    def end(self, leading: list[str]) -> None:
        """Nothing of its own."""
        self._sink.end(leading)


def _streams(loop: Loop) -> Iterator[tuple[Elementwise, SSAValue]]:
    """Every operation of the body with its operand that comes element by element."""
    streamed = loop.stream if loop.head is None else loop.head.results[0]
    for op in loop.body:
        assert streamed is not None
        yield op, streamed
        streamed = op.results[0]


def _applied(
    step: StepFunction,
    op: Elementwise,
    streamed: SSAValue,
    value: Affine,
    position: list[str],
) -> Affine:
    match op:
        case ThresholdOp():
            return threshold(step, op, value, position)
        case LookupOp():
            return lookup(step, op, value, position)
        case AddOp() | SubOp() | MulOp():
            return binary(step, op, streamed, value, position)
        case AbsOp():
            return magnitude(step, op, value, position)


def write_loop(step: StepFunction, loop: Loop, source: Operation) -> None:
    """Write a step's body; `source` is the operation that messages speak of."""
    sink: Consumer
    if loop.pack is not None:
        sink = Pack(step, loop.pack, loop.out)
    else:
        sink = Store(step, source, loop.out, loop.shape)
    if (
        isinstance(sink, Pack)
        and loop.stream is not None
        and not loop.body
        and pack_bytes(step, source, loop.stream, sink)
    ):
        return
    consumer = _Body(step, loop, sink)
    match loop.head:
        case PackedMatMulOp() as op:
            packed_product(step, op, loop.decoded, consumer)
        case MatMulOp() as op if skips_zeros(step, op):
            skipping_product(step, op, consumer)
        case ConvOp() as op if skips_zeros(step, op):
            skipping_convolution(step, op, loop.scratch, consumer)
        case MatMulOp() as op:
            plain_product(step, op, loop.decoded, consumer)
        case PackedConvOp() as op:
            packed_convolution(step, op, loop, consumer)
        case ConvOp() as op:
            plain_convolution(step, op, loop, consumer)
        case UnpackOp() as op:
            unpacked_elements(step, op, consumer)
        case MaxPoolOp() | SumPoolOp() as op:
            pool(step, op, consumer)
        case TransposeOp() | SliceOp() | UpsampleOp() | DepthToSpaceOp() as op:
            moved_elements(step, op, consumer)
        case ConcatOp() as op:
            joined_elements(step, op, consumer)
        case PadOp() as op:
            padded_elements(step, op, consumer)
        case None:
            assert loop.stream is not None
            stored_elements(step, source, loop.stream, loop.shape, consumer)
