"""The layers of a network as a table: shapes, bits, folding, cycles.

Letters: MW inputs an output, MH outputs, PE rows and SIMD columns at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation, SSAValue

from qdialect import qflow
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import is_constant
from qdialect.convolution import ConvOp
from qdialect.costs import Cost, unit_cost
from qdialect.elementwise import AbsOp, AddOp, BinaryOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.location import shortened, source_name
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.rearranging import (
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.selection import TopKOp
from qdialect.streams import stream_type
from qdialect.timing import (
    bottleneck_cycles,
    frame_interval,
    frame_times,
    unit_cycles,
)
from qdialect.types import element_of, is_level, shape_of, width_bits
from qdialect.units import unit_names, units

_ON_MAPS = (
    MaxPoolOp,
    SumPoolOp,
    AddOp,
    SubOp,
    MulOp,
    AbsOp,
    PadOp,
    SliceOp,
    ConcatOp,
    UpsampleOp,
    DepthToSpaceOp,
)


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: of the node of the model, or of the unit.
        kind: what it computes: `matmul`, `conv`, `max_pool`, `threshold`, `add` ...
        inputs: MW, of a convolution the elements of a window; or elements of a vector.
        outputs: MH; or elements of a vector.
        weight_bits: bits of a weight; None where there are none.
        input_bits: bits of an input element.
        accumulator_bits: bits of the sums; None where there are none.
        weights: number of weights.
        thresholds: number of thresholds, or rows of a table, all channels together.
        pe: rows at once; None where it is not folded.
        simd: columns at once; None where it is not folded.
        cycles: cycles a frame; None where it is not folded.
    """

    name: str
    kind: str
    inputs: int
    outputs: int
    weight_bits: int | None
    input_bits: int
    accumulator_bits: int | None
    weights: int
    thresholds: int
    pe: int | None = None
    simd: int | None = None
    cycles: int | None = None


@dataclass(frozen=True)
class Streaming:
    """The network as a streaming circuit, as its units predict it.

    Attributes:
        cycles_per_frame: of the slowest unit.
        interval_cycles: between two frames in steady state, FIFOs considered.
        latency_cycles: from a frame's first input beat to its last output beat.
        drain_cycles: from a frame's last input beat to its last output beat.
        slowest: name of the slowest unit.
        fifo_bits: storage of all FIFOs.
        cost: estimated LUTs and block RAMs.
    """

    cycles_per_frame: int
    interval_cycles: int
    latency_cycles: int
    drain_cycles: int
    slowest: str
    fifo_bits: int
    cost: Cost


def integer_layers(module: ModuleOp) -> list[Layer]:
    """The layers of the integer level, in order."""
    layers: list[Layer] = []
    for op in module.walk():
        layer = _integer_layer(op, len(layers))
        if layer is not None:
            layers.append(layer)
    return layers


def _integer_layer(op: Operation, number: int) -> Layer | None:
    name = shortened(source_name(op) or "") or f"layer_{number}"
    kind = op.name.removeprefix("qnn.")
    match op:
        case MatMulOp() | ConvOp() if is_level(element_of(op.out)):
            reader = _only_reader(op.out)
            steps = reader.thresholds if isinstance(reader, ThresholdOp) else None
            rows, *inner = shape_of(op.weights)
            return Layer(
                name=name,
                kind=kind,
                inputs=prod(inner),
                outputs=rows,
                weight_bits=width_bits(element_of(op.weights)),
                input_bits=width_bits(element_of(op.input)),
                accumulator_bits=width_bits(element_of(op.out)),
                weights=_size(op.weights),
                thresholds=0 if steps is None else _size(steps),
            )
        case ThresholdOp() if not _follows_product(op):
            return _elementwise(name, kind, op.input, op.out, _size(op.thresholds))
        case LookupOp():
            return _elementwise(name, kind, op.input, op.out, _size(op.table))
        case TopKOp() if is_level(element_of(op.input)):
            return _elementwise(name, kind, op.input, op.indices, 0)
        case BinaryOp() if is_constant(op.lhs) or is_constant(op.rhs):
            return None
        case _ if isinstance(op, _ON_MAPS) and is_level(element_of(op.results[0])):
            return _elementwise(name, kind, op.operands[0], op.results[0], 0)
        case _:
            return None


