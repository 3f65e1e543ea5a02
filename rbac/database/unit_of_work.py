"""The one unit of work: every change of a store happens in a Transaction, one Work for each organization it touches.

One rule: this is the only module that begins a writing transaction on the tables and the only one that writes the
audit. A Work locks its organization first, so whatever is read through it stays true until the commit. What changed is
told to `Work.record`, fact by fact; an organization of which nothing was told keeps its revision, and a transaction of
which nothing was told is rolled back, unless `Work.commit_unchanged` was called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from sqlalchemy import Connection, Engine, insert, select, update

from rbac.database import tables
from rbac.database.bulk import insert_many
from rbac.database.chain import FORMAT, GENESIS, Digest, optional
from rbac.database.engine import changing, is_sqlite
from rbac.database.watch.listener import announcement
from rbac.errors import Refused
from rbac.vocabulary import ChangedFact

__all__ = ["ActorKind", "Transaction", "Work", "founding", "transaction", "writing"]

ActorKind = Literal["member", "operator", "application", "identity_provider"]

_BUFFER = 1000  # changes held before they are inserted together


class Work:
    """One organization's part of one transaction: who does what, at `revision`, and what has changed so far.

    Lives inside `transaction`, `writing` or `founding`. `revision` is the one that was locked; after the end of the
    block it is the one that came of it. `operation` may be replaced until then, for a batch that turns out to do several.
    `facts` are the changes so far, but those of a bulk insert, which are too many to keep.
    """

    def __init__(
        self,
        connection: Connection,
        organization: str,
        *,
        revision: int,
        head: str,
        actor: str,
        actor_kind: ActorKind,
        operation: str,
        ticket: str | None,
        at: int,
        policy: str | None = None,
        on_behalf_of: str | None = None,
    ) -> None:
        self.connection, self.organization, self.revision = connection, organization, revision
        self.policy, self.on_behalf_of = policy, on_behalf_of
        self.actor, self.actor_kind, self.operation, self.ticket, self.at = actor, actor_kind, operation, ticket, at
        self.facts: list[ChangedFact] = []
        self._head, self._digest = head, Digest()
        self._committed_unchanged = False
        self._waiting: list[dict[str, Any]] = []

    @property
    def changes(self) -> int:
        """How many changes have been recorded."""
        return self._digest.count

    def record(
        self,
        kind: str,
        *,
        user: str | None = None,
        domain: str = "organization",
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        kept: bool = True,
    ) -> None:
        """Tell the audit of one changed fact (tables.KINDS); None for "is not there". What has not changed is left out."""
        if before == after:
            return
        if kept:
            self.facts.append(ChangedFact(kind, user, domain, before, after))
        row = {"organization": self.organization, "revision": self.revision + 1, "position": self.changes}
        texts = optional(before), optional(after)
        self._digest.add(kind, user, domain, *texts)
        self._waiting.append(row | {"kind": kind, "user": user, "domain": domain, "before": texts[0], "after": texts[1]})
        if len(self._waiting) >= _BUFFER:
            self._flush()

    def commit_unchanged(self) -> None:
        """Commit the transaction also when no fact changes, because something beside the facts was written."""
        self._committed_unchanged = True

    def _flush(self) -> None:
        if self._waiting:
            insert_many(self.connection, tables.audit_change, self._waiting)
            self._waiting = []

    def _close(self) -> bool:
        """Write the audit row and the new revision; False when there is nothing to commit."""
        if not self.changes:
            return self._committed_unchanged
        self._flush()
        row: dict[str, Any] = {
            "organization": self.organization,
            "revision": self.revision + 1,
            "at": self.at,
            "actor": self.actor,
            "actor_kind": self.actor_kind,
            "on_behalf_of": self.on_behalf_of,
            "operation": self.operation,
            "ticket": self.ticket,
            "policy": self.policy,
            "format": FORMAT,
            "previous": self._head,
        }
        row["hash"] = self._digest.seal(**row)
        self.connection.execute(insert(tables.audit), row)
        organization = tables.organization
        changed = update(organization).where(organization.c.id == self.organization)
        changed = changed.values(revision=row["revision"], head=row["hash"])
        if not is_sqlite(self.connection):  # in the same round trip
            changed = changed.returning(announcement(f"{self.organization} {row['revision']}"))
        self.connection.execute(changed)
        self.revision = row["revision"]
        return True


class Transaction:
    """One transaction over any number of organizations, each with a revision of its own. Lives inside `transaction`.

    Lock several organizations in the order of their ids, or two such transactions may wait for each other.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._works: dict[str, Work] = {}

    def lock(
        self,
        organization: str,
        *,
        actor: str,
        actor_kind: ActorKind,
        operation: str,
        ticket: str | None = None,
        at: int,
        policy: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Work:
        """The Work on an organization nobody else can change until the end; Refused when there is none of that name."""
        table = tables.organization
        wanted = select(table.c.revision, table.c.head).where(table.c.id == organization).with_for_update(key_share=True)
        found = self.connection.execute(wanted).first()
        if found is None:
            raise Refused(f"there is no organization {organization}")
        work = Work(
            self.connection,
            organization,
            revision=found.revision,
            head=found.head,
            actor=actor,
            actor_kind=actor_kind,
            operation=operation,
            ticket=ticket,
            at=at,
            policy=policy,
            on_behalf_of=on_behalf_of,
        )
        return self._keep(work)

    def found(
        self,
        organization: str,
        *,
        owner: str,
        actor: str,
        operation: str,
        at: int,
        settings: Mapping[str, bool] | None = None,
        policy: str | None = None,
    ) -> Work:
        """The Work on a new organization with its Owner, both recorded; Refused when the name is taken.

        `settings` are switches of tables.SETTINGS, which has the ones left out. Founding is an operator's.
        """
        unknown = set(settings or ()) - set(tables.SETTINGS)
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        if self.connection.scalar(select(tables.organization.c.id).where(tables.organization.c.id == organization)) is not None:
            raise Refused(f"there is already an organization {organization}")
        switches = {**tables.SETTINGS, **(settings or {})}
        self._insert(organization, owner, switches)
        work = Work(
            self.connection,
            organization,
            revision=0,
            head=GENESIS,
            actor=actor,
            actor_kind="operator",
            operation=operation,
            ticket=None,
            at=at,
            policy=policy,
        )
        work.record("organization", after={"owner": owner, **switches})
        work.record("member", user=owner, after={"role": "administrator", "state": "active"})
        return self._keep(work)

    def _insert(self, organization: str, owner: str, switches: Mapping[str, bool]) -> None:
        row = {"id": organization, "owner": owner, "owner_state": "active", "revision": 0, "head": GENESIS}
        self.connection.execute(insert(tables.organization), row | dict(switches))
        member = {"organization": organization, "user": owner, "role": "administrator", "state": "active"}
        self.connection.execute(insert(tables.member), member)

    def _keep(self, work: Work) -> Work:
        if work.organization in self._works:
            raise ValueError(f"{work.organization} has a unit of work in this transaction already")
        self._works[work.organization] = work
        return work

    def _close(self) -> bool:
        closed = [work._close() for work in self._works.values()]  # every one, also after the first that says yes
        return any(closed)


@contextmanager
def transaction(engine: Engine) -> Iterator[Transaction]:
    """One transaction: committed at a normal exit if anything was recorded, else rolled back; an exception undoes all of it."""
    with changing(engine) as connection:
        works = Transaction(connection)
        yield works
        if not works._close():
            connection.rollback()


@contextmanager
def writing(
    engine: Engine,
    organization: str,
    *,
    actor: str,
    actor_kind: ActorKind,
    operation: str,
    ticket: str | None = None,
    at: int,
    policy: str | None = None,
    on_behalf_of: str | None = None,
) -> Iterator[Work]:
    """A transaction with the one organization locked: see Transaction.lock."""
    with transaction(engine) as works:
        yield works.lock(
            organization,
            actor=actor,
            actor_kind=actor_kind,
            operation=operation,
            ticket=ticket,
            at=at,
            policy=policy,
            on_behalf_of=on_behalf_of,
        )


@contextmanager
def founding(
    engine: Engine,
    organization: str,
    *,
    owner: str,
    actor: str,
    operation: str,
    at: int,
    settings: Mapping[str, bool] | None = None,
) -> Iterator[Work]:
    """A transaction that makes one new organization: see Transaction.found."""
    with transaction(engine) as works:
        yield works.found(organization, owner=owner, actor=actor, operation=operation, at=at, settings=settings)
