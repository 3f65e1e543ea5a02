"""Request lines, one JSON object a line, as `check --from` reads them.

The first bad line ends the run with an error that names it; no line is skipped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
import msgspec

from rbac.documents import DocumentError, convert, parse_json
from rbac.errors import UnknownName
from rbac.files import open_to_read

STDIN = "-"


class RequestLine(msgspec.Struct, forbid_unknown_fields=True):
    """The question on one line."""

    user: str
    permission: str
    domain: str
    target: str | None = None
    task: str | None = None
    via: str = "ui"
    at_least: int | str = 0


def read_requests(file: str) -> Iterator[tuple[str, RequestLine]]:
    """Each request with its location, `file:line`, as soon as the line is read; raises UnknownName at the first bad line."""
    name = "stdin" if file == STDIN else file
    try:
        stream = sys.stdin.buffer if file == STDIN else open_to_read(file)  # stdin is not ours to close
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error
    with stream:
        for number, line in enumerate(stream, 1):
            yield f"{name}:{number}", _parse(line, f"{name}:{number}")


def _parse(line: bytes, place: str) -> RequestLine:
    if not line.strip():
        raise UnknownName(f"{place}: is empty")
    try:
        return convert(parse_json(line.decode("utf-8").rstrip(" \t\r\n")), RequestLine)
    except UnicodeDecodeError as error:
        raise UnknownName(f"{place}: byte {error.start + 1} is not UTF-8") from None
    except DocumentError as error:
        column = f"column {error.column}: " if error.column else ""
        raise UnknownName(f"{place}: {column}{error.message}{f' at `{error.path}`' if error.path else ''}") from None