def _only_reader(value: SSAValue) -> Operation | None:
    uses = list(value.uses)
    return uses[0].operation if len(uses) == 1 else None


def _follows_product(op: ThresholdOp) -> bool:
    product = isinstance(op.input.owner, MatMulOp | ConvOp)
    return product and _only_reader(op.input) is op


def _size(value: SSAValue) -> int:
    return prod(shape_of(value))


def _elementwise(
    name: str, kind: str, value: SSAValue, out: SSAValue, thresholds: int
) -> Layer:
    return Layer(
        name=name,
        kind=kind,
        inputs=shape_of(value)[-1],
        outputs=shape_of(out)[-1],
        weight_bits=None,
        input_bits=width_bits(element_of(value)),
        accumulator_bits=None,
        weights=0,
        thresholds=thresholds,
    )


def stream_layers(function: FuncOp) -> list[Layer]:
    """The layers of a folded function on streams, in order; FIFOs and the like left out."""
    names = unit_names(function)
    layers = (_stream_layer(op, names[op]) for op in units(function))
    return [layer for layer in layers if layer is not None]


def _stream_layer(op: Operation, name: str) -> Layer | None:
    weight: Attribute | None = None
    accumulator: Attribute | None = None
    weights = thresholds = 0
    match op:
        case qflow.MvuOp() | qflow.VvuOp():
            weight, accumulator = element_of(op.weights), op.accumulator
            weights = _size(op.weights)
            thresholds = 0 if op.thresholds is None else _size(op.thresholds)
        case qflow.ThresholdOp():
            thresholds = _size(op.thresholds)
        case qflow.LookupOp():
            thresholds = _size(op.table)
        case qflow.FifoOp() | qflow.DwcOp() | qflow.ForkOp() | qflow.ReshapeOp():
            return None
        case _:
            pass
    source, out = stream_type(op.operands[0]), stream_type(op.results[0])
    return Layer(
        name=name,
        kind=_stream_kind(op),
        inputs=shape_of(op.weights)[1]
        if isinstance(op, qflow.VvuOp)
        else source.elements,
        outputs=out.elements,
        weight_bits=None if weight is None else width_bits(weight),
        input_bits=source.element_bits,
        accumulator_bits=None if accumulator is None else width_bits(accumulator),
        weights=weights,
        thresholds=thresholds,
        pe=out.lanes,
        simd=source.lanes,
        cycles=unit_cycles(op),
    )


def _stream_kind(op: Operation) -> str:
    """What a unit is called in the table; a product for each pixel is a convolution."""
    match op:
        case qflow.MvuOp():
            return "conv" if stream_type(op.out).vectors > 1 else "matmul"
        case qflow.VvuOp():
            return "conv"
        case qflow.PoolOp():
            return f"{op.kind.data}_pool"
        case _:
            return op.name.removeprefix("qflow.")


def predict(function: FuncOp) -> Streaming:
    """What a folded function with its FIFOs will take."""
    times = frame_times(function)
    names = unit_names(function)
    slowest = max(names, key=unit_cycles)
    fifo_bits = sum(
        op.depth.value.data * stream_type(op.input).beat_bits
        for op in names
        if isinstance(op, qflow.FifoOp)
    )
    return Streaming(
        cycles_per_frame=bottleneck_cycles(function),
        interval_cycles=frame_interval(function),
        latency_cycles=times.latency,
        drain_cycles=times.drain,
        slowest=names[slowest],
        fifo_bits=fifo_bits,
        cost=sum((unit_cost(op) for op in names), Cost()),
    )
