"""ONNX's node tests on our backend: passed and skipped, by op and by reason.

All tests of `onnx.backend.test` of single ops that the importer has in its list, run by
ONNX's runner with its tolerances. What is skipped is refused by the importer; the
reasons, with the names of the tests, are those of `docs/onnx-ops.md`.
"""

from __future__ import annotations

import re
import unittest
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnx
from onnx.backend.test import BackendTest
from onnx.backend.test.loader import load_model_tests

from lowering.interpreter.engine import InterpreterError
from tools.onnx_backend.backend import QnncBackend
from tools.onnx_import.refusal import ImportRefused

OPS_PAGE = Path(__file__).parents[1] / "docs" / "onnx-ops.md"
DIFFERS = "the results differ"


@dataclass(frozen=True)
class NodeTest:
    """A node test of an op in the importer's list.

    Attributes:
        name: as ONNX calls it.
        op: the op that it tests.
        refusal: why the model is refused, `DIFFERS`, or nothing where it passes.
    """

    name: str
    op: str
    refusal: str


@cache
def node_tests() -> list[NodeTest]:
    """All node tests in scope, each run by ONNX's own runner."""
    suite = BackendTest(QnncBackend, __name__).test_cases["OnnxBackendNodeModelTest"]
    found: list[NodeTest] = []
    for case in sorted(load_model_tests(kind="node"), key=lambda case: case.name):
        model = onnx.load(f"{case.model_dir}/model.onnx")
        # Tests of several nodes write out a function, which is no op in the list.
        if len(model.graph.node) == 1 and QnncBackend.is_compatible(model):
            refusal = _refusal(suite(f"{case.name}_cpu"))
            found.append(NodeTest(case.name, model.graph.node[0].op_type, refusal))
    return found


def _refusal(test: unittest.TestCase) -> str:
    try:
        with warnings.catch_warnings():
            # The expected results of some tests overflow while they are compared.
            warnings.simplefilter("ignore", RuntimeWarning)
            test.debug()
    except (ImportRefused, InterpreterError) as error:
        return str(error).partition("\n")[0]
    except AssertionError:
        return DIFFERS
    return ""


@dataclass(frozen=True)
class SkippedGroup:
    """Node tests that are skipped for one reason.

    Attributes:
        title: the reason.
        refusal: text that the refusals have in common.
        names: of the tests.
    """

    title: str
    refusal: str
    names: list[str]


@cache
def skipped_groups() -> list[SkippedGroup]:
    """The groups that the page of ops lists."""
    parts = OPS_PAGE.read_text().split("\n### ")[1:]
    return [
        SkippedGroup(
            title=part.partition("\n")[0],
            refusal="".join(re.findall(r"^> (.*)$", part, re.MULTILINE)),
            names=re.findall(r"`(test_\w+)`", part),
        )
        for part in parts
    ]


def main() -> None:
    """Run the tests and print both tables."""
    reasons = {name: group.title for group in skipped_groups() for name in group.names}
    passed, skipped, why = Counter[str](), dict[str, Counter[str]](), Counter[str]()
    for test in node_tests():
        by_reason = skipped.setdefault(test.op, Counter())
        if not test.refusal:
            passed[test.op] += 1
            continue
        reason = reasons.get(test.name, "not listed")
        by_reason[reason] += 1
        why[reason] += 1
    print(f"{'op':24s} passed  skipped")
    for op, by_reason in sorted(skipped.items()):
        text = "; ".join(f"{title} ({n})" for title, n in by_reason.most_common())
        print(f"{op:24s} {passed[op]:6d}  {by_reason.total():7d}  {text}".rstrip())
    print(f"{'all':24s} {passed.total():6d}  {why.total():7d}\n")
    print("skipped  reason")
    for title, count in why.most_common():
        print(f"{count:7d}  {title}")


if __name__ == "__main__":
    main()
