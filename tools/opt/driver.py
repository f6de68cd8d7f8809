"""`qopt` from its arguments to its output.

Does what xDSL's `xDSLOptMain` does, with its options, and is not built on it: that
class opens its output before it has anything to write, reports errors with the whole
module in a traceback, and lets a target write one stream only.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Protocol, runtime_checkable

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer
from xdsl.targets.mlir import MLIRTarget
from xdsl.utils.target import Target

from tools.diagnostics import in_file, is_diagnostic, raised
from tools.entry import write_output
from tools.frontends import STDIN, frontend_of, read_module, read_source
from tools.mistakes import UsageError, UserError
from tools.opt.verify_each import VerifyEach
from tools.output import check_replaceable, write_directory, write_file
from tools.passes_run import is_exact, remarks_of, run_pass, verify
from tools.plugins import load_plugin
from tools.registry import Registry, build_registry
from tools.signature import assignment
from tools.specs import name_and_options, passes_of, target_of

_SEPARATOR = b"// -----"


@runtime_checkable
class FileTarget(Protocol):
    """A target that can write several files into a directory."""

    def files(self, module: ModuleOp) -> dict[str, str]:
        """Contents by file name."""
        ...


def run(args: argparse.Namespace) -> int:
    """Do what the command line says; the exit status.

    Raises:
        UserError: anything is wrong with the command line or the input.
    """
    plugins = [load_plugin(path, debug=args.debug) for path in args.load_plugin]
    registry = build_registry(plugins)
    listing = _listing(args, registry)
    if listing is not None:
        write_output(listing)
        return 0
    passes = _passes(args, registry)
    if args.print_pipeline:
        write_output(f"{','.join(map(str, passes))}\n")
        return 0
    return _Run(args, registry, passes).run()


def _listing(args: argparse.Namespace, registry: Registry) -> str | None:
    if not (args.list_passes or args.list_pipelines):
        return None
    from tools.opt.listing import list_passes, list_pipelines

    if args.list_pipelines:
        return list_pipelines()
    return list_passes(registry, args.list_passes)


def _passes(args: argparse.Namespace, registry: Registry) -> tuple[ModulePass, ...]:
    """Those of `--before`, of the pipeline, and of `-p`."""
    named: tuple[ModulePass, ...] = ()
    if args.pipeline is not None:
        # Imports every pass of every pipeline.
        from tools.pipelines import find_pipeline

        spec = name_and_options(args.pipeline, "pipeline")
        named = find_pipeline(spec.name, spec.parameters).passes
    first = passes_of(args.before, registry.passes)
    return (*first, *named, *passes_of(args.passes, registry.passes))


class _Run:
    """One run over one input file."""

    def __init__(
        self,
        args: argparse.Namespace,
        registry: Registry,
        passes: Sequence[ModulePass],
    ):
        self._args = args
        self._registry = registry
        self._passes = passes
        self._file: str | None = None if args.file in (None, "-") else args.file
        self._source = self._file or STDIN
        self._frontend = frontend_of(self._file, args.frontend)
        self._target = self._printing(target_of(args.target, registry.targets))
        self._given = [assignment(text) for text in args.input]
        if self._given and not args.verify_each:
            raise UsageError("--input is what --verify-each runs; give that too")
        if args.split_input_file and self._frontend != "mlir":
            raise UsageError("--split-input-file is for MLIR")
        self._directory = _directory(args.output_file)
        if self._directory is not None and not isinstance(self._target, FileTarget):
            raise UsageError(
                f"-o {args.output_file}: target '{self._target.name}' is one file; c "
                "and sv fill a directory"
            )

    def run(self) -> int:
        """Read, transform, write; the exit status."""
        if self._directory is not None:
            if self._args.split_input_file:
                raise UsageError("-o DIR/ takes one module; leave --split-input-file")
            check_replaceable(self._directory)
            _, module = self._module(read_source(self._file), 0)
            write_directory(self._directory, self._files(module))
            return 0
        text = f"{_SEPARATOR.decode()}\n".join(
            self._text(part, at) for part, at in self._parts()
        )
        if self._args.output_file is None:
            write_output(text)
        else:
            write_file(Path(self._args.output_file), text)
        return 0

    def _parts(self) -> Iterator[tuple[bytes, int]]:
        """The parts of the input, each with the number of lines before it."""
        source = read_source(self._file)
        if not self._args.split_input_file:
            yield source, 0
            return
        lines = 0
        for part in source.split(_SEPARATOR):
            yield part, lines
            lines += part.count(b"\n")

    def _text(self, part: bytes, lines_before: int) -> str:
        """What is printed for a part: the result, or the error that is asked for."""
        try:
            return self._emit(*self._module(part, lines_before))
        except Exception as error:
            if not self._args.verify_diagnostics or not is_diagnostic(error):
                raise
            return f"{in_file(self._source, error)}\n"

    def _module(self, part: bytes, lines_before: int) -> tuple[Context, ModuleOp]:
        """The module of a part of the input after all passes, and its context."""
        ctx = self._registry.context()
        ctx.allow_unregistered = self._args.allow_unregistered_dialect
        module = read_module(
            ctx,
            part,
            self._file,
            self._frontend,
            line_offset=lines_before,
            implicit_module=not self._args.no_implicit_module,
        )
        if not self._args.disable_verify:
            verify(module, self._source)
        self._apply(ctx, module)
        return ctx, module

    def _apply(self, ctx: Context, module: ModuleOp) -> None:
        args = self._args
        check = None
        if args.verify_each:
            check = VerifyEach(
                module, self._source, self._given, self._registry.implementations
            )
        for pass_ in self._passes:
            start = time.perf_counter()
            run_pass(
                ctx,
                module,
                pass_,
                self._source,
                debug=args.debug,
                check=not args.disable_verify,
            )
            for line in remarks_of(pass_, module, self._source):
                print(f"qopt: {pass_.name}: {line}", file=sys.stderr)
            if args.time_passes:
                seconds = time.perf_counter() - start
                print(f"{pass_.name}: {seconds:.3f} s", file=sys.stderr)
            if args.print_between_passes:
                print(f"// after {pass_.name}", file=sys.stderr)
                Printer(stream=sys.stderr).print_op(module)
                print(file=sys.stderr)
            if check is not None:
                check.after(module, pass_.name, is_exact=is_exact(pass_))

    def _printing(self, target: Target) -> Target:
        """The target with the printing options, which the printer of IR has."""
        if not isinstance(target, MLIRTarget):
            return target
        args = self._args
        return dataclasses.replace(
            target,
            print_generic_format=target.print_generic_format or args.print_op_generic,
            print_properties_as_attributes=target.print_properties_as_attributes
            or args.print_no_properties,
            print_debuginfo=target.print_debuginfo or args.print_debuginfo,
            syntax_highlight=target.syntax_highlight or args.syntax_highlight,
        )

    def _emit(self, ctx: Context, module: ModuleOp) -> str:
        output = StringIO()
        with self._refusals():
            self._target.emit(ctx, module, output)
        return output.getvalue()

    def _files(self, module: ModuleOp) -> dict[str, str]:
        assert isinstance(self._target, FileTarget)
        with self._refusals():
            return self._target.files(module)

    @contextmanager
    def _refusals(self) -> Generator[None]:
        """Say which target cannot write the module, and why."""
        name = self._target.name
        try:
            yield
        except Exception as error:
            if is_diagnostic(error):
                raise in_file(self._source, error) from error
            if self._args.debug:
                raise
            raise UserError(
                f"{self._source}: error: target '{name}' broke off: {raised(error)}\n"
                "this is a mistake in the target (--debug shows where)"
            ) from error


def _directory(output: str | None) -> Path | None:
    """The directory that `-o` names, if it names one."""
    if output is None or not (output.endswith(("/", os.sep)) or Path(output).is_dir()):
        return None
    return Path(output)
