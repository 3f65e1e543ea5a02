"""Heads: the newest revision of an organization and its hash, small enough to keep outside the store.

A chain shows every change inside it and not that its end was cut off; a head that was kept elsewhere does. One rule:
a file of heads is read whole or refused, since a line that is skipped is a head that proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select

from rbac.database import tables
from rbac.documents import DocumentError, parse_json
from rbac.errors import StateError
from rbac.names import ID
from rbac.text import plain

_HASH = re.compile("[0-9a-f]{64}")
_REVISION = re.compile("[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Head:
    """One revision of an organization and the hash that seals it and everything before it."""

    organization: str
    revision: int
    hash: str

    def __str__(self) -> str:
        return f"{self.organization} {self.revision} {self.hash}"


def head_of(connection: Connection, organization: str) -> Head | None:
    """The present head; None when there is no such organization."""
    c = tables.organization.c
    row = connection.execute(select(c.id, c.revision, c.head).where(c.id == organization)).first()
    return None if row is None else Head(*row)


def read_heads(text: str, file: str = "") -> Iterator[Head]:
    """The heads of a file, one a line: `ORGANIZATION REVISION HASH`, or the same as a JSON object; raises StateError."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _head(line, file, f"line {number}")


def _head(line: str, file: str, path: str) -> Head:
    words: list[object] = list(line.split())
    if line.lstrip().startswith("{"):
        try:
            found = parse_json(line)
            words = [found.pop(name) for name in asdict(Head("", 0, ""))] + sorted(found)
        except (DocumentError, KeyError):
            words = []
    if len(words) == 3:
        organization, revision, digest = map(str, words)
        if ID.fullmatch(organization) and _REVISION.fullmatch(revision) and _HASH.fullmatch(digest):
            return Head(organization, int(revision), digest)
    raise StateError(f"is no head, write ORGANIZATION REVISION HASH as `audit --head` prints it: {plain(line, 100)}", file=file, path=path)
