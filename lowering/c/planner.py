"""From a function of integer level to steps: what is fused, what is kept."""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import BlockArgument, Operation, SSAValue

from lowering.c.decoding import decoded_memory
from lowering.c.errors import CError, refusal
from lowering.c.plan import (
    Buffer,
    Convolution,
    Elementwise,
    Head,
    Loop,
    PackedPool,
    Plan,
    Selection,
    origin,
    written,
)
from lowering.c.scalars import element_ctype, word_ctype
from lowering.c.window_vector import window_vector
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.calls import CallOp
from qdialect.constants import is_constant
from qdialect.convolution import ConvOp
from qdialect.elementwise import AbsOp, AddOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp, PackedType, PackOp, UnpackOp, packed_type
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
from qdialect.types import element_of, shape_of, tensor_type

# Heads and bodies whose elements the next operation can take as they come.
_GIVES_ELEMENTS = (
    MatMulOp,
    PackedMatMulOp,
    ConvOp,
    PackedConvOp,
    UnpackOp,
    TransposeOp,
    MaxPoolOp,
    SumPoolOp,
    PadOp,
    ConcatOp,
    SliceOp,
    UpsampleOp,
    DepthToSpaceOp,
    ThresholdOp,
    LookupOp,
    AddOp,
    SubOp,
    MulOp,
    AbsOp,
)
_TAKES_ELEMENTS = (ThresholdOp, LookupOp, AddOp, SubOp, MulOp, AbsOp, PackOp)
_ACCEPTED = (
    "qnn.matmul, qnn.conv, qnn.threshold, qnn.lookup, qnn.add, qnn.sub, qnn.mul, qnn.abs, "
    "packed forms of these, qnn.pack, qnn.unpack, qnn.max_pool, qnn.sum_pool, qnn.pad, "
    "qnn.concat, qnn.slice, qnn.upsample, qnn.depth_to_space, qnn.reshape, "
    "qnn.transpose and qnn.topk"
)


def integer_function(module: ModuleOp) -> FuncOp:
    """The function to write: what `qnn.call` names, or @core, or the only one.

    Raises:
        CError: there is none, or the callee is no function.
    """
    functions = {
        op.sym_name.data: op
        for op in module.body.block.ops
        if isinstance(op, FuncOp) and not op.is_declaration
    }
    for op in module.walk():
        if isinstance(op, CallOp):
            name = op.callee.string_value()
            if name not in functions:
                raise refusal(op, f"@{name} must be a func.func of integer level")
            return functions[name]
    if "core" in functions:
        return functions["core"]
    if len(functions) != 1:
        raise CError(
            "target c: expected a function @core on integer levels, got "
            f"{', '.join(f'@{name}' for name in functions) or 'no function'}; run the "
            "pipeline bnn-c"
        )
    return next(iter(functions.values()))


def make_plan(function: FuncOp, *, decodes_ahead: bool = False) -> Plan:
    """Steps and buffers of a function of integer level.

    Args:
        function: of integer level.
        decodes_ahead: whether coded weights are decoded before all steps.

    Raises:
        CError: an operation has no C form.
    """
    if len(function.body.blocks) != 1:
        raise refusal(function, "has several blocks, expected one")
    planner = _Planner(function, decodes_ahead)
    planner.run()
    return planner.plan


