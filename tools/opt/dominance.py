"""Does every value stand before its uses? xDSL's own verifier does not ask."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.hw import HWModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.irdl.dominance import DominanceInfo


def use_before_definition(module: ModuleOp) -> tuple[Operation, SSAValue] | None:
    """The first operation that uses a value which is not defined before it.

    In the body of a hardware module and at module level order means nothing.
    """
    for op in module.body.block.ops:
        if not isinstance(op, HWModuleOp):
            for region in op.regions:
                if (fault := _in_region(region, set())) is not None:
                    return fault
    return None


def _in_region(
    region: Region, visible: set[SSAValue]
) -> tuple[Operation, SSAValue] | None:
    """The first fault of a region, from which the values of `visible` can be seen."""
    defined: dict[Block, set[SSAValue]] = {}
    for block in region.blocks:
        defined[block] = {*block.args, *(r for op in block.ops for r in op.results)}
    order = DominanceInfo(region)
    for block in region.blocks:
        seen = visible | set(block.args)
        for other in region.blocks:
            if other is not block and order.dominates(other, block):
                seen |= defined[other]
        for op in block.ops:
            for operand in op.operands:
                if operand not in seen:
                    return op, operand
            for inner in op.regions:
                if (fault := _in_region(inner, seen)) is not None:
                    return fault
            seen.update(op.results)
    return None
