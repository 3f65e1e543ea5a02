"""Verifying an audit: its hash chain is recomputed and its changes are replayed to the present tables.

A chain shows whatever was changed inside it, and not that its end was cut off: heads.py has what shows that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from rbac.database import tables
from rbac.database.audit.heads import Head
from rbac.database.audit.log import revisions
from rbac.database.audit.replay import State, present
from rbac.database.chain import GENESIS, Digest
from rbac.database.tables import audit, audit_change
from rbac.errors import Refused

_PROBLEMS = 100  # sentences a verification collects before it stops writing them down


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
    for rows in revisions(connection, organization):
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
            on_behalf_of=row.on_behalf_of,
            ticket=row.ticket,
            policy=row.policy,
            format=row.format,
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
