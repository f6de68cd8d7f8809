"""The C library of a network, compiled and compared."""

from __future__ import annotations

from dataclasses import replace

from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import DiagnosticException

from lowering.c.engine import CEngine, find_compiler
from lowering.c.errors import CError
from lowering.c.interface import Interface
from lowering.c.self_test import Frames
from lowering.c.source import COptions, build_library
from passes.bitpack import BitpackPass
from passes.compress_weights import CompressWeightsPass
from qdialect.storage import stored_weights
from tools.build.agreement import compare_core
from tools.build.workspace import Workspace
from tools.diagnostics import in_file

# Known frames in the sources, for a self-test on the device.
_SELF_TEST_FRAMES = 2


def add_c(work: Workspace) -> None:
    """Write the C sources of a network, run them, and compare with the interpreter.

    Raises:
        UserError: the network has no C form.
    """
    module = work.module.clone()
    reference = work.reference
    with work.progress.step("C") as step:
        work.stages.apply(module, [BitpackPass()], work.next_stage)
        plain_bytes, options = _compress(work, module)
        frames = Frames(
            [array[:_SELF_TEST_FRAMES] for array in reference.core_inputs],
            [array[:_SELF_TEST_FRAMES] for array in reference.core_outputs],
        )
        try:
            options = replace(options, prefix=work.name, main=True, frames=frames)
            library = build_library(module, options)
        except DiagnosticException as error:
            raise in_file(work.options.model, error) from error
        files = library.files
        work.put("c", files)
        if plain_bytes is not None:
            work.report.notes.append(_sizes(plain_bytes, library.interface))
        size = sum(map(len, files.values()))
        step.result = f"{', '.join(files)} ({size / 1024:,.0f} KiB)"
    try:
        find_compiler()
    except CError as error:
        work.report.notes.append(f"C was not compiled and not run: {error}")
        return
    with work.progress.step("C, compiled and run") as step:
        try:
            engine = CEngine(module, COptions(decode=options.decode))
        except DiagnosticException as error:
            raise in_file(work.options.model, error) from error
        found = compare_core("C", module, engine, work.inputs, reference)
        work.report.agreements.append(found)
        step.result = f"{found.frames_equal:,} of {found.frames:,} frames equal"


def _compress(work: Workspace, module: ModuleOp) -> tuple[int | None, COptions]:
    """Code the weights where asked for; bytes of constants before, and how to decode.

    Raises:
        UserError: the network has no C form.
    """
    when = work.options.compress_weights
    if when == "no":
        return None, COptions()
    try:
        plain = build_library(module).interface.flash_bytes
    except DiagnosticException as error:
        raise in_file(work.options.model, error) from error
    said = len(work.stages.remarks)
    work.stages.apply(module, [CompressWeightsPass()], work.next_stage + 1)
    work.report.notes += work.stages.remarks[said:]
    work.report.storage = stored_weights(module)
    return plain, COptions(decode=when)


def _sizes(plain_bytes: int, interface: Interface) -> str:
    """What coded weights are worth, in words."""
    memory = f"{interface.arena_bytes:,} bytes of memory a call"
    if interface.loaded_bytes:
        memory += f" and {interface.loaded_bytes:,} for decoded weights"
    return (
        f"C with coded weights: {interface.flash_bytes:,} bytes of constants instead of "
        f"{plain_bytes:,}; {memory}"
    )
