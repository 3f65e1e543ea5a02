"""One organization as it was: its audit, replayed into tables in memory, asked by the code that asks the present.

The tables are those of every store, with every key and check, so no question has a second implementation and an audit
that leads to an impossible state is refused instead of answered from. Its one rule: nothing here can be changed.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, insert

from rbac.clock import parse_instant, write_instant
from rbac.database import tables as t
from rbac.database.audit.log import Entry, entry_at
from rbac.database.audit.replay import State, as_facts, replay
from rbac.database.changes import copy_all
from rbac.database.engine import changing, open_engine, reading
from rbac.database.stored_facts import FactName
from rbac.decisions import evaluate as questions
from rbac.decisions.decider import Decider
from rbac.errors import Refused, StoreError, UnknownName
from rbac.listing import members
from rbac.listing import standings as domains
from rbac.listing.members import Membership
from rbac.listing.standings import Standing
from rbac.names import parse_domain
from rbac.open_store import Context
from rbac.policy.reader import Policy
from rbac.snapshot.reader import Snapshot, Source
from rbac.snapshot.records import Instant, MemberRecord
from rbac.vocabulary import ORGANIZATION, Decision, Domain, Request, Role, Via

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

_OWNER = FactName("owner", "organization", "", "")


class Past:
    """An organization at one `revision`, judged at the instant `at`; 0 is before it was founded, and everything is a no.

    Holds every fact of then in memory until it is forgotten; may be shared between threads, which take turns.
    """

    def __init__(self, decider: Decider, organization: str, state: State, revision: int, at: Instant) -> None:
        self.id, self.revision, self.at = organization, revision, at
        self._decider = decider
        self._lock = threading.Lock()
        self._engine = open_engine("sqlite://")
        weakref.finalize(self, self._engine.dispose)
        t.metadata.create_all(self._engine)
        with changing(self._engine) as connection:
            _fill(connection, organization, state, revision)

    @property
    def policy(self) -> Policy:
        """The policy that decides: not the one of then, but the one the store was opened with."""
        return self._decider.policy

    def can(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
    ) -> bool:
        """Whether `user` might, then."""
        return self._ask(questions.allowed, Request(user, permission, str(domain), target, task, via))

    def check(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
    ) -> Decision:
        """Like `can`, with the line that decides, the reason and the revision of then."""
        return self._ask(questions.decide, Request(user, permission, str(domain), target, task, via))

    def look(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
    ) -> tuple[Decision, questions.Looked]:
        """A Decision with everything that was looked at for it."""
        return self._ask(questions.look_and_decide, Request(user, permission, str(domain), target, task, via))

    @property
    def owner(self) -> str | None:
        """The Owner of then; None before there was an organization."""
        found = self._ask(questions.record_of, None)
        return None if found is None else found.owner

    def role_of(self, user: str, domain: str | Domain = ORGANIZATION) -> Role | None:
        """The role in force there and then; None for whoever was not active, and for a domain that did not exist."""
        return self._ask(questions.role_of, (user, str(domain)))

    def member(self, user: str) -> MemberRecord | None:
        """A member of then with their memberships, project roles and pauses; None for whoever was none."""
        return self._ask(questions.member_of, user)

    def members(self, domain: str | Domain = ORGANIZATION) -> list[Membership]:
        """The members of a domain then, in id order."""
        where = parse_domain(domain)
        with self._reading() as connection:
            return list(members.of(connection, self.id, where, self.at))

    def standings(self, user: str) -> list[Standing]:
        """Where a member stood, domain by domain; nothing for whoever was no member."""
        member = self.member(user)
        if member is None:
            return []
        with self._reading() as connection:
            return domains.standings(connection, self.id, member, self.at)

    def _ask(self, question: Callable[[Decider, Source, str, _Asked, int], _Answer], asked: _Asked) -> _Answer:
        with self._reading() as connection:
            return question(self._decider, Snapshot(connection, self.id, self.policy.reads), self.id, asked, self.at)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._lock, reading(self._engine) as connection:
            yield connection


def as_of(context: Context, organization: str, moment: int | str | datetime) -> Past:
    """The organization at a revision (a number) or an instant (text with a zone, or an aware datetime).

    A revision is judged at the instant it was made, an instant has the newest revision made up to it. Costs one walk
    over the audit up to there.
    """
    with context.reading() as connection:
        stand, at = _stand(connection, organization, moment, context.clock())
        revision = 0 if stand is None else stand.revision
        try:
            return Past(context.decider, organization, replay(connection, organization, upto=revision), revision, at)
        except (Refused, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"the audit of {organization} leads to no state that can be: `rbac audit --verify` says where") from error


def _stand(connection: Connection, organization: str, moment: int | str | datetime, now: Instant) -> tuple[Entry | None, Instant]:
    """The revision that a moment is about, None before the first, and the instant to judge it at."""
    if isinstance(moment, int):
        found = entry_at(connection, organization, revision=moment) if 0 < moment < 2**63 else None
        if found is None:
            raise UnknownName(f"{organization} has no revision {moment}")
        return found, found.at
    at = parse_instant(moment)
    if at > now:
        raise UnknownName(f"{write_instant(at)} has not come yet: what is so then nobody knows")
    return entry_at(connection, organization, at=at), at


def _fill(connection: Connection, organization: str, state: State, revision: int) -> None:
    """Every fact of a state, into tables that are empty."""
    if _OWNER not in state.facts:
        return
    facts = list(as_facts(state))
    switches = {name: value for fact in facts if fact.kind == "settings" for name, value in fact.value.items()}
    owner = state.value(_OWNER)["user"]
    row = {"id": organization, "owner": owner, "owner_state": "active", "revision": revision, "head": "0" * 64}
    connection.execute(insert(t.organization), row | t.SETTINGS | switches)
    copy_all(connection, organization, (fact for fact in facts if fact.kind != "settings"))
