"""The C library of a network, compiled and compared."""

from __future__ import annotations

from xdsl.utils.exceptions import DiagnosticException

from lowering.c.engine import CEngine, find_compiler
from lowering.c.errors import CError
from lowering.c.self_test import Frames
from lowering.c.source import COptions, emit
from passes.bitpack import BitpackPass
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
        frames = Frames(
            [array[:_SELF_TEST_FRAMES] for array in reference.core_inputs],
            [array[:_SELF_TEST_FRAMES] for array in reference.core_outputs],
        )
        try:
            files = emit(module, COptions(work.name, main=True, frames=frames))
        except DiagnosticException as error:
            raise in_file(work.options.model, error) from error
        work.put("c", files)
        size = sum(map(len, files.values()))
        step.result = f"{', '.join(files)} ({size / 1024:,.0f} KiB)"
    try:
        find_compiler()
    except CError as error:
        work.report.notes.append(f"C was not compiled and not run: {error}")
        return
    with work.progress.step("C, compiled and run") as step:
        try:
            engine = CEngine(module)
        except DiagnosticException as error:
            raise in_file(work.options.model, error) from error
        found = compare_core("C", module, engine, work.inputs, reference)
        work.report.agreements.append(found)
        step.result = f"{found.frames_equal:,} of {found.frames:,} frames equal"
