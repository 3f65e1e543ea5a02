"""The program against the oracle, through the real store: the examples, the matrix, random organizations and histories."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rbac
from rbac.clock import parse_instant
from rbac.organization import Organization
from rbac.policy.reader import read_policy
from rbac.reports.matrix import markdown, matrix
from tests.conftest import ACME, Clock
from tests.oracle import EXAMPLES, Example, NotAQuestion, RefusedByTheSpec, acme, canonical, change, decide
from tests.oracle.random_worlds import NOW, importable, some_change, some_question, some_state

HISTORIES = int(os.environ.get("RBAC_HISTORIES", "25"))
"""Random histories a run; each is 40 changes."""

STEPS, QUESTIONS = 40, int(os.environ.get("RBAC_QUESTIONS", "5"))
"""Changes a history, and questions after each."""


def make(organization: Organization, actor: str, operation: str, arguments: dict[str, Any]) -> bool:
    """Make a change as the oracle names it; False when it is refused."""
    arguments = dict(arguments)
    try:
        if operation == "transfer_ownership":
            if actor != "operator":
                return False  # there is no way to ask for it from inside
            organization.transfer_ownership(ticket="T", operator="operator", **arguments)
        elif operation == "configure":
            organization.acting(actor).configure(arguments["domain"], **arguments["settings"])
        else:
            if arguments.get("until") is None:
                arguments.pop("until", None)
            getattr(organization.acting(actor), operation)(**{name: each for name, each in arguments.items() if name != "on" or each})
    except (rbac.Refused, rbac.UnknownName):
        return False
    return True


def make_in_the_oracle(state: Any, actor: str, operation: str, arguments: dict[str, Any], now: datetime) -> Any:
    """The new state, None when it is refused."""
    try:
        return change(state, "acme", actor, operation, arguments, now=now)
    except (RefusedByTheSpec, NotAQuestion):
        return None


def question(dice: random.Random) -> tuple[str, str, str, dict[str, Any]]:
    user, permission, domain, named = some_question(dice)
    return user, permission, domain, dict(named)


def state_of(store: rbac.Store) -> Any:
    return msgspec.to_builtins(store.export_state())


# -- the examples and the matrix ---------------------------------------------------------------------------------------------


def test_the_example_file_says_what_the_oracle_says(tmp_path: Path) -> None:
    with rbac.connect(f"sqlite:///{tmp_path / 'rbac.db'}") as store:
        store.import_state(Path(__file__).parents[2] / "examples" / "acme.yaml")

        assert canonical(state_of(store), NOW) == canonical(acme(), NOW) == canonical(ACME, NOW)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_every_example_of_the_specification_comes_out(tmp_path: Path, migrated_file: Path, example: Example) -> None:
    shutil.copy(migrated_file, tmp_path / "rbac.db")
    with rbac.connect(f"sqlite:///{tmp_path / 'rbac.db'}") as store:
        store.import_state(acme())
        organization = store.organization("acme")
        for each in example.changes:
            assert make(organization, *each), each

        if example.question is not None:
            user, permission, domain, named = example.question
            assert organization.can(user, permission, domain, **dict[str, Any](named)) is example.expected
        if example.change is not None:
            assert make(organization, *example.change) is example.expected


def test_the_matrix_derived_from_the_policy_is_the_table_typed_from_the_specification() -> None:
    golden = (Path(__file__).parents[1] / "golden" / "matrix.md").read_text()

    assert markdown(matrix(read_policy())).strip() == golden.strip()


# -- random organizations and histories ---------------------------------------------------------------------------------------


@contextmanager
def opened(path: Path, migrated_file: Path, clock: Clock) -> Iterator[rbac.Store]:
    shutil.copy(migrated_file, path)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    with rbac.connect(f"sqlite:///{path}", clock=clock) as store:
        yield store


class Count:
    """What a run did, held against its floor at the end."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def ask(self, state: Any, organization: Organization, dice: random.Random, now: datetime) -> None:
        user, permission, domain, named = question(dice)
        expected = decide(state, "acme", user, permission, domain, now=now, **named)
        self.seen["questions"] += 1
        self.seen["allowed"] += expected

        assert organization.can(user, permission, domain, **named) is expected, (user, permission, domain, named)
        if self.seen["questions"] % 20 == 0:
            assert bool(organization.check(user, permission, domain, **named)) is expected

    def history(self, store: rbac.Store, clock: Clock, dice: random.Random, steps: int) -> None:
        """Import, then change and ask; the store's state is the oracle's after every change that was made."""
        state, now = importable(some_state(dice)), NOW
        store.import_state(state)
        organization = store.organization("acme")
        for _ in range(steps):
            if dice.random() < 0.05:
                now += timedelta(hours=1)
            clock.now = parse_instant(now)
            actor, operation, arguments = some_change(dice)
            if dice.random() < 0.6:  # else four of five changes would be refused
                actor = "operator" if operation == "transfer_ownership" else state["organizations"][0]["owner"]
            after = make_in_the_oracle(state, actor, operation, arguments, now)
            self.seen["operations"] += 1
            self.seen["accepted"] += after is not None

            assert make(organization, actor, operation, arguments) is (after is not None), (actor, operation, arguments)
            if after is not None:
                assert canonical(state_of(store), now) == canonical(after, now), (actor, operation, arguments)
                state = after
            for _ in range(QUESTIONS):
                self.ask(state, organization, dice, now)
        assert organization.verify()


