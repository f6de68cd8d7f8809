"""The C function of one step: its parameters, loops, indices and variables."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod

from xdsl.ir import Operation, SSAValue

from lowering.c.functions import Functions
from lowering.c.loaded import Loaded
from lowering.c.plan import Buffer, Plan
from lowering.c.scalars import CType, Scalar, literal
from lowering.c.tables import Tables
from lowering.text import Text
from qdialect.c_costs import Machine
from qdialect.data import Array, TensorDataAttr
from qdialect.types import BipolarType, element_of, shape_of, value_range


@dataclass(frozen=True)
class Source:
    """The C source under construction, which all steps share.

    Attributes:
        prefix: begins every name.
        plan: the steps.
        tables: the constants.
        functions: the helpers.
        machine: what will run it.
        max_density: most weights of a layer, as a share, of which zeros are skipped;
            None where the machine decides.
        loaded: coded weights that are decoded before all steps.
    """

    prefix: str
    plan: Plan
    tables: Tables
    functions: Functions
    machine: Machine
    max_density: float | None
    loaded: Loaded


class StepFunction:
    """Writes the body of one step's function.

    Attributes:
        source: what all steps share.
        text: the body.
        parameters: the buffers that the function reads, and their names.
        out_names: names of the buffers that it writes.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = Text()
        self.parameters: dict[Buffer, str] = {}
        self.out_names: dict[Buffer, str] = {}
        self._variables = 0

    def pointer(self, value: SSAValue, comment: str) -> str:
        """Name of the memory, or of the table, where a value stands."""
        place = self.source.plan.place(value)
        if isinstance(place, TensorDataAttr):
            return self.table(place.to_numpy(), comment)
        return self.parameters.setdefault(place, f"x{len(self.parameters)}")

    def table(self, values: Array, comment: str, ctype: CType | None = None) -> str:
        """Name of a table of these values."""
        return self.source.tables.add(values, comment, ctype)

    def output(self, buffer: Buffer, name: str) -> str:
        """Make `buffer` an output of the function."""
        self.out_names[buffer] = name
        return name

    def variable(self, op: Operation, value: Scalar, stem: str = "v") -> Scalar:
        """Keep an expression in a new variable."""
        name = f"{stem}{self._variables}"
        self._variables += 1
        self.text(f"const {value.ctype(op).name} {name} = {bare(value.text)};")
        return Scalar(name, value.low, value.high, value.bit)

    @contextmanager
    def loops(self, shape: Sequence[int]) -> Generator[list[str]]:
        """A loop over every axis; the index along each."""
        with ExitStack() as stack:
            yield [
                stack.enter_context(self.axis(axis, extent))
                for axis, extent in enumerate(shape)
            ]

    @contextmanager
    def axis(self, axis: int, extent: int) -> Generator[str]:
        """A loop over one axis, none where it has one index; the index."""
        if extent == 1:
            yield "0u"
            return
        with self.loop(f"i{axis}", extent):
            yield f"i{axis}"

    @contextmanager
    def loop(self, name: str, end: int | str, step: int = 1) -> Generator[None]:
        """A counting loop with a variable of its own."""
        advance = f"++{name}" if step == 1 else f"{name} += {step}u"
        last = f"{end}u" if isinstance(end, int) else end
        head = f"for (uint32_t {name} = 0; {name} < {last}; {advance}) {{"
        with self.text.block(head, "}"):
            yield

    def element(
        self, op: Operation, value: SSAValue, position: Sequence[str]
    ) -> Scalar:
        """The element of a tensor at a position of a tensor that it broadcasts to."""
        shape = shape_of(value)
        element = element_of(value)
        place = self.source.plan.place(value)
        if isinstance(place, TensorDataAttr) and place.size == 1:
            number = int(place.to_numpy().ravel()[0])
            return Scalar(literal(number), number, number)
        aligned = position[len(position) - len(shape) :]
        strides = [
            0 if extent == 1 else s
            for extent, s in zip(shape, row_major(shape), strict=True)
        ]
        name = self.pointer(value, f"constant {value.type}")
        if isinstance(place, TensorDataAttr):
            ctype = self.source.tables.ctype(name)
        else:
            ctype = place.ctype
        at = f"{name}[{flat_index(aligned, strides)}]"
        low, high = value_range(element)
        bit = f"(uint32_t)({at} > 0)" if isinstance(element, BipolarType) else None
        value_type = Scalar(at, low, high).ctype(op)
        text = at if ctype == value_type else f"({value_type.name}){at}"
        return Scalar(text, low, high, bit)


def bare(text: str) -> str:
    """An expression without parentheses around the whole of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if index == len(text) - 1 else text
    return text


def row_major(shape: Sequence[int]) -> list[int]:
    """Distance of neighbours along each axis."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def flat_index(position: Sequence[str], strides: Sequence[int]) -> str:
    """The index of a position, as an expression."""
    terms = [
        index if stride == 1 else f"{index} * {stride}u"
        for index, stride in zip(position, strides, strict=True)
        if stride and index != "0u"
    ]
    return " + ".join(terms) or "0u"
