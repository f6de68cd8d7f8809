"""How every command starts and ends: exit status, short errors, signals."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import FrameType

from tools.mistakes import UsageError, UserError

INTERRUPTED = 128 + signal.SIGINT
PIPE_CLOSED = 128 + signal.SIGPIPE


def version_line(command: str) -> str:
    """Name and version of a command, and of the xDSL below it.

    Reads the versions of the installed packages: importing nothing, it is quick.
    """
    try:
        ours = version("qnnc")
    except PackageNotFoundError:  # the tree is used without being installed
        ours = "(not installed)"
    return f"{command} {ours} (xdsl {version('xdsl')})"


def run_command(command: str, body: Callable[[], int], *, debug: bool = False) -> int:
    """Exit status of a command.

    Args:
        command: its name, for messages.
        body: does the work and gives the exit status; raises on any error.
        debug: let exceptions through, so that Python prints a traceback.
    """
    try:
        with _terminated_like_interrupted():
            return body()
    except SystemExit as error:  # argparse, having said what is wrong
        return error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        print(f"{command}: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED
    except BaseException as error:
        if debug:
            raise
        print(_message(command, error), file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


def write_output(text: str) -> None:
    """Write to the standard output, all of it.

    Raises:
        UserError: it cannot be written.
        BrokenPipeError: nobody reads it any more.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        reason = error.strerror or str(error)
        raise UserError(f"standard output: cannot be written: {reason}") from error


def _drop_output() -> None:
    """Let Python flush into nowhere at exit: it would complain a second time."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _message(command: str, error: BaseException) -> str:
    if isinstance(error, UserError):
        text = str(error)
    else:
        # Knows the errors of every library; importing it takes a while.
        from tools.diagnostics import explain

        text = explain(error)
    return text if ": error: " in text else f"{command}: error: {text}"


@contextmanager
def _terminated_like_interrupted() -> Generator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that clean-up happens."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
