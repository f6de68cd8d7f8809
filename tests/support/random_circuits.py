"""Random circuits in the text of the IR, which mix all operations and many widths."""

from __future__ import annotations

import random

WIDTHS = (1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 32, 33, 63, 64, 65, 70)
MAX_SHIFT_BITS = 32  # Verilator shifts by no wider number.
PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")
# Names that SystemVerilog or C++ keep for themselves, or that are taken already.
HINTS = ("sum", "input", "reg", "this", "a b", "9z", "i0", "clk", "x_w", "x_q", "sum")

Value = tuple[str, int]
"""A value: its name in the text and its width in bits."""


def random_circuit(seed: int, modules: int) -> str:
    """A module `top` with `modules` instances of random modules, side by side."""
    chance = random.Random(seed)
    texts: list[str] = []
    instances: list[str] = []
    ports = ["in %clk : !seq.clock", "in %rst : i1"]
    outputs: list[Value] = []
    for i in range(modules):
        body = _RandomModule(chance)
        texts.append(body.text(f"part{i}"))
        given = ["clk: %clk: !seq.clock", "rst: %rst: i1"]
        for name, width in body.inputs:
            ports.append(f"in %p{i}_{name} : i{width}")
            given.append(f"{name}: %p{i}_{name}: i{width}")
        results = [f"o{j}: i{width}" for j, (_, width) in enumerate(body.outputs)]
        names = [f"%r{i}_{j}" for j in range(len(results))]
        instances.append(
            f'{", ".join(names)} = hw.instance "part{i}" @part{i}({", ".join(given)})'
            f" -> ({', '.join(results)})"
        )
        outputs += zip(names, (width for _, width in body.outputs), strict=True)
    ports += [f"out {name[1:]} : i{width}" for name, width in outputs]
    body_text = "\n  ".join([*instances, _output(outputs)])
    texts.append(f"hw.module @top({', '.join(ports)}) {{\n  {body_text}\n}}\n")
    return "".join(texts)


def _output(values: list[Value]) -> str:
    names = ", ".join(name for name, _ in values)
    types = ", ".join(f"i{width}" for _, width in values)
    return f"hw.output {names} : {types}"


