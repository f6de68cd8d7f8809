"""A parser that gives operations the file and line they stand at."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from dataclasses import replace

from xdsl.context import Context
from xdsl.dialects.builtin import (
    FileLineColLoc,
    IntAttr,
    ModuleOp,
    StringAttr,
    UnknownLoc,
)
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError, VerifyException
from xdsl.utils.lexer import Input, Span

from tools.mistakes import UserError
from tools.suggestions import unknown


class LocatedParser(Parser):
    """xDSL's parser, with locations.

    An operation without a location of its own gets its place in the text. What an
    attribute's or an operation's constructor refuses becomes an error at that place.

    Args:
        ctx: the dialects.
        text: MLIR.
        name: of the file, for locations.
        line_offset: lines of the file before `text`.
    """

    def __init__(self, ctx: Context, text: str, name: str, line_offset: int = 0):
        super().__init__(ctx, text, name)
        self._text = text
        self._file = StringAttr(name)
        self._line_offset = line_offset
        self._line_starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._operation_start = 0

    def parse_operation(self) -> Operation:
        start = self._current_token.span.start
        outer, self._operation_start = self._operation_start, start
        try:
            op = super().parse_operation()
        except (VerifyException, ValueError, TypeError, OverflowError) as error:
            self.raise_error(str(error) or type(error).__name__, start)
        except (AssertionError, LookupError, NotImplementedError) as error:
            kind = type(error).__name__
            self.raise_error(f"malformed operation ({kind}: {error})", start)
        self._operation_start = outer
        if isinstance(op.location, UnknownLoc):
            line = bisect_right(self._line_starts, start)
            column = start - self._line_starts[line - 1] + 1
            op.location = FileLineColLoc(
                self._file, IntAttr(line + self._line_offset), IntAttr(column)
            )
        return op

    def _get_op_by_name(self, name: str) -> type[Operation]:
        found = self.ctx.get_optional_op(
            name, dialect_stack=self._parser_state.dialect_stack
        )
        if found is None:
            # Asking for the operation has loaded its dialect, where there is one.
            known = [op.name for op in self.ctx.loaded_ops]
            self.raise_error(unknown("operation", name, known), self._operation_start)
        return found


def parse_text(
    ctx: Context,
    source: bytes,
    name: str,
    *,
    line_offset: int = 0,
    implicit_module: bool = True,
) -> ModuleOp:
    """The module that an MLIR file holds.

    Args:
        ctx: the dialects.
        source: contents of the file.
        name: of the file, for locations and messages.
        line_offset: lines of the file before `source`.
        implicit_module: whether the outermost `builtin.module` may be left out.

    Raises:
        UserError: the text is malformed; with line and column.
    """
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1 + line_offset
        raise UserError(
            f"{name}:{line}: error: not UTF-8 text (byte 0x{source[error.start]:02x})"
        ) from error
    if not text.strip():
        raise UserError(f"{name}: error: the file is empty; expected a module of MLIR")
    parser = LocatedParser(ctx, text, name, line_offset)
    try:
        return parser.parse_module(implicit_module)
    except (struct.error, OverflowError) as error:  # xDSL packs them unchecked
        beyond = ParseError(
            Span(parser.pos, parser.pos, Input(text, name)),
            "a number before this is beyond its type",
        )
        raise UserError(parse_message(beyond, line_offset)) from error
    except ParseError as error:
        raise UserError(
            parse_message(_at_first_use(error, text), line_offset)
        ) from error
    except RecursionError as error:
        raise UserError(f"{name}: error: the text is nested too deeply") from error


def parse_message(error: ParseError, line_offset: int = 0) -> str:
    """`FILE:LINE:COL: error: what is wrong`, in one line."""
    place = replace(error.span, line_offset=line_offset).get_location()
    return f"{place}: error: {' '.join(error.msg.split())}"


def _at_first_use(error: ParseError, text: str) -> ParseError:
    """Say where an undefined value is used: xDSL names the end of the file."""
    match = re.match(r"values used but not defined: \[(%[^,\]]+)", error.msg)
    use = match and re.search(re.escape(match[1]) + r"(?![\w$.-])", text)
    if not use:
        return error
    source = Input(text, error.span.input.name)
    return ParseError(Span(use.start(), use.end(), source), error.msg)
