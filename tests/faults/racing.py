"""What the processes of a race do. Each function runs in a process of its own and answers with what it did.

A change that comes out is marked with a name of its own (a key, a ticket or an operator), so that the audit says which
change made which revision. Its one rule: what the database had to refuse is a failure here, for the lock comes before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import rbac
from rbac.clock import parse_instant, write_instant
from rbac.organization import Organization
from rbac.snapshot.records import ends_of
from tests.conftest import Clock
from tests.faults.looking import Eyes, look, outside
from tests.oracle import ROLES
from tests.oracle.random_worlds import NOW, USERS, some_change

ORGANIZATIONS = ("acme", "zeta")
THREADS = 4
"""Writers in one process."""

BASE = 1_900_000_000
"""The second at which counting begins: a counter is the instant at which a membership ends."""

_gates: list[Barrier] = []
_Answer = TypeVar("_Answer")


def begin_at(gate: Barrier) -> None:
    """The processes of a race start to work when all of them are there."""
    _gates.append(gate)


def _begin() -> None:
    _gates[0].wait(60)


@dataclass(frozen=True, slots=True)
class Tried:
    """One change that was tried; `revision` is None when it was refused."""

    organization: str
    actor: str
    operation: str
    arguments: dict[str, Any]
    mark: str
    revision: rbac.Revision | None = None


def opened(url: str) -> rbac.Store:
    return rbac.connect(url, clock=Clock(parse_instant(NOW)))


# -- anything at all, by anybody ----------------------------------------------------------------------------------------------


def mixed(url: str, seed: int, operations: int) -> list[Tried]:
    """Lawful and unlawful changes, thrown by a die; the actor is often who was the Owner a moment ago."""
    dice, done = random.Random(seed), []
    with opened(url) as store:
        _begin()
        for number in range(operations):
            organization = dice.choice(ORGANIZATIONS)
            actor, operation, arguments = _thrown(dice, store.organization(organization).owner)
            tried = Tried(organization, actor, operation, arguments, f"m-{seed}-{number}")
            try:
                done.append(replace(tried, revision=_make(store, tried)))
            except (rbac.Refused, rbac.UnknownName) as error:
                assert "the store refused" not in str(error), (tried, str(error))
                done.append(tried)
    return done


def _thrown(dice: random.Random, owner: str) -> tuple[str, str, dict[str, Any]]:
    roll = dice.random()
    if roll < 0.2:
        return "operator", "transfer_ownership", {"to": dice.choice(USERS)}
    if roll < 0.5:
        return owner, *_building(dice)
    actor, operation, arguments = some_change(dice)
    if operation == "transfer_ownership":
        return "operator", operation, arguments
    return owner if dice.random() < 0.7 else actor, operation, arguments


def _building(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """A change that brings something; chance alone would soon have taken everything away."""
    user, workspace, project = dice.choice(USERS), dice.choice(["w1", "w2"]), dice.choice(["p", "q"])
    place, where = f"{workspace}{project}", f"project:{workspace}{project}"
    changes: list[tuple[str, dict[str, Any]]] = [
        ("grant", {"user": user, "role": dice.choice(ROLES[:4])}),
        ("grant", {"user": user, "role": dice.choice(ROLES[:2]), "on": where}),
        ("add", {"user": user, "domain": dice.choice([where, f"workspace:{workspace}"])}),
        ("pause", {"user": user, "domain": where}),
        ("unpause", {"user": user, "domain": where}),
        ("create_workspace", {"workspace": workspace}),
        ("create_project", {"project": place, "workspace": workspace}),
        ("configure", {"domain": where, "settings": {"published": True, "distribution": dice.choice(["manual", "automatic"])}}),
        ("assign_annotator", {"user": user, "project": place, "task": dice.choice(["t1", "t2"])}),
    ]
    return dice.choice(changes)


def _make(store: rbac.Store, tried: Tried) -> rbac.Revision:
    organization, arguments = store.organization(tried.organization), dict(tried.arguments)
    if tried.operation == "transfer_ownership":
        return organization.transfer_ownership(ticket=tried.mark, operator="operator", **arguments)
    acting = organization.acting(tried.actor, key=tried.mark)
    if tried.operation == "configure":
        return acting.configure(arguments["domain"], **arguments["settings"])
    made: rbac.Revision = getattr(acting, tried.operation)(**arguments)
    return made


def observe(url: str, over: Path) -> int:
    """Look until `over` is there, and once more; how many looks it were."""
    looks, revisions = 0, dict.fromkeys(ORGANIZATIONS, 0)
    with opened(url) as store:
        eyes, last = Eyes(store), False
        while not last:
            last = over.exists()
            with outside(url) as connection:
                seen = look(connection)
            for organization in ORGANIZATIONS:
                within = eyes.look(organization, verify=last or looks % 20 == 0)
                assert revisions[organization] <= seen[organization].revision <= within.revision, "the store went back"
                revisions[organization] = within.revision
                eyes.answer(organization)
            looks += 1
            time.sleep(0.005)
    return looks


# -- read, check, write -------------------------------------------------------------------------------------------------------


class Counted(NamedTuple):
    """What a writer did: how many writes were acknowledged, as which revisions, and how many came too late."""

    revisions: list[int]
    conflicts: int


def count_up(url: str, first: int, times: int) -> list[Counted]:
    """Several writers, each adding one to the counter `times` times, on the revision they read it at."""
    return _threads(url, first, lambda store, _: _count_up(store, times))


def _count_up(store: rbac.Store, times: int) -> Counted:
    acme, revisions, conflicts = store.organization("acme"), list[int](), 0
    while len(revisions) < times:
        revision = acme.revision
        value = counter(acme)
        try:
            revisions.append(acme.acting("olga", expect=revision).add("andy", "workspace:w1", until=instant(value + 1)))
        except rbac.Conflict:
            conflicts += 1
    return Counted(revisions, conflicts)


def counter(acme: Organization, user: str = "andy") -> int:
    """What the counter of a user stands at."""
    member = acme.member(user)
    assert member is not None
    until = ends_of(member.workspaces)["w1"]
    return 0 if until is None else until // 1_000_000 - BASE


def instant(value: int) -> str:
    """The counter as the instant at which a membership ends."""
    return write_instant((BASE + value) * 1_000_000)


def send_again(url: str, first: int, times: int, users: list[str]) -> list[list[int]]:
    """Several writers, each setting the counter of its user under a key, three times over; what each was answered."""
    return _threads(url, first, lambda store, writer: _send_again(store, users[writer % len(users)], times))


def _send_again(store: rbac.Store, user: str, times: int) -> list[int]:
    answers, acme = list[int](), store.organization("acme")
    for value in range(1, times + 1):
        answers += [_send(acme, user, value) for _ in range(3)]
        if value > 1:  # a retry that comes very late
            assert _send(acme, user, value - 1) == answers[-4], f"the key of {user}-{value - 1} was used at revision {answers[-4]}"
    return answers


def _send(acme: Organization, user: str, value: int) -> int:
    return acme.acting("olga", key=f"{user}-{value}").add(user, "workspace:w1", until=instant(value))


def _threads(url: str, first: int, work: Callable[[rbac.Store, int], _Answer]) -> list[_Answer]:
    with rbac.connect(url) as store, ThreadPoolExecutor(THREADS) as threads:
        _begin()
        return list(threads.map(lambda writer: work(store, writer), range(first, first + THREADS)))