class _RandomModule:
    """Grows a module one operation at a time from the values it has so far."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lines: list[str] = []
        self._count = 0
        self.inputs = [(f"i{i}", chance.choice(WIDTHS)) for i in range(5)]
        self._values: list[Value] = [(f"%{name}", width) for name, width in self.inputs]
        for _ in range(chance.randint(10, 60)):
            self._grow(chance.choice(WIDTHS))
        self.outputs = chance.sample(self._values, min(len(self._values), 6))

    def text(self, name: str) -> str:
        ports = ["in %clk : !seq.clock", "in %rst : i1"]
        ports += [f"in %{name} : i{width}" for name, width in self.inputs]
        ports += [f"out o{i} : i{width}" for i, (_, width) in enumerate(self.outputs)]
        body = "\n  ".join([*self._lines, _output(self.outputs)])
        return f"hw.module @{name}({', '.join(ports)}) {{\n  {body}\n}}\n"

    def _line(self, expression: str) -> str:
        self._count += 1
        self._lines.append(f"%v{self._count} = {expression}")
        return f"%v{self._count}"

    def _new(self, expression: str, width: int) -> str:
        name = self._line(expression)
        self._values.append((name, width))
        return name

    def _constant(self, value: int, width: int) -> str:
        if width == 1:
            return self._line(f"hw.constant {'true' if value & 1 else 'false'}")
        return self._line(f"hw.constant {value} : i{width}")

    def _of(self, width: int) -> str:
        """A value of `width`: one that there is, a constant, or bits of others."""
        chance = self._chance
        known = [name for name, found in self._values if found == width]
        if known and chance.random() < 0.8:
            return chance.choice(known)
        if chance.random() < 0.4:
            value = chance.getrandbits(width) - (1 << (width - 1))
            return self._constant(chance.choice((value, value, -1)), width)
        return self._made_of(self._values, width)

    def _made_of(self, sources: list[Value], width: int) -> str:
        """A value of `width` that consists of bits of `sources`."""
        chance = self._chance
        name, found = chance.choice(sources)
        if found == width:
            return name
        if found > width:
            low = chance.randint(0, found - width)
            types = f"(i{found}) -> i{width}"
            return self._new(f"comb.extract {name} from {low} : {types}", width)
        if width % found == 0 and chance.random() < 0.5:
            return self._new(f"comb.replicate {name} : (i{found}) -> i{width}", width)
        rest = self._made_of(sources, width - found)
        types = f"i{found}, i{width - found}"
        return self._new(f"comb.concat {name}, {rest} : {types}", width)

    def _hint(self) -> str:
        if self._chance.random() < 0.8:
            return ""
        return f' {{sv.namehint = "{self._chance.choice(HINTS)}"}}'

    def _grow(self, width: int) -> None:
        chance = self._chance
        kinds = (
            *(self._variadic,) * 4,
            self._binary,
            self._inverted,
            self._shifted,
            *(self._compared,) * 2,
            self._chosen,
            self._table,
            *(self._register,) * 2,
            self._joined,
        )
        chance.choice(kinds)(width)

    def _variadic(self, width: int) -> None:
        name = self._chance.choice(("add", "mul", "and", "or", "xor"))
        count = self._chance.choice((2, 2, 2, 3, 4))
        operands = ", ".join(self._of(width) for _ in range(count))
        self._new(f"comb.{name} {operands}{self._hint()} : i{width}", width)

    def _binary(self, width: int) -> None:
        name = self._chance.choice(("sub", "divu", "divs", "modu", "mods"))
        right = self._of(width)
        if name != "sub":
            # Nothing is said about a division by zero.
            one = self._constant(1, width)
            right = self._line(f"comb.or {right}, {one} : i{width}")
        self._new(
            f"comb.{name} {self._of(width)}, {right}{self._hint()} : i{width}", width
        )

    def _inverted(self, width: int) -> None:
        ones = self._constant(-1, width)
        self._new(f"comb.xor {self._of(width)}, {ones}{self._hint()} : i{width}", width)

    def _shifted(self, width: int) -> None:
        name = self._chance.choice(("shl", "shru", "shrs"))
        width = min(width, MAX_SHIFT_BITS)
        operands = f"{self._of(width)}, {self._of(width)}"
        self._new(f"comb.{name} {operands}{self._hint()} : i{width}", width)

    def _compared(self, width: int) -> None:
        # Verilator warns where it finds out that a comparison has but one result.
        inputs = [(f"%{name}", width) for name, width in self.inputs]
        left, other = (self._made_of(inputs, width) for _ in range(2))
        right = self._line(f"comb.add {left}, {other} : i{width}")
        operands = f"{left}, {right}"
        predicate = self._chance.choice(PREDICATES)
        self._new(f"comb.icmp {predicate} {operands}{self._hint()} : i{width}", 1)

    def _chosen(self, width: int) -> None:
        operands = f"{self._of(1)}, {self._of(width)}, {self._of(width)}"
        self._new(f"comb.mux {operands}{self._hint()} : i{width}", width)

    def _table(self, width: int) -> None:
        # CIRCT says nothing about an index past the end, so there is none.
        index_bits = self._chance.randint(1, 3)
        elements = ", ".join(self._of(width) for _ in range(1 << index_bits))
        index = self._of(index_bits)
        table = self._line(f"hw.array_create {elements} : i{width}")
        type_ = f"!hw.array<{1 << index_bits}xi{width}>"
        self._new(f"hw.array_get {table}[{index}] : {type_}, i{index_bits}", width)

    def _register(self, width: int) -> None:
        value, reset = (
            self._of(width),
            self._constant(self._chance.randint(-1, 0), width),
        )
        if self._chance.random() < 0.5:
            enable = self._of(1)
            kind = f"seq.compreg.ce {value}, %clk, {enable} reset %rst, {reset}"
        else:
            kind = f"seq.compreg {value}, %clk reset %rst, {reset}"
        self._new(f"{kind}{self._hint()} : i{width}", width)

    def _joined(self, width: int) -> None:
        (left, low), (right, high) = self._chance.choices(self._values, k=2)
        if self._chance.random() < 0.3:
            self._new(f"hw.wire {left}{self._hint()} : i{low}", low)
        elif low + high <= WIDTHS[-1] * 2:
            types = f"i{low}, i{high}"
            self._new(
                f"comb.concat {left}, {right}{self._hint()} : {types}", low + high
            )
