"""What has a name in a SystemVerilog module, and what is written where it is used.

Everything is decided here before the first line is printed: which operations are
alive, which values become signals, the names of those, and which of their bits
nothing reads.

A value becomes a signal of its own

1. if it is a register, a memory, a wire or a result of an instance;
2. if it was given a name;
3. if bits are taken from it, since SystemVerilog selects bits of names only;
4. if it is used more than once, unless it is a constant, bits of a signal, or the
   complement of a signal;
5. if written in place it would make an expression larger than `MAX_LEAVES` or deeper
   than `MAX_DEPTH`.

Names are legal by construction: a hint gets a suffix, with which no SystemVerilog or
C++ keyword ends. `_q` stands on registers, `_w` on wires, `_mem` on memories, and the
prefix `u_` on instances. Ports keep their names, and a wire that drives an output
port is that port.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Operation, SSAValue

from lowering.hw.circt_ops import (
    AlwaysOp,
    ArrayIndexInOutOp,
    CompRegClockEnabledOp,
    InitialOp,
    RegOp,
    WireOp,
    name_of,
)
from lowering.hw.hierarchy import (
    CircuitError,
    describe,
    module_ports,
    width_bits,
)
from lowering.hw.sv_names import Names
from lowering.hw.sv_operations import (
    COMBINATIONAL,
    STRUCTURAL,
    combinational_sources,
    expression_operands,
    hint_of,
    is_all_ones,
    is_always_in_place,
    is_root,
    sources_of,
    trailing_bits,
    width_bits_or_zero,
)

MAX_LEAVES = 8
MAX_DEPTH = 3
MAX_PORT_LEAVES = 3
"""Size of an expression that may stand in the port list of an instance."""

Register = seq.CompRegOp | CompRegClockEnabledOp
"""A register: holds one value from one rising edge to the next."""


@dataclass(frozen=True)
class Control:
    """What the registers of one `always_ff` block have in common."""

    clk: SSAValue
    reset: SSAValue | None
    enable: SSAValue | None

    @staticmethod
    def of(op: Register) -> Control:
        enable = op.clock_enable if isinstance(op, CompRegClockEnabledOp) else None
        return Control(op.clk, op.reset, enable)

    def values(self) -> Iterator[SSAValue]:
        return (v for v in (self.clk, self.reset, self.enable) if v is not None)


@dataclass
class ModulePlan:
    """The decisions about one module; see the top of this file for the rules."""

    op: hw.HWModuleOp
    names: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    instance_names: dict[hw.InstanceOp, str] = field(
        default_factory=dict[hw.InstanceOp, str]
    )
    memories: list[RegOp] = field(default_factory=list[RegOp])
    initials: list[InitialOp] = field(default_factory=list[InitialOp])
    instances: list[hw.InstanceOp] = field(default_factory=list[hw.InstanceOp])
    alwayses: list[AlwaysOp] = field(default_factory=list[AlwaysOp])
    registers: dict[Control, list[Register]] = field(
        default_factory=dict[Control, list[Register]]
    )
    wires: list[SSAValue] = field(default_factory=list[SSAValue])
    """Signals defined by an expression, each after those that it reads."""
    port_of: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    """The output port that a signal is, where it is one."""
    unread: list[tuple[SSAValue, int, int]] = field(
        default_factory=list[tuple[SSAValue, int, int]]
    )
    """Bits that nothing reads: a signal, the lowest bit, the number of bits."""

    @property
    def outputs(self) -> list[tuple[str, SSAValue]]:
        """Output ports and their values."""
        ports = [port.name for port in module_ports(self.op) if not port.is_input]
        return list(zip(ports, _output_op(self.op).inputs, strict=True))


def plan_module(op: hw.HWModuleOp) -> ModulePlan:
    """Decide all names of `op`.

    Raises:
        CircuitError: `op` has an operation without a SystemVerilog form, or a
            combinational cycle.
    """
    return _Planner(op).plan


def selected_bits(
    op: comb.ExtractOp, names: dict[SSAValue, str]
) -> tuple[SSAValue, int]:
    """The signal, and the lowest of its bits, that `op` takes.

    Bits of bits that have no name of their own are bits of the value below.
    """
    source, low = op.input, op.low_bit.value.data
    while isinstance(source.owner, comb.ExtractOp) and source not in names:
        low += source.owner.low_bit.value.data
        source = source.owner.input
    return source, low


def _output_op(op: hw.HWModuleOp) -> hw.OutputOp:
    last = op.body.block.last_op
    if not isinstance(last, hw.OutputOp):
        raise CircuitError(f"hw.module @{op.sym_name.data} does not end in hw.output")
    return last


class _Planner:
    """Fills a plan stage by stage; each stage reads what those before it decided."""

    def __init__(self, op: hw.HWModuleOp) -> None:
        self.plan = ModulePlan(op)
        self._where = f"module @{op.sym_name.data}"
        self._live = self._live_operations()
        self._collect()
        self._uses = self._count_uses()
        self._order = self._combinational_order()
        named = self._choose_named()
        self._assign_names(named)
        self.plan.wires = [
            op.results[0] for op in self._order if op.results[0] in named
        ]
        self.plan.unread = list(self._unread_bits())

    def _live_operations(self) -> set[Operation]:
        """Whatever reaches an output, an instance or a wire that is to be kept."""
        for op in self.plan.op.body.block.ops:
            if not isinstance(op, COMBINATIONAL + STRUCTURAL):
                raise CircuitError(
                    f"{describe(op)} has no SystemVerilog form; lower it to the hw, "
                    "comb, seq and sv operations in docs/rationale.md first"
                )
        roots = [op for op in self.plan.op.body.block.ops if is_root(op)]
        live = set(roots)
        pending = list(roots)
        while pending:
            op = pending.pop()
            for source in sources_of(op):
                if source not in live:
                    live.add(source)
                    pending.append(source)
        return live

    def _collect(self) -> None:
        plan = self.plan
        for op in plan.op.body.block.ops:
            if op not in self._live:
                continue
            match op:
                case RegOp():
                    plan.memories.append(op)
                case InitialOp():
                    plan.initials.append(op)
                case AlwaysOp():
                    plan.alwayses.append(op)
                case hw.InstanceOp():
                    plan.instances.append(op)
                case seq.CompRegOp() | CompRegClockEnabledOp():
                    if isinstance(op, seq.CompRegOp) and op.power_on_value is not None:
                        raise CircuitError(
                            f"{describe(op)} has a power-on value; give it a reset"
                        )
                    plan.registers.setdefault(Control.of(op), []).append(op)
                case _:
                    pass

    def _count_uses(self) -> dict[SSAValue, int]:
        """How often each value is written; a block of registers names its control once."""
        uses: dict[SSAValue, int] = {}
        for operand in self._read_values():
            uses[operand] = uses.get(operand, 0) + 1
        return uses

    def _read_values(self) -> Iterator[SSAValue]:
        for op in self._live:
            match op:
                case seq.CompRegOp() | CompRegClockEnabledOp():
                    yield op.input
                    if op.reset_value is not None:
                        yield op.reset_value
                case hw.ArrayCreateOp() | ArrayIndexInOutOp():
                    for _ in op.result.uses:  # written anew for each
                        yield from op.operands
                case _:
                    for inner in op.walk():
                        yield from inner.operands
        for control in self.plan.registers:
            yield from control.values()

    def _combinational_order(self) -> list[Operation]:
        """The live combinational operations, each after those that it reads."""
        order: list[Operation] = []
        done: set[Operation] = set()
        for root in self.plan.op.body.block.ops:
            if root in self._live and isinstance(root, COMBINATIONAL):
                self._order_from(root, order, done)
        return order

    def _order_from(
        self, root: Operation, order: list[Operation], done: set[Operation]
    ) -> None:
        open_: set[Operation] = set()
        stack = [root]
        while stack:
            op = stack[-1]
            if op in done:
                stack.pop()
                continue
            waiting = [
                source for source in combinational_sources(op) if source not in done
            ]
            if not waiting:
                done.add(op)
                order.append(stack.pop())
                continue
            open_.add(op)
            if any(source in open_ for source in waiting):
                raise CircuitError(
                    f"combinational cycle through {name_of(op) or op.name} in "
                    f"{self._where}; break it with a register"
                )
            stack.extend(waiting)

    def _choose_named(self) -> set[SSAValue]:
        """The results of combinational operations that become signals."""
        selected = self._selected_values()
        in_port_list = {
            operand for instance in self.plan.instances for operand in instance.operands
        }
        named: set[SSAValue] = set()
        leaves: dict[SSAValue, int] = {}
        depth: dict[SSAValue, int] = {}
        for op in self._order:
            (value,) = op.results
            if is_always_in_place(op):
                continue
            operands = expression_operands(op)
            leaves[value] = sum(leaves.get(v, 1) for v in operands)
            depth[value] = 1 + max((depth.get(v, 0) for v in operands), default=0)
            most = MAX_PORT_LEAVES if value in in_port_list else MAX_LEAVES
            if (
                isinstance(op, WireOp)
                or name_of(op) is not None
                or value in selected
                or (self._uses.get(value, 0) > 1 and not self._is_cheap(op, named))
                or leaves[value] > most
                or depth[value] > MAX_DEPTH
            ):
                named.add(value)
            if value in named or self._is_cheap(op, named):
                leaves[value], depth[value] = 1, 0
        return named

    def _selected_values(self) -> set[SSAValue]:
        """Values of which bits are taken: by position, or as a table's index."""
        selected: set[SSAValue] = set()
        for op in self._order:
            if isinstance(op, comb.ExtractOp):
                selected.add(selected_bits(op, {})[0])
            elif isinstance(op, hw.ArrayGetOp):
                selected.add(op.index)
        return selected

    def _is_cheap(self, op: Operation, named: set[SSAValue]) -> bool:
        """Whether the result reads as well as a name would."""
        match op:
            case comb.ExtractOp():
                return True
            case comb.XorOp() if len(op.inputs) == 2 and is_all_ones(op.inputs[1]):
                operand = op.inputs[0]
                source = operand.owner
                return operand in named or not (
                    isinstance(source, COMBINATIONAL)
                    and not isinstance(source, comb.ExtractOp)
                )
            case _:
                return False

    def _assign_names(self, named: set[SSAValue]) -> None:
        names = Names(port.name for port in module_ports(self.plan.op))
        inputs = [port.name for port in module_ports(self.plan.op) if port.is_input]
        block = self.plan.op.body.block
        self.plan.names.update(zip(block.args, inputs, strict=True))
        for port, value in self.plan.outputs:
            self._adopt_port(port, value, named)
        for memory in self.plan.memories:
            self.plan.names[memory.result] = names.fresh(name_of(memory), "_mem")
        for registers in self.plan.registers.values():
            for register in registers:
                hint = hint_of(register) or self._output_hint(register.data)
                self.plan.names[register.data] = names.fresh(hint, "_q")
        for instance in self.plan.instances:
            instance_name = names.fresh(instance.instance_name.data, "", prefix="u_")
            self.plan.instance_names[instance] = instance_name
            for port, value in zip(
                instance.result_names, instance.outputs, strict=True
            ):
                if value not in self.plan.names:
                    hint = f"{instance.instance_name.data}_{port.data}"
                    self.plan.names[value] = names.fresh(hint, "_w")
        for op in self._order:
            value = op.results[0]
            if value in named and value not in self.plan.names:
                self.plan.names[value] = names.fresh(hint_of(op), "_w")

    def _adopt_port(self, port: str, value: SSAValue, named: set[SSAValue]) -> None:
        """Let the signal that drives an output port be the port."""
        is_wire = isinstance(value.owner, hw.InstanceOp) or (
            value in named and not isinstance(value.owner, WireOp)
        )
        if is_wire and value not in self.plan.names:
            self.plan.names[value] = self.plan.port_of[value] = port

    def _output_hint(self, value: SSAValue) -> str | None:
        return next((port for port, v in self.plan.outputs if v is value), None)

    def _unread_bits(self) -> Iterator[tuple[SSAValue, int, int]]:
        """Runs of bits of signals that no expression mentions."""
        read = self._read_masks()
        for value in self.plan.names:
            if value in self.plan.port_of or isinstance(value.owner, RegOp):
                continue
            width = width_bits(value.type, self._where)
            unread = ((1 << width) - 1) & ~read.get(value, 0)
            low = 0
            while unread >> low:
                low += trailing_bits(unread >> low, 0)
                count = trailing_bits(unread >> low, 1)
                yield value, low, count
                low += count

    def _read_masks(self) -> dict[SSAValue, int]:
        """The bits of each signal that are written somewhere."""
        read: dict[SSAValue, int] = {}
        names = self.plan.names
        for op in self._live:
            if isinstance(op, comb.ExtractOp):
                # Without a name of its own it is written where it is used.
                written = [op.result] if op.result in names else []
            else:
                written = [operand for inner in op.walk() for operand in inner.operands]
            for value in written:
                source, low, width = value, 0, width_bits_or_zero(value)
                part = value.owner
                if isinstance(part, comb.ExtractOp) and (
                    part is op or value not in names
                ):
                    source, low = selected_bits(part, names)
                read[source] = read.get(source, 0) | ((1 << width) - 1) << low
        return read
