"""Runs the circuit level, cycle by cycle, without any simulator.

The circuit is flattened and written out as one Python function over integers of any
width: what it computes between two clock edges, in order. It is as slow as Python and
depends on nothing; `lowering/hw/verilate.py` is the fast way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

from xdsl.dialects import comb, hw, seq
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from lowering.hw.circt_ops import CompRegClockEnabledOp, ReadInOutOp
from lowering.hw.hierarchy import CircuitError, describe
from lowering.interpreter.netlist import Netlist, Node, flatten
from lowering.text import Text

Step: TypeAlias = Callable[[list[int], list[list[int]], Sequence[int]], tuple[int, ...]]

_SIGNED = {2: "<", 3: "<=", 4: ">", 5: ">="}
_UNSIGNED = {0: "==", 1: "!=", 6: "<", 7: "<=", 8: ">", 9: ">="}


class CircuitSimulator:
    """A circuit and the state of its registers and memories.

    Args:
        module: the hardware modules and their memory images.
        top: name of the top module.

    Raises:
        CircuitError: the module cannot be executed.
    """

    def __init__(self, module: ModuleOp, top: str):
        self._netlist = flatten(module, top)
        self._step = compile_step(self._netlist)
        self.reset()

    @property
    def inputs(self) -> list[str]:
        """Names of the input ports."""
        return list(self._netlist.inputs)

    def reset(self) -> None:
        """Registers to 0 and memories to their images, as at power-up."""
        self._registers = [0] * len(self._netlist.registers)
        self._memories = [list(memory.words) for memory in self._netlist.memories]

    def step(self, inputs: Mapping[str, int]) -> dict[str, int]:
        """Outputs for `inputs` within a cycle; then the clock edge.

        Args:
            inputs: an unsigned number for every input port but clocks.
        """
        given = [inputs.get(name, 0) for name in self._netlist.inputs]
        outputs = self._step(self._registers, self._memories, given)
        return dict(zip(self._netlist.outputs, outputs, strict=True))


def compile_step(netlist: Netlist) -> Step:
    """The function of one cycle: (registers, memories, inputs) to outputs.

    It replaces the contents of `registers` and `memories` by those after the edge.
    """
    text = Text()
    with text.block("def step(registers, memories, inputs):"):
        _write_state(text, netlist)
        for position, node in enumerate(netlist.nodes):
            if node.op is not None and not isinstance(node.op, _REGISTERS):
                text(f"n{position} = {_expression(netlist, node)}")
        outputs = "".join(f"n{p}, " for p in netlist.outputs.values())
        text(f"outputs = ({outputs})")
        _write_edge(text, netlist)
        text("return outputs")
    scope: dict[str, object] = {"quotient": _quotient, "remainder": _remainder}
    exec(compile(str(text), "<circuit>", "exec"), scope)
    return cast(Step, scope["step"])


_REGISTERS = (seq.CompRegOp, CompRegClockEnabledOp)


def _write_state(text: Text, netlist: Netlist) -> None:
    def unpack(positions: Sequence[int], source: str) -> None:
        if positions:
            text(f"{''.join(f'n{p}, ' for p in positions)}= {source}")

    unpack(list(netlist.inputs.values()), "inputs")
    unpack([register.node for register in netlist.registers], "registers")
    if netlist.memories:
        names = "".join(f"m{i}, " for i in range(len(netlist.memories)))
        text(f"{names}= memories")


def _write_edge(text: Text, netlist: Netlist) -> None:
    # Memories first: what they store was computed before the edge already.
    for i, memory in enumerate(netlist.memories):
        for write in memory.writes:
            condition = " and ".join(f"n{c}" for c in write.conditions) or "True"
            index = "0" if write.index is None else f"n{write.index}"
            text(f"if {condition}: m{i}[{index}] = n{write.data}")
    following: list[str] = []
    for register in netlist.registers:
        value = f"n{register.input}"
        if register.enable is not None:
            value = f"({value} if n{register.enable} else n{register.node})"
        if register.reset is not None:
            value = f"(n{register.reset_value} if n{register.reset} else {value})"
        following.append(value)
    if following:
        text(f"registers[:] = ({', '.join(following)},)")


def _quotient(a: int, b: int) -> int:
    """`a / b`, rounded towards zero; 0 where `b` is 0, as Verilator has it."""
    if b == 0:
        return 0
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int:
    """What `_quotient` leaves, with the sign of `a`; 0 where `b` is 0."""
    return a - b * _quotient(a, b) if b else 0


# Python of an operation of the names of its operands; the value is masked to its width.
_MASKED: dict[type[Operation], Callable[[list[str], int], str]] = {
    comb.AddOp: lambda n, _: " + ".join(n),
    comb.MulOp: lambda n, _: " * ".join(n),
    comb.SubOp: lambda n, _: f"{n[0]} - {n[1]}",
    # A shift by more than the width gives 0 in any case, but a number of that size.
    comb.ShlOp: lambda n, width: f"{n[0]} << min({n[1]}, {width})",
}
# Of these the value is within its width as it is.
_PLAIN: dict[type[Operation], Callable[[list[str]], str]] = {
    comb.AndOp: " & ".join,
    comb.OrOp: " | ".join,
    comb.XorOp: " ^ ".join,
    comb.ShrUOp: lambda n: f"{n[0]} >> {n[1]}",
    comb.DivUOp: lambda n: f"quotient({n[0]}, {n[1]})",
    comb.ModUOp: lambda n: f"remainder({n[0]}, {n[1]})",
    comb.MuxOp: lambda n: f"{n[1]} if {n[0]} else {n[2]}",
    # The first operand is the element of the highest index.
    hw.ArrayCreateOp: lambda n: f"({', '.join(reversed(n))},)",
    hw.ArrayGetOp: lambda n: f"{n[0]}[min({n[1]}, len({n[0]}) - 1)]",
}


def _expression(netlist: Netlist, node: Node) -> str:
    """Python for the value of a node, always within its width."""
    op = node.op
    names = [f"n{p}" for p in node.operands]
    widths = [netlist.nodes[p].width_bits for p in node.operands]
    mask = (1 << node.width_bits) - 1
    masked, plain = _MASKED.get(_class(op)), _PLAIN.get(_class(op))
    if masked is not None:
        return f"({masked(names, node.width_bits)}) & {mask}"
    if plain is not None:
        return plain(names)
    match op:
        case hw.ConstantOp():
            return str(op.value.value.data & mask)
        case comb.DivSOp() | comb.ModSOp():
            left, right = (_signed(n, w) for n, w in zip(names, widths, strict=True))
            function = "quotient" if isinstance(op, comb.DivSOp) else "remainder"
            return f"{function}({left}, {right}) & {mask}"
        case comb.ShrSOp():
            return f"({_signed(names[0], widths[0])} >> {names[1]}) & {mask}"
        case comb.ICmpOp():
            return _comparison(op, names, widths)
        case comb.ExtractOp():
            return f"({names[0]} >> {op.low_bit.value.data}) & {mask}"
        case comb.ConcatOp():
            return _concatenation(names, widths)
        case comb.ReplicateOp():
            ones = sum(1 << i for i in range(0, node.width_bits, widths[0]))
            return f"{names[0]} * {ones}"
        case ReadInOutOp():
            return f"m{node.memory}[{names[0] if names else 0}]"
        case Operation():
            raise CircuitError(f"{describe(op)} cannot be executed")
        case _:
            raise CircuitError(f"{node.name} has no operation")


def _class(op: Operation | None) -> type[Operation]:
    return Operation if op is None else type(op)


def _signed(name: str, width_bits: int) -> str:
    half = 1 << (width_bits - 1)
    return f"(({name} ^ {half}) - {half})"


def _comparison(op: comb.ICmpOp, names: list[str], widths: list[int]) -> str:
    predicate = op.predicate.value.data
    if predicate in _SIGNED:
        left, right = (_signed(n, w) for n, w in zip(names, widths, strict=True))
        return f"int({left} {_SIGNED[predicate]} {right})"
    return f"int({names[0]} {_UNSIGNED[predicate]} {names[1]})"


def _concatenation(names: list[str], widths: list[int]) -> str:
    """The first operand holds the highest bits."""
    terms: list[str] = []
    low = 0
    for name, width in zip(reversed(names), reversed(widths), strict=True):
        terms.append(f"{name} << {low}" if low else name)
        low += width
    return " | ".join(terms)
