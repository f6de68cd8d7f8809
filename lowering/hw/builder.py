"""Writing the body of a hardware module: signals with operators, registers, instances.

A `ModuleBuilder` holds one `hw.module` under construction. Its signals are typed
wrappers of SSA values; two equal combinational operations give one. Bits count from
0, the lowest; all arithmetic wraps at the width of its operands, as in `comb`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import (
    ArrayAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    SymbolRefAttr,
)
from xdsl.dialects.seq import ClockType, CompRegOp
from xdsl.ir import Block, Operation, Region, SSAValue, TypeAttribute
from xdsl.utils.hints import isa

from lowering.hw.circt_ops import (
    NAME_HINT,
    SV_ATTRIBUTES,
    CompRegClockEnabledOp,
    WireOp,
)
from lowering.hw.circt_types import SvAttribute
from qdialect.constants import WeightOp

_Key = tuple[object, ...]
_NUMBERS_AT_END = re.compile(r"(_\d+)+$")


def ssa_stem(name: str) -> str:
    """`name` without numbers at its end, as a hint for the name of a value.

    xDSL numbers the values of one hint itself, `x`, `x_1`, and drops one number from a
    hint: of `x_1_2` it would make a second `x_1`.
    """
    return _NUMBERS_AT_END.sub("", name)


@dataclass(frozen=True)
class Signal:
    """A value of `width` bits in the module of `builder`."""

    builder: ModuleBuilder
    value: SSAValue

    @property
    def width(self) -> int:
        """Width in bits."""
        assert isa(self.value.type, IntegerType)
        return self.value.type.width.data

    @property
    def constant_value(self) -> int | None:
        """The number, unsigned, if this is a constant."""
        if not isinstance(self.value.owner, hw.ConstantOp):
            return None
        return self.value.owner.value.value.data & self._ones

    @property
    def _ones(self) -> int:
        return (1 << self.width) - 1

    def __and__(self, other: Signal) -> Signal:
        for this, that in ((self, other), (other, self)):
            if this.constant_value == self._ones:
                return that
        return self.builder.emit(comb.AndOp([self.value, other.value]))

    def __or__(self, other: Signal) -> Signal:
        for this, that in ((self, other), (other, self)):
            if this.constant_value == 0:
                return that
        return self.builder.emit(comb.OrOp([self.value, other.value]))

    def __xor__(self, other: Signal) -> Signal:
        return self.builder.emit(comb.XorOp([self.value, other.value]))

    def __invert__(self) -> Signal:
        if (constant := self.constant_value) is not None:
            return self.builder.constant(~constant, self.width)
        ones = self.builder.constant(-1, self.width)
        return self.builder.emit(comb.XorOp([self.value, ones.value]))

    def __add__(self, other: Signal) -> Signal:
        return self.builder.emit(comb.AddOp([self.value, other.value]))

    def __sub__(self, other: Signal) -> Signal:
        return self.builder.emit(comb.SubOp(self.value, other.value))

    def __mul__(self, other: Signal) -> Signal:
        return self.builder.emit(comb.MulOp([self.value, other.value]))

    def compare(self, predicate: str, other: Signal | int) -> Signal:
        """One bit: `self <predicate> other`, with the predicates of `comb.icmp`."""
        if isinstance(other, int):
            other = self.builder.constant(other, self.width)
        return self.builder.emit(comb.ICmpOp(self.value, other.value, predicate))

    def equals(self, other: Signal | int) -> Signal:
        """One bit: whether both are the same bits."""
        return self.compare("eq", other)

    def bits(self, low: int, width: int) -> Signal:
        """The `width` bits from bit `low` up."""
        if not 0 <= low <= low + width <= self.width:
            raise ValueError(f"bits {low}+:{width} of a signal of {self.width} bits")
        if width == self.width:
            return self
        if isinstance(owner := self.value.owner, comb.ConcatOp):
            top = self.width
            for part in (Signal(self.builder, operand) for operand in owner.inputs):
                top -= part.width
                if top <= low and low + width <= top + part.width:
                    return part.bits(low - top, width)
        return self.builder.emit(
            comb.ExtractOp(self.value, IntegerAttr(low, 32), IntegerType(width))
        )

    def bit(self, index: int) -> Signal:
        """Bit `index`; a negative one counts from the top."""
        return self.bits(index if index >= 0 else self.width + index, 1)

    def zero_extend(self, width: int) -> Signal:
        """The same unsigned number in `width` bits."""
        if width == self.width:
            return self
        return concat(self.builder.constant(0, width - self.width), self)

    def sign_extend(self, width: int) -> Signal:
        """The same two's complement number in `width` bits."""
        if width == self.width:
            return self
        return concat(self.bit(-1).replicate(width - self.width), self)

    def resize(self, width: int, *, signed: bool) -> Signal:
        """The same number in `width` bits, cut off at the top where it is narrower."""
        if width < self.width:
            return self.bits(0, width)
        return self.sign_extend(width) if signed else self.zero_extend(width)

    def replicate(self, times: int) -> Signal:
        """The bits of this signal, `times` over."""
        if times == 1:
            return self
        target = IntegerType(self.width * times)
        return self.builder.emit(comb.ReplicateOp(self.value, target))

    def lanes(self, width: int) -> list[Signal]:
        """Consecutive parts of `width` bits each, lowest first."""
        return [self.bits(low, width) for low in range(0, self.width, width)]

    def named(self, name: str) -> Signal:
        """This signal, which a reader of the SystemVerilog sees under `name`."""
        owner = self.value.owner
        if isinstance(owner, hw.ConstantOp):
            # A constant is written where it is used, and CIRCT reads no name of it.
            return self
        if isinstance(owner, Operation) and NAME_HINT not in owner.attributes:
            self.builder.name_operation(owner, NAME_HINT, name)
        return self

    def kept(self, name: str) -> Signal:
        """A wire of this value, which synthesis does not merge with what follows."""
        wire = WireOp(self.value)
        self.builder.append(wire)
        self.builder.name_property(wire, name)
        wire.attributes[SV_ATTRIBUTES] = ArrayAttr([SvAttribute("keep")])
        return Signal(self.builder, wire.result)


