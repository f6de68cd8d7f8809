"""`--verify-each` names the pass and the first operation that it made wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from qdialect.constants import constant
from qdialect.elementwise import AddOp, MulOp, NegOp
from qdialect.location import source_name
from qdialect.quantisers import SignOp
from tools.generated_inputs import generate_inputs
from tools.mistakes import UserError
from tools.opt.located_parser import parse_text
from tools.opt.verify_each import VerifyEach
from tools.passes_run import verify
from tools.registry import build_registry
from tools.signature import entry_of

# Two branches of three layers each; the locations are the names of nodes.
BRANCHES = """\
func.func @main(%x: tensor<1x6xf32>) -> (tensor<1x6xf32>, tensor<1x6x!qnn.bipolar>) {
  %half = qnn.constant <tensor<f32>, [0.5]>
  %a1 = qnn.add %x, %half : tensor<1x6xf32>, tensor<f32> -> tensor<1x6xf32> loc("a1")
  %a2 = qnn.relu %a1 : tensor<1x6xf32> -> tensor<1x6xf32> loc("a2")
  %b1 = qnn.mul %x, %half : tensor<1x6xf32>, tensor<f32> -> tensor<1x6xf32> loc("b1")
  %b2 = qnn.neg %b1 : tensor<1x6xf32> -> tensor<1x6xf32> loc("b2")
  %b3 = qnn.abs %b2 : tensor<1x6xf32> -> tensor<1x6xf32> loc("b3")
  %y = qnn.sub %a2, %b3 : tensor<1x6xf32>, tensor<1x6xf32> -> tensor<1x6xf32> loc("y")
  %s = qnn.sign %a2 : tensor<1x6xf32> -> tensor<1x6x!qnn.bipolar> loc("s")
  func.return %y, %s : tensor<1x6xf32>, tensor<1x6x!qnn.bipolar>
}
"""

CORE = """\
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x2xsi4> {
  %q = qnn.sign %x : tensor<1x4xf32> -> tensor<1x4x!qnn.bipolar>
  %y = qnn.call @core(%q) : (tensor<1x4x!qnn.bipolar>) -> tensor<1x2xsi4>
  func.return %y : tensor<1x2xsi4>
}
func.func @core(%q: tensor<1x4x!qnn.bipolar>) -> tensor<1x2xsi4> {
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, 1, -1, -1, 1, -1]>
  %y = qnn.matmul %q, %w : tensor<1x4x!qnn.bipolar>, tensor<2x4x!qnn.bipolar>
    -> tensor<1x2xsi4> loc("fc")
  func.return %y : tensor<1x2xsi4>
}
"""


def parse(text: str) -> ModuleOp:
    module = parse_text(build_registry().context(), text.encode(), "m.mlir")
    verify(module, "m.mlir")
    return module


def at(module: ModuleOp, node: str) -> Operation:
    return next(op for op in module.walk() if source_name(op) == node)


def negate(module: ModuleOp, node: str) -> None:
    """Put a minus behind an operation, at its location."""
    op = at(module, node)
    new = NegOp(op.results[0], op.results[0].type)
    new.location = op.location
    assert op.parent is not None
    op.parent.insert_op_after(new, op)
    op.results[0].replace_uses_with_if(new.out, lambda use: use.operation is not new)


def message(text: str, change: Callable[[ModuleOp], None]) -> str:
    module = parse(text)
    check = VerifyEach(module, "m.mlir", [], ())
    check.after(module, "nothing")
    change(module)
    with pytest.raises(UserError) as caught:
        check.after(module, "mistake")
    first, second = str(caught.value).splitlines()
    assert first.startswith("m.mlir: error: pass 'mistake' changes output ")
    return second


@pytest.mark.parametrize("node", ["a1", "a2", "b3", "y"])
def test_names_the_operation(node: str):
    assert f"op 'qnn.neg' (node '{node}')" in message(
        BRANCHES, lambda module: negate(module, node)
    )


@pytest.mark.parametrize("node", ["b1", "b2"])
def test_a_change_that_does_not_reach_an_output_is_none(node: str):
    module = parse(BRANCHES)
    check = VerifyEach(module, "m.mlir", [], ())
    negate(module, node)  # the abs behind it hides the sign
    check.after(module, "harmless")


def test_names_what_is_behind_the_last_right_value():
    """The other branch and everything before the mistake are right, and not named."""

    def double(module: ModuleOp) -> None:
        op = at(module, "b2")
        assert op.parent is not None
        two = constant(np.array(2.0, np.float32))
        new = MulOp(op.results[0], two, op.results[0].type)
        new.location = op.location
        op.parent.insert_ops_after([two, new], op)
        op.results[0].replace_uses_with_if(
            new.out, lambda use: use.operation is not new
        )

    found = message(BRANCHES, double)
    assert found.startswith("first operation that differs: op 'qnn.mul' (node 'b2'): [")


def test_names_an_operation_inside_the_core():
    def swap(module: ModuleOp) -> None:
        weights = constant(np.array([[1, 1, 1, 1], [-1, -1, -1, -1]]), None)
        op = at(module, "fc")
        assert op.parent is not None
        op.parent.insert_op_before(weights, op)
        op.operands[1] = weights.out

    assert "op 'qnn.matmul' (node 'fc'): [0, " in message(CORE, swap)


def test_names_a_line_where_there_is_no_node():
    def flip(module: ModuleOp) -> None:
        (sign,) = [op for op in module.walk() if isinstance(op, SignOp)]
        new = NegOp(sign.input, sign.input.type)
        new.location = sign.location
        assert sign.parent is not None
        sign.parent.insert_op_before(new, sign)
        sign.operands[0] = new.out

    found = message(CORE, flip)
    assert found.startswith("first operation that differs: m.mlir:2:3: op 'qnn.neg': ")


def test_a_right_value_in_the_wrong_place():
    def drop(module: ModuleOp) -> None:
        last = at(module, "y")
        last.results[0].replace_all_uses_with(last.operands[0])

    assert "a value that was right is returned" in message(BRANCHES, drop)


def test_rounding_is_reported_and_not_refused(capsys: pytest.CaptureFixture[str]):
    module = parse(BRANCHES)
    check = VerifyEach(module, "m.mlir", [], ())
    last = at(module, "y")
    assert last.parent is not None
    tiny = constant(np.array(2.0**-23, np.float32))
    new = AddOp(last.results[0], tiny, last.results[0].type)
    last.parent.insert_ops_after([tiny, new], last)
    last.results[0].replace_uses_with_if(new.out, lambda use: use.operation is not new)
    check.after(module, "inexact")
    assert "equal up to float32 rounding, not bit for bit" in capsys.readouterr().err


def test_a_pass_that_is_not_exact_is_reported_and_the_next_held_to_it(
    capsys: pytest.CaptureFixture[str],
):
    module = parse(BRANCHES)
    check = VerifyEach(module, "m.mlir", [], ())
    last = at(module, "y")
    assert last.parent is not None
    one = constant(np.array(1, np.float32))
    new = AddOp(last.results[0], one, last.results[0].type)
    last.parent.insert_ops_after([one, new], last)
    last.results[0].replace_uses_with_if(new.out, lambda use: use.operation is not new)
    check.after(module, "rough", is_exact=False)
    assert "pass 'rough', which is not exact: output " in capsys.readouterr().err
    check.after(module, "next")
    assert capsys.readouterr().err == ""
    new.detach()
    new.out.replace_all_uses_with(last.results[0])
    with pytest.raises(UserError, match="pass 'last' changes output"):
        check.after(module, "last")


def test_a_pass_that_removes_a_function():
    module = parse(CORE)
    check = VerifyEach(module, "m.mlir", [], ())
    for op in list(module.body.block.ops):
        op.detach()
    with pytest.raises(UserError, match="pass 'mistake' removed @main"):
        check.after(module, "mistake")


def test_given_inputs_are_run(tmp_path: Path):
    """An input on which the mistake does not show is no reason to refuse."""
    positive = tmp_path / "x.npy"
    np.save(positive, np.full((3, 6), 0.0, np.float32))
    module = parse(BRANCHES)
    check = VerifyEach(module, "m.mlir", [(None, positive)], ())
    negate(module, "b1")
    negate(module, "b2")
    check.after(module, "hidden")


QUANTISED = """\
func.func @main(%x: tensor<1x1000xf32>) -> tensor<1x1000xsi3> {
  %s = qnn.constant <tensor<f32>, [0.25]>
  %z = qnn.constant <tensor<f32>, [1.0]>
  %r = qnn.reshape %x : tensor<1x1000xf32> -> tensor<1x1000xf32>
  %q = qnn.quantize %r, %s, %z rounding half_even
    : tensor<1x1000xf32>, tensor<f32>, tensor<f32> -> tensor<1x1000xsi3>
  func.return %q : tensor<1x1000xsi3>
}
"""


def test_generated_inputs_cover_a_quantiser():
    function = entry_of(parse(QUANTISED), "m.mlir")
    (x,) = generate_inputs(function, 4)
    low, high, step = (-4 - 1) * 0.25, (3 - 1) * 0.25, 0.25
    assert x.shape == (4, 1000)
    assert x.dtype == np.float32
    assert x.min() < low - step / 2
    assert x.max() > high + step / 2
    ties = np.abs(np.abs(x / step) % 1 - 0.5) < 1e-6
    assert 0.3 < ties.mean() < 0.7
    np.testing.assert_array_equal(x, generate_inputs(function, 4)[0])


@pytest.mark.parametrize(
    ("element", "low", "high"),
    [("!qnn.bipolar", -1, 1), ("!qnn.ternary", -1, 1), ("si3", -4, 3), ("ui2", 0, 3)],
)
def test_generated_levels_take_every_value(element: str, low: int, high: int):
    text = f"""\
func.func @main(%x: tensor<1x200x{element}>) -> tensor<1x200x{element}> {{
  func.return %x : tensor<1x200x{element}>
}}
"""
    (x,) = generate_inputs(entry_of(parse(text), "m.mlir"), 2)
    expected = [-1, 1] if element == "!qnn.bipolar" else list(range(low, high + 1))
    assert np.unique(x).tolist() == expected


def test_context_is_not_shared():
    """Two contexts of a registry do not see each other's dialects loaded."""
    registry = build_registry()
    first, second = registry.context(), registry.context()
    assert first.get_optional_op("qnn.sign") is not None
    assert isinstance(second, Context)
    assert "qnn" not in {dialect.name for dialect in second.loaded_dialects}
