"""Request lines, one JSON object a line, as `check --from` reads them.

Its one rule: the first bad line ends the run with its place and what is wrong; no line is skipped and none guessed at.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from rbac.errors import UnknownName
from rbac.text import parted, plain

STDIN = "-"


class RequestLine(msgspec.Struct, forbid_unknown_fields=True):
    """One question as a line has it."""

    user: str
    permission: str
    domain: str
    target: str | None = None
    task: str | None = None
    via: str = "ui"
    at_least: int | str = 0


def read_requests(file: str) -> Iterator[tuple[str, RequestLine]]:
    """Each request with its place, `file:line`, as soon as it is there; raises UnknownName at the first bad line."""
    name = "stdin" if file == STDIN else file
    try:
        stream = sys.stdin.buffer if file == STDIN else open(file, "rb")  # noqa: SIM115  # stdin is not ours to close
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error
    with stream:
        for number, line in enumerate(stream, 1):
            yield f"{name}:{number}", _parse(line, f"{name}:{number}")


def _parse(line: bytes, place: str) -> RequestLine:
    try:
        return msgspec.convert(json.loads(line.decode("utf-8").rstrip(" \t\r\n"), object_pairs_hook=_unique), RequestLine)
    except UnicodeDecodeError as error:
        raise UnknownName(f"{place}: byte {error.start + 1} is not UTF-8") from None
    except json.JSONDecodeError as error:
        said = "is empty" if not line.strip() else f"column {error.colno} is no JSON: {_lower(error.msg)}"
        raise UnknownName(f"{place}: {said}") from None
    except msgspec.ValidationError as error:
        message, where = parted(str(error))
        raise UnknownName(f"{place}: {message}{f' at `{where}`' if where else ''}") from None
    except UnicodeEncodeError as error:
        raise UnknownName(f"{place}: {plain(error.object)} is no name: it has half a character") from None
    except ValueError:  # Python's own, of a number
        raise UnknownName(f"{place}: a number has too many digits") from None
    except RecursionError:
        raise UnknownName(f"{place}: is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise msgspec.ValidationError("a key stands twice")
    return found


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
