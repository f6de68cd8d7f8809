"""A program around the library: raw frames in, raw results out."""

from __future__ import annotations

from lowering.banner import banner
from lowering.c.interface import Interface
from lowering.c.names import comment_text
from lowering.text import Text


def example_main(interface: Interface) -> str:
    """Contents of `PREFIX_main.c`: reads frames until there are no more."""
    prefix, macro = interface.prefix, interface.macro
    text = Text()
    text(f"/* {comment_text(banner())}")
    text()
    text("   Reads frames from the file that is its argument, or from standard input:")
    text(
        "   the elements of every input as they stand in memory. Writes those of every"
    )
    text("   output to standard output. */")
    text("#include <stdio.h>")
    text()
    text(f'#include "{prefix}.h"')
    text()
    for port in (*interface.inputs, *interface.outputs):
        name = f"{macro}_{port.name.upper()}"
        text(f"static {name}_TYPE {port.name}[{name}_LEN];")
    text()
    _read_frame(text, interface)
    text()
    _write_frame(text, interface)
    text()
    text("int main(int argc, char **argv)")
    with text.block("{", "}"):
        if interface.self_test:
            _run_self_test(text, interface)
        text('FILE *stream = argc > 1 ? fopen(argv[1], "rb") : stdin;')
        text("int status;")
        with text.block("if (stream == NULL) {", "}"):
            text('fprintf(stderr, "%s: cannot be read\\n", argv[1]);')
            text("return 1;")
        with text.block("while ((status = read_frame(stream)) > 0) {", "}"):
            text(f"{prefix}_run({interface.arguments()});")
            with text.block("if (!write_frame(stdout)) {", "}"):
                text('fprintf(stderr, "the results cannot be written\\n");')
                text("return 1;")
        with text.block("if (status < 0) {", "}"):
            text('fprintf(stderr, "the last frame is not whole\\n");')
            text("return 1;")
        text("return fflush(stdout) == 0 ? 0 : 1;")
    return f"{text}\n"


def _read_frame(text: Text, interface: Interface) -> None:
    text("/* 1: a frame; 0: no more; -1: a part of one. */")
    text("static int read_frame(FILE *stream)")
    with text.block("{", "}"):
        text("size_t had = 0;")
        text("size_t wanted = 0;")
        for port in interface.inputs:
            text(f"had += fread({port.name}, 1, sizeof {port.name}, stream);")
            text(f"wanted += sizeof {port.name};")
        text("return had == 0 ? 0 : had == wanted ? 1 : -1;")


def _write_frame(text: Text, interface: Interface) -> None:
    text("static int write_frame(FILE *stream)")
    with text.block("{", "}"):
        text("size_t had = 0;")
        text("size_t wanted = 0;")
        for port in interface.outputs:
            text(f"had += fwrite({port.name}, 1, sizeof {port.name}, stream);")
            text(f"wanted += sizeof {port.name};")
        text("return had == wanted;")


def _run_self_test(text: Text, interface: Interface) -> None:
    text(f"#ifdef {interface.macro}_SELFTEST")
    with text.block(f"if ({interface.prefix}_selftest() != 0) {{", "}"):
        text('fprintf(stderr, "the self-test fails\\n");')
        text("return 1;")
    text("#endif")
