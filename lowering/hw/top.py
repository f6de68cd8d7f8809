"""The top module of a network: AXI4-Stream outside, its units and their wires inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from xdsl.dialects.builtin import ArrayAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.dialects.hw import HWModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.utils.hints import isa

from lowering.hw.builder import ModuleBuilder, Signal, Wire, concat, mux
from lowering.hw.circt_ops import WireOp
from lowering.hw.hierarchy import CircuitError
from lowering.hw.memories import address_bits
from lowering.hw.stream import stream_prefixes
from qdialect import qflow
from qdialect.streams import StreamType, stream_operands, stream_type
from qdialect.units import units

INPUTS = "qflow.inputs"
OUTPUTS = "qflow.outputs"


def axis_names(kind: str, count: int) -> list[str]:
    """Names of the AXI4-Stream ports: `s_axis`, or `s_axis_0`, `s_axis_1`, ...

    Args:
        kind: `s` for inputs, `m` for outputs.
        count: number of ports of that kind.
    """
    base = f"{kind}_axis"
    return [base] if count == 1 else [f"{base}_{i}" for i in range(count)]


def tdata_bits(stream: StreamType) -> int:
    """Width of the `tdata` that carries a stream: its beat in whole bytes."""
    return -(-stream.beat_bits // 8) * 8


class _Link(NamedTuple):
    """A stream inside the top module; its reader drives `ready`."""

    data: Signal
    valid: Signal
    ready: Wire


@dataclass(frozen=True)
class Instance:
    """A unit to be placed in the top module.

    Attributes:
        name: of the instance.
        module: the unit's module.
    """

    name: str
    module: HWModuleOp


@dataclass
class _TopWriter:
    function: FuncOp
    instances: Mapping[Operation, Instance]
    builder: ModuleBuilder
    links: dict[SSAValue, _Link] = field(default_factory=dict[SSAValue, _Link])

    def write(self) -> HWModuleOp:
        m = self.builder
        self.rst = (~m.input("aresetn", 1)).named("rst")
        arguments = self.function.body.block.args
        for argument, name in zip(
            arguments, axis_names("s", len(arguments)), strict=True
        ):
            self._source(argument, name)
        for op in units(self.function):
            if isinstance(op, qflow.ReshapeOp):
                self.links[op.out] = self.links[op.input]
            else:
                self._place(op)
        end = self.function.body.block.last_op
        assert isinstance(end, ReturnOp)
        results = end.operands
        for value, name in zip(results, axis_names("m", len(results)), strict=True):
            self._sink(value, name)
        module = m.finish()
        module.attributes[INPUTS] = ArrayAttr([a.type for a in arguments])
        module.attributes[OUTPUTS] = ArrayAttr([v.type for v in results])
        return module

    def _source(self, argument: SSAValue, name: str) -> None:
        m, stream = self.builder, stream_type(argument)
        tdata = m.input(f"{name}_tdata", tdata_bits(stream))
        valid = m.input(f"{name}_tvalid", 1)
        last = m.input(f"{name}_tlast", 1)
        surplus = tdata.width - stream.beat_bits
        unused = [tdata.bits(stream.beat_bits, surplus)] if surplus else []
        # Lint takes a signal of this name for one that is meant not to be read.
        wire = WireOp(concat(*unused, last).value)
        m.append(wire)
        m.name_property(wire, f"unused_{name}")
        ready = m.wire(f"{name}_ready", 1)
        m.output(f"{name}_tready", ready)
        self.links[argument] = _Link(tdata.bits(0, stream.beat_bits), valid, ready)

    def _place(self, op: Operation) -> None:
        """The instance of a unit."""
        m, instance = self.builder, self.instances[op]
        operands = stream_operands(op)
        prefixes = stream_prefixes("in", len(operands))
        ports = {"rst": self.rst}
        for value, prefix in zip(operands, prefixes, strict=True):
            source = self.links[value]
            ports |= {f"{prefix}_data": source.data, f"{prefix}_valid": source.valid}
        readies = {
            prefix: m.wire(f"{instance.name}_{prefix}_ready", 1)
            for prefix in stream_prefixes("out", len(op.results))
        }
        ports |= {f"{prefix}_ready": ready for prefix, ready in readies.items()}
        outputs = m.instance(instance.name, instance.module, ports)
        for value, prefix in zip(operands, prefixes, strict=True):
            self.links[value].ready.drive(outputs[f"{prefix}_ready"])
        for result, (prefix, ready) in zip(op.results, readies.items(), strict=True):
            self.links[result] = _Link(
                outputs[f"{prefix}_data"], outputs[f"{prefix}_valid"], ready
            )

    def _sink(self, value: SSAValue, name: str) -> None:
        m, stream, link = self.builder, stream_type(value), self.links[value]
        ready = m.input(f"{name}_tready", 1)
        link.ready.drive(ready)
        taken = link.valid & ready
        last = vector_last = self._last_of(f"{name}_beat", stream.beats, taken)
        if stream.vectors > 1:
            done = taken & vector_last
            last = last & self._last_of(f"{name}_vector", stream.vectors, done)
        data = link.data
        surplus = stream.beats * stream.lanes - stream.elements
        if surplus:
            used = data.bits(0, stream.beat_bits - surplus * stream.element_bits)
            data = mux(vector_last, used.zero_extend(data.width), data)
        m.output(f"{name}_tdata", data.zero_extend(tdata_bits(stream)))
        m.output(f"{name}_tvalid", link.valid)
        m.output(f"{name}_tlast", last)

    def _last_of(self, name: str, count: int, step: Signal) -> Signal:
        """Whether it is the last of `count`, of which each ends with `step`."""
        m = self.builder
        if count == 1:
            return m.constant(1, 1)
        width = address_bits(count)
        value = m.register(name, width, enable=step, reset=(self.rst, 0))
        last = value.equals(count - 1).named(f"{name}_last")
        following = value + m.constant(1, width)
        value.set_next(mux(last, m.constant(0, width), following))
        return last


def build_top(
    function: FuncOp, instances: Mapping[Operation, Instance], name: str
) -> HWModuleOp:
    """The module `name` that joins the units of `function` and talks AXI4-Stream.

    Its ports are `aclk`, `aresetn` (synchronous, active low) and for every stream
    `tdata`, `tvalid`, `tready`, `tlast`. `tdata` is padded with zeros to whole bytes, as
    are the surplus lanes of an output. `tlast` marks the last beat of a frame; that of
    an input is not read. The types of the streams are the module's attributes
    `qflow.inputs` and `qflow.outputs`.

    Args:
        function: a function on streams, each with one reader.
        instances: the module of each unit; a reshape is a wire and has none.
        name: symbol of the module.
    """
    builder = ModuleBuilder(name, "A network on AXI4-Stream.", clock="aclk")
    return _TopWriter(function, instances, builder).write()


def stream_types(top: HWModuleOp, name: str) -> list[StreamType]:
    """The types of the ports of a top module: its attribute `INPUTS` or `OUTPUTS`.

    Raises:
        CircuitError: it has no such attribute.
    """
    attribute = top.attributes.get(name)
    if not isa(attribute, ArrayAttr[StreamType]):
        raise CircuitError(
            f"hw.module @{top.sym_name.data} lacks the attribute '{name}', which says "
            "what its streams carry"
        )
    return list(attribute.data)
