"""The audit of one organization, read revision by revision.

Every function takes a connection of `engine.reading`, so that all it returns is of one revision.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select

from rbac.database.chain import canonical
from rbac.database.columns import comparable
from rbac.database.tables import KINDS, audit, audit_change
from rbac.errors import UnknownName
from rbac.names import nearest, parse_id, quoted
from rbac.vocabulary import ChangedFact

__all__ = ["ChangedFact", "Entry", "entries", "entry_at", "revisions"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision: who did what when, and what changed. `at` is microseconds since 1970, UTC.

    `policy` is the SHA-256 of the policy it was made under; `on_behalf_of` the member an application acted for.
    """

    organization: str
    revision: int
    at: int
    actor: str
    actor_kind: str
    on_behalf_of: str | None
    operation: str
    ticket: str | None
    policy: str | None
    format: int
    previous: str
    hash: str
    changes: tuple[ChangedFact, ...]


_COLUMNS = tuple(column.name for column in audit.c)


def entries(
    connection: Connection,
    organization: str,
    *,
    first: int | None = None,
    last: int | None = None,
    since: int | None = None,
    until: int | None = None,
    actor: str | None = None,
    user: str | None = None,
    kind: str | None = None,
    newest_first: bool = False,
) -> Iterator[Entry]:
    """The revisions of an organization, streamed in order.

    `first` and `last` are revisions, both included; `since` and `until` instants, the second excluded. `user` and `kind`
    select changes: revisions without such a change are left out, and so are the other changes of the rest. A transfer
    of ownership is about the old Owner and the new one. Raises UnknownName for a kind of fact that does not exist and
    for a name that cannot be one.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownName(f"unknown kind of fact {quoted(kind)}{nearest(kind, KINDS) or ': one of ' + ', '.join(KINDS)}")
    conditions = [
        *([audit.c.revision >= comparable(first)] if first is not None else []),
        *([audit.c.revision <= comparable(last)] if last is not None else []),
        *([audit.c.at >= comparable(since)] if since is not None else []),
        *([audit.c.at < comparable(until)] if until is not None else []),
        *([audit.c.actor == parse_id(actor, "actor")] if actor is not None else []),
        *([_about(parse_id(user, "user"))] if user is not None else []),
        *([audit_change.c.kind == kind] if kind is not None else []),
    ]
    for rows in revisions(connection, organization, *conditions, changed=user is not None or kind is not None, newest_first=newest_first):
        row, rest = next(rows), rows
        changes = tuple(_change(each) for each in itertools.chain([row], rest) if each.position is not None)
        yield Entry(**{name: getattr(row, name) for name in _COLUMNS}, changes=changes)


def entry_at(connection: Connection, organization: str, *, revision: int | None = None, at: int | None = None) -> Entry | None:
    """The revision of that number, or the newest one made up to that instant, without its changes; None when there is none."""
    conditions = [audit.c.revision == revision] if at is None else [audit.c.at <= at]
    query = select(audit).where(audit.c.organization == organization, *conditions).order_by(audit.c.revision.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return None
    values: dict[str, Any] = dict(row._mapping)
    return Entry(**values, changes=())


def revisions(
    connection: Connection, organization: str, *conditions: ColumnElement[bool], changed: bool = False, newest_first: bool = False
) -> Iterator[Iterator[Row[Any]]]:
    """For each revision its audit row joined with each of its changes, in order, streamed.

    A revision without changes has one row of None, or is left out with `changed`.
    """
    key: ColumnElement[bool] = and_(audit_change.c.organization == audit.c.organization, audit_change.c.revision == audit.c.revision)
    columns = [each for each in audit_change.c if each.name not in ("organization", "revision")]
    query = select(audit, *columns).join_from(audit, audit_change, key, isouter=not changed)
    order = audit.c.revision.desc() if newest_first else audit.c.revision
    query = query.where(audit.c.organization == organization, *conditions).order_by(order, audit_change.c.position)
    for _, rows in itertools.groupby(stream(connection, query), key=lambda row: row.revision):
        yield rows


def stream(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    """The rows of a query, a thousand at a time in memory."""
    with connection.execute(query, execution_options={"yield_per": 1000}) as result:
        yield from result


def _about(user: str) -> ColumnElement[bool]:
    """Changes about a user; a transfer of ownership names both in its values."""
    c, named = audit_change.c, canonical({"user": user})
    return or_(c.user == user, and_(c.kind == "owner", or_(c.before == named, c.after == named)))


def _change(row: Row[Any]) -> ChangedFact:
    before, after = (None if text is None else json.loads(text) for text in (row.before, row.after))
    return ChangedFact(row.kind, row.user, row.domain, before, after)
