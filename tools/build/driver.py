"""`qbuild` from its options to a directory and a report."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from xdsl.dialects.func import FuncOp
from xdsl.passes import ModulePass

from lowering.hw.verilate import SimulatorMissingError, find_simulator
from lowering.interpreter.engine import Interpreter
from passes.outline_core import OutlineCorePass
from passes.quantize_inputs import QuantizeInputsPass
from passes.weights_record import records
from qdialect.data import Array
from tools.arrays import read_array
from tools.build.agreement import compare_outputs, reference_run
from tools.build.arguments import Options
from tools.build.c_library import add_c
from tools.build.circuit import add_circuit
from tools.build.host import host_lines
from tools.build.layers import integer_layers
from tools.build.progress import Progress
from tools.build.report import Report
from tools.build.stages import Stages
from tools.build.workspace import Workspace
from tools.engines import form_of
from tools.entry import version_line, write_output
from tools.frontends import load_module
from tools.generated_inputs import generate_inputs
from tools.mistakes import UserError
from tools.output import check_replaceable, write_directory
from tools.passes_run import run_pass, run_passes
from tools.pipelines import BATCH_NORM_PASSES, find_pipeline
from tools.raw_inputs import rounding_notes
from tools.registry import build_registry
from tools.signature import entry_of, read_inputs
from tools.specs import passes_of
from tools.summary import accuracy_line, classes_of


def build(options: Options) -> int:
    """Build what is asked for, write it, print the report; the exit status.

    Raises:
        UserError: the network is refused, or nothing that is asked for can be built.
    """
    check_replaceable(options.directory)
    if options.folding is not None and not options.folding.is_file():
        raise UserError(f"{options.folding}: error: no such file")
    if options.requires_simulation:
        try:
            find_simulator()
        except SimulatorMissingError as error:
            raise UserError(f"--require-rtl-sim: {error}") from error
    work = _lower(options)
    builders = {"c": add_c, "sv": add_circuit}
    refusals: list[UserError] = []
    for target in options.targets:
        try:
            builders[target](work)
        except UserError as error:
            refusals.append(error)
            work.report.problems.append(f"{target}: {error}")
    if len(refusals) == len(options.targets):
        raise refusals[0]
    return _finish(work)


def _lower(options: Options) -> Workspace:
    """Read the network, bring it to the integer level, run it on the interpreter."""
    pipeline = find_pipeline("bnn-integer", options.integer_options)
    progress = Progress()
    registry = build_registry()
    before = passes_of(options.before, registry.passes)
    ctx = registry.context()
    report = Report(version_line("qbuild"), options.model, options.clock_mhz)
    report.target_fps, report.before = options.target_fps, options.before
    stages = Stages(ctx, options.model)
    with progress.step("import") as step:
        module = load_module(ctx, options.model)
        if (form := form_of(module)) != "network":
            raise UserError(
                f"{options.model}: error: expected a network as trained, found a "
                f"{form} module"
            )
        stages.keep(0, "imported", module)
        step.result = f"{sum(1 for _ in module.walk())} operations"
    with progress.step("interpreter, as trained") as step:
        inputs, report.input_origin = _inputs(options, entry_of(module, options.model))
        trained = module.clone()
        run_pass(ctx, trained, QuantizeInputsPass(), options.model)
        entry = entry_of(trained, options.model)
        report.notes += rounding_notes(entry, inputs, options.model)
        outputs = Interpreter(trained).run(inputs)
        step.result = f"{len(inputs[0]):,} frames"
    if before:
        with progress.step("interpreter, behind --before") as step:
            stages.apply(module, before, 1)
            changed = module.clone()
            run_pass(ctx, changed, QuantizeInputsPass(), options.model)
            imported, outputs = outputs, Interpreter(changed).run(inputs)
            step.result = _kept(imported, outputs)
        report.weights = records(module)
        report.notes += _notes_on_before(options, imported, step.result)
    passes = _up_to((OutlineCorePass,), pipeline.passes)
    if rounding := _up_to(BATCH_NORM_PASSES, passes):
        way = "by shifts" if options.batch_norm == "shift" else "in fixed point"
        with progress.step(f"interpreter, batch norms {way}") as step:
            run_passes(ctx, fixed := module.clone(), rounding, options.model)
            exact, outputs = outputs, Interpreter(fixed).run(inputs)
            step.result = _kept(exact, outputs)
            report.notes.append(f"batch norms {way}: {step.result}")
    with progress.step("integer level") as step:
        stages.apply(module, passes, 1 + len(before))
        report.notes += stages.remarks
        report.layers = integer_layers(module)
        report.host = host_lines(module, options.model)
        step.result = f"{len(passes)} passes, {len(report.layers)} layers"
    with progress.step("interpreter, integer level") as step:
        reference = reference_run(module, inputs)
        found = compare_outputs("integer level", reference.outputs, outputs)
        report.agreements.append(found)
        step.result = f"{found.frames_equal:,} of {found.frames:,} frames equal"
    if options.labels is not None:
        labels = read_array(options.labels)
        report.accuracy = accuracy_line(outputs, labels, str(options.labels))
    return Workspace(
        options=options,
        ctx=ctx,
        name=design_name(options.model),
        module=module,
        next_stage=len(before) + len(passes) + 1,
        inputs=inputs,
        reference=reference,
        stages=stages,
        progress=progress,
        report=report,
    )


def _kept(imported: Sequence[Array], outputs: Sequence[Array]) -> str:
    """How many frames a change of the network leaves as they were, in words."""
    old, new = classes_of(imported[0]), classes_of(outputs[0])
    if old is not None and new is not None:
        return f"{(old == new).sum():,} of {len(old):,} frames keep their class"
    found = compare_outputs("as imported", outputs, imported)
    return f"{found.frames_equal:,} of {found.frames:,} frames unchanged"


def _notes_on_before(
    options: Options, imported: Sequence[Array], kept: str
) -> list[str]:
    """What the passes of `--before` make of the network as it was imported."""
    notes = [f"all is compared with the network behind --before; {kept}"]
    if options.labels is not None:
        labels = read_array(options.labels)
        line = accuracy_line(imported, labels, str(options.labels))
        notes.append(f"before --before, {line}")
    return notes


def _inputs(options: Options, function: FuncOp) -> tuple[list[Array], str]:
    """The frames to compare on, and where they come from."""
    if not options.inputs:
        return generate_inputs(function, options.frames), "generated inputs"
    arrays = read_inputs(function, options.inputs)
    files = ", ".join(str(path) for _, path in options.inputs)
    return arrays, files


def _up_to(
    kinds: tuple[type[ModulePass], ...], passes: tuple[ModulePass, ...]
) -> tuple[ModulePass, ...]:
    """The passes up to the first one of a kind; () where there is none."""
    for index, pass_ in enumerate(passes):
        if isinstance(pass_, kinds):
            return passes[: index + 1]
    return ()


def design_name(model: str) -> str:
    """A name for everything generated from a file: a C and SystemVerilog identifier."""
    name = re.sub(r"[^a-z0-9]+", "_", Path(model).stem.lower()).strip("_")
    return name if name[:1].isalpha() else f"net_{name}".rstrip("_")


def _finish(work: Workspace) -> int:
    """Write the directory, print the report; the exit status."""
    report = work.report
    work.put("ir", work.stages.files)
    report.steps = {step.name: step.seconds for step in work.progress.steps}
    directory = work.options.directory
    with work.progress.step("write") as step:
        texts = {"report.json": report.json(), "report.txt": report.text()}
        write_directory(directory, {**work.files, **texts})
        step.result = f"{len(work.files) + len(texts)} files"
    folders = (f"{name}/ ({count} files)" for name, count in report.contents.items())
    listed = ", ".join((*folders, *texts))
    write_output(f"\n{report.text()}\nwritten to {directory}: {listed}\n")
    for problem in report.problems:
        print(f"qbuild: error: not built: {problem}", file=sys.stderr)
    return 0 if report.succeeded else 1