@dataclass(frozen=True)
class Register(Signal):
    """A register whose next value may be given after it was read."""

    def set_next(self, value: Signal) -> None:
        """Load `value` at each clock edge (at which the register is enabled)."""
        owner = self.value.owner
        assert isinstance(owner, CompRegOp | CompRegClockEnabledOp)
        owner.operands[0] = value.value


@dataclass(frozen=True)
class Wire(Signal):
    """A wire that may be read before what drives it is there."""

    def drive(self, value: Signal) -> None:
        """Let `value` be what the wire carries."""
        owner = self.value.owner
        assert isinstance(owner, WireOp)
        owner.operands[0] = value.value


def concat(*high_to_low: Signal) -> Signal:
    """One signal of all bits, the first argument at the top."""
    if len(high_to_low) == 1:
        return high_to_low[0]
    target = IntegerType(sum(signal.width for signal in high_to_low))
    builder = high_to_low[0].builder
    return builder.emit(comb.ConcatOp([s.value for s in high_to_low], target))


def pack(lanes: Sequence[Signal]) -> Signal:
    """One signal of all bits, the first lane at the bottom: the inverse of `lanes`."""
    return concat(*reversed(lanes))


def any_of(*bits: Signal) -> Signal:
    """The bitwise or of all arguments."""
    if len(bits) == 1:
        return bits[0]
    return bits[0].builder.emit(comb.OrOp([bit.value for bit in bits]))


def all_of(*bits: Signal) -> Signal:
    """The bitwise and of all arguments."""
    if len(bits) == 1:
        return bits[0]
    return bits[0].builder.emit(comb.AndOp([bit.value for bit in bits]))


def mux(condition: Signal, true: Signal, false: Signal) -> Signal:
    """`condition ? true : false`."""
    if true.value is false.value or condition.constant_value == 1:
        return true
    if condition.constant_value == 0:
        return false
    return condition.builder.emit(comb.MuxOp(condition.value, true.value, false.value))


