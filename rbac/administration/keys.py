"""Keys: a change that is sent again under its key is made once, and the retry is told the revision it led to.

A key belongs to its actor and is kept as a hash, also when nothing changed, for KEPT_FOR; after that it is as new.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, insert, select

from rbac.database import tables as t
from rbac.database.unit_of_work import Work
from rbac.errors import UnknownName
from rbac.names import quoted

KEPT_FOR = timedelta(days=30)
"""How long a key is kept; those that are older go when a new one comes."""

_KEPT_FOR = KEPT_FOR // timedelta(microseconds=1)


class Use(NamedTuple):
    """The first use of a key: the revision it led to, and what was asked for, as a hash."""

    revision: int
    fingerprint: str


def parse_key(text: str) -> str:
    """`text` itself when it can be a key; raises UnknownName."""
    if isinstance(text, str) and text and text.isprintable():
        return text
    raise UnknownName(f"a key is printable text, not {quoted(text)}")


def fingerprint_of(text: str) -> str:
    """The hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def first_use(work: Work, key: str) -> Use | None:
    """The first use of a key by the actor of a unit of work; None when there was none, or it is too long ago."""
    c = t.request_key.c
    mine = (c.organization == work.organization, c.actor == work.actor, c.key == fingerprint_of(key))
    row = work.connection.execute(select(c.revision, c.fingerprint).where(*mine, c.at >= work.at - _KEPT_FOR)).first()
    return None if row is None else Use(*row)


def keep(work: Work, key: str, use: Use) -> None:
    """Keep a first use, and let those go that are too old."""
    table = t.request_key
    old = delete(table).where(table.c.organization == work.organization, table.c.at < work.at - _KEPT_FOR)
    work.connection.execute(old)
    row = {"organization": work.organization, "actor": work.actor, "key": fingerprint_of(key), "at": work.at, **use._asdict()}
    work.connection.execute(insert(table), row)
    work.commit_unchanged()