def test_random_histories_decide_and_change_as_the_oracle(tmp_path: Path, migrated_file: Path, record_property: Any) -> None:
    count = Count()
    for seed in range(HISTORIES):
        clock = Clock(parse_instant(NOW))
        with opened(tmp_path / "rbac.db", migrated_file, clock) as store:
            count.history(store, clock, random.Random(seed), STEPS)

    record_property("work", dict(count.seen))
    print(f"\n{dict(count.seen)}, 0 disagreements")  # noqa: T201
    assert count.seen["operations"] == HISTORIES * STEPS
    assert count.seen["accepted"] >= 0.2 * count.seen["operations"]
    assert count.seen["allowed"] >= 0.1 * count.seen["questions"]


def test_a_random_history_decides_and_changes_as_the_oracle_on_both_databases(url: str) -> None:
    clock = Clock(parse_instant(NOW))
    with rbac.connect(url, clock=clock) as store:
        Count().history(store, clock, random.Random(99), 60)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(dice=st.randoms(use_true_random=False))
def test_any_organization_answers_as_the_oracle(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path, dice: random.Random) -> None:
    state = importable(some_state(dice))
    clock = Clock(parse_instant(NOW))
    with opened(tmp_path_factory.getbasetemp() / "any.db", migrated_file, clock) as store:
        store.import_state(state)
        for _ in range(30):
            Count().ask(state, store.organization("acme"), dice, NOW)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(dice=st.randoms(use_true_random=False))
def test_what_any_history_leads_to_can_be_exported_and_imported_and_decides_the_same(
    tmp_path_factory: pytest.TempPathFactory, migrated_file: Path, dice: random.Random
) -> None:
    clock, folder = Clock(parse_instant(NOW)), tmp_path_factory.getbasetemp()
    with opened(folder / "one.db", migrated_file, clock) as store, opened(folder / "other.db", migrated_file, clock) as other:
        store.import_state(importable(some_state(dice)))
        organization = store.organization("acme")
        for _ in range(15):
            make(organization, *some_change(dice))
        other.import_state(state_of(store))

        assert other.export_state() == store.export_state()
        for _ in range(20):
            user, permission, domain, named = question(dice)
            assert other.organization("acme").can(user, permission, domain, **named) is organization.can(user, permission, domain, **named)


def test_stock_casbin_answers_random_organizations_as_we_do(tmp_path: Path, migrated_file: Path) -> None:
    asked = 0
    for seed in range(3):
        dice, clock = random.Random(500 + seed), Clock(parse_instant(NOW))
        with opened(tmp_path / "rbac.db", migrated_file, clock) as store:
            store.import_state(importable(some_state(dice)))
            organization = store.organization("acme")
            stock = organization.enforcer(stock=True)
            for _ in range(120):
                user, permission, domain, named = question(dice)
                if named.pop("via", "ui") == "ui":
                    asked += 1
                    expected = organization.can(user, permission, domain, **named)
                    assert stock.enforce(*organization.request(user, permission, domain, **named)) is expected
    assert asked > 200


def test_the_clock_of_the_oracle_and_ours_is_one() -> None:
    assert parse_instant(NOW) == int((NOW - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
