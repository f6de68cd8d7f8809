"""`qnn.pack` of elements that stand in bytes: eight at a time."""

from __future__ import annotations

from xdsl.ir import Operation, SSAValue

from lowering.c.affine import Affine
from lowering.c.functions import Functions
from lowering.c.kernels.results import Pack
from lowering.c.plan import Buffer
from lowering.c.step import StepFunction, flat_index, row_major
from lowering.text import Text
from qdialect.types import BipolarType, TernaryType, element_of, shape_of, width_bits


def pack_bytes(step: StepFunction, op: Operation, value: SSAValue, pack: Pack) -> bool:
    """Write the packing of a stored value; whether it is of bytes, and enough of them.

    The eight bytes make a word, lowest address lowest, whatever the machine's order; a
    multiplication moves bit 0 of each to the highest byte.
    """
    place = step.source.plan.place(value)
    shape = shape_of(value)
    if not isinstance(place, Buffer) or place.ctype.width_bits != 8 or shape[-1] < 8:
        return False
    name = step.pointer(value, "input")
    columns = shape[-1]
    whole = columns - columns % 8
    load, gather = _functions(step.source.functions)
    with step.loops(shape[:-1]) as leading:
        pack.begin(leading)
        with step.loop("c", whole, 8):
            at = flat_index([*leading, "c"], row_major(shape))
            step.text(f"const uint64_t v = {load}((const uint8_t *){name} + {at});")
            planes = [f"{gather}({plane})" for plane in _planes(value)]
            pack.put(planes, 8, [*leading, "c"])
        if columns > whole:
            head = f"for (uint32_t c = {whole}u; c < {columns}u; ++c) {{"
            with step.text.block(head, "}"):
                position = [*leading, "c"]
                element = Affine.of(step.element(op, value, position))
                pack.element(element, position)
        pack.end(leading)
    return True


def _planes(value: SSAValue) -> list[str]:
    """For each plane of `v`, eight elements as bytes, a word with it in their bit 0."""
    match element := element_of(value):
        case BipolarType():
            return ["~v >> 7"]
        case TernaryType():
            return ["v", "v & ~(v >> 1)"]
        case _:
            return [f"v >> {bit}" if bit else "v" for bit in range(width_bits(element))]


def _functions(functions: Functions) -> tuple[str, str]:
    """Names of the functions that load eight bytes, and gather their lowest bits."""

    def define_load(text: Text, full: str) -> None:
        text("/* Eight bytes as one word, the first lowest. */")
        text(f"static inline uint64_t {full}(const uint8_t *x)")
        with text.block("{", "}"):
            low = " | ".join(f"(uint64_t)x[{i}] << {8 * i}" for i in range(4))
            high = " | ".join(f"(uint64_t)x[{i}] << {8 * i}" for i in range(4, 8))
            text(f"return {low} |")
            text(f"    {high};")

    def define_gather(text: Text, full: str) -> None:
        text("/* Bit 0 of every byte, side by side. */")
        text(f"static inline uint32_t {full}(uint64_t v)")
        with text.block("{", "}"):
            text("v &= 0x0101010101010101;")
            text("return (uint32_t)(v * 0x0102040810204080 >> 56);")

    return (
        functions.add("load_bytes", define_load),
        functions.add("gather_bits", define_gather),
    )
