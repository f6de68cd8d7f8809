"""`emit`: the files of a network's C library."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from lowering.banner import banner
from lowering.c.arena import lay_out
from lowering.c.errors import CError
from lowering.c.example_main import example_main
from lowering.c.functions import Functions
from lowering.c.header import header
from lowering.c.interface import Interface, ports_of
from lowering.c.kernels.loops import write_loop
from lowering.c.kernels.packed_convolution import packed_pool
from lowering.c.kernels.popcount import count_macro
from lowering.c.kernels.selection import selection
from lowering.c.loaded import Loaded
from lowering.c.names import check_prefix, comment_text, describe
from lowering.c.plan import Buffer, Loop, Plan, Selection, Step
from lowering.c.planner import integer_function, make_plan
from lowering.c.self_test import Frames, self_test
from lowering.c.step import Source, StepFunction
from lowering.c.tables import Tables
from lowering.text import Text
from qdialect.c_costs import MACHINES
from qdialect.packed import PackedType


@dataclass(frozen=True)
class COptions:
    """What the library is called, and what comes with it.

    Attributes:
        prefix: begins every name and file name.
        main: also write a program that reads frames and writes results.
        frames: known inputs and outputs for the self-test, if any.
        machine: what will run it, of `qdialect.c_costs.MACHINES`; any other runs it too.
        max_density: most weights of a layer that are not 0, as a share, of which zeros
            are skipped; where none is given, they are where that is faster.
        decode: `fly` to decode coded weights while a frame is computed, in the memory of
            the call; `load` to do so once, into memory of the library.
    """

    prefix: str = "model"
    main: bool = False
    frames: Frames | None = None
    machine: str = "portable"
    max_density: float | None = None
    decode: str = "fly"


@dataclass(frozen=True)
class Library:
    """The files of a library, and what it is seen to be.

    Attributes:
        files: contents by file name.
        interface: its functions and sizes.
    """

    files: dict[str, str]
    interface: Interface


def emit(module: ModuleOp, options: COptions | None = None) -> dict[str, str]:
    """The contents of a library's files, by file name.

    Args:
        module: integer level, packed or not; the function that `qnn.call` names is
            written, or @core, or the only one.
        options: what to call it.

    Raises:
        CError: an operation has no C form, the prefix is no C identifier, or the machine
            is not known.
    """
    return build_library(module, options).files


def build_library(module: ModuleOp, options: COptions | None = None) -> Library:
    """As `emit`, with the library's interface.

    Raises:
        CError: as for `emit`.
    """
    chosen = options or COptions()
    check_prefix(chosen.prefix)
    if chosen.machine not in MACHINES:
        raise CError(
            f"target c: machine must be one of {', '.join(MACHINES)}, got "
            f"{chosen.machine}"
        )
    if chosen.decode not in ("fly", "load"):
        raise CError(f"target c: decode must be fly or load, got {chosen.decode}")
    most = chosen.max_density
    if most is not None and not 0 <= most <= 1:
        raise CError(f"target c: max-density must be from 0 to 1, got {most}")
    plan = make_plan(integer_function(module), decodes_ahead=chosen.decode == "load")
    return _Writer(plan, chosen).library()


class _Writer:
    """Writes one library: first every step, which says what else is needed."""

    def __init__(self, plan: Plan, options: COptions) -> None:
        self._plan = plan
        self._options = options
        self._prefix = options.prefix
        self._arena = lay_out(plan)
        self._source = Source(
            options.prefix,
            plan,
            Tables(options.prefix),
            Functions(options.prefix),
            MACHINES[options.machine],
            options.max_density,
            Loaded(options.prefix),
        )

    def library(self) -> Library:
        steps = Text()
        calls = [self._step(steps, i, step) for i, step in enumerate(self._plan.steps)]
        definitions = self._definitions(steps)
        inputs, outputs = ports_of(self._plan)
        interface = Interface(
            self._prefix,
            inputs,
            outputs,
            self._arena.size_bytes,
            self._source.tables.size_bytes,
            hashlib.sha256(definitions.encode()).hexdigest()[:16],
            self._options.frames is not None,
            self._source.loaded.size_bytes,
        )
        files = {
            f"{self._prefix}.h": header(interface),
            f"{self._prefix}.c": self._source_file(definitions, interface, calls),
        }
        if self._options.main:
            files[f"{self._prefix}_main.c"] = example_main(interface)
        return Library(files, interface)

    def _step(self, text: Text, index: int, step: Step) -> str:
        """Write the function of a step; the call of it."""
        function = StepFunction(self._source)
        if isinstance(step, Loop):
            write_loop(function, step, step.source)
        elif isinstance(step, Selection):
            selection(function, step)
        else:
            packed_pool(function, step)
        name = f"{self._prefix}_step{index}"
        parameters = [
            *(f"const {b.ctype.name} *{p}" for b, p in function.parameters.items()),
            *(f"{b.ctype.name} *{p}" for b, p in function.out_names.items()),
        ]
        text(f"/* {_comment(step)} */")
        text(f"static void {name}({', '.join(parameters)})")
        with text.block("{", "}"):
            text(str(function.text))
        text()
        buffers = (*function.parameters, *function.out_names)
        return f"{name}({', '.join(map(self._place, buffers))});"

    def _place(self, buffer: Buffer) -> str:
        """The pointer to a buffer, in the function that calls the steps."""
        if buffer.name is not None:
            return buffer.name
        offset = f" + {buffer.offset}" if buffer.offset else ""
        return f"memory->{buffer.ctype.short_name}{offset}"

    def _definitions(self, steps: Text) -> str:
        """Constants, helper functions, memory and steps."""
        text = Text()
        for word_bits in _word_sizes(self._plan):
            text(count_macro(self._prefix, word_bits))
            text()
        for table in self._source.tables.tables:
            table.write(text, f"{self._prefix.upper()}_CONST")
            text()
        self._source.functions.write(text)
        self._source.loaded.write_arrays(text)
        if self._arena.counts:
            text("/* What stands between two steps. */")
            with text.block("struct memory {", "};"):
                for ctype, count in self._arena.counts:
                    text(f"{ctype.name} {ctype.short_name}[{count}];")
            text()
        self._source.loaded.write_function(steps)
        return f"{text}\n{steps}"

    def _source_file(
        self, definitions: str, interface: Interface, calls: list[str]
    ) -> str:
        prefix, macro = self._prefix, interface.macro
        text = Text()
        text(f"/* {comment_text(banner())} */")
        text(f'#include "{prefix}.h"')
        text()
        text("/* Define it to place constants: an attribute, an address space. */")
        text(f"#ifndef {macro}_CONST")
        text(f"#define {macro}_CONST")
        text("#endif")
        text()
        text(definitions)
        self._run_functions(text, interface, calls)
        if self._options.frames is not None:
            text()
            text(self_test(interface, self._options.frames, f"{macro}_CONST"))
        return f"{text}\n"

    def _run_functions(
        self, text: Text, interface: Interface, calls: list[str]
    ) -> None:
        macro = interface.macro
        has_memory = bool(self._arena.counts)
        if has_memory:
            text(
                "/* An array of negative size where the header promises too little. */"
            )
            size = f"sizeof(struct memory) <= {macro}_ARENA_BYTES ? 1 : -1"
            text(f"typedef char {self._prefix}_memory_fits[{size}];")
            text()
        text(interface.run_in())
        with text.block("{", "}"):
            if has_memory:
                text("struct memory *const memory = (struct memory *)arena;")
            else:
                text("(void)arena;")
            for buffer in self._plan.inputs:
                if not self._plan.is_read(buffer):
                    text(f"(void){buffer.name};")
            for call in calls:
                text(call)
        text()
        text(interface.run())
        with text.block("{", "}"):
            arena = "(void *)0"
            if has_memory:
                text("static struct memory memory;")
                arena = "&memory"
            if interface.loaded_bytes:
                text("static int is_loaded = 0;")
                with text.block("if (!is_loaded) {", "}"):
                    text(f"{interface.prefix}_load();")
                    text("is_loaded = 1;")
            arguments = interface.arguments()
            passed = f"{arena}, {arguments}" if arguments else arena
            text(f"{interface.prefix}_run_in({passed});")


def _comment(step: Step) -> str:
    ops: tuple[Operation, ...] = step.ops if isinstance(step, Loop) else (step.source,)
    return describe(ops) if ops else "copy"


def _word_sizes(plan: Plan) -> Iterable[int]:
    """Sizes of the words for which a macro must count bits: 32, 64."""
    values = [
        value
        for op in plan.function.body.block.ops
        for value in (*op.operands, *op.results)
    ]
    words = {
        max(32, value.type.word.data)
        for value in values
        if isinstance(value.type, PackedType)
    }
    return sorted(words)