class ModuleBuilder:
    """An `hw.module` under construction.

    Attributes:
        name: symbol of the module.
        images: memory images that the module's ROMs read.
    """

    def __init__(self, name: str, comment: str = "", *, clock: str = "clk") -> None:
        self.name = name
        self.images: list[WeightOp] = []
        self._comment = comment
        self._block = Block()
        self._inputs: list[tuple[str, TypeAttribute]] = []
        self._outputs: list[tuple[str, Signal]] = []
        self._names: set[tuple[str, str]] = set()
        self._values: dict[_Key, Signal] = {}
        self.clk = self._input(clock, ClockType())

    def _input(self, name: str, type_: TypeAttribute) -> SSAValue:
        self._inputs.append((name, type_))
        argument = self._block.insert_arg(type_, len(self._block.args))
        argument.name_hint = name
        return argument

    def input(self, name: str, width_bits: int) -> Signal:
        """A new input port."""
        return Signal(self, self._input(name, IntegerType(width_bits)))

    def output(self, name: str, signal: Signal) -> None:
        """A new output port, driven by `signal`."""
        self._outputs.append((name, signal))

    def append(self, op: Operation) -> None:
        """Add an operation as it stands."""
        self._block.add_op(op)

    def emit(self, op: Operation) -> Signal:
        """Add a combinational operation with one result, unless it is there already."""
        key: _Key = (
            op.name,
            tuple(op.operands),
            tuple(op.properties.items()),
            op.results[0].type,
        )
        known = self._values.get(key)
        if known is None:
            self.append(op)
            known = self._values[key] = Signal(self, op.results[0])
        return known

    def constant(self, value: int, width_bits: int) -> Signal:
        """A constant; `value` is taken modulo 2**width_bits."""
        value &= (1 << width_bits) - 1
        if value >> (width_bits - 1):
            value -= 1 << width_bits
        return self.emit(hw.ConstantOp(value, width_bits))

    def _unique(self, kind: str, name: str) -> str:
        """`name`, with a number behind it where that kind of thing has it already."""
        candidate, count = name, 1
        while (kind, candidate) in self._names:
            count += 1
            candidate = f"{name}_{count}"
        self._names.add((kind, candidate))
        return candidate

    def name_operation(self, op: Operation, key: str, name: str) -> None:
        """Name the result of `op` in its attribute `key`."""
        name = self._unique(key, name)
        op.attributes[key] = StringAttr(name)
        op.results[0].name_hint = ssa_stem(name)

    def name_property(self, op: Operation, name: str) -> None:
        """Name the result of `op` in its property `name`."""
        name = self._unique(op.name, name)
        op.properties["name"] = StringAttr(name)
        op.results[0].name_hint = ssa_stem(name)

    def register(
        self,
        name: str,
        width_bits: int,
        *,
        enable: Signal | None = None,
        reset: tuple[Signal, int] | None = None,
    ) -> Register:
        """A register whose next value is given later, by `Register.set_next`.

        Args:
            name: what a reader sees.
            width_bits: its width.
            enable: one bit; the register holds its value where it is 0.
            reset: one bit, and the value taken where it is 1, enabled or not.
        """
        type_ = IntegerType(width_bits)
        resets: tuple[SSAValue, ...] = ()
        if reset is not None:
            resets = (reset[0].value, self.constant(reset[1], width_bits).value)
        # The clock stands in for the next value until `set_next`.
        operands: list[list[SSAValue]] = [[self.clk], [self.clk]]
        if enable is None:
            op: Operation = CompRegOp.build(
                operands=[*operands, resets[:1], resets[1:], []], result_types=[type_]
            )
        else:
            op = CompRegClockEnabledOp.build(
                operands=[*operands, [enable.value], resets[:1], resets[1:]],
                result_types=[type_],
            )
        self.append(op)
        self.name_operation(op, "name", name)
        return Register(self, op.results[0])

    def registered(
        self,
        value: Signal,
        name: str,
        *,
        enable: Signal | None = None,
        reset: tuple[Signal, int] | None = None,
    ) -> Signal:
        """`value` one clock edge later; see `register`."""
        register = self.register(name, value.width, enable=enable, reset=reset)
        register.set_next(value)
        return register

    def wire(self, name: str, width_bits: int) -> Wire:
        """A wire whose value is given later, by `Wire.drive`."""
        # The clock stands in for the value until then.
        op = WireOp.build(operands=[self.clk], result_types=[IntegerType(width_bits)])
        self.append(op)
        self.name_property(op, name)
        return Wire(self, op.result)

    def instance(
        self, name: str, module: hw.HWModuleOp, inputs: Mapping[str, Signal]
    ) -> dict[str, Signal]:
        """Instantiate `module`; its clock is this module's.

        Returns:
            Its outputs by name.
        """
        operands: list[tuple[str, SSAValue]] = []
        outputs: list[tuple[str, TypeAttribute]] = []
        for port in module.module_type.ports.data:
            port_name = port.port_name.data
            if port.dir.data.is_output_like():
                outputs.append((port_name, port.type))
            elif isinstance(port.type, ClockType):
                operands.append((port_name, self.clk))
            else:
                operands.append((port_name, inputs[port_name].value))
        op = hw.InstanceOp(
            self._unique(hw.InstanceOp.name, name),
            SymbolRefAttr(module.sym_name.data),
            operands,
            outputs,
        )
        self.append(op)
        results: dict[str, Signal] = {}
        for (port_name, _), result in zip(outputs, op.results, strict=True):
            result.name_hint = ssa_stem(f"{name}_{port_name}")
            results[port_name] = Signal(self, result)
        return results

    def finish(self) -> hw.HWModuleOp:
        """The module; nothing may be added afterwards."""
        self.append(hw.OutputOp([signal.value for _, signal in self._outputs]))
        inputs = [
            hw.ModulePort(StringAttr(name), type_, hw.DirectionAttr(hw.Direction.INPUT))
            for name, type_ in self._inputs
        ]
        outputs = [
            hw.ModulePort(
                StringAttr(name),
                IntegerType(signal.width),
                hw.DirectionAttr(hw.Direction.OUTPUT),
            )
            for name, signal in self._outputs
        ]
        module = hw.HWModuleOp(
            StringAttr(self.name),
            hw.ModuleType(ArrayAttr([*inputs, *outputs])),
            Region(self._block),
        )
        if self._comment:
            module.attributes["comment"] = StringAttr(self._comment)
        return module
