"""A machine makes any changes in any order through two handles, and restarts, crashes and restores between them.

After every step the store is what the oracle says: the same accepted and refused, the same state and revision, the same
decisions from both handles, one Owner, an audit that verifies. Hypothesis shortens what it finds to a few steps.
"""

from __future__ import annotations

import copy
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

import rbac
from rbac.acting import Acting
from rbac.clock import parse_instant
from tests.conftest import Clock
from tests.oracle import PERMISSIONS, ROLES, canonical, decide
from tests.oracle.change import restrictable
from tests.oracle.random_worlds import NOW, USERS, importable, some_change, some_question, some_state
from tests.oracle.test_program import make_in_the_oracle, state_of
from tests.stateful.databases import OnFile, OnServer, Place

EXAMPLES = int(os.environ.get("RBAC_MACHINE_EXAMPLES", "6"))
"""Runs of the machine on SQLite, each STEPS steps; a tenth as many on PostgreSQL, two at least: the first is the simplest there is."""

STEPS, QUESTIONS = 30, 5
SEEDED = "RBAC_SEEDED" in os.environ
"""Whether a bug was put in on purpose (tests/campaigns/seeds.py): finding it is enough, nobody reads how."""

ACTOR = st.sampled_from(["the Owner"] * 8 + [*USERS, "zoe"])
USER = st.sampled_from([*USERS[1:], *USERS, "zoe"])
ROLE = st.sampled_from([*ROLES[:4], *ROLES])
PROJECT = st.sampled_from(["w1p", "w1q", "w2p", "w2q"])
WORKSPACE = st.sampled_from(["w1", "w2", "w3"])
DOMAIN = st.one_of(PROJECT.map("project:{}".format), WORKSPACE.map("workspace:{}".format))
TASK = st.sampled_from(["t1", "t2", "t3"])
MINUTES = st.sampled_from([None, None, 60, 1, 0, -1])
"""How long something lasts; 0 ends as it begins, -1 before."""

RESTRICTABLE = st.sampled_from([each for each in PERMISSIONS if restrictable(each, "owner")]) | st.sampled_from(PERMISSIONS)
SEED = st.integers(0, 100_000).filter(lambda seed: len(projects(importable(some_state(random.Random(seed))))) >= 2)
"""Of an organization with two projects at least."""

CHANGE = st.integers(0, 100_000).map(lambda seed: some_change(random.Random(seed))).filter(lambda each: each[1] != "transfer_ownership")
KEY = st.sampled_from(["k1", "k2"])
CHANGES = st.lists(CHANGE, min_size=2, max_size=4)

Change = tuple[str, str, dict[str, Any]]


class Life(NamedTuple):
    """All that a store has: what a backup keeps of it."""

    state: Any
    revision: int
    refusals: int
    keys: dict[tuple[str, str], tuple[str, dict[str, Any], int]]


def projects(state: Any) -> list[dict[str, Any]]:
    """Every project of the one organization."""
    return [each for workspace in state["organizations"][0]["workspaces"] for each in workspace.get("projects") or []]


def is_active(state: Any, user: str) -> bool:
    """Whether somebody is an active member."""
    ((organization),) = state["organizations"]
    listed = organization["members"].get(user)
    return user == organization["owner"] or isinstance(listed, str) or (listed is not None and listed.get("state", "active") == "active")


def apply(acting: Acting, operation: str, arguments: dict[str, Any]) -> int:
    """Make a change as the oracle names it, alone or in a block; returns the revision."""
    given = {name: each for name, each in arguments.items() if each is not None or name == "role"}
    if operation == "configure":
        return acting.configure(given["domain"], **given["settings"])
    revision: int = getattr(acting, operation)(**given)
    return revision


def told_the_oracle(state: Any, project: str, tasks: Sequence[str], removed: Sequence[str], worked_on: dict[str, list[str]]) -> Any:
    """The state after the application's facts of one project; None when they are refused."""
    state = copy.deepcopy(state)
    ((organization),) = state["organizations"]
    place = next((each for each in projects(state) if each["id"] == project), None)
    if place is None:
        return None
    here = place["tasks"] = dict(place.get("tasks") or {})
    here |= {task: None for task in tasks if task not in here}
    for task, users in worked_on.items():
        if task not in here:
            return None
        for user in users:
            standing = "" if user == organization["owner"] else organization["members"].get(user)
            if standing is None or (isinstance(standing, dict) and standing.get("state") == "invited"):
                return None
        facts = here[task] = dict(here[task] or {})
        facts["worked_on_by"] = [*(facts.get("worked_on_by") or []), *users]
    for task in removed:
        here.pop(task, None)
    return state