class _Planner:
    def __init__(self, function: FuncOp, decodes_ahead: bool) -> None:
        self.plan = Plan(function)
        self._block = function.body.block
        self._decodes_ahead = decodes_ahead
        self._returned: dict[SSAValue, Buffer] = {}

    def run(self) -> None:
        terminator = self._block.last_op
        if not isinstance(terminator, ReturnOp):
            raise refusal(self.plan.function, "does not end in func.return")
        self._name_arguments()
        self._name_results(terminator)
        for op in self._block.ops:
            self._add(op)
        self._copy_other_results(terminator)
        self._find_lifetimes()

    def _name_arguments(self) -> None:
        function = self.plan.function
        arguments = self._block.args
        for index, argument in enumerate(arguments):
            name = "in" if len(arguments) == 1 else f"in{index}"
            buffer = _buffer(function, argument, name)
            self.plan.inputs.append(buffer)
            self.plan.input_types.append(tensor_type(argument))
            self.plan.buffers[argument] = buffer

    def _name_results(self, terminator: ReturnOp) -> None:
        """The first result that a step computes is written where it is wanted."""
        results = terminator.arguments
        for index, value in enumerate(results):
            name = "out" if len(results) == 1 else f"out{index}"
            buffer = _buffer(terminator, value, name)
            self.plan.outputs.append(buffer)
            self.plan.output_types.append(tensor_type(value))
            root = origin(value)
            if not is_constant(root) and not isinstance(root, BlockArgument):
                self._returned.setdefault(root, buffer)

    def _copy_other_results(self, terminator: ReturnOp) -> None:
        for value, buffer in zip(terminator.arguments, self.plan.outputs, strict=True):
            if self._returned.get(origin(value)) is not buffer:
                shape = shape_of(value) or (1,)
                self.plan.steps.append(
                    Loop(terminator, None, value, (), None, shape, buffer)
                )

    def _out(self, op: Operation, value: SSAValue) -> Buffer:
        buffer = self._returned.get(value) or _buffer(op, value, None)
        self.plan.buffers[value] = buffer
        return buffer

    def _add(self, op: Operation) -> None:
        match op:
            case ReturnOp() | ReshapeOp() | PackedReshapeOp():
                pass
            case _ if all(is_constant(result) for result in op.results) and op.results:
                pass
            case TopKOp():
                values = self._out(op, op.values)
                indices = self._out(op, op.indices) if op.indices.uses else None
                self.plan.steps.append(Selection(op, values, indices))
            case PackedMaxPoolOp():
                self.plan.steps.append(PackedPool(op, self._out(op, op.out)))
            case PackOp():
                self._add_loop(op, op.out)
            case _ if isinstance(op, _GIVES_ELEMENTS):
                if _fused_reader(op) is None:
                    self._add_loop(op, op.results[0])
            case _:
                raise refusal(op, f"has no C form; expected {_ACCEPTED}")

    def _add_loop(self, last: Operation, result: SSAValue) -> None:
        """The step that ends in `last`: everything that is fused into it."""
        chain: list[Operation] = [last]
        while isinstance(chain[0], _TAKES_ELEMENTS):
            fused = _fused_operand(chain[0])
            if fused is None:
                break
            chain.insert(0, fused)
        first = chain[0]
        head = first if isinstance(first, Head) else None
        pack = last if isinstance(last, PackOp) else None
        body = tuple(op for op in chain if isinstance(op, Elementwise))
        shaped = result if pack is None else pack.input
        stream = None
        if head is None:
            stream = streamed_operand(body[0]) if body else shaped
        out = self._out(last, result)
        shape = shape_of(shaped) or (1,)
        scratch = _scratch(head) if isinstance(head, Convolution) else None
        self.plan.steps.append(
            Loop(
                last,
                head,
                stream,
                body,
                pack,
                shape,
                out,
                scratch,
                None if self._decodes_ahead else decoded_memory(head),
            )
        )

    def _find_lifetimes(self) -> None:
        plan = self.plan
        for index, step in enumerate(plan.steps):
            for buffer in written(step):
                buffer.first = buffer.last = index
        for index, step in enumerate(plan.steps):
            for value in step.reads():
                place = plan.place(value)
                if isinstance(place, Buffer):
                    place.last = max(place.last, index)


def _scratch(op: Convolution) -> Buffer | None:
    """Memory for one window, where windows do not stand in the map as they are."""
    vector = window_vector(op)
    if vector.stands_in_map:
        return None
    if isinstance(op, PackedConvOp):
        return Buffer(word_ctype(packed_type(op.input).word.data), vector.size)
    return Buffer(element_ctype(op, element_of(op.input)), vector.size)


def _buffer(op: Operation, value: SSAValue, name: str | None) -> Buffer:
    """Memory for a value, which `op` takes or gives."""
    if not isinstance(value.type, PackedType):
        ctype = element_ctype(op, tensor_type(value).element_type)
        return Buffer(ctype, prod(shape_of(value)), name)
    if name is not None:
        raise refusal(op, f"`{name}` is {value.type}, expected a tensor of levels")
    packed = packed_type(value)
    return Buffer(word_ctype(packed.word.data), prod(packed.storage.get_shape()))


def streamed_operand(op: Operation) -> SSAValue:
    """The operand of an element-wise operation whose elements come one by one.

    Of a sum of two computed values it is the one that a product in the same step gives.
    """
    if not isinstance(op, AddOp | SubOp | MulOp):
        return op.operands[0]
    for value in (op.lhs, op.rhs):
        if _is_fusable(value, op):
            return value
    return op.rhs if is_constant(op.lhs) else op.lhs


def _is_fusable(value: SSAValue, reader: Operation) -> bool:
    """Whether only `reader` needs the elements of `value`, one for each of its own."""
    if not isinstance(value.owner, _GIVES_ELEMENTS) or len(list(value.uses)) != 1:
        return False
    if isinstance(reader, PackOp):
        return True
    return shape_of(value) == shape_of(reader.results[0])


def _fused_operand(op: Operation) -> Operation | None:
    """The operation that gives its elements straight to `op`."""
    value = streamed_operand(op)
    if not _is_fusable(value, op):
        return None
    assert isinstance(value.owner, Operation)
    return value.owner


def _fused_reader(op: Operation) -> Operation | None:
    """The operation that takes the elements of `op` as they come."""
    uses = list(op.results[0].uses)
    if len(uses) != 1 or not isinstance(uses[0].operation, _TAKES_ELEMENTS):
        return None
    reader = uses[0].operation
    return reader if _fused_operand(reader) is op else None
