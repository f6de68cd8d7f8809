"""Modules, ports and widths of a circuit, as everything that reads one needs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.dialects.builtin import IntegerType, ModuleOp
from xdsl.dialects.comb import ExtractOp
from xdsl.dialects.hw import ConstantOp, HWModuleExternOp, HWModuleOp, InstanceOp
from xdsl.dialects.seq import ClockType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.utils.exceptions import DiagnosticException

from qdialect.constants import WeightOp


class CircuitError(DiagnosticException):
    """A circuit that a way out cannot take; says where and what would be taken."""


@dataclass(frozen=True)
class Port:
    """A port of a module."""

    name: str
    width_bits: int
    is_input: bool
    is_clock: bool


def width_bits(type_: Attribute, where: str) -> int:
    """Width of a value of `type_` in bits; a clock has one.

    Raises:
        CircuitError: not an integer of at least one bit; `where` starts the message.
    """
    match type_:
        case ClockType():
            return 1
        case IntegerType() if type_.width.data > 0:
            return type_.width.data
        case _:
            raise CircuitError(
                f"{where}: found a value of type {type_}; a signal must be iN with "
                "N > 0, or !seq.clock"
            )


def constant_value(value: SSAValue) -> int | None:
    """The unsigned value of a constant, or of bits taken from one; else None."""
    match value.owner:
        case ConstantOp() as op:
            return op.value.value.data & (
                (1 << width_bits(op.result.type, describe(op))) - 1
            )
        case ExtractOp() as op:
            if (whole := constant_value(op.input)) is None:
                return None
            mask = (1 << width_bits(op.result.type, describe(op))) - 1
            return (whole >> op.low_bit.value.data) & mask
        case _:
            return None


def module_ports(op: HWModuleOp | HWModuleExternOp) -> tuple[Port, ...]:
    """The ports of `op` in the order of its type."""
    where = f"hw.module @{op.sym_name.data}"
    return tuple(
        Port(
            port.port_name.data,
            width_bits(port.type, f"{where}, port {port.port_name.data}"),
            port.dir.data.is_input_like(),
            isinstance(port.type, ClockType),
        )
        for port in op.module_type.ports.data
    )


def hw_modules(module: ModuleOp) -> dict[str, HWModuleOp]:
    """The hardware modules of `module` by name, in the order of the text.

    Raises:
        CircuitError: two modules have one name.
    """
    found: dict[str, HWModuleOp] = {}
    for op in module.body.block.ops:
        if not isinstance(op, HWModuleOp):
            continue
        if (name := op.sym_name.data) in found:
            raise CircuitError(f"two modules are named @{name}; rename one")
        found[name] = op
    return found


def instances(op: HWModuleOp) -> Iterator[InstanceOp]:
    """The instances in `op`, in the order of the text."""
    return (inner for inner in op.body.block.ops if isinstance(inner, InstanceOp))


def instantiated_name(op: InstanceOp) -> str:
    """Name of the module of which `op` is an instance."""
    return op.module_name.root_reference.data


def in_dependency_order(module: ModuleOp) -> list[HWModuleOp]:
    """The hardware modules of `module`, each after those that it instantiates.

    Raises:
        CircuitError: there is none, or one instantiates itself, directly or not.
    """
    modules = hw_modules(module)
    if not modules:
        raise CircuitError("the module has no hw.module; run the pipeline bnn-fpga")
    ordered: dict[str, HWModuleOp] = {}
    for root in modules:
        _visit(root, modules, ordered, ())
    return list(ordered.values())


def _visit(
    name: str,
    modules: dict[str, HWModuleOp],
    ordered: dict[str, HWModuleOp],
    path: tuple[str, ...],
) -> None:
    if name in ordered or name not in modules:
        return
    if name in path:
        raise CircuitError(f"module @{name} instantiates itself: {' > '.join(path)}")
    for instance in instances(modules[name]):
        _visit(instantiated_name(instance), modules, ordered, (*path, name))
    ordered[name] = modules[name]


def memory_images(module: ModuleOp) -> dict[str, WeightOp]:
    """The memory contents in `module`, by the name of their file."""
    return {
        f"{op.sym_name.data}.mem": op
        for op in module.body.block.ops
        if isinstance(op, WeightOp)
    }


def describe(op: Operation) -> str:
    """Where `op` stands, for a message."""
    parent: Operation | None = op
    while parent is not None and not isinstance(parent, HWModuleOp):
        parent = parent.parent_op()
    place = f"module @{parent.sym_name.data}" if parent is not None else "the circuit"
    return f"{op.name} in {place}"
