"""The call from the real-valued shell of a network into its integer core."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import SymbolRefAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import Pure, SymbolTable, SymbolUserOpInterface
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_level


class _CalleeExists(SymbolUserOpInterface):
    def verify(self, op: Operation) -> None:
        assert isinstance(op, CallOp)
        if SymbolTable.lookup_symbol(op, op.callee) is None:
            raise VerifyException(
                f"qnn.call: the module has no symbol @{op.callee.string_value()}"
            )


@irdl_op_definition
class CallOp(IRDLOperation):
    """Run the integer core of a network on levels.

        results = @callee(operands)

    | name      | kind     | shape | unit                                            |
    | --------- | -------- | ----- | ----------------------------------------------- |
    | `callee`  | property | -     | a func.func of any level, or a hw.module        |
    | operands  | operands | any   | level                                           |
    | results   | results  | any   | level                                           |

    The types are those of the integer level, whatever level the callee has reached:
    a callee on streams or on wires takes and gives the same values in its own form.
    """

    name = "qnn.call"

    callee = prop_def(SymbolRefAttr)
    arguments = var_operand_def()
    outs = var_result_def()

    traits = traits_def(Pure(), _CalleeExists())
    assembly_format = (
        "$callee `(` $arguments `)` attr-dict `:` functional-type($arguments, $outs)"
    )

    def __init__(
        self,
        callee: str,
        arguments: Sequence[SSAValue],
        result_types: Sequence[Attribute],
    ):
        super().__init__(
            operands=[arguments],
            properties={"callee": SymbolRefAttr(callee)},
            result_types=[result_types],
        )

    def verify_(self) -> None:
        for index, value in enumerate(self.arguments):
            expect_level(self, f"operand {index}", value)
        for index, value in enumerate(self.outs):
            expect_level(self, f"result {index}", value)
