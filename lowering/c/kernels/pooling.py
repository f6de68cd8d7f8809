"""`qnn.max_pool` and `qnn.sum_pool`: one number from the elements of a window."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from math import prod

from lowering.c.affine import Affine
from lowering.c.errors import refusal
from lowering.c.kernels.values import Consumer
from lowering.c.kernels.windows import Taps, tap_loops, taps_of
from lowering.c.plan import Buffer
from lowering.c.scalars import CType, Scalar, compute_ctype, element_ctype, literal
from lowering.c.step import StepFunction, bare, flat_index, row_major
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.ranges import bounds
from qdialect.types import element_of, shape_of, value_range

# Channels that are pooled side by side: as many bytes as the widest vectors have.
_BLOCK = 64


def pool(step: StepFunction, op: MaxPoolOp | SumPoolOp, consumer: Consumer) -> None:
    """Write the loops of a pool; `consumer` takes what each window gives.

    Raises:
        CError: the channels are not last, or 64 bits do not hold a sum.
    """
    if not op.is_channels_last:
        raise refusal(op, "channels come first, expected channels_last; run bnn-c")
    _, *counts, channels = shape_of(op.out)
    whole = channels - channels % _BLOCK
    with ExitStack() as loops:
        position, taps = ["0u"], list[Taps]()
        for k, count in enumerate(counts):
            position.append(loops.enter_context(step.axis(k + 1, count)))
            window, extent = op.window[k], op.extents[k]
            taps.append(taps_of(step, window, extent, position[-1], f"t{k}"))
        consumer.begin(position)
        block = _Block(step, op, taps, position, consumer)
        if whole:
            with step.loop("c", whole, _BLOCK):
                block.write("c", _BLOCK)
        if channels > whole:
            with step.text.block("{", "}"):
                block.write(f"{whole}u", channels - whole)
        consumer.end(position)


@dataclass(frozen=True)
class _Block:
    """Pools some channels of one window.

    Their results stand in an array of their own: nothing else can change it, so that a
    compiler may take many channels at once.
    """

    step: StepFunction
    op: MaxPoolOp | SumPoolOp
    taps: list[Taps]
    position: list[str]
    consumer: Consumer

    def write(self, first: str, count: int) -> None:
        """Write the pool of `count` channels from the channel `first` on."""
        step, op = self.step, self.op
        input, element = self._input()
        match op:
            case MaxPoolOp():
                name, ctype = "best", element
                start = bare(literal(value_range(element_of(op.out))[0]))
                update = "best[n] = x[n] > best[n] ? x[n] : best[n];"
            case SumPoolOp():
                name, ctype = "sum", _accumulator(op)
                start, update = "0", f"sum[n] += ({ctype.name})x[n];"
        step.text(f"{ctype.name} {name}[{count}];")
        with step.loop("n", count):
            step.text(f"{name}[n] = {start};")
        with tap_loops(step, self.taps) as places:
            at = flat_index(["0u", *places, first], row_major(shape_of(op.input)))
            source = input if at == "0u" else f"{input} + {at}"
            step.text(f"const {element.name} *const x = {source};")
            with step.loop("n", count):
                step.text(update)
        with step.loop("n", count):
            channel = "n" if first == "0u" else f"({first} + n)"
            result = Affine.of(self._result(f"{name}[n]", ctype))
            self.consumer.element(result, [*self.position, channel])

    def _input(self) -> tuple[str, CType]:
        """Name and element type of the memory of the input."""
        value = self.op.input
        ctype = element_ctype(self.op, element_of(value))
        place = self.step.source.plan.place(value)
        if isinstance(place, Buffer):
            return self.step.pointer(value, "input"), ctype
        table = self.step.table(place.to_numpy(), f"constant {value.type}", ctype)
        return table, ctype

    def _result(self, text: str, ctype: CType) -> Scalar:
        """What a channel gives; proven to fit the type of the result."""
        low, high = value_range(element_of(self.op.out))
        wanted = compute_ctype(self.op, low, high)
        text = text if ctype == wanted else f"({wanted.name}){text}"
        return Scalar(text, low, high)


def _accumulator(op: SumPoolOp) -> CType:
    """The type that holds every partial sum, and every element."""
    low, high = bounds(op.input)
    taps = prod(axis.kernel for axis in op.window)
    return compute_ctype(op, min(low * taps, low), max(high * taps, high))
