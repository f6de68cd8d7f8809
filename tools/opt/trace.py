"""What every operation of a module computed in one run, and where two runs part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import CallOp as FuncCallOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import BlockArgument, Operation, OpResult, SSAValue

from lowering.interpreter.engine import Implementation, Interpreter
from lowering.interpreter.values import Value, as_array
from qdialect.calls import CallOp
from qdialect.constants import ConstantOp, DecodeOp, LoadOp
from qdialect.data import Array
from qdialect.location import source_name
from tools.comparison import content
from tools.signature import functions_of


@dataclass
class Trace:
    """One run of a function.

    Attributes:
        outputs: an array for each result.
        steps: operations that computed something, in order of execution.
        values: what each of them computed.
    """

    outputs: list[Array] = field(default_factory=list[Array])
    steps: list[Operation] = field(default_factory=list[Operation])
    values: dict[SSAValue, Array] = field(default_factory=dict[SSAValue, Array])

    def record(self, op: Operation, results: Sequence[Value]) -> None:
        """Listener of the interpreter."""
        if isinstance(op, ConstantOp | LoadOp | DecodeOp):
            return
        self.steps.append(op)
        for value, result in zip(op.results, results, strict=True):
            self.values[value] = as_array(result)

    def contents(self) -> set[tuple[int, bytes]]:
        """Identities of all arrays that were computed."""
        return {content(array) for array in self.values.values()}

    def by_node(self) -> dict[str, Array]:
        """The last array that was computed for each node of the source model."""
        found: dict[str, Array] = {}
        for op in self.steps:
            name = source_name(op)
            if name is not None and op.results:
                found[name] = self.values[op.results[-1]]
        return found


def run_traced(
    module: ModuleOp,
    entry: str,
    inputs: Sequence[Array],
    implementations: Sequence[Implementation],
) -> Trace:
    """Run a function and keep everything that it computes.

    Raises:
        InterpreterError: the interpreter cannot run it.
    """
    trace = Trace()
    interpreter = Interpreter(
        module, listener=trace.record, implementations=implementations
    )
    trace.outputs = interpreter.run(inputs, entry)
    return trace


def first_difference(
    module: ModuleOp,
    entry: str,
    trace: Trace,
    known: set[tuple[int, bytes]],
    index: int,
) -> Operation | None:
    """The operation where a wrong output began to be wrong.

    From the output the search goes back through values that no operation computed
    before, and ends at values that one did. Of the operations on the way the first is
    returned.

    Args:
        module: what was run, unchanged since.
        entry: the function that was run.
        trace: what it computed.
        known: contents of all arrays of the run to compare with.
        index: which output is wrong.
    """
    functions = functions_of(module)
    order = {op: number for number, op in enumerate(trace.steps)}
    suspects: set[Operation] = set()
    pending = [_result(functions[entry], index)]
    seen: set[SSAValue] = set()
    while pending:
        value = pending.pop()
        if value is None or value in seen:
            continue
        seen.add(value)
        array = trace.values.get(value)
        if array is not None and content(array) in known:
            continue
        if array is not None and isinstance(value.owner, Operation):
            suspects.add(value.owner)
        pending.extend(_sources(value, functions, trace))
    # The call of a function is where nothing of its own happens.
    inner = [op for op in suspects if not isinstance(op, CallOp | FuncCallOp)]
    return min(inner or suspects, key=lambda op: order[op], default=None)


def _result(function: FuncOp, index: int) -> SSAValue | None:
    last = function.body.block.last_op
    return last.operands[index] if isinstance(last, ReturnOp) else None


def _sources(
    value: SSAValue, functions: dict[str, FuncOp], trace: Trace
) -> Iterator[SSAValue | None]:
    """The values that `value` was computed from, through calls."""
    if isinstance(value, BlockArgument):
        function = value.block.parent_op()
        name = function.sym_name.data if isinstance(function, FuncOp) else None
        for op in trace.steps:
            if isinstance(op, CallOp | FuncCallOp) and op.callee.string_value() == name:
                yield op.operands[value.index]
        return
    op = value.owner
    assert isinstance(op, Operation)
    if isinstance(op, CallOp | FuncCallOp):
        callee = functions.get(op.callee.string_value())
        if callee is not None and isinstance(value, OpResult):
            yield _result(callee, value.index)
            return
    yield from op.operands
