"""What ends by itself: gone from that very instant, for every question, every list and every rule of authority."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

import rbac
from rbac import Role
from rbac.clock import system_clock, write_instant
from rbac.organization import Organization
from rbac.snapshot.records import Instant
from rbac.statefile.shape import write_state
from tests.conftest import Clock
from tests.evidence.conftest import Run

HOUR = 3_600_000_000


@pytest.fixture
def end(clock: Clock) -> Instant:
    """An hour from now."""
    return clock.now + HOUR


def last_moment(clock: Clock, end: Instant) -> None:
    clock.now = end - 1


def over(clock: Clock, end: Instant) -> None:
    clock.now = end


@pytest.mark.parametrize(
    ("permission", "domain"),
    [
        ("workspace:view", "workspace:w2"),
        ("project:create", "workspace:w2"),
        ("data:export", "project:p4"),
        ("project_member:manage", "project:p4"),
    ],
)
def test_a_membership_that_is_over_gives_nothing_from_memory_either(
    acme: Organization, clock: Clock, end: Instant, permission: str, domain: str
) -> None:
    with acme.acting("ada") as ada:
        ada.remove("max", "project:p4")
        ada.add("max", "workspace:w2", until=write_instant(end))
    last_moment(clock, end)
    assert acme.can("max", permission, domain)  # and now it is in memory

    over(clock, end)

    assert not acme.can("max", permission, domain)
    assert not acme.check("max", permission, domain)
    assert not acme.check_many([rbac.Request("max", permission, domain)])[0]
    assert permission not in acme.permissions("max", domain)


def test_what_is_over_is_in_no_list(acme: Organization, clock: Clock, end: Instant) -> None:
    text = write_instant(end)
    with acme.acting("ada") as ada:
        ada.add("mia", "workspace:w1", until=text)
        ada.grant("andy", "reviewer", on="project:p1", until=text)
        ada.pause("rita", "project:p1", until=text)
    last_moment(clock, end)
    before = {each.user: each for each in acme.members("project:p1")}
    assert (before["mia"].until, before["andy"].role_until, before["rita"].paused_until) == (end, end, end)
    assert (before["andy"].role, before["rita"].paused) == (Role.REVIEWER, True)
    assert {each.project_role_until or each.paused_until for each in acme.standings("andy")} == {None, end}

    over(clock, end)

    after = {each.user: each for each in acme.members("project:p1")}
    assert set(after) == {"andy", "rita"}
    assert (after["andy"].role, after["andy"].role_until, after["rita"].paused) == (Role.ANNOTATOR, None, False)
    assert [each.user for each in acme.members("workspace:w1")] == ["andy", "rita"]
    assert [str(each.domain) for each in acme.standings("mia")] == ["organization", "workspace:w2", "project:p4"]
    assert all(each.project_role is None and each.paused is None for user in ("andy", "rita") for each in acme.standings(user))


def test_an_explanation_says_that_a_project_role_has_ended(acme: Organization, clock: Clock, end: Instant) -> None:
    acme.acting("max").grant("andy", "reviewer", on="project:p1", until=write_instant(end))
    over(clock, end)

    traced = acme.trace("andy", "review:access", "project:p1")

    assert (traced.decision.allowed, traced.question.facts and traced.question.facts.role) == (False, Role.ANNOTATOR)


def test_a_pause_that_is_over_stops_nobody_and_a_pause_without_end_does(acme: Organization, clock: Clock, end: Instant) -> None:
    acme.acting("max").pause("rita", "project:p1", until=write_instant(end))
    acme.acting("max").pause("rita", "project:p2")
    over(clock, end)

    assert acme.can("rita", "project:view", "project:p1")
    assert not acme.can("rita", "project:view", "project:p2")


def test_shared_history_ends_with_the_membership_that_was_shared(acme: Organization, clock: Clock, end: Instant) -> None:
    ask = ("mia", "annotator_dashboard:view", "organization")
    acme.acting("ada").add("andy", "workspace:w2", until=write_instant(end))
    last_moment(clock, end)
    assert acme.can(*ask, target="andy")

    over(clock, end)

    assert not acme.can(*ask, target="andy")


AUTHORITY: dict[str, Callable[[Organization], object]] = {
    "an ended manager cannot add members": lambda a: a.acting("max").add("rita", "workspace:w2"),
    "an ended manager cannot remove members": lambda a: a.acting("max").remove("andy", "workspace:w2"),
    "an ended manager cannot give project roles": lambda a: a.acting("max").grant("andy", "reviewer", on="project:p4"),
    "an ended manager cannot pause": lambda a: a.acting("max").pause("andy", "project:p4"),
    "an ended manager cannot configure": lambda a: a.acting("max").configure("project:p4", published=False),
    "an ended manager cannot move a project in": lambda a: a.acting("max").move_project("p1", workspace="w2"),
    "an ended manager cannot delete": lambda a: a.acting("max").delete_project("p4"),
    "an ended manager cannot create": lambda a: a.acting("max").create_project("p9", workspace="w2"),
    "an ended member is given no project role": lambda a: a.acting("mia").grant("rita", "reviewer", on="project:p4"),
    "an ended member is not paused": lambda a: a.acting("mia").pause("rita", "project:p4"),
    "an ended member is assigned no task": lambda a: a.acting("mia").assign_reviewer("rita", task="t9", project="p4"),
}


@pytest.mark.parametrize("case", AUTHORITY)
def test_authority_ends_with_the_membership_it_came_from(
    store: rbac.Store, acme: Organization, clock: Clock, end: Instant, case: str
) -> None:
    store.record("acme", project="p4", tasks=["t9"])
    with acme.acting("ada") as ada:
        ada.remove("max", "project:p4")
        ada.configure("project:p4", distribution="manual")
        ada.add("andy", "workspace:w2")
        for user in ("max", "rita"):
            ada.add(user, "workspace:w2", until=write_instant(end))
    revision = acme.revision
    over(clock, end)

    with pytest.raises(rbac.Refused):
        AUTHORITY[case](acme)

    assert acme.revision == revision
    assert len(list(acme.refusals())) == 1
    last_moment(clock, end)
    AUTHORITY[case](acme)  # the same, an instant earlier: it was the end that refused it
    assert acme.revision == revision + 1


def test_an_ended_project_role_gives_no_authority_and_takes_none(acme: Organization, clock: Clock, end: Instant) -> None:
    acme.acting("max").grant("andy", "reviewer", on="project:p2", until=write_instant(end))
    last_moment(clock, end)
    assert acme.acting("max").assign_reviewer("andy", task="t2", project="p2")

    over(clock, end)

    with pytest.raises(rbac.Refused, match="target_may_review is false"):
        acme.acting("max").assign_reviewer("andy", task="t1", project="p2")
    assert acme.acting("max").revoke("andy", on="project:p2") == acme.revision  # there is nothing to revoke


def test_what_has_ended_can_be_given_anew_and_the_audit_has_both_ends(acme: Organization, clock: Clock, end: Instant) -> None:
    acme.acting("max").add("mia", "workspace:w1", until=write_instant(end))
    over(clock, end)

    acme.acting("max").add("mia", "workspace:w1", until=write_instant(end + HOUR))

    assert acme.can("mia", "workspace:view", "workspace:w1")
    (change,) = next(iter(acme.audit(user="mia", first=3))).changes
    assert (change.before, change.after) == ({"until": write_instant(end)}, {"until": write_instant(end + HOUR)})
    assert acme.verify()


def test_an_ended_evaluation_pause_can_be_replaced_by_hand(store: rbac.Store, clock: Clock, end: Instant) -> None:
    pauses = {"rita": {"reason": "annotator_evaluation", "until": write_instant(end)}}
    project = {"id": "p", "created_by": "max", "published": True, "members": ["rita"], "paused": pauses}
    members = {"max": "manager", "rita": "reviewer"}
    store.import_state(
        {"organizations": [{"id": "beta", "owner": "ben", "members": members, "workspaces": [{"id": "w", "projects": [project]}]}]}
    )
    beta = store.organization("beta")
    with pytest.raises(rbac.Refused, match="by annotator evaluation"):
        beta.acting("max").pause("rita", "project:p")
    over(clock, end)

    assert beta.can("rita", "project:view", "project:p")
    beta.acting("max").pause("rita", "project:p")
    assert not beta.can("rita", "project:view", "project:p")


def test_ends_survive_an_export_and_an_import_of_it(store: rbac.Store, acme: Organization, end: Instant) -> None:
    acme.acting("max").add("mia", "workspace:w1", until=write_instant(end))

    exported = write_state(store.export_state("acme"), as_json=True).replace('"id": "acme"', '"id": "copy"')
    store.import_state(json.loads(exported))

    assert [each.until for each in store.organization("copy").members("workspace:w1")] == [None, end, None]


@pytest.mark.parametrize(
    ("seconds", "says"), [(3600, "ahead of the database's: what ends at an instant ends too early"), (-3600, "behind")]
)
def test_a_clock_that_is_off_is_a_problem_the_store_tells_of(
    store: rbac.Store, clock: Clock, dialect: str, seconds: int, says: str
) -> None:
    clock.now = system_clock()
    assert not store.health().problems
    clock.advance(seconds)

    found = store.health().problems

    assert [says in each for each in found] == ([True] if dialect == "postgresql" else [])


def test_the_commands_show_every_end(acme: Organization, run: Run) -> None:
    far = "2099-01-31T12:00:00Z"
    for words in (
        ("add", "mia", "workspace:w1"),
        ("grant", "andy", "reviewer", "--on", "project:p1"),
        ("pause", "rita", "project:p1"),
    ):
        assert run(*words, "--until", far, "--as", "max").exit_code == 0

    assert re.search(f"project:p1 .* through workspace:w1 +{far}", run("roles", "mia").stdout)
    assert f"project role reviewer until {far}" in run("roles", "andy").stdout
    assert f"paused: manual until {far}" in run("roles", "rita").stdout
    shown = {line.split()[0]: line for line in run("members", "project:p1").stdout.splitlines()}
    assert re.search(f"inherited +{far}", shown["mia"])
    assert f"this role until {far}" in shown["andy"]
    assert f"paused until {far}" in shown["rita"]
    found = {each["user"]: each for each in map(json.loads, run("members", "project:p1", "--json").stdout.splitlines())}
    assert (found["mia"]["until"], found["andy"]["role_until"], found["rita"]["paused_until"]) == (far, far, far)
    assert run("audit", "--first", "2").stdout.count(f"until {far}") == 3
    assert f"the project role until {far}" in run("explain", "andy", "review:access", "project:p1").stdout
    assert run("add", "mia", "workspace:w1", "--until", "2020-01-01T00:00:00Z", "--as", "max").exit_code == 2
