"""How a command ends: with one sentence on stderr and an exit code, never with a traceback.

The only module that turns errors into exit codes. A failure never has the exit code of a "no".
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

import click

from rbac.cli import output
from rbac.errors import Conflict, Denied, PolicyError, RBACError, Refused, Stale, StateError, StoreError, UnknownName

NO = 1
USAGE = 2
BUG = 70
OUTPUT = 74
INTERRUPTED = 130
READER_GONE = 141


class No(Exception):
    """The answer to a question is no; the message says why."""


CODES: dict[type[Exception], int] = {
    No: NO,
    Denied: NO,
    UnknownName: USAGE,
    PolicyError: 3,
    StateError: 3,
    Refused: 4,
    Conflict: 5,
    StoreError: 6,
    Stale: 6,
}
"""Exit codes by error, the same for every command; 0 is yes, done, clean."""


_UNWRITTEN = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)


def code_of(error: Exception) -> int:
    """The exit code of an error; BUG for one that is not listed."""
    return next((code for kind, code in CODES.items() if isinstance(error, kind)), BUG)


def sentence(error: Exception) -> str:
    """The message of an error."""
    if isinstance(error, click.UsageError):
        return _usage(error)
    if isinstance(error, click.ClickException):
        return error.format_message()
    if code_of(error) != BUG:
        return str(error)
    told = str(error) if isinstance(error, RBACError) else f"{type(error).__name__}: {error}"
    return f"this is a bug in the program, please report it: {told} ({_origin(error)})"


def outcome(run: Callable[[], None]) -> int:
    """Run a command, print the error it ends with, and return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a character that the terminal's encoding lacks becomes a question mark
    code = _exit_code(run)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        return _unwritten(error)
    return code


def _exit_code(run: Callable[[], None]) -> int:
    try:
        run()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        return say(error, USAGE)
    except (KeyboardInterrupt, EOFError, click.Abort):
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _UNWRITTEN:
            return _unwritten(error)
        return say(error, code_of(error))
    return 0


def say(error: Exception, code: int) -> int:
    """Print an error on stderr, a line for each problem of a policy; the code, for the caller to exit with."""
    first, *more = [str(each) for each in error.problems] if isinstance(error, PolicyError) else [sentence(error)]
    with suppress(OSError):
        for line in (f"rbac: {first}", *more):
            output.line(line, err=True)
    return code


def _unwritten(error: OSError) -> int:
    """The reader of the output has closed it, or the disk is full."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter fails once more when it flushes
    if isinstance(error, BrokenPipeError):
        return READER_GONE
    return say(click.ClickException(f"cannot write the output: {error.strerror}"), OUTPUT)


def _usage(error: click.UsageError) -> str:
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    return message if error.ctx is None else f"{message} (see {error.ctx.command_path} --help)"


def _origin(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{os.path.basename(frame.filename)}:{frame.lineno}"
