"""The audit of one organization: read it, replay it, verify it.

One rule: it only reads. Every function takes a connection of `reading`, so that all it says is of one revision. A chain
proves that nothing was changed inside it, not that its end was not cut off: keep a head elsewhere for that (heads.py).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select

from rbac.database import tables
from rbac.database.audit.heads import Head
from rbac.database.audit.replay import FactName, State, present
from rbac.database.chain import GENESIS, Change, Digest, canonical
from rbac.database.tables import audit, audit_change, comparable
from rbac.errors import Refused
from rbac.names import parse_id

__all__ = ["Change", "Entry", "FactName", "Head", "State", "Verification", "entries", "present", "replay", "verify"]

_PROBLEMS = 100  # sentences a verification collects before it stops writing them down


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision: who did what when, and what changed. `at` is microseconds since 1970, UTC."""

    organization: str
    revision: int
    at: int
    actor: str
    actor_kind: str
    operation: str
    ticket: str | None
    previous: str
    hash: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found; falsy when there is any problem. `changes` is how many were replayed, `pinned` how many heads were found."""

    organization: str
    revision: int
    head: str
    changes: int
    problems: tuple[str, ...]
    pinned: int = 0

    def __bool__(self) -> bool:
        return not self.problems


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
    ask about changes: revisions without such a change are left out, and so are the other changes of the rest. A transfer
    is about the old Owner and the new one. Raises UnknownName for a name that cannot be one.
    """
    conditions = [
        *([audit.c.revision >= comparable(first)] if first is not None else []),
        *([audit.c.revision <= comparable(last)] if last is not None else []),
        *([audit.c.at >= comparable(since)] if since is not None else []),
        *([audit.c.at < comparable(until)] if until is not None else []),
        *([audit.c.actor == parse_id(actor, "actor")] if actor is not None else []),
        *([_about(parse_id(user, "user"))] if user is not None else []),
        *([audit_change.c.kind == kind] if kind is not None else []),
    ]
    query = _joined(organization, outer=user is None and kind is None).where(*conditions)
    order = audit.c.revision.desc() if newest_first else audit.c.revision
    for rows in _revisions(connection, query.order_by(order, audit_change.c.position)):
        row, rest = next(rows), rows
        changes = tuple(_change(each) for each in itertools.chain([row], rest) if each.position is not None)
        yield Entry(
            organization, row.revision, row.at, row.actor, row.actor_kind, row.operation, row.ticket, row.previous, row.hash, changes
        )


