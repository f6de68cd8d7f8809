"""Target `sv`: the circuit level as SystemVerilog.

The printer decides nothing: `sv_plan` says what has a name, `sv_expressions` what an
operation reads like, and an operation that they do not know is refused. The text keeps
to what Verilator (-Wall), slang, Icarus and Yosys' own reader all take: flat vectors,
part-selects of names, no packed array literals, no functions, no generate blocks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation, SSAValue
from xdsl.utils.target import Target

from lowering.banner import banner
from lowering.hw.circt_ops import (
    AlwaysOp,
    ArrayIndexInOutOp,
    IfOp,
    PAssignOp,
    RegOp,
    sv_attributes,
)
from lowering.hw.circt_types import InOutType, UnpackedArrayType
from lowering.hw.hierarchy import (
    CircuitError,
    Port,
    describe,
    in_dependency_order,
    instantiated_name,
    memory_images,
    module_ports,
    width_bits,
)
from lowering.hw.sv_expressions import Expressions
from lowering.hw.sv_operations import memory_files
from lowering.hw.sv_plan import (
    Control,
    ModulePlan,
    Register,
    plan_module,
)
from lowering.text import Text

LINE_WIDTH = 88
FILE_LIST = "filelist.f"


@dataclass(frozen=True)
class SystemVerilogTarget(Target):
    """SystemVerilog of every hardware module, each after those that it instantiates."""

    name = "sv"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        print(emit_module(module), file=output, end="")

    def files(self, module: ModuleOp) -> dict[str, str]:
        """The contents of all files of the design, as by `emit_files`."""
        return emit_files(module)


def emit_module(module: ModuleOp) -> str:
    """SystemVerilog source of every `hw.module` in `module`, as one text.

    Raises:
        CircuitError: an operation has no SystemVerilog form.
    """
    texts = [f"// {banner()}\n"]
    texts += [
        _ModuleText(plan_module(op)).write() for op in in_dependency_order(module)
    ]
    return "\n".join(texts)


def emit_files(module: ModuleOp) -> dict[str, str]:
    """The contents of all files of the design, by file name.

    One `NAME.sv` for each `hw.module`, a `NAME.mem` for each memory image that one of
    them reads (a hexadecimal word a line, address 0 first), and `filelist.f` with the
    sources in the order in which tools should read them.

    Raises:
        CircuitError: an operation has no SystemVerilog form, or the image of a memory
            is missing.
    """
    plans = [plan_module(op) for op in in_dependency_order(module)]
    head = f"// {banner()}\n"
    sources = {
        f"{plan.op.sym_name.data}.sv": f"{head}\n{_ModuleText(plan).write()}"
        for plan in plans
    }
    file_list = "".join(f"{name}\n" for name in sources)
    return {**sources, **_memory_texts(module, plans), FILE_LIST: file_list}


def _memory_texts(module: ModuleOp, plans: Sequence[ModulePlan]) -> dict[str, str]:
    images = memory_images(module)
    texts: dict[str, str] = {}
    for plan in plans:
        for initial in plan.initials:
            for read in memory_files(initial):
                name = read.filename.data
                if name not in images:
                    raise CircuitError(
                        f"{describe(read)} reads {name}, but the module has no "
                        f"qnn.weight @{name.removesuffix('.mem')}"
                    )
                width, depth = _memory_shape(read.dest, describe(read))
                words = images[name].data.words()
                if len(words) != depth:
                    raise CircuitError(
                        f"{describe(read)}: the memory has {depth} words, {name} has "
                        f"{len(words)}"
                    )
                digits = (width + 3) // 4
                texts[name] = "".join(f"{word:0{digits}x}\n" for word in words)
    return texts


def _memory_shape(place: SSAValue, where: str) -> tuple[int, int]:
    """Width in bits and depth in words of a memory; depth 0 is a plain variable."""
    assert isinstance(place.type, InOutType)
    held = place.type.element_type
    if isinstance(held, UnpackedArrayType):
        return width_bits(held.element_type, where), len(held)
    return width_bits(held, where), 0


def _range(width_bits: int) -> str:
    return f"[{width_bits - 1}:0] " if width_bits > 1 else ""


class _ModuleText:
    """Writes one module, section by section."""

    def __init__(self, plan: ModulePlan) -> None:
        self._op = plan.op
        self._plan = plan
        self._expressions = Expressions(self._plan.names)
        self._text = Text()

    def write(self) -> str:
        """The source of the module, ending in a newline."""
        comment = self._op.attributes.get("comment")
        if isinstance(comment, StringAttr):
            for line in comment.data.splitlines():
                self._text(f"// {line}".rstrip())
        self._header()
        with self._text.block():
            self._memories()
            self._declare_registers()
            self._declare_instance_results()
            self._wires()
            self._instances()
            self._register_blocks()
            self._procedures()
            self._outputs()
            self._unread()
        self._text("endmodule")
        return f"{self._text}\n"

    def _line(self, line: str, depth: int = 1) -> None:
        """A statement, broken at spaces where it is long."""
        if len(line) + 2 * depth <= LINE_WIDTH:
            self._text(line)
            return
        wrapped = textwrap.wrap(
            line,
            LINE_WIDTH - 2 * depth,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        self._text("\n".join(wrapped))

    def _attributes(self, op: Operation) -> None:
        if attributes := sv_attributes(op):
            self._text(f"(* {', '.join(a.text for a in attributes)} *)")

    def _header(self) -> None:
        ports = module_ports(self._op)
        self._attributes(self._op)
        if not ports:
            self._text(f"module {self._op.sym_name.data};")
            return
        with self._text.block(f"module {self._op.sym_name.data} (", ");"):
            self._text(",\n".join(_port_declarations(ports)))

    def _memories(self) -> None:
        for memory in self._plan.memories:
            width, depth = _memory_shape(memory.result, describe(memory))
            dimension = f" [0:{depth - 1}]" if depth else ""
            self._attributes(memory)
            self._text(f"logic {_range(width)}{self._name(memory)}{dimension};")
        for initial in self._plan.initials:
            with self._text.block("initial begin", "end"):
                for read in memory_files(initial):
                    place = self._expressions.place(read.dest)
                    self._text(f'$readmemh("{read.filename.data}", {place});')

    def _name(self, op: RegOp | Register) -> str:
        return self._plan.names[op.results[0]]

    def _declare_registers(self) -> None:
        for register in (r for group in self._plan.registers.values() for r in group):
            self._attributes(register)
            width = width_bits(register.data.type, describe(register))
            self._text(f"logic {_range(width)}{self._name(register)};")

    def _declare_instance_results(self) -> None:
        for instance in self._plan.instances:
            for value in instance.outputs:
                if value not in self._plan.port_of:
                    width = width_bits(value.type, describe(instance))
                    self._text(f"wire {_range(width)}{self._plan.names[value]};")

    def _wires(self) -> None:
        for value in self._plan.wires:
            assert isinstance(value.owner, Operation)
            definition = self._expressions.definition(value)
            if (port := self._plan.port_of.get(value)) is not None:
                self._line(f"assign {port} = {definition};")
                continue
            width = width_bits(value.type, describe(value.owner))
            name = self._plan.names[value]
            wire = f"wire {_range(width)}{name}"
            if sv_attributes(value.owner):
                # Icarus reads no attribute of a declaration that assigns.
                self._attributes(value.owner)
                self._text(f"{wire};")
                self._line(f"assign {name} = {definition};")
            else:
                self._line(f"{wire} = {definition};")

    def _instances(self) -> None:
        for op in self._plan.instances:
            inputs = zip(
                op.arg_names, map(self._expressions.use, op.inputs), strict=True
            )
            outputs = zip(
                op.result_names, (self._plan.names[v] for v in op.outputs), strict=True
            )
            self._attributes(op)
            name = self._plan.instance_names[op]
            connections = [f".{p.data}({text})" for p, text in (*inputs, *outputs)]
            with self._text.block(f"{instantiated_name(op)} {name} (", ");"):
                self._text(",\n".join(connections))

    def _register_blocks(self) -> None:
        for control, registers in self._plan.registers.items():
            clk = self._expressions.use(control.clk)
            with self._text.block(f"always_ff @(posedge {clk}) begin", "end"):
                self._register_block(control, registers)

    def _register_block(self, control: Control, registers: Sequence[Register]) -> None:
        """Reset goes before enable."""
        enable = (
            None if control.enable is None else self._expressions.use(control.enable)
        )
        if control.reset is None and enable is None:
            self._load(registers, 2)
        elif control.reset is None:
            with self._text.block(f"if ({enable}) begin", "end"):
                self._load(registers, 3)
        else:
            reset = self._expressions.use(control.reset)
            with self._text.block(f"if ({reset}) begin"):
                for op in registers:
                    assert op.reset_value is not None
                    value = self._expressions.use(op.reset_value)
                    self._line(f"{self._name(op)} <= {value};", 3)
            middle = f"end else if ({enable}) begin" if enable else "end else begin"
            with self._text.block(middle, "end"):
                self._load(registers, 3)

    def _load(self, registers: Iterable[Register], depth: int) -> None:
        for op in registers:
            value = self._expressions.use(op.input)
            self._line(f"{self._name(op)} <= {value};", depth)

    def _procedures(self) -> None:
        for op in self._plan.alwayses:
            clk = self._expressions.use(op.clk)
            with self._text.block(f"always @(posedge {clk}) begin", "end"):
                self._statements(op, 2)

    def _statements(self, body: AlwaysOp | IfOp, depth: int) -> None:
        for op in body.body.block.ops:
            match op:
                case IfOp():
                    condition = self._expressions.use(op.cond)
                    with self._text.block(f"if ({condition}) begin", "end"):
                        self._statements(op, depth + 1)
                case PAssignOp():
                    place = self._expressions.place(op.dest)
                    value = self._expressions.use(op.src)
                    self._line(f"{place} <= {value};", depth)
                case ArrayIndexInOutOp():
                    pass  # written where it is assigned
                case _:
                    raise CircuitError(
                        f"{describe(op)} stands in sv.always; only sv.if, sv.passign "
                        "and sv.array_index_inout may"
                    )

    def _outputs(self) -> None:
        for port, value in self._plan.outputs:
            if self._plan.port_of.get(value) != port:
                self._line(f"assign {port} = {self._expressions.use(value)};")

    def _unread(self) -> None:
        """One wire reads all bits that nothing else reads, so that lint can tell."""
        if not self._plan.unread:
            return
        bits = ", ".join(
            _part(self._plan.names[value], low, count, width_bits(value.type, "signal"))
            for value, low, count in self._plan.unread
        )
        self._text("// Read by nothing else.")
        self._line(f"wire _unused = &{{1'b0, {bits}}};")


def _part(name: str, low: int, count: int, width: int) -> str:
    if count == width:
        return name
    return f"{name}[{low}]" if count == 1 else f"{name}[{low + count - 1}:{low}]"


def _port_declarations(ports: Sequence[Port]) -> list[str]:
    ranges = [_range(port.width_bits) for port in ports]
    widest = max(map(len, ranges))
    return [
        f"{'input ' if port.is_input else 'output'} wire {text:<{widest}}{port.name}"
        for port, text in zip(ports, ranges, strict=True)
    ]
