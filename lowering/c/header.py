"""The public header: sizes as macros, and two functions."""

from __future__ import annotations

from lowering.banner import banner, tool_version
from lowering.c.interface import Interface, Port
from lowering.c.names import comment_text
from lowering.text import Text


def header(interface: Interface) -> str:
    """Contents of `PREFIX.h`."""
    text = Text("  ")
    macro = interface.macro
    text(f"/* {comment_text(banner())} */")
    text(f"#ifndef {macro}_H")
    text(f"#define {macro}_H")
    text()
    text("#include <stdint.h>")
    text()
    text(f'#define {macro}_VERSION "{comment_text(tool_version())}"')
    text("/* Of the source: equal where constants and operations are. */")
    text(f'#define {macro}_HASH "{interface.digest}"')
    text()
    text(f"#define {macro}_INPUTS {len(interface.inputs)}")
    text(f"#define {macro}_OUTPUTS {len(interface.outputs)}")
    for port in (*interface.inputs, *interface.outputs):
        text()
        _port(text, macro, port)
    text()
    text("/* Memory of one call, and constants, in bytes. */")
    text(f"#define {macro}_ARENA_BYTES {interface.arena_bytes}")
    text(f"#define {macro}_CONST_BYTES {interface.flash_bytes}")
    if interface.loaded_bytes:
        text("/* Memory of the library for decoded weights, in bytes. */")
        text(f"#define {macro}_LOADED_BYTES {interface.loaded_bytes}")
    text()
    text("#ifdef __cplusplus")
    text('extern "C" {')
    text("#endif")
    text()
    if interface.loaded_bytes:
        text("/* Decodes the weights, once; to be called before the first call of")
        text(f"   {interface.prefix}_run_in. {interface.prefix}_run does so itself. */")
        text(f"void {interface.prefix}_load(void);")
        text()
    text("/* One frame. Elements are in row-major order; inputs and outputs may not")
    text("   overlap. Not re-entrant: it works in memory of its own. */")
    text(f"{interface.run()};")
    text()
    text(
        f"/* The same in memory of the caller's: {macro}_ARENA_BYTES bytes, aligned as"
    )
    text("   uint64_t is. Re-entrant. */")
    text(f"{interface.run_in()};")
    if interface.self_test:
        text()
        text(f"#ifdef {macro}_SELFTEST")
        text("/* Runs known frames; the number of those with a wrong output. */")
        text(f"int {interface.prefix}_selftest(void);")
        text("#endif")
    text()
    text("#ifdef __cplusplus")
    text("}")
    text("#endif")
    text()
    text("#endif")
    return f"{text}\n"


def _port(text: Text, macro: str, port: Port) -> None:
    name = f"{macro}_{port.name.upper()}"
    low, high = port.level_range
    type_ = comment_text(str(port.type))
    text(f"/* `{port.name}`: {type_}, values {low} to {high}. */".replace("`", ""))
    text(f"#define {name}_LEN {port.count}")
    text(f"#define {name}_TYPE {port.ctype.name}")
