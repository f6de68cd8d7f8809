"""Runs passes, and says which of them went wrong, and on what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import DiagnosticException, VerifyException

from tools.diagnostics import at_operation, in_file, is_diagnostic, one_line, raised
from tools.mistakes import UserError
from tools.opt.dominance import use_before_definition


@runtime_checkable
class Remarking(Protocol):
    """A pass that has something to say about what it did."""

    def remarks(self, module: ModuleOp) -> Sequence[str]:
        """Lines about a module, after the pass was applied to it."""
        ...


def remarks_of(pass_: ModulePass, module: ModuleOp, source: str) -> Sequence[str]:
    """What a pass, just applied, says about a module; nothing, for most passes.

    Raises:
        UserError: the module from the file `source` has a record that no pass made.
    """
    if not isinstance(pass_, Remarking):
        return ()
    try:
        return pass_.remarks(module)
    except DiagnosticException as error:
        raise in_file(source, error) from error


def is_exact(pass_: ModulePass) -> bool:
    """Whether a network shall compute behind a pass what it did before.

    It shall, but for passes whose class says `is_exact = False`.
    """
    return bool(getattr(type(pass_), "is_exact", True))


def verify(module: ModuleOp, source: str, culprit: str = "") -> None:
    """Check a module.

    Args:
        module: any module.
        source: the file it comes from, for messages.
        culprit: who made the module so, put into the message.

    Raises:
        UserError: an operation does not verify, or reads a value before it is defined.
    """
    try:
        module.verify()
    except DiagnosticException as error:
        raise _at_fault(module, source, culprit, error) from error
    except Exception as error:
        raise UserError(f"{source}: error: {culprit}{raised(error)}") from error
    if (fault := use_before_definition(module)) is not None:
        op, value = fault
        name = f"%{value.name_hint}" if value.name_hint else f"of type {value.type}"
        message = f"{culprit}operand {name} is not defined before its use"
        raise at_operation(op, source, message)


def _at_fault(
    module: ModuleOp, source: str, culprit: str, error: DiagnosticException
) -> UserError:
    """The error again, at its operation: xDSL's exceptions do not tell."""
    for op in module.walk():
        if (message := _own_fault(op)) is not None:
            return at_operation(
                op, source, culprit + message.removeprefix(f"{op.name}: ")
            )
    return UserError(f"{source}: error: {culprit}{one_line(str(error))}")


def _own_fault(op: Operation) -> str | None:
    try:
        op.verify(verify_nested_ops=False)
    except VerifyException as error:
        return one_line(str(error))
    return None


def run_pass(
    ctx: Context,
    module: ModuleOp,
    pass_: ModulePass,
    source: str,
    *,
    debug: bool = False,
    check: bool = True,
) -> None:
    """Apply one pass and verify what it leaves.

    Args:
        ctx: the dialects.
        module: verified; changed in place.
        pass_: the pass.
        source: the file that the module comes from, for messages.
        debug: let an exception that is no diagnostic through as it is.
        check: whether the result is verified.

    Raises:
        UserError: the pass refuses the module, breaks off, or leaves invalid IR.
    """
    try:
        pass_.apply(ctx, module)
    except Exception as error:
        if is_diagnostic(error):
            raise in_file(source, error) from error
        if debug:
            raise
        raise UserError(
            f"{source}: error: pass '{pass_.name}' broke off: {raised(error)}\n"
            "this is a mistake in the pass (--debug shows where)"
        ) from error
    if check:
        verify(module, source, f"after pass '{pass_.name}': ")


def run_passes(
    ctx: Context, module: ModuleOp, passes: Iterable[ModulePass], source: str
) -> None:
    """Apply passes in order, each as by `run_pass`."""
    for pass_ in passes:
        run_pass(ctx, module, pass_, source)
