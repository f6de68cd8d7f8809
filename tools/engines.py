"""The three ways to run a network: interpreter, compiled C, simulated circuit."""

from __future__ import annotations

import time
from collections.abc import Sequence

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.dialects.hw import HWModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ParameterListType
from xdsl.utils.exceptions import DiagnosticException

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.verilate import Run
from lowering.interpreter.engine import Core, Implementation, Interpreter
from passes.outline_core import OutlineCorePass
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.calls import CallOp
from qdialect.data import Array
from qdialect.packed import PackedMatMulOp
from qdialect.packed_maps import PackedConvOp
from qdialect.units import stream_functions
from tools.diagnostics import in_file
from tools.frontends import load_module
from tools.mistakes import UsageError, UserError
from tools.passes_run import run_passes
from tools.pipelines import find_pipeline
from tools.registry import Registry
from tools.signature import entry_of
from tools.suggestions import unknown

ENGINES = ("interpreter", "c", "rtl")
_PIPELINES = {"c": "bnn-c", "rtl": "bnn-fpga"}
_FORMS = {"c": "packed", "rtl": "circuit"}
# Frames after which a simulation can tell a steady state.
STEADY_FRAMES = 4


def form_of(module: ModuleOp) -> str:
    """How far a module is compiled.

    `network`: as trained. Otherwise @main calls a core, which is `integer`, `packed`
    words, `streams` or a `circuit`.
    """
    ops = list(module.walk())
    if not any(isinstance(op, CallOp) for op in ops):
        return "network"
    if any(isinstance(op, HWModuleOp) for op in ops):
        return "circuit"
    if stream_functions(module):
        return "streams"
    packed = any(isinstance(op, PackedMatMulOp | PackedConvOp) for op in ops)
    return "packed" if packed else "integer"


def compile_for(
    engine: str,
    ctx: Context,
    module: ModuleOp,
    source: str,
    options: dict[str, ParameterListType] | None = None,
) -> None:
    """Bring a module into the form that an engine runs, in place.

    The interpreter runs every form; a network as trained is given the boundary that
    the other engines have, so that all mean the same.

    Args:
        engine: one of `ENGINES`.
        ctx: the dialects.
        module: a network or its integer form, or what the engine runs already.
        source: the file it comes from, for messages.
        options: options of the passes, by name.

    Raises:
        UserError: a pass refuses the network, or it is compiled for another engine.
    """
    form = form_of(module)
    if engine == "interpreter":
        if form == "network":
            changed = find_pipeline("bnn-integer", options)
            exact = changed == find_pipeline("bnn-integer")
            passes = [QuantizeInputsPass()] if exact else changed.passes
            run_passes(ctx, module, passes, source)
        return
    if form == _FORMS[engine]:
        return
    passes = find_pipeline(_PIPELINES[engine], options).passes
    run_passes(ctx, module, _remaining(passes, form, engine, source), source)


def _remaining(
    passes: Sequence[ModulePass], form: str, engine: str, source: str
) -> Sequence[ModulePass]:
    """The passes that a module of this form has not been through."""
    kinds = [type(pass_) for pass_ in passes]
    match form:
        case "network":
            return passes
        case "integer":
            return passes[kinds.index(OutlineCorePass) + 1 :]
        case "streams" if ConvertQflowToHwPass in kinds:
            return passes[kinds.index(ConvertQflowToHwPass) :]
        case _:
            raise UserError(
                f"{source}: error: engine {engine} takes a network or its integer "
                f"form; this one is already {form}"
            )


def make_core(engine: str, module: ModuleOp) -> Core | None:
    """What runs the core of a compiled module in place of the interpreter.

    Raises:
        DiagnosticException: the module, or this machine, does not allow it.
    """
    # Neither a compiler nor a simulator is needed by the other engines.
    match engine:
        case "c":
            from lowering.c.engine import CEngine

            return CEngine(module)
        case "rtl":
            from lowering.hw.engine import RtlEngine

            return RtlEngine(module)
        case _:
            return None


class Network:
    """A network, ready to run on an engine.

    Attributes:
        function: the function that is run.
    """

    def __init__(
        self,
        module: ModuleOp,
        source: str,
        engine: str,
        core: Core | None,
        implementations: Sequence[Implementation],
    ):
        self.function: FuncOp = entry_of(module, source)
        self._engine = engine
        self._core = core
        self._interpreter = Interpreter(
            module, core=core, implementations=implementations
        )
        self._frames = 0
        self._seconds = 0.0

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for frames along the leading axis."""
        start = time.perf_counter()
        outputs = self._interpreter.run(inputs, self.function.sym_name.data)
        self._seconds = time.perf_counter() - start
        self._frames = len(inputs[0])
        return outputs

    def speed(self) -> str:
        """A line about the last run."""
        rate = self._frames / self._seconds
        text = (
            f"{self._engine}: {self._frames:,} frames in {self._seconds:.3f} s, "
            f"{rate:,.0f} frames/s"
        )
        cycles = _cycles(self._core)
        return text if cycles is None else f"{text}; {cycles}"


def _cycles(core: Core | None) -> str | None:
    """What a simulated circuit took, or None for any other core."""
    run = getattr(core, "run", None)
    if not isinstance(run, Run):
        return None
    (name, *_) = run.words
    if len(run.times[name].last) < STEADY_FRAMES:
        return f"{run.times[name].last[-1] + 1:,} cycles"
    return f"{run.cycles_per_frame(name):,.10g} cycles per frame"


def load_network(
    file: str,
    engine: str,
    registry: Registry,
    options: dict[str, ParameterListType] | None = None,
) -> Network:
    """Read a network or module, and bring it onto an engine.

    Args:
        file: what to read.
        engine: one of `ENGINES`.
        registry: dialects and passes.
        options: options of the passes that a network goes through, by name.

    Raises:
        UserError: the file or the engine is not accepted, or a pass refuses it.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine: {unknown('engine', engine, ENGINES)}")
    ctx = registry.context()
    module = load_module(ctx, file)
    compile_for(engine, ctx, module, file, options)
    try:
        core = make_core(engine, module)
    except DiagnosticException as error:
        raise in_file(file, error) from error
    return Network(module, file, engine, core, registry.implementations)
