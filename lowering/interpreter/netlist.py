"""A circuit without hierarchy: what a simulator executes at every clock cycle.

Instances are dissolved, and only what the outputs (or watched signals) depend on is
kept. Nodes stand in an order in which each reads only nodes before it; a register or
an input reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, Operation, SSAValue, TypeAttribute
from xdsl.utils.hints import isa

from lowering.hw.circt_ops import (
    AlwaysOp,
    ArrayIndexInOutOp,
    CompRegClockEnabledOp,
    FromClockOp,
    IfOp,
    InitialOp,
    PAssignOp,
    ReadInOutOp,
    ReadMemOp,
    RegOp,
    WireOp,
    name_of,
)
from lowering.hw.circt_types import InOutType, UnpackedArrayType
from lowering.hw.hierarchy import (
    CircuitError,
    describe,
    hw_modules,
    instances,
    instantiated_name,
    memory_images,
    module_ports,
    width_bits,
)

Register = seq.CompRegOp | CompRegClockEnabledOp
MAX_ALIAS_STEPS = 10_000
"""A value that is renamed more often than this runs in a circle."""


@dataclass(frozen=True)
class Node:
    """A value of the circuit; operands are positions in `Netlist.nodes`.

    `op` is None for an input of the top. An array has the width of its elements.
    """

    op: Operation | None
    operands: tuple[int, ...]
    width_bits: int
    name: str
    memory: int | None = None


@dataclass(frozen=True)
class RegisterInput:
    """What a register loads at a clock edge; the reset goes before the enable."""

    node: int
    input: int
    reset: int | None
    reset_value: int | None
    enable: int | None


@dataclass(frozen=True)
class MemoryWrite:
    """A word stored at a clock edge, where all conditions hold; no index: address 0."""

    conditions: tuple[int, ...]
    index: int | None
    data: int


@dataclass
class Memory:
    """A memory, as deep as its address can tell, so that no read falls outside."""

    name: str
    words: list[int]
    writes: list[MemoryWrite] = field(default_factory=list[MemoryWrite])


@dataclass
class Netlist:
    """The circuit under a top module; see the top of this file."""

    inputs: dict[str, int] = field(default_factory=dict[str, int])
    outputs: dict[str, int] = field(default_factory=dict[str, int])
    watched: dict[str, int] = field(default_factory=dict[str, int])
    nodes: list[Node] = field(default_factory=list[Node])
    registers: list[RegisterInput] = field(default_factory=list[RegisterInput])
    memories: list[Memory] = field(default_factory=list[Memory])


def flatten(module: ModuleOp, top: str, watch: Iterable[str] = ()) -> Netlist:
    """The circuit under the module named `top`.

    Args:
        module: holds the hardware modules and the memory images.
        top: name of the top module, without `@`.
        watch: signals to keep beside the outputs, as `instance.instance.signal`, where
            the signal is a port of the innermost instance, or a value named in it.

    Raises:
        CircuitError: no such module or signal, an operation that cannot be executed,
            a missing memory image, or a combinational cycle.
    """
    modules = hw_modules(module)
    if top not in modules:
        known = ", ".join(modules) or "none"
        raise CircuitError(f"no hw.module @{top}; there are: {known}")
    return _Flattener(module, modules, modules[top]).run(tuple(watch))


@dataclass(eq=False)
class _Scope:
    """One instance of a module."""

    op: hw.HWModuleOp
    path: str
    parent: _Scope | None = None
    arguments: dict[int, SSAValue] = field(default_factory=dict[int, SSAValue])
    """Values of the inputs, in the scope of the parent."""
    outputs: dict[str, SSAValue] = field(default_factory=dict[str, SSAValue])
    children: dict[hw.InstanceOp, _Scope] = field(
        default_factory=dict["hw.InstanceOp", "_Scope"]
    )


_Key = tuple[_Scope, SSAValue]


class _Flattener:
    """Follows values from the outputs back to registers, memories and inputs."""

    def __init__(
        self, module: ModuleOp, modules: dict[str, hw.HWModuleOp], top: hw.HWModuleOp
    ) -> None:
        self._images = memory_images(module)
        self._modules = modules
        self._netlist = Netlist()
        self._position: dict[_Key, int] = {}
        self._pending_registers: list[tuple[int, _Scope, Register]] = []
        self._memory_position: dict[tuple[_Scope, RegOp], int] = {}
        self._pending_memories: list[tuple[int, _Scope, RegOp]] = []
        self._top = self._scope(top, "", None, None)

    def run(self, watch: tuple[str, ...]) -> Netlist:
        netlist = self._netlist
        for port, argument in zip(
            (p for p in module_ports(self._top.op) if p.is_input),
            self._top.op.body.block.args,
            strict=True,
        ):
            netlist.inputs[port.name] = self._add(
                (self._top, argument), Node(None, (), port.width_bits, port.name)
            )
        for name, value in self._top.outputs.items():
            netlist.outputs[name] = self._node(self._top, value)
        for path in watch:
            netlist.watched[path] = self._node(*self._find(path))
        while self._pending_registers or self._pending_memories:
            if self._pending_registers:
                netlist.registers.append(self._register(*self._pending_registers.pop()))
            else:
                self._fill_memory(*self._pending_memories.pop())
        return netlist

    def _scope(
        self,
        op: hw.HWModuleOp,
        path: str,
        parent: _Scope | None,
        instance: hw.InstanceOp | None,
    ) -> _Scope:
        scope = _Scope(op, path, parent)
        ports = module_ports(op)
        if instance is not None:
            given = {
                name.data: value
                for name, value in zip(instance.arg_names, instance.inputs, strict=True)
            }
            inputs = [port.name for port in ports if port.is_input]
            scope.arguments = {i: given[name] for i, name in enumerate(inputs)}
        last = op.body.block.last_op
        assert isinstance(last, hw.OutputOp)
        outputs = [port.name for port in ports if not port.is_input]
        scope.outputs = dict(zip(outputs, last.inputs, strict=True))
        for inner in instances(op):
            name = instantiated_name(inner)
            if name not in self._modules:
                raise CircuitError(
                    f"{describe(inner)} is of @{name}, whose body is not known"
                )
            inner_path = f"{path}{inner.instance_name.data}."
            if inner_path.count(".") > len(self._modules):
                raise CircuitError(f"module @{name} instantiates itself")
            scope.children[inner] = self._scope(
                self._modules[name], inner_path, scope, inner
            )
        return scope

    def _find(self, path: str) -> _Key:
        """The value that `path` names."""
        *instance_names, signal = path.split(".")
        scope = self._top
        for name in instance_names:
            children = {op.instance_name.data: c for op, c in scope.children.items()}
            if name not in children:
                known = ", ".join(children) or "none"
                raise CircuitError(f"{path}: no instance {name}; there are: {known}")
            scope = children[name]
        if signal in scope.outputs:
            return scope, scope.outputs[signal]
        inputs = [port.name for port in module_ports(scope.op) if port.is_input]
        if signal in inputs:
            return scope, scope.op.body.block.args[inputs.index(signal)]
        for op in scope.op.body.block.ops:
            if len(op.results) == 1 and name_of(op) == signal:
                return scope, op.results[0]
        raise CircuitError(
            f"{path}: @{scope.op.sym_name.data} has no port or named value {signal}"
        )

    def _resolve(self, scope: _Scope, value: SSAValue) -> _Key:
        """Where `value` is computed, through instances, ports and wires."""
        for _ in range(MAX_ALIAS_STEPS):
            if isinstance(value, BlockArgument):
                if scope.parent is None:
                    return scope, value
                scope, value = scope.parent, scope.arguments[value.index]
                continue
            match owner := value.owner:
                case hw.InstanceOp():
                    scope = scope.children[owner]
                    port = owner.result_names.data[owner.results.index(value)]
                    value = scope.outputs[port.data]
                case WireOp() | FromClockOp():
                    value = owner.input
                case _:
                    return scope, value
        raise CircuitError(f"combinational cycle through @{scope.op.sym_name.data}")

    def _node(self, scope: _Scope, value: SSAValue) -> int:
        """Position of the node of `value`; adds it and whatever it reads first."""
        root = self._resolve(scope, value)
        stack = [root]
        open_: set[_Key] = set()
        while stack:
            key = stack[-1]
            if key in self._position:
                stack.pop()
                continue
            operands = [self._resolve(key[0], v) for v in _read_values(key[1])]
            waiting = [o for o in operands if o not in self._position]
            if not waiting:
                self._add_node(key, tuple(self._position[o] for o in operands))
                stack.pop()
                continue
            open_.add(key)
            if any(o in open_ for o in waiting):
                raise CircuitError(
                    f"combinational cycle through {_label(key)}; break it with a register"
                )
            stack.extend(waiting)
        return self._position[root]

    def _add_node(self, key: _Key, operands: tuple[int, ...]) -> None:
        scope, value = key
        op = value.owner
        assert isinstance(op, Operation)
        memory = None
        if isinstance(op, ReadInOutOp):
            memory = self._memory(scope, _memory_of(op.input))
        width = _element_width(value)
        position = self._add(key, Node(op, operands, width, _label(key), memory))
        if isinstance(op, seq.CompRegOp | CompRegClockEnabledOp):
            self._pending_registers.append((position, scope, op))

    def _add(self, key: _Key, node: Node) -> int:
        self._position[key] = position = len(self._netlist.nodes)
        self._netlist.nodes.append(node)
        return position

    def _register(self, position: int, scope: _Scope, op: Register) -> RegisterInput:
        if isinstance(op, seq.CompRegOp) and op.power_on_value is not None:
            raise CircuitError(f"{describe(op)} has a power-on value; give it a reset")
        enable = op.clock_enable if isinstance(op, CompRegClockEnabledOp) else None
        return RegisterInput(
            position,
            self._node(scope, op.input),
            self._optional(scope, op.reset),
            self._optional(scope, op.reset_value),
            self._optional(scope, enable),
        )

    def _optional(self, scope: _Scope, value: SSAValue | None) -> int | None:
        return None if value is None else self._node(scope, value)

    def _memory(self, scope: _Scope, op: RegOp) -> int:
        if (scope, op) not in self._memory_position:
            place = op.result.type
            assert isinstance(place, InOutType)
            held = place.element_type
            index_width = (
                held.index_width_bits if isinstance(held, UnpackedArrayType) else 0
            )
            position = len(self._netlist.memories)
            self._netlist.memories.append(
                Memory(scope.path + op.reg_name.data, [0] * (1 << index_width))
            )
            self._memory_position[scope, op] = position
            self._pending_memories.append((position, scope, op))
        return self._memory_position[scope, op]

    def _fill_memory(self, position: int, scope: _Scope, op: RegOp) -> None:
        """Contents and writes of a memory."""
        memory = self._netlist.memories[position]
        for procedure in scope.op.body.block.ops:
            match procedure:
                case InitialOp():
                    for read in procedure.body.block.ops:
                        if isinstance(read, ReadMemOp) and read.dest is op.result:
                            self._load_image(memory, read)
                case AlwaysOp():
                    memory.writes += self._writes(scope, procedure, op, ())
                case _:
                    pass

    def _load_image(self, memory: Memory, read: ReadMemOp) -> None:
        name = read.filename.data
        if name not in self._images:
            raise CircuitError(
                f"{describe(read)} reads {name}, but the module has no "
                f"qnn.weight @{name.removesuffix('.mem')}"
            )
        words = self._images[name].data.words()
        memory.words[: len(words)] = words

    def _writes(
        self, scope: _Scope, body: AlwaysOp | IfOp, memory: RegOp, held: tuple[int, ...]
    ) -> Iterator[MemoryWrite]:
        for op in body.body.block.ops:
            match op:
                case IfOp():
                    condition = self._node(scope, op.cond)
                    yield from self._writes(scope, op, memory, (*held, condition))
                case PAssignOp():
                    if _memory_of(op.dest) is memory:
                        place = op.dest.owner
                        index = (
                            self._node(scope, place.index)
                            if isinstance(place, ArrayIndexInOutOp)
                            else None
                        )
                        yield MemoryWrite(held, index, self._node(scope, op.src))
                case ArrayIndexInOutOp():
                    pass
                case _:
                    raise CircuitError(
                        f"{describe(op)} in sv.always cannot be executed"
                    )


def _read_values(value: SSAValue) -> tuple[SSAValue, ...]:
    """What must be known in the same cycle to know `value`."""
    match op := value.owner:
        case seq.CompRegOp() | CompRegClockEnabledOp():
            return ()
        case ReadInOutOp():
            place = op.input.owner
            return (place.index,) if isinstance(place, ArrayIndexInOutOp) else ()
        case Operation() if op.name.startswith(("comb.", "hw.")):
            return tuple(op.operands)
        case Operation():
            raise CircuitError(f"{describe(op)} cannot be executed")
        case _:
            return ()


def _memory_of(place: SSAValue) -> RegOp:
    """The memory of which `place` is a word, or the variable that it is."""
    owner = place.owner
    if isinstance(owner, ArrayIndexInOutOp):
        owner = owner.input.owner
    if not isinstance(owner, RegOp):
        raise CircuitError("only places made by sv.reg in the same module are known")
    return owner


def _element_width(value: SSAValue) -> int:
    op = value.owner
    assert isinstance(op, Operation)
    type_ = value.type
    if isa(type_, hw.ArrayType[TypeAttribute]):
        return width_bits(type_.get_element_type(), describe(op))
    return width_bits(type_, describe(op))


def _label(key: _Key) -> str:
    scope, value = key
    if isinstance(value.owner, Operation):
        hint = name_of(value.owner) or value.name_hint or value.owner.name
        return scope.path + hint
    return scope.path + (value.name_hint or "input")
