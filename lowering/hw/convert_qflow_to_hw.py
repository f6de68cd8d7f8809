"""`convert-qflow-to-hw`: turn units and streams into a circuit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr, SymbolRefAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.dialects.hw import HWModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import PassFailedException

from lowering.hw.top import Instance, build_top
from lowering.hw.unit_specs import UnitSpec, unit_spec
from qdialect import qflow
from qdialect.calls import CallOp
from qdialect.constants import LoadOp, WeightOp
from qdialect.location import where
from qdialect.streams import StreamType, stream_operands, stream_type
from qdialect.units import stream_functions, unit_names

_LEGAL_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def _kind(op: Operation) -> str:
    return op.name.removeprefix("qflow.")


@dataclass
class _UnitBuilder:
    """Builds units, equal connections once."""

    prefix: str
    symbols: set[str]

    def __post_init__(self) -> None:
        self.modules: list[HWModuleOp] = []
        self.images: list[WeightOp] = []
        self._shared: dict[UnitSpec, HWModuleOp] = {}

    def instance(self, op: Operation, name: str) -> Instance:
        """The module of a unit and the name of its instance."""
        spec = unit_spec(op)
        kind = _kind(op)
        # No keyword starts like this, whatever the unit is called.
        label = name if name.startswith(f"{kind}_") else f"{kind}_{name}"
        if not isinstance(op, qflow.FifoOp | qflow.DwcOp | qflow.ForkOp):
            return Instance(label, self._build(spec, label))
        if spec not in self._shared:
            self._shared[spec] = self._build(spec, f"{kind}_{_shape(op)}")
        return Instance(label, self._shared[spec])

    def _build(self, spec: UnitSpec, label: str) -> HWModuleOp:
        """The module of a unit; all names of its parts are new."""
        for number in count(1):
            suffix = "" if number == 1 else f"_v{number}"
            unit = spec.build(f"{self.prefix}_{label}{suffix}")
            names = {op.sym_name.data for op in (*unit.modules, *unit.images)}
            if names.isdisjoint(self.symbols):
                self.symbols |= names
                self.modules += unit.modules
                self.images += unit.images
                return unit.top
        raise AssertionError("some number is free")


def _shape(op: Operation) -> str:
    """What tells a connection from others of its kind: `8x16` of a FIFO."""
    source = stream_type(op.operands[0])
    match op:
        case qflow.FifoOp():
            return f"{op.depth.value.data}x{source.beat_bits}"
        case qflow.DwcOp():
            out = stream_type(op.out)
            return f"{source.beat_bits}to{out.beat_bits}"
        case _:
            return f"{len(op.results)}x{source.beat_bits}"


@dataclass(frozen=True)
class ConvertQflowToHwPass(ModulePass):
    """Turn every function on streams into a circuit on AXI4-Stream.

    1. Each unit becomes an `hw.module` with its weights in memories; equal FIFOs,
       converters and forks share one. A reshape is a wire.
    2. `PREFIX_top` joins them, see `lowering/hw/top.py`; it replaces the function, in
       `qnn.call` too. With several functions the top of @f is `PREFIX_f_top`.
    3. Memory images become `qnn.weight` symbols; weights that nothing reads any more go.

    Every name starts with the prefix, so that two networks fit into one design. Exact:
    the units compute what the operations do, whatever the sequence of stalls.
    """

    name = "convert-qflow-to-hw"

    prefix: str = "qnnc"
    """What every module name starts with."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not _LEGAL_PREFIX.fullmatch(self.prefix):
            raise PassFailedException(
                "convert-qflow-to-hw: the prefix must be a letter and then letters, "
                f"digits or _, got {self.prefix!r}"
            )
        functions = stream_functions(op)
        for function in functions:
            name = function.sym_name.data
            prefix = self.prefix if len(functions) == 1 else f"{self.prefix}_{name}"
            _convert(op, function, prefix)


def _convert(module: ModuleOp, function: FuncOp, prefix: str) -> None:
    top = f"{prefix}_top"
    symbols = {
        symbol.data
        for op in module.body.block.ops
        if isinstance(symbol := op.get_attr_or_prop("sym_name"), StringAttr)
    }
    if top in symbols:
        raise PassFailedException(
            f"convert-qflow-to-hw: the module has a symbol @{top} already; choose "
            "another prefix"
        )
    _expect_circuit(function)
    builder = _UnitBuilder(prefix, {*symbols, top})
    instances = {
        op: builder.instance(op, name)
        for op, name in unit_names(function).items()
        if not isinstance(op, qflow.ReshapeOp)
    }
    network = build_top(function, instances, top)
    network.location = function.location
    name = function.sym_name.data
    module.body.block.insert_ops_before(
        [*builder.modules, network, *builder.images], function
    )
    loaded = _loaded(function)
    Rewriter.erase_op(function)
    for op in module.walk():
        if isinstance(op, CallOp) and op.callee.string_value() == name:
            op.callee = SymbolRefAttr(top)
    _drop_unread_weights(module, loaded)


def _expect_circuit(function: FuncOp) -> None:
    """Refuse what loses beats: strangers between units, streams not read exactly once."""
    values: list[SSAValue] = list(function.body.block.args)
    for op in function.body.block.ops:
        streams = stream_operands(op)
        if streams and not isinstance(op, (*qflow.UNITS, ReturnOp)):
            raise PassFailedException(
                f"convert-qflow-to-hw: {where(op)}: no hardware unit computes it"
            )
        values += [v for v in op.results if isinstance(v.type, StreamType)]
    for value in values:
        readers = len(list(value.uses))
        if readers != 1:
            name = f"%{value.name_hint}" if value.name_hint else value.type
            raise PassFailedException(
                f"convert-qflow-to-hw: @{function.sym_name.data}: the stream {name} has "
                f"{readers} readers, expected one; a qflow.fork copies a stream"
            )


def _loaded(op: Operation) -> set[str]:
    """The weights that are loaded in `op`."""
    return {
        inner.weight.string_value() for inner in op.walk() if isinstance(inner, LoadOp)
    }


def _drop_unread_weights(module: ModuleOp, names: set[str]) -> None:
    """Drop those of the named weights that nothing reads any more."""
    unread = names - _loaded(module)
    for op in list(module.body.block.ops):
        if isinstance(op, WeightOp) and op.sym_name.data in unread:
            Rewriter.erase_op(op)
