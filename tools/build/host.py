"""What of a network runs on the host: the real-valued shell around the integer core."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import BlockArgument, Operation, SSAValue

from qdialect.calls import CallOp
from qdialect.constants import constant_array, is_constant
from qdialect.quantisers import DequantizeOp, QuantizeOp
from qdialect.types import element_of
from tools.signature import entry_of, input_names, output_names


def host_lines(module: ModuleOp, source: str) -> list[str]:
    """A line for each input and output: what the host does between it and the core."""
    function = entry_of(module, source)
    return [*_input_lines(function), *_output_lines(function)]


def _input_lines(function: FuncOp) -> list[str]:
    names = input_names(function)
    lines: list[str] = []
    for op in function.body.block.ops:
        if isinstance(op, CallOp):
            for index, operand in enumerate(op.arguments):
                chain, root = _chain(operand)
                if isinstance(root, BlockArgument):
                    words = _words(chain)
                    lines.append(
                        f"input '{names[root.index]}' -> {words}core input {index} "
                        f"({element_of(operand)})"
                    )
    return lines


def _output_lines(function: FuncOp) -> list[str]:
    end = function.body.block.last_op
    assert isinstance(end, ReturnOp)
    lines: list[str] = []
    for name, value in zip(output_names(function), end.operands, strict=True):
        chain, root = _chain(value)
        origin = "the input"
        if isinstance(root.owner, CallOp):
            index = next(i for i, out in enumerate(root.owner.outs) if out is root)
            origin = f"core output {index} ({element_of(root)})"
        lines.append(f"{origin} -> {_words(chain)}output '{name}'")
    return lines


def _chain(value: SSAValue) -> tuple[list[Operation], SSAValue]:
    """The operations between `value` and a call or an argument, in order."""
    chain: list[Operation] = []
    while isinstance(op := value.owner, Operation) and not isinstance(op, CallOp):
        inputs = [operand for operand in op.operands if not is_constant(operand)]
        chain.insert(0, op)
        if len(inputs) != 1:
            break
        value = inputs[0]
    return chain, value


def _words(chain: list[Operation]) -> str:
    return "".join(f"{_word(op)} -> " for op in chain)


def _word(op: Operation) -> str:
    name = op.name.removeprefix("qnn.")
    if isinstance(op, QuantizeOp | DequantizeOp):
        scale = constant_array(op.scale)
        if scale is not None and scale.size == 1:
            return f"{name} (scale {float(scale.ravel()[0]):.9g})"
        return f"{name} (scale of each channel)"
    return name
