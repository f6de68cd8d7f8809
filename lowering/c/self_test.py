"""Known frames in the source, which a target can check itself against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lowering.c.errors import CError
from lowering.c.interface import Interface, Port
from lowering.c.tables import Table
from lowering.text import Text
from qdialect.data import Array


@dataclass(frozen=True)
class Frames:
    """Inputs [N, ..] and the outputs [N, ..] that they must give."""

    inputs: Sequence[Array]
    outputs: Sequence[Array]


def self_test(interface: Interface, frames: Frames, qualifier: str) -> str:
    """Source of the self-test.

    Raises:
        CError: the frames do not have the shapes of the network.
    """
    count = _frame_count(interface, frames)
    text = Text()
    text(f"#ifdef {interface.macro}_SELFTEST")
    arrays = (*frames.inputs, *frames.outputs)
    for port, array in zip(
        (*interface.inputs, *interface.outputs), arrays, strict=True
    ):
        Table(
            _name(interface, port),
            port.ctype,
            array.reshape(-1),
            f"{count} known frames of {port.name}",
        ).write(text, qualifier)
        text()
    text(f"int {interface.prefix}_selftest(void)")
    with text.block("{", "}"):
        text("int wrong = 0;")
        with text.block(f"for (uint32_t frame = 0; frame < {count}u; ++frame) {{", "}"):
            _frame(text, interface)
        text("return wrong;")
    text("#endif")
    return str(text)


def _frame(text: Text, interface: Interface) -> None:
    """Runs one frame and compares its outputs."""
    for port in interface.outputs:
        text(f"static {port.ctype.name} {port.name}[{port.count}];")
    inputs = [
        f"{_name(interface, port)} + frame * {port.count}u" for port in interface.inputs
    ]
    arguments = ", ".join((*inputs, *(port.name for port in interface.outputs)))
    text("uint32_t differs = 0;")
    text(f"{interface.prefix}_run({arguments});")
    for port in interface.outputs:
        known = f"{_name(interface, port)}[frame * {port.count}u + i]"
        with text.block(f"for (uint32_t i = 0; i < {port.count}u; ++i) {{", "}"):
            text(f"differs |= (uint32_t)({port.name}[i] != {known});")
    text("wrong += (int)differs;")


def _name(interface: Interface, port: Port) -> str:
    return f"{interface.prefix}_known_{port.name}"


def _frame_count(interface: Interface, frames: Frames) -> int:
    ports = (*interface.inputs, *interface.outputs)
    arrays = (*frames.inputs, *frames.outputs)
    if len(frames.inputs) != len(interface.inputs) or len(ports) != len(arrays):
        raise CError(
            f"target c: the self-test needs {len(interface.inputs)} inputs and "
            f"{len(interface.outputs)} outputs, got {len(frames.inputs)} and "
            f"{len(frames.outputs)}"
        )
    count = len(arrays[0]) if arrays else 0
    for port, array in zip(ports, arrays, strict=True):
        low, high = port.level_range
        if array.size != count * port.count or count == 0:
            raise CError(
                f"target c: the self-test needs {count} x {port.count} elements of "
                f"{port.name}, got an array of shape {list(array.shape)}"
            )
        if int(array.min()) < low or int(array.max()) > high:
            raise CError(
                f"target c: elements of {port.name} for the self-test must be in "
                f"[{low}, {high}], got [{array.min()}, {array.max()}]"
            )
    return count