def stand_at(connection: Connection, organization: str, *, revision: int | None = None, at: int | None = None) -> Entry | None:
    """The revision of that number, or the newest one made up to that instant, without its changes; None when there is none."""
    conditions = [audit.c.revision == revision] if at is None else [audit.c.at <= at]
    query = select(audit).where(audit.c.organization == organization, *conditions).order_by(audit.c.revision.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return None
    values: dict[str, Any] = dict(row._mapping)
    return Entry(**values, changes=())


def replay(connection: Connection, organization: str, *, upto: int | None = None) -> State:
    """The state that the changes of the organization lead to, up to and including revision `upto`."""
    state = State()
    query = select(audit_change).where(audit_change.c.organization == organization)
    if upto is not None:
        query = query.where(audit_change.c.revision <= upto)
    for row in _stream(connection, query.order_by(audit_change.c.revision, audit_change.c.position)):
        state.apply(row.kind, row.user, row.domain, row.before, row.after)
    return state


def verify(connection: Connection, organization: str, heads: Iterable[Head] = ()) -> Verification:
    """Recompute the chain from the first revision to the head and replay it to the present state.

    `heads` are heads of any organization that were kept elsewhere: each one of this organization has to be in the chain.
    Streams the audit; holds the state twice. Refused when there is no such organization.
    """
    query = select(tables.organization.c.revision, tables.organization.c.head).where(tables.organization.c.id == organization)
    found = connection.execute(query).first()
    if found is None:
        raise Refused(f"there is no organization {organization}")
    walk = _Walk(organization, heads)
    for rows in _revisions(connection, _joined(organization, outer=True).order_by(audit.c.revision, audit_change.c.position)):
        walk.revision(rows)
    walk.end(found.revision, found.head)
    walk.orphans(connection)
    for difference in itertools.islice(walk.state.differences(present(connection, organization)), _PROBLEMS):
        walk.problem(difference)
    return Verification(organization, found.revision, found.head, walk.changes, tuple(walk.problems), walk.pinned)


class _Walk:
    """One pass over the chain: the revision expected next, the hash before it, the state so far, what was wrong."""

    def __init__(self, organization: str, heads: Iterable[Head]) -> None:
        self._organization, self._next, self._previous = organization, 1, GENESIS
        self.state, self.changes, self.pinned = State(), 0, 0
        self.problems: list[str] = []
        self._pins: dict[int, set[str]] = {}
        for head in heads:
            if head.organization == organization:
                self._pins.setdefault(head.revision, set()).add(head.hash)

    def problem(self, sentence: str) -> None:
        if len(self.problems) < _PROBLEMS:
            self.problems.append(sentence)

    def revision(self, rows: Iterator[Row[Any]]) -> None:
        row = next(rows)
        if row.revision != self._next:
            self.problem(f"revision {self._next} is missing")
        if row.previous != self._previous:
            self.problem(f"revision {row.revision} does not follow the hash before it")
        digest = self._replay(row.revision, itertools.chain([row], rows))
        hashed = digest.seal(
            organization=self._organization,
            revision=row.revision,
            at=row.at,
            actor=row.actor,
            actor_kind=row.actor_kind,
            operation=row.operation,
            ticket=row.ticket,
            previous=row.previous,
        )
        if hashed != row.hash:
            self.problem(f"revision {row.revision} was edited: its hash is another")
        self._compare(row.revision, hashed if hashed == row.hash else "")
        self._next, self._previous = row.revision + 1, row.hash

    def _compare(self, revision: int, found: str) -> None:
        """Hold a revision against the heads that were kept of it."""
        for kept in self._pins.pop(revision, ()):
            if kept == found:
                self.pinned += 1
            else:
                self.problem(f"revision {revision} is not the one whose head was kept: it, or something before it, was rewritten")

    def _replay(self, revision: int, rows: Iterator[Row[Any]]) -> Digest:
        digest = Digest()
        for row in rows:
            if row.position is None:
                self.problem(f"revision {revision} has no changes")
                continue
            if row.position != digest.count:
                self.problem(f"revision {revision} has lost change {digest.count}")
            digest.add(row.kind, row.user, row.domain, row.before, row.after)
            misfit = self._apply(row)
            if misfit:
                self.problem(f"revision {revision}, change {row.position}: {misfit}")
        self.changes += digest.count
        return digest

    def _apply(self, row: Row[Any]) -> str | None:
        try:
            return self.state.apply(row.kind, row.user, row.domain, row.before, row.after)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return f"it cannot be read: {type(error).__name__}"

    def end(self, revision: int, head: str) -> None:
        if self._next != revision + 1:
            self.problem(f"the organization is at revision {revision}, its audit ends at {self._next - 1}")
        if self._previous != head:
            self.problem("the head of the organization is not the hash of its newest revision")
        for kept in sorted(self._pins):
            self.problem(f"revision {kept}, whose head was kept, is not there: the audit ends at {self._next - 1} and was cut off")

    def orphans(self, connection: Connection) -> None:
        """Changes of revisions that have no audit row; the foreign key forbids them, an editor of the file does not ask it."""
        key = and_(audit.c.organization == audit_change.c.organization, audit.c.revision == audit_change.c.revision)
        query = select(audit_change.c.revision).distinct().outerjoin_from(audit_change, audit, key)
        for row in connection.execute(query.where(audit_change.c.organization == self._organization, audit.c.revision.is_(None))):
            self.problem(f"revision {row.revision} has changes and no audit row")


def _about(user: str) -> ColumnElement[bool]:
    """Changes about a user; a transfer names both in its values."""
    c, named = audit_change.c, canonical({"user": user})
    return or_(c.user == user, and_(c.kind == "owner", or_(c.before == named, c.after == named)))


def _joined(organization: str, *, outer: bool) -> Select[Any]:
    """Audit rows with their changes; a revision without any has one row of None."""
    key: ColumnElement[bool] = and_(audit_change.c.organization == audit.c.organization, audit_change.c.revision == audit.c.revision)
    columns = [each for each in audit_change.c if each.name not in ("organization", "revision")]
    return select(audit, *columns).join_from(audit, audit_change, key, isouter=outer).where(audit.c.organization == organization)


def _stream(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    with connection.execute(query, execution_options={"yield_per": 1000}) as result:
        yield from result


def _revisions(connection: Connection, query: Select[Any]) -> Iterator[Iterator[Row[Any]]]:
    for _, rows in itertools.groupby(_stream(connection, query), key=lambda row: row.revision):
        yield rows


def _change(row: Row[Any]) -> Change:
    before, after = (None if text is None else json.loads(text) for text in (row.before, row.after))
    return Change(row.kind, row.user, row.domain, before, after)