class Machine(RuleBasedStateMachine):
    """A store behind two handles, and the oracle's state of it; lives for one example."""

    def __init__(self, place: Place, seen: Counter[str]) -> None:
        super().__init__()
        self.place, self.seen = place, seen
        self.now, self.clock = NOW, Clock(parse_instant(NOW))
        self.url = place.begin()
        self.stores = [self._connect(), self._connect()]
        self.backup: Life | None = None
        self.steps = 0

    def _connect(self) -> rbac.Store:
        return rbac.connect(self.url, clock=self.clock)

    @initialize(seed=SEED)
    def some_organization(self, seed: int) -> None:
        state = importable(some_state(random.Random(seed)))
        self.stores[0].import_state(state)
        self.life = Life(state, 1, 0, {})
        self.seen["examples"] += 1

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.place.end()

    # -- what is changed -----------------------------------------------------------------------------------------------

    @property
    def acme(self) -> rbac.organization.Organization:
        """One handle after the other."""
        return self.stores[self.steps % 2].organization("acme")

    def who(self, actor: str) -> str:
        owner: str = self.life.state["organizations"][0]["owner"]
        return owner if actor == "the Owner" else actor

    def until(self, minutes: int | None) -> datetime | None:
        return None if minutes is None else self.now + timedelta(minutes=minutes)

    def attempt(self, change: Callable[[], int]) -> int | None:
        """The revision a change came to; None when it was refused."""
        try:
            return change()
        except rbac.Refused:
            self.life = self.life._replace(refusals=self.life.refusals + 1)
        except rbac.UnknownName:
            pass
        return None

    def change(self, actor: str, operation: str, **arguments: Any) -> None:
        name = self.who(actor)
        after = make_in_the_oracle(self.life.state, name, operation, arguments, self.now)
        self.arrive(operation, [after], self.attempt(lambda: apply(self.acme.acting(name), operation, arguments)), arguments)

    def arrive(self, operation: str, states: Sequence[Any], revision: int | None, *arguments: dict[str, Any]) -> None:
        """Hold what the store did against the oracle's states, one after each change; None for a refused one."""
        self.seen[f"{operation} {'refused' if revision is None else 'accepted'}"] += 1
        assert (revision is None) is (states == [None]), (operation, arguments, revision)
        if revision is None:
            return
        reached, moved = self.life.state, False
        for state in states:
            if state is not None:
                moved = moved or canonical(state, self.now) != canonical(reached, self.now)
                reached = state
        ends_at_once = any(each.get("until") == self.now for each in arguments)  # written, and as if it were not
        assert revision - self.life.revision in ({0, 1} if ends_at_once else {int(moved)}), (operation, arguments, revision)
        self.life = self.life._replace(state=reached, revision=revision)

    @rule(actor=ACTOR, user=USER, role=ROLE)
    def grant(self, actor: str, user: str, role: str) -> None:
        self.change(actor, "grant", user=user, role=role)

    @rule(actor=ACTOR, user=USER, role=st.sampled_from(ROLES[:2]), project=PROJECT, minutes=MINUTES)
    def grant_in_a_project(self, actor: str, user: str, role: str, project: str, minutes: int | None) -> None:
        self.change(actor, "grant", user=user, role=role, on=f"project:{project}", until=self.until(minutes))

    @rule(actor=ACTOR, user=USER, project=PROJECT)
    def revoke(self, actor: str, user: str, project: str) -> None:
        self.change(actor, "revoke", user=user, on=f"project:{project}")

    @rule(actor=ACTOR, user=USER, role=st.none() | ROLE)
    def invite(self, actor: str, user: str, role: str | None) -> None:
        self.change(actor, "invite", user=user, role=role)

    @rule(actor=ACTOR, user=USER)
    def deactivate(self, actor: str, user: str) -> None:
        self.change(actor, "deactivate", user=user)

    @rule(actor=ACTOR, user=USER)
    def activate(self, actor: str, user: str) -> None:
        self.change(actor, "activate", user=user)

    @rule(actor=ACTOR, user=USER, domain=DOMAIN, minutes=MINUTES)
    def add(self, actor: str, user: str, domain: str, minutes: int | None) -> None:
        self.change(actor, "add", user=user, domain=domain, until=self.until(minutes))

    @rule(actor=ACTOR, user=USER, domain=DOMAIN)
    def remove(self, actor: str, user: str, domain: str) -> None:
        self.change(actor, "remove", user=user, domain=domain)

    @rule(actor=ACTOR, user=USER, project=PROJECT, minutes=MINUTES)
    def pause(self, actor: str, user: str, project: str, minutes: int | None) -> None:
        self.change("the Owner", "add", user=user, domain=f"project:{project}")
        self.change(actor, "pause", user=user, domain=f"project:{project}", until=self.until(minutes))

    @rule(actor=ACTOR, user=USER, project=PROJECT)
    def unpause(self, actor: str, user: str, project: str) -> None:
        self.change(actor, "unpause", user=user, domain=f"project:{project}")

    @rule(actor=ACTOR, permission=RESTRICTABLE, level=ROLE, lift=st.booleans())
    def restrict(self, actor: str, permission: str, level: str, lift: bool) -> None:
        if lift:
            self.change(actor, "unrestrict", permission=permission)
        else:
            self.change(actor, "restrict", permission=permission, level=level)

    @rule(actor=ACTOR, project=PROJECT, name=st.sampled_from(["published", "review_only_assigned"]), value=st.booleans())
    def configure_a_project(self, actor: str, project: str, name: str, value: bool) -> None:
        distribution = "manual" if value else "automatic"
        self.change(actor, "configure", domain=f"project:{project}", settings={name: value, "distribution": distribution})

    @rule(actor=ACTOR, value=st.booleans(), name=st.sampled_from(
        ["plugins_enabled", "manual_role_management", "administrators_make_administrators", "tokens_for_annotators_and_reviewers"]
    ))  # fmt: skip
    def configure_the_organization(self, actor: str, name: str, value: bool) -> None:
        self.change(actor, "configure", domain="organization", settings={name: value})

    @rule(actor=ACTOR, project=PROJECT, workspace=WORKSPACE)
    def move(self, actor: str, project: str, workspace: str) -> None:
        self.change(actor, "move_project", project=project, workspace=workspace)

    @rule(actor=ACTOR, project=PROJECT, workspace=WORKSPACE, personal=st.booleans())
    def create(self, actor: str, project: str, workspace: str, personal: bool) -> None:
        self.change(actor, "create_workspace", workspace=workspace, personal=personal)
        self.change(actor, "create_project", project=project, workspace=workspace)

    @rule(actor=ACTOR, project=PROJECT, workspace=WORKSPACE)
    def delete(self, actor: str, project: str, workspace: str) -> None:
        self.change(actor, "delete_workspace", workspace=workspace)
        self.change(actor, "delete_project", project=project)

    @rule(actor=ACTOR, user=USER, project=PROJECT, task=TASK, how=st.sampled_from(["assign_annotator", "assign_reviewer", "unassign"]))
    def assign(self, actor: str, user: str, project: str, task: str, how: str) -> None:
        self.change("the Owner", "add", user=user, domain=f"project:{project}")
        self.change(actor, how, user=user, project=project, task=task)

    @rule(to=USER)
    def transfer(self, to: str) -> None:
        after = make_in_the_oracle(self.life.state, "operator", "transfer_ownership", {"to": to}, self.now)
        self.arrive("transfer", [after], self.attempt(lambda: self.acme.transfer_ownership(to=to, ticket="T", operator="operator")))

    @rule(project=PROJECT, tasks=st.lists(TASK, max_size=2), removed=st.lists(TASK, max_size=1),
          worked_on=st.dictionaries(TASK, st.lists(USER, max_size=2), max_size=2))  # fmt: skip
    def record(self, project: str, tasks: list[str], removed: list[str], worked_on: dict[str, list[str]]) -> None:
        after = told_the_oracle(self.life.state, project, tasks, removed, worked_on)
        store = self.stores[self.steps % 2]
        batch = {"project": project, "tasks": tasks, "removed": removed, "worked_on": worked_on}
        assigned = self._assigned(project, removed)
        revision = self.attempt(lambda: store.record("acme", **batch))  # type: ignore[arg-type]
        self.seen[f"record {'refused' if revision is None else 'accepted'}"] += 1
        assert (revision is None) is (after is None), batch
        if revision is not None:
            assert revision - self.life.revision == int(assigned), "only assignments that are taken back are a revision"
            self.life = self.life._replace(state=after, revision=revision)

    def _assigned(self, project: str, tasks: list[str]) -> bool:
        """Whether one of the tasks is assigned to anybody."""
        there = [each.get("tasks") or {} for each in projects(self.life.state) if each["id"] == project]
        facts = [each[task] or {} for each in there for task in tasks if task in each]
        return any(each.get("annotators") or each.get("reviewers") for each in facts)

    # -- several changes, retries ----------------------------------------------------------------------------------------

    def block(self, name: str, changes: Sequence[Change]) -> list[Any]:
        """Several changes in one unit of work, refused ones left out; the oracle's state after each."""
        states: list[Any] = []
        reached = self.life.state
        for _, operation, arguments in changes:
            states.append(make_in_the_oracle(reached, name, operation, arguments, self.now))
            reached = reached if states[-1] is None else states[-1]
        return states

    def play(self, acting: Acting, changes: Sequence[Change], states: Sequence[Any]) -> None:
        for (_, operation, arguments), after in zip(changes, states, strict=True):
            done = self.attempt(lambda operation=operation, arguments=arguments: apply(acting, operation, arguments))  # type: ignore[misc]
            assert (done is None) is (after is None), (operation, arguments)

    @rule(actor=ACTOR, changes=CHANGES)
    def several(self, actor: str, changes: list[Change]) -> None:
        name, acme = self.who(actor), self.acme
        states = self.block(name, changes)
        with acme.acting(name) as acting:
            self.play(acting, changes, states)
        revision = acme.check("o", "workspace:create", **self.place.at_least(self.life.revision)).revision
        self.arrive("block", [self.life.state, *states], revision, *(each[2] for each in changes))

    @rule(actor=ACTOR, change=CHANGE, key=KEY)
    def once(self, actor: str, change: Change, key: str) -> None:
        name, (_, operation, arguments) = self.who(actor), change
        if (name, key) in self.life.keys:
            self.use_again(name, key, operation, arguments)
            return
        after = make_in_the_oracle(self.life.state, name, operation, arguments, self.now)
        self.arrive("with a key", [after], self.attempt(lambda: apply(self.acme.acting(name, key=key), operation, arguments)), arguments)
        if after is not None:
            self.life.keys[name, key] = (operation, arguments, self.life.revision)

    @precondition(lambda self: self.life.keys)
    @rule(number=st.integers(0, 3))
    def again(self, number: int) -> None:
        (name, key), (operation, arguments, _) = list(self.life.keys.items())[number % len(self.life.keys)]
        self.use_again(name, key, operation, arguments)

    def use_again(self, name: str, key: str, operation: str, arguments: dict[str, Any]) -> None:
        """A key that was used: refused to whoever is not there now, a conflict for another change, else the revision of then."""
        *change, revision = self.life.keys[name, key]
        use = partial(apply, self.acme.acting(name, key=key), operation, arguments)
        if not is_active(self.life.state, name):
            assert self.attempt(use) is None
            self.seen["again, refused"] += 1
        elif change != [operation, arguments]:
            with pytest.raises(rbac.Conflict):
                use()
            self.seen["key of another change"] += 1
        else:
            assert use() == revision
            self.seen["again"] += 1

    @rule(actor=ACTOR, change=CHANGE)
    def of_a_revision_that_is_over(self, actor: str, change: Change) -> None:
        if change[2].get("until") is None or change[2]["until"] >= self.now:
            with pytest.raises(rbac.Conflict):
                apply(self.acme.acting(self.who(actor), expect=self.life.revision - 1), *change[1:])
            self.seen["conflict"] += 1

    # -- time, restarts, crashes, backups ----------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from([1, 59, 60, 120]))
    def expire(self, minutes: int) -> None:
        before = canonical(self.life.state, self.now)
        self.now += timedelta(minutes=minutes)
        self.clock.now = parse_instant(self.now)
        self.seen["expired"] += canonical(self.life.state, self.now) != before

    @rule(both=st.booleans())
    def restart(self, both: bool) -> None:
        for number in (0, 1) if both else (self.steps % 2,):
            self.stores[number].close()
        for number in (0, 1) if both else (self.steps % 2,):
            self.stores[number] = self._connect()
        self.seen["restarts"] += 1

    @rule(actor=ACTOR, changes=CHANGES)
    def fail(self, actor: str, changes: list[Change]) -> None:
        states = self.block(self.who(actor), changes)
        with pytest.raises(ZeroDivisionError), self.acme.acting(self.who(actor)) as acting:
            self.play(acting, changes, states)
            raise ZeroDivisionError
        self.seen["failed blocks"] += 1

    @rule(actor=ACTOR, changes=CHANGES)
    def crash(self, actor: str, changes: list[Change]) -> None:
        name, acme = self.who(actor), self.acme
        states = self.block(name, changes)

        def unit_of_work() -> None:
            with acme.acting(name) as acting:
                self.play(acting, changes, states)

        self.seen["crashes"] += self.place.crash(self.stores[self.steps % 2], self.life.revision, unit_of_work)

    @precondition(lambda self: self.place.restores)
    @rule()
    def back_up(self) -> None:
        self.place.back_up()
        self.backup = copy.deepcopy(self.life)

    @precondition(lambda self: self.backup is not None)
    @rule(say_so=st.booleans())
    def restore(self, say_so: bool) -> None:
        assert self.backup is not None
        lost = self.acme.token(self.life.revision) if self.life.revision > self.backup.revision else None
        self.place.restore()
        self.life = copy.deepcopy(self.backup)
        if say_so:
            self.acme._store.ready()
            self.stores[self.steps % 2].restored()
        for store in self.stores if lost else ():
            with pytest.raises(rbac.StoreError):
                store.organization("acme").can("o", "workspace:create", at_least=str(lost))
        self.seen["restores"] += 1

    # -- what is so after every step ---------------------------------------------------------------------------------------

    @invariant()
    def the_store_is_what_the_oracle_says(self) -> None:
        self.steps += 1
        self.seen["steps"] += 1
        assert canonical(state_of(self.stores[self.steps % 2]), self.now) == canonical(self.life.state, self.now)

    @invariant()
    def both_handles_decide_as_the_oracle(self) -> None:
        dice, fresh = random.Random(self.steps), self.place.at_least(self.life.revision)
        for _ in range(QUESTIONS):
            user, permission, domain, extra = some_question(dice)
            named: dict[str, Any] = {**extra}
            expected = decide(self.life.state, "acme", user, permission, domain, now=self.now, **named)
            for store in self.stores:
                assert store.organization("acme").can(user, permission, domain, **named, **fresh) is expected, (user, permission, domain)
            self.seen["questions"] += 1
            self.seen["allowed"] += expected

    @invariant()
    def both_handles_are_at_the_revision_of_the_oracle(self) -> None:
        for store in self.stores:
            acme = store.organization("acme")
            assert acme.check("o", "workspace:create", **self.place.at_least(self.life.revision)).revision == self.life.revision
            with pytest.raises(rbac.StoreError, match="has not been reached"):
                acme.can("o", "workspace:create", at_least=self.life.revision + 1)

    @invariant()
    def there_is_one_owner(self) -> None:
        members = list(self.acme.members())
        assert [each.user for each in members if each.role is rbac.Role.OWNER] == [self.who("the Owner")]

    @invariant()
    def the_audit_verifies_and_every_refusal_is_recorded(self) -> None:
        verified = self.acme.verify()
        assert verified, verified.problems
        assert verified.revision == self.life.revision
        assert sum(1 for _ in self.acme.refusals()) == self.life.refusals


