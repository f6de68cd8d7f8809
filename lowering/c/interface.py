"""What a caller of the library sees: its arguments, functions and sizes."""

from __future__ import annotations

from dataclasses import dataclass

from lowering.c.plan import Buffer, Plan
from lowering.c.scalars import CType
from qdialect.types import AnyTensor, value_range


@dataclass(frozen=True)
class Port:
    """An argument or a result, one frame of it.

    Attributes:
        name: name of the parameter.
        ctype: type of an element.
        count: elements a frame.
        type: the tensor's type.
    """

    name: str
    ctype: CType
    count: int
    type: AnyTensor

    @property
    def level_range(self) -> tuple[int, int]:
        """Least and greatest element."""
        return value_range(self.type.element_type)


@dataclass(frozen=True)
class Interface:
    """The library's functions and sizes.

    Attributes:
        prefix: begins every name.
        inputs: in the order of the parameters.
        outputs: likewise; they come behind the inputs.
        arena_bytes: memory that a call needs.
        flash_bytes: constants.
        digest: tells whether two libraries compute the same in the same way.
        self_test: whether there are known frames to test with.
        loaded_bytes: memory of the library for weights that are decoded once.
    """

    prefix: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    arena_bytes: int
    flash_bytes: int
    digest: str
    self_test: bool
    loaded_bytes: int = 0

    @property
    def macro(self) -> str:
        """The prefix as macros have it."""
        return self.prefix.upper()

    def parameters(self) -> str:
        """The parameters of `run`."""
        inputs = [f"const {p.ctype.name} *{p.name}" for p in self.inputs]
        outputs = [f"{p.ctype.name} *{p.name}" for p in self.outputs]
        return ", ".join((*inputs, *outputs)) or "void"

    def arguments(self) -> str:
        """What passes the parameters on."""
        return ", ".join(p.name for p in (*self.inputs, *self.outputs))

    def run(self) -> str:
        """Declaration of the function with memory of its own."""
        return f"void {self.prefix}_run({self.parameters()})"

    def run_in(self) -> str:
        """Declaration of the function that works in memory of the caller's."""
        ports = (*self.inputs, *self.outputs)
        rest = f", {self.parameters()}" if ports else ""
        return f"void {self.prefix}_run_in(void *arena{rest})"


def ports_of(plan: Plan) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The arguments and results of a function."""

    def port(buffer: Buffer, type_: AnyTensor) -> Port:
        assert buffer.name is not None
        return Port(buffer.name, buffer.ctype, buffer.count, type_)

    return (
        tuple(map(port, plan.inputs, plan.input_types)),
        tuple(map(port, plan.outputs, plan.output_types)),
    )
