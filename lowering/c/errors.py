"""What the C target cannot say."""

from xdsl.ir import Operation
from xdsl.utils.exceptions import DiagnosticException

from qdialect.location import where


class CError(DiagnosticException):
    """A module that has no C form; says where and what would be taken."""


def refusal(op: Operation, message: str) -> CError:
    """The error that `op` cannot be written, with its place in the source."""
    return CError(f"target c: {where(op)}: {message}")
