"""What a node says of itself: revisions, how it hears of changes, how long ago it did, and how far its clock is off."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import rbac
from rbac.cli import main
from rbac.clock import system_clock
from rbac.database.watch import listener
from rbac.organization import Organization
from tests.conftest import ACME, Clock


def test_a_node_that_listens_is_well(acme: Organization) -> None:
    health = rbac.Store(acme._store).health()

    assert health.organizations == {"acme": 1}
    assert health.listener is not None
    assert health.listener.state == "listening"
    assert health.listener.lag is not None and health.listener.lag < 5
    assert health.skew is not None and abs(health.skew) < 1
    assert health.problems == ()


def test_a_node_that_may_not_listen_polls_and_says_why(acme: Organization, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "CHANNEL", "no channel")
    with rbac.connect(url) as store:
        health = store.health()

    assert health.listener is not None
    assert health.listener.state == "polling"
    assert "syntax error" in health.listener.why
    assert health.problems[0].startswith("this node does not hear of changes at once, it is polling: ERROR:  syntax error")


@pytest.mark.parametrize(("off", "says"), [(3.0, "3.0 s ahead of the database's"), (-2.0, "2.0 s behind the database's"), (0.5, None)])
def test_a_clock_that_is_off_by_more_than_a_second_is_a_problem(acme: Organization, url: str, off: float, says: str | None) -> None:
    with rbac.connect(url, clock=lambda: system_clock() + int(off * 1_000_000)) as store:
        problems = store.health().problems

    assert [says in each for each in problems] == [True] if says else problems == ()


def test_a_file_has_no_bus_and_no_other_clock(tmp_path: object, clock: Clock) -> None:
    with rbac.connect(f"sqlite:///{tmp_path}/rbac.db", clock=clock) as store:
        store.import_state(ACME)
        health = store.health()

    assert (health.listener, health.skew, health.problems) == (None, None, ())


def test_doctor_says_how_a_node_hears_and_how_its_clock_is(acme: Organization, url: str) -> None:
    answer = CliRunner().invoke(main, ["doctor", "--json", "--db", url])

    told = json.loads(answer.stdout)
    assert answer.exit_code == 0
    assert (told["bus"], told["problems"], told["organizations"]) == ("listening", [], {"acme": 1})
    assert abs(told["skew"]) < 1 and told["lag"] < 5
    words = CliRunner().invoke(main, ["doctor", "--db", url]).stdout
    assert "this node is listening, last answer 0." in words
