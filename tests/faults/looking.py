"""What must hold in a store at every moment, looked at from outside: plain SQL over the driver, and the program's own eyes.

Its one rule: a look is one read transaction, so that what it compares is of one moment. The closed sets are typed here
and not imported, so that a new word in the program is not a new word of the test.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import make_url

import rbac
from rbac.database.audit.log import entries
from rbac.database.audit.verify import verify as verify_audit
from rbac.listing.members import members
from rbac.snapshot.reader import Snapshot
from rbac.vocabulary import ORGANIZATION, Role, State

ROLES = {"administrator", "manager", "reviewer", "annotator"}
STATES = {"active", "deactivated", "invited"}

_OWNERS = """SELECT o.id, o.owner, o.revision, o.head,
(SELECT count(*) FROM rbac_member m WHERE m.organization = o.id AND m."user" = o.owner
AND m.state = 'active' AND m.role = 'administrator') FROM rbac_organization o ORDER BY o.id"""
_STANDINGS = "SELECT DISTINCT organization, role, state FROM rbac_member"
_CHAINS = "SELECT organization, count(*), min(revision), max(revision) FROM rbac_audit GROUP BY organization"
_HEADS = "SELECT a.organization, a.hash FROM rbac_audit a JOIN rbac_organization o ON o.id = a.organization AND o.revision = a.revision"
_EMPTY = """SELECT count(*) FROM rbac_audit a WHERE NOT EXISTS (SELECT 1 FROM rbac_audit_change c
WHERE c.organization = a.organization AND c.revision = a.revision)"""


class Seen(NamedTuple):
    """One organization at one moment."""

    owner: str
    revision: int


@contextmanager
def outside(url: str) -> Iterator[Any]:
    """The driver's own connection in one read transaction, with nothing of the program in between."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(f"file:{address.database}?mode=ro", uri=True, isolation_level=None, timeout=10)) as connection:
            connection.execute("BEGIN")
            yield connection
    else:
        with closing(psycopg.connect(address.set(drivername="postgresql").render_as_string(hide_password=False))) as server:
            server.isolation_level, server.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
            yield server


def look(connection: Any) -> dict[str, Seen]:
    """Every organization by plain SQL; fails unless each has one active Owner, known roles and a chain without a gap."""

    def rows(query: str) -> list[Any]:
        return list(connection.execute(query).fetchall())

    found = rows(_OWNERS)
    chains = {organization: tuple(rest) for organization, *rest in rows(_CHAINS)}
    heads = dict(rows(_HEADS))
    for organization, owner, revision, head, owners in found:
        assert owners == 1, f"{organization} is owned by {owner}, and {owners} such active members are there"
        assert chains[organization] == (revision, 1, revision), f"{organization} is at {revision}, its audit has {chains[organization]}"
        assert heads[organization] == head, f"the head of {organization} is not the hash of revision {revision}"
    assert rows(_EMPTY) == [(0,)], "a revision without a change"
    for organization, role, state in rows(_STANDINGS):
        assert state in STATES and (role in ROLES or (role is None and state != "active")), (organization, role, state)
    return {organization: Seen(owner, revision) for organization, owner, revision, *_ in found}


class Eyes:
    """The program's view of a store, look after look: what was seen once is never unseen. Lives as long as the store."""

    def __init__(self, store: rbac.Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[int, str]] = {}
        self._answered: dict[str, int] = {}

    def look(self, organization: str, *, verify: bool) -> Seen:
        """One read transaction: one Owner, roles of the closed set, the chain going on from where the last look left it."""
        context = self._store._store
        with context.reading() as connection:
            record = Snapshot(connection, organization, context.decider.cells).organization()
            assert record is not None
            revision, head = self._seen.get(organization, (0, "0" * 64))
            for entry in entries(connection, organization, first=revision + 1):
                assert (entry.revision, entry.previous) == (revision + 1, head), f"{organization}: a gap before {entry.revision}"
                assert entry.changes, f"{organization}: nothing changed at {entry.revision}"
                assert ("owner" in {change.kind for change in entry.changes}) <= (entry.actor_kind == "operator"), entry
                revision, head = entry.revision, entry.hash
            assert record.revision == revision, f"{organization} is at {record.revision}, its audit at {revision}"
            everybody = list(members(connection, organization, ORGANIZATION, context.clock()))
            assert [(each.user, each.state) for each in everybody if each.role is Role.OWNER] == [(record.owner, State.ACTIVE)]
            if verify:
                verified = verify_audit(connection, organization)
                assert verified, verified.problems
        self._seen[organization] = revision, head
        return Seen(record.owner, record.revision)

    def answer(self, organization: str) -> None:
        """What memory answers does not go back either."""
        answered = self._store.organization(organization).revision
        assert answered >= self._answered.get(organization, 0), f"{organization} went back to {answered}"
        self._answered[organization] = answered