def run(place: Place, examples: int) -> Counter[str]:
    """Run the machine and print what it did."""
    seen: Counter[str] = Counter()
    run_state_machine_as_test(
        cast(Any, lambda: Machine(place, seen)),
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="RBAC_MACHINE_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.reuse, Phase.generate, *([Phase.shrink] if place.restores and not SEEDED else [])],  # minutes on a server
        ),
    )
    print(f"\n{dict(sorted(seen.items()))}, 0 disagreements")  # noqa: T201
    accepted, refused = (sum(count for name, count in seen.items() if name.endswith(end)) for end in (" accepted", " refused"))
    assert seen["examples"] >= examples
    assert seen["steps"] >= examples * STEPS * 0.8
    share = 0.1 if examples >= 20 else 0.03  # one organization may be a strict one
    assert accepted >= seen["steps"] * share and refused >= seen["steps"] * share
    assert seen["allowed"] >= seen["questions"] * share / 3
    return seen


def test_on_a_file_whatever_happens_in_whatever_order_the_store_is_what_the_oracle_says(migrated_file: Path) -> None:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # nothing here cuts the power, so nothing needs a disk
    with TemporaryDirectory(prefix="machine", dir=memory) as folder:
        seen = run(OnFile(Path(folder), migrated_file), EXAMPLES)

    if EXAMPLES < 200:
        return  # which rules a few examples come to is Hypothesis's
    wanted = (
        "crashes",
        "restarts",
        "restores",
        "expired",
        "again",
        "conflict",
        "failed blocks",
        "transfer accepted",
        "record accepted",
        "pause accepted",
    )
    assert [name for name in wanted if not seen[name]] == []


def test_on_a_server_whatever_happens_in_whatever_order_the_store_is_what_the_oracle_says(postgresql: str) -> None:
    seen = run(OnServer(postgresql), max(2, EXAMPLES // 10))

    assert EXAMPLES < 200 or (seen["crashes"] and seen["restarts"])
