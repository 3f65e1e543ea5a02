"""A state tried out: a store in memory that holds one state file, for policy tests to ask.

It is the real store and the real decision; only the clock is pinned.
"""

from __future__ import annotations

from collections.abc import KeysView
from itertools import product
from pathlib import Path
from typing import Any

from rbac.decisions.evaluate import resolve
from rbac.errors import StateError
from rbac.open_store import open_store_of
from rbac.policy.facts import VALUES, Facts
from rbac.policy.reader import Policy
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.wanted import CellNeeds
from rbac.store import Store, connect
from rbac.vocabulary import Decision, Permission, Request, Role

_EVERY_FACT = CellNeeds(dict.fromkeys(product(Role, Permission), frozenset(VALUES)))


class StoreTrial:
    """One organization of a state, under a policy, at one instant; lives until `close`."""

    def __init__(self, store: Store, organization: str, now: int) -> None:
        self._store, self._now = store, now
        self._organization = store.organization(organization)
        self._users = dict.fromkeys(sorted({self._organization.owner, *(member.user for member in self._organization.members())}))

    def decide(self, request: Request) -> Decision:
        """The decision of the store, Casbin's."""
        return self._organization.check_many([request])[0]

    def facts(self, request: Request) -> Facts | None:
        """Every fact of a question, whether the policy reads it or not; None where the answer is no before the policy."""
        with open_store_of(self._store).reading() as connection:
            source = Snapshot(connection, self._organization.id, _EVERY_FACT, request)
            return resolve(source, request, self._now).facts

    def users(self) -> KeysView[str]:
        """Every member, in any state, in id order."""
        return self._users.keys()

    def missing(self, request: Request) -> str | None:
        """What a question names that is not there: its user or its domain."""
        if request.user not in self._users:
            return f"{request.user} is no member of {self._organization.id}"
        with open_store_of(self._store).reading() as connection:
            there = Snapshot(connection, self._organization.id, _EVERY_FACT).domain(request.domain)
        return f"there is no {request.domain} in {self._organization.id}" if there is None else None


class Trials:
    """Opens states under one policy, each once; lives for one run and closes them together."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._stores: dict[tuple[str, int], Store] = {}

    def open(self, state: str | dict[str, Any], test_file: Path, organization: str | None, now: int) -> StoreTrial:
        """The state of a test file: a path beside it, or the state itself; raises StateError for one that does not load."""
        source = test_file.parent / state if isinstance(state, str) else state
        key = (str(source), now)
        if key not in self._stores:
            store = connect("sqlite://", policy=self._policy, clock=lambda: now)
            self._stores[key] = store
            store.import_state(source)
        store = self._stores[key]
        names = store.organizations()
        if organization is None and len(names) != 1:
            raise StateError(f"holds {len(names)} organizations: say which with organization:", file=str(test_file))
        if organization is not None and organization not in names:
            raise StateError(f"there is no organization {organization} in the state", file=str(test_file))
        return StoreTrial(store, organization or names[0], now)

    def close(self) -> None:
        """Forget every state."""
        for store in self._stores.values():
            store.close()
