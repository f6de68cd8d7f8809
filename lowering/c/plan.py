"""What the C functions do, before a line is written: steps and buffers.

Operations that follow one another element by element become one step: a head that gives
elements (a product, a load), a body of element-wise operations, and a store or a
packing. What stands between two steps is kept in a buffer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue

from lowering.c.errors import refusal
from lowering.c.scalars import CType
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import DecodeOp, LoadOp, constant_data
from qdialect.convolution import ConvOp
from qdialect.data import TensorDataAttr
from qdialect.elementwise import AbsOp, AddOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp, PackOp, UnpackOp
from qdialect.packed_maps import PackedConvOp, PackedMaxPoolOp, PackedReshapeOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.rearranging import (
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import AnyTensor

Elementwise = ThresholdOp | LookupOp | AddOp | SubOp | MulOp | AbsOp
Rearranging = TransposeOp | PadOp | ConcatOp | SliceOp | UpsampleOp | DepthToSpaceOp
Convolution = ConvOp | PackedConvOp
Head = (
    MatMulOp
    | PackedMatMulOp
    | Convolution
    | UnpackOp
    | MaxPoolOp
    | SumPoolOp
    | Rearranging
)


@dataclass(eq=False)
class Buffer:
    """Memory for one value: an argument, a result, or part of the arena.

    Attributes:
        ctype: type of an element.
        count: number of elements.
        name: name of the pointer where it is a parameter, else None.
        first: the step that writes it.
        last: the last step that reads it.
        offset: where it begins among the elements of its type in the arena.
    """

    ctype: CType
    count: int
    name: str | None = None
    first: int = 0
    last: int = 0
    offset: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes."""
        return self.ctype.size_bytes * self.count


@dataclass
class Loop:
    """A step that goes over the elements of one tensor.

    Attributes:
        source: the operation the messages and comments speak of.
        head: what gives the elements; None where they are loaded from `stream`.
        stream: what a loop without a head loads, and broadcasts to `shape`.
        body: element-wise operations, in order.
        pack: the operation that packs the elements, or None where they are stored.
        shape: the tensor's shape.
        out: where the result goes.
        scratch: memory for a window of a convolution, where one needs it.
        decoded: memory for weights that are stored as code words.
    """

    source: Operation
    head: Head | None
    stream: SSAValue | None
    body: tuple[Elementwise, ...]
    pack: PackOp | None
    shape: tuple[int, ...]
    out: Buffer
    scratch: Buffer | None = None
    decoded: Buffer | None = None

    @property
    def ops(self) -> tuple[Operation, ...]:
        """Every operation of the step."""
        ends = (self.head, *self.body, self.pack)
        return tuple(op for op in ends if op is not None)

    def reads(self) -> tuple[SSAValue, ...]:
        """Values that it reads from memory."""
        inside = {result for op in self.ops for result in op.results}
        read = [value for op in self.ops for value in op.operands]
        if self.stream is not None:
            read.append(self.stream)
        return tuple(value for value in read if value not in inside)


@dataclass
class Selection:
    """A step that takes the k greatest elements along an axis."""

    source: TopKOp
    values: Buffer | None
    indices: Buffer | None

    def reads(self) -> tuple[SSAValue, ...]:
        """Values that it reads from memory."""
        return (self.source.input,)


@dataclass
class PackedPool:
    """A step that takes the OR of the words of each window."""

    source: PackedMaxPoolOp
    out: Buffer

    def reads(self) -> tuple[SSAValue, ...]:
        """Values that it reads from memory."""
        return (self.source.input,)


Step = Loop | Selection | PackedPool


def written(step: Step) -> list[Buffer]:
    """The buffers that a step writes, its scratch among them."""
    match step:
        case Loop():
            places = [step.out, step.scratch, step.decoded]
        case Selection():
            places = [step.values, step.indices]
        case PackedPool():
            places = [step.out]
    return [place for place in places if place is not None]


@dataclass
class Plan:
    """A function as steps.

    Attributes:
        inputs: a buffer for each argument.
        outputs: a buffer for each result.
        input_types: types of the arguments.
        output_types: types of the results.
        steps: in order of execution.
        buffers: where each computed value stands.
    """

    function: FuncOp
    inputs: list[Buffer] = field(default_factory=list[Buffer])
    outputs: list[Buffer] = field(default_factory=list[Buffer])
    input_types: list[AnyTensor] = field(default_factory=list[AnyTensor])
    output_types: list[AnyTensor] = field(default_factory=list[AnyTensor])
    steps: list[Step] = field(default_factory=list[Step])
    buffers: dict[SSAValue, Buffer] = field(default_factory=dict[SSAValue, Buffer])

    def place(self, value: SSAValue) -> Buffer | TensorDataAttr:
        """Where a value that a step reads stands: memory, or a constant.

        Raises:
            CError: the module lacks the constant.
        """
        root = origin(value)
        if root in self.buffers:
            return self.buffers[root]
        data = constant_data(root)
        if data is None:
            load = root.owner
            if isinstance(load, DecodeOp):
                load = load.codes.owner
            assert isinstance(load, LoadOp)
            name = load.weight.string_value()
            raise refusal(load, f"the module has no qnn.weight @{name}")
        return data

    def is_read(self, buffer: Buffer) -> bool:
        """Whether any step reads a buffer."""
        return any(
            self.buffers.get(origin(value)) is buffer
            for step in self.steps
            for value in step.reads()
        )

    def arena(self) -> list[Buffer]:
        """Buffers that stand in the arena, each once, in order of their first use."""
        computed = dict.fromkeys(b for step in self.steps for b in written(step))
        return [buffer for buffer in computed if buffer.name is None]


def origin(value: SSAValue) -> SSAValue:
    """The value whose memory `value` shares: a reshape moves nothing."""
    while isinstance(value.owner, ReshapeOp | PackedReshapeOp):
        value = value.owner.input
    return value
