"""`--verify-each`: runs a module before and after every pass, and compares."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.builtin import FileLineColLoc, ModuleOp, TensorType
from xdsl.dialects.func import CallOp as FuncCallOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from lowering.interpreter.engine import Implementation, InterpreterError
from qdialect.calls import CallOp
from qdialect.data import Array
from qdialect.location import source_name
from qdialect.types import shape_of
from tools.comparison import describe_difference, within_rounding
from tools.generated_inputs import generate_inputs
from tools.mistakes import UserError
from tools.opt.trace import Trace, first_difference, run_traced
from tools.signature import entry_of, functions_of, output_names, read_inputs

FRAMES = 16

_MAX_PRINTED_OP = 100


@dataclass
class _Run:
    """A function, its inputs, and what it computed after the last pass."""

    inputs: list[Array]
    outputs: list[Array]
    contents: set[tuple[int, bytes]]
    nodes: dict[str, Array]


class VerifyEach:
    """Runs the functions of a module and holds every pass to their results.

    Args:
        module: as the first pass gets it.
        source: the file that it comes from, for messages.
        given: input files for the entry; without them inputs are generated.
        implementations: what runs the operations of plug-in dialects.

    Raises:
        UserError: there is no function to run, or an input does not fit.
    """

    def __init__(
        self,
        module: ModuleOp,
        source: str,
        given: Sequence[tuple[str | None, Path]],
        implementations: Sequence[Implementation],
    ):
        self._source = source
        self._implementations = implementations
        self._runs: dict[str, _Run] = {}
        for function in [entry_of(module, source)] if given else _entries(module):
            name = function.sym_name.data
            inputs = (
                read_inputs(function, given)
                if given
                else generate_inputs(function, FRAMES)
            )
            trace = self._run(module, name, inputs, "before the first pass")
            self._runs[name] = _Run(
                inputs, trace.outputs, trace.contents(), trace.by_node()
            )
        if not self._runs:
            raise UserError(
                f"{source}: error: --verify-each found no function on tensors to run"
            )

    def after(self, module: ModuleOp, pass_name: str, *, is_exact: bool = True) -> None:
        """Compare with what the module computed before a pass.

        Args:
            module: behind the pass.
            pass_name: for messages.
            is_exact: whether the pass shall change nothing; where not, a difference
                is a note, and the next pass is held to what is computed now.

        Raises:
            UserError: an output differs; names the pass and the first operation.
        """
        functions = functions_of(module)
        for name, run in self._runs.items():
            if name not in functions:
                raise UserError(
                    f"{self._source}: error: pass '{pass_name}' removed @{name}"
                )
            trace = self._run(module, name, run.inputs, f"after pass '{pass_name}'")
            if is_exact:
                self._compare(module, functions[name], run, trace, pass_name)
            else:
                _note_changes(functions[name], run, trace, pass_name)
            run.outputs = trace.outputs
            run.contents = trace.contents()
            run.nodes = trace.by_node()

    def _run(
        self, module: ModuleOp, name: str, inputs: Sequence[Array], when: str
    ) -> Trace:
        try:
            return run_traced(module, name, inputs, self._implementations)
        except InterpreterError as error:
            raise UserError(
                f"{self._source}: error: --verify-each cannot run @{name} {when}: "
                f"{error}"
            ) from error

    def _compare(
        self,
        module: ModuleOp,
        function: FuncOp,
        run: _Run,
        trace: Trace,
        pass_name: str,
    ) -> None:
        names = output_names(function)
        for index, (old, new) in enumerate(
            zip(run.outputs, trace.outputs, strict=True)
        ):
            difference = describe_difference(old, new)
            if difference is None:
                continue
            if within_rounding(old, new):
                print(
                    f"qopt: pass '{pass_name}': output '{names[index]}' of "
                    f"@{function.sym_name.data} is equal up to float32 rounding, not "
                    f"bit for bit: {difference}",
                    file=sys.stderr,
                )
                continue
            op = first_difference(
                module, function.sym_name.data, trace, run.contents, index
            )
            raise UserError(
                f"{self._source}: error: pass '{pass_name}' changes output "
                f"'{names[index]}' of @{function.sym_name.data}: {difference}\n"
                f"first operation that differs: {_describe(op, run, trace)}"
            )


def _entries(module: ModuleOp) -> list[FuncOp]:
    """Every function on tensors that no other one calls."""
    called = {
        op.callee.string_value()
        for op in module.walk()
        if isinstance(op, CallOp | FuncCallOp)
    }
    return [
        function
        for name, function in functions_of(module).items()
        if name not in called
        and all(
            isinstance(argument.type, TensorType) and shape_of(argument)
            for argument in function.args
        )
        and function.function_type.outputs.data
    ]


def _note_changes(function: FuncOp, run: _Run, trace: Trace, pass_name: str) -> None:
    """Say what a pass that is not exact changes."""
    outputs = zip(output_names(function), run.outputs, trace.outputs, strict=True)
    for name, old, new in outputs:
        difference = describe_difference(old, new)
        if difference is not None:
            print(
                f"qopt: pass '{pass_name}', which is not exact: output '{name}' of "
                f"@{function.sym_name.data}: {difference}",
                file=sys.stderr,
            )


def _describe(op: Operation | None, run: _Run, trace: Trace) -> str:
    if op is None:
        return "none; a value that was right is returned in place of another"
    node = source_name(op)
    location = op.location
    place = (
        f"{location.filename.data}:{location.line.data}:{location.column.data}: "
        if isinstance(location, FileLineColLoc)
        else ""
    )
    text = " ".join(str(op).split())
    if len(text) > _MAX_PRINTED_OP:
        text = f"{text[: _MAX_PRINTED_OP - 3]}..."
    origin = f" (node '{node}')" if node is not None else ""
    before = run.nodes.get(node) if node is not None else None
    after = trace.values.get(op.results[-1]) if op.results else None
    change = None
    if before is not None and after is not None and before.shape == after.shape:
        change = describe_difference(before, after)
    return f"{place}op '{op.name}'{origin}: {change or text}"
