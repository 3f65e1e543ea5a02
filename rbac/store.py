"""A store: one database with any number of organizations, opened by `connect`.

The operator's side of the product: making organizations, importing and exporting state, and recording the tasks
that the application owns; the code for it is imported when it is asked for. Its one rule: what is done here is the
operator's and stands in the audit as such.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Engine, select

from rbac.clock import Clock, system_clock
from rbac.database import schema
from rbac.database import tables as t
from rbac.database.engine import file_of, open_engine
from rbac.database.watch.listener import MAX_STALENESS, POLL
from rbac.decisions.decider import Decider
from rbac.errors import StoreError, UnknownName
from rbac.names import parse_id, parse_ids, parse_switch, quoted, stored_id
from rbac.open_store import OpenStore
from rbac.organization import Organization
from rbac.policy.model import read_model
from rbac.policy.reader import Policy, read_policy
from rbac.snapshot.cache import CAPACITY
from rbac.vocabulary import Revision

if TYPE_CHECKING:
    from rbac.database.health import Health
    from rbac.statefile.importing import Imported
    from rbac.statefile.shape import StateFile

_LONGEST_PATH = 4095  # bytes, on Linux

OPERATOR = "operator"
"""Who the audit says did what no member of an organization does."""


def connect(
    url: str | Engine,
    *,
    policy: str | Path | Policy | None = None,
    model: str | Path | None = None,
    clock: Clock = system_clock,
    capacity: int = CAPACITY,
    poll: float = POLL,
    max_staleness: float = MAX_STALENESS,
) -> Store:
    """Open a store: `sqlite:///FILE`, `postgresql+psycopg://...`, or an Engine. Nothing is created, nothing contacted.

    `policy` and `model` are paths, the packaged files by default; they are read and checked at once, and PolicyError
    has every mistake in them. `clock` gives the present instant, for tests. `capacity` is how many facts are kept in
    memory at most: a member counts one and one a membership.

    On PostgreSQL a node hears of changes at once, and polls every `poll` seconds in case it did not. On one that has not
    heard from the database for `max_staleness` seconds every question raises Stale.
    """
    if not 0 < poll <= max_staleness:
        raise ValueError(f"poll is more than 0 and max_staleness no less, in seconds: not {poll} and {max_staleness}")
    table = policy if isinstance(policy, Policy) else read_policy(policy)
    return Store(OpenStore(open_engine(url), Decider(table, read_model(model)), clock, capacity, poll, max_staleness))


class Store:
    """An open store; lives until `close`, may be shared between threads, and is a context manager."""

    def __init__(self, opened: OpenStore) -> None:
        self._store = opened

    @property
    def policy(self) -> Policy:
        """The policy that decides here."""
        return self._store.decider.policy

    def organization(self, organization: str) -> Organization:
        """A handle on one organization; whether there is one is a question for later."""
        return Organization(self._store, parse_id(organization, "organization"))

    def organizations(self) -> list[str]:
        """The ids of the organizations here, in order."""
        with self._store.reading() as connection:
            return list(connection.execute(select(t.organization.c.id).order_by(t.organization.c.id)).scalars())

    def create(self, organization: str, *, owner: str, operator: str = OPERATOR) -> Revision:
        """Make an organization with its Owner, and the store itself when it is not there yet; returns the revision, 1."""
        from rbac.database.audit.refusals import recorded
        from rbac.database.unit_of_work import transaction

        name, first = parse_id(organization, "organization"), parse_id(owner, "user")
        actor, now = parse_id(operator, "operator"), self._store.clock()
        schema.create(self._store.engine)
        engine = self._store.ready()
        with recorded(engine, name, actor=actor, operation=f"init {first}", at=now), transaction(engine) as works:
            work = works.found(name, owner=first, actor=actor, operation="init", at=now, policy=self.policy.digest)
        self._store.wrote(name, work.revision)
        return Revision(work.revision, work.facts)

    def import_state(
        self,
        source: str | Path | Mapping[str, Any],
        *,
        update: bool = False,
        dry_run: bool = False,
        operator: str = OPERATOR,
        progress: Callable[[int], None] | None = None,
    ) -> list[Imported]:
        """Take a state file in, one transaction and one revision an organization; refused whole with the path of what is wrong.

        An organization that is there is refused unless `update`, which makes it what the file says and never changes
        the Owner. With `dry_run` nothing is written and the plan is returned. `progress` is told how many facts are in.
        """
        from rbac.database.audit.refusals import recorded
        from rbac.database.unit_of_work import transaction
        from rbac.statefile.check import check_state
        from rbac.statefile.importing import import_organization, warnings_of
        from rbac.statefile.shape import file_name, read_state

        parse_switch(update, "update"), parse_switch(dry_run, "dry_run")
        if progress is not None and not callable(progress):
            raise TypeError(f"progress is a function that is told how many facts are in, not {quoted(progress)}")
        state = read_state(source)
        check_state(state, "" if isinstance(source, Mapping) else file_name(source))
        warned = {each.id: warnings_of(each, self.policy) for each in state.organizations}
        actor, now = parse_id(operator, "operator"), self._store.clock()
        if dry_run:
            return [replace(each, warnings=warned[each.organization]) for each in self._plans(state, update=update)]
        schema.create(self._store.engine)
        engine, imported = self._store.ready(), []
        with recorded(engine, "", actor=actor, operation="import", at=now) as attempt, transaction(engine) as works:
            for each in sorted(state.organizations, key=lambda each: each.id):
                attempt.organization = each.id
                imported.append(import_organization(works, each, update=update, actor=actor, at=now, policy=self.policy, progress=progress))
        for result in imported:
            self._store.wrote(result.organization, result.revision)
        return [replace(each, warnings=warned[each.organization]) for each in imported]

    def export_state(self, *organizations: str) -> StateFile:
        """The state of the organizations named, or of all, as a state file holds it."""
        from rbac.database.stored_facts import facts_of
        from rbac.statefile.convert import state_from
        from rbac.statefile.shape import StateFile

        names = [parse_id(each, "organization") for each in organizations] or self.organizations()
        with self._store.reading() as connection:
            found = []
            for name in names:
                owner = connection.execute(select(t.organization.c.owner).where(t.organization.c.id == name)).scalar_one_or_none()
                if owner is not None:
                    found.append(state_from(name, owner, facts_of(connection, name)))
        return StateFile(found)

    def record(
        self,
        organization: str,
        *,
        project: str,
        tasks: Iterable[str] = (),
        removed: Iterable[str] = (),
        worked_on: Mapping[str, Iterable[str]] | None = None,
        operator: str = OPERATOR,
    ) -> Revision:
        """The application's facts of one project: tasks that are there, tasks that are gone, who has worked on which.

        One transaction a batch; what is known already changes nothing. These facts are outside revisions and audit: the
        present revision is returned. Tasks that are assigned are taken back first, which is an audited change and a revision.
        """
        from rbac.administration.tasks import take_back
        from rbac.database.audit.refusals import recorded
        from rbac.database.engine import changing
        from rbac.database.task_facts import end_tasks, record
        from rbac.database.unit_of_work import writing

        name, where = parse_id(organization, "organization"), parse_id(project, "project")
        new, old = parse_ids(tasks, "task"), sorted(set(parse_ids(removed, "task")))
        if not isinstance(worked_on, Mapping | None):
            raise TypeError(f"worked_on has the users of each task, as in {{'t1': ['andy']}}: not {quoted(worked_on)}")
        done = {parse_id(task, "task"): parse_ids(users, "user") for task, users in (worked_on or {}).items()}
        actor, now = parse_id(operator, "operator"), self._store.clock()
        engine, policy = self._store.ready(), self.policy.digest
        with recorded(engine, name, actor=actor, operation=f"record project:{where}", at=now):
            if not old:
                with changing(engine) as connection:
                    record(connection, name, where, tasks=new, worked_on=done, at=now)
                    revision = connection.execute(select(t.organization.c.revision).where(t.organization.c.id == name)).scalar_one()
                return Revision(revision)
            with writing(engine, name, actor=actor, actor_kind="operator", operation="record", at=now, policy=policy) as work:
                record(work.connection, name, where, tasks=new, worked_on=done, at=now)
                take_back(work, where, old)
                end_tasks(work.connection, name, where, at=now, tasks=old)
                work.commit_unchanged()
        self._store.wrote(name, work.revision)
        return Revision(work.revision, work.facts)

    def health(self) -> Health:
        """Schema, revisions, how this node hears of changes, clocks; raises StoreError when the store cannot answer."""
        from rbac.database.health import FIRST_ANSWER, health

        listener = self._store.listener(FIRST_ANSWER)
        return health(self._store.ready(), self._store.clock, listener)

    def problems(self) -> Iterator[str]:
        """What is wrong with the data, sentence by sentence.

        Damage the database reports, then of each organization what `verify` finds, and restrictions that the policy defeats.
        """
        from rbac.database.integrity import damages

        with self._store.reading() as connection:
            yield from damages(connection)
        for name in self.organizations():
            try:
                organization = self.organization(stored_id(name, "organization"))
            except StoreError as error:
                yield str(error)
                continue
            yield from (f"{name}: {problem}" for problem in organization.verify().problems)
            for permission, why in organization.ineffective_restrictions().items():
                yield f"{name}: the restriction of {permission} has no full effect: {why}"

    def upgrade(self) -> None:
        """Bring the schema of an older store up to date."""
        schema.upgrade(self._store.engine)

    def restored(self) -> str:
        """Begin a new epoch of the store, after a backup was restored or rows were repaired by hand; returns it.

        Every node empties its memory before its next answer.
        """
        return schema.renew(self._store.engine)

    def backup(self, target: str | Path) -> Path:
        """Write the store as it is now to a new file, and return that; SQLite only. The store may be in use meanwhile."""
        from rbac.database.backup import back_up

        return back_up(self._store.engine, _path(target))

    def restore(self, backup: str | Path) -> str:
        """Make the store what a backup holds, in one transaction, while programs may have it open; SQLite only. Returns its new epoch.

        A store that is not there is made. What was changed after the backup is gone; nothing else is.
        """
        from rbac.database.backup import restore

        return restore(self._store.engine, _path(backup))

    def close(self) -> None:
        """Close every connection."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _plans(self, state: StateFile, *, update: bool) -> list[Imported]:
        from rbac.statefile.importing import plan_organization

        path = file_of(self._store.engine)
        there = set() if path is not None and not os.path.exists(path) else set(self.organizations())
        if not there:
            return [plan_organization(None, each, update=update) for each in state.organizations]
        with self._store.reading() as connection:
            return [plan_organization(connection if each.id in there else None, each, update=update) for each in state.organizations]


def _path(name: object) -> Path:
    """The path of a file; raises UnknownName for a text that can be none."""
    if not isinstance(name, str | Path):
        raise TypeError(f"a file is named by a str or a Path, not {quoted(name)}")
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        raise UnknownName(f"{quoted(str(name))} cannot be the name of a file: it has half a character") from None
    if not encoded or b"\0" in encoded or len(encoded) > _LONGEST_PATH:
        raise UnknownName(f"{quoted(str(name))} cannot be the name of a file")
    return Path(name)
