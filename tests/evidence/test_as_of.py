"""The past: as_of answers what was answered then, for any history, at any revision and any instant between."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rbac
from rbac import Permission, Role
from rbac.acting import Acting
from rbac.clock import write_instant
from rbac.organization import Organization
from rbac.past import Past
from rbac.vocabulary import Kind, Via
from tests.conftest import ACME, Clock
from tests.evidence.conftest import Run, edit

USERS = ("olga", "max", "mia", "rita", "andy", "zoe")
PLACES = ("workspace:w1", "workspace:w2", "workspace:max-sandbox", "project:p1", "project:p2", "project:p4", "project:p9")
PROJECTS = tuple(place for place in PLACES if place.startswith("project:"))
ASKED = (
    *(Permission.WORKSPACE_CREATE, Permission.ANNOTATOR_DASHBOARD_VIEW, Permission.API_TOKEN_CREATE, Permission.WORKSPACE_VIEW),
    *(Permission.PROJECT_VIEW, Permission.REVIEW_ACCESS, Permission.LABELING_ACCESS, Permission.PLUGIN_CONFIGURE),
    *(Permission.PROJECT_MEMBER_PAUSE, Permission.BULK_LABELING_PERFORM, Permission.DATA_MANAGER_VIEW),
)
CHANGES: dict[str, Callable[[Acting, str, str, str | None], object]] = {
    "make a manager": lambda a, user, place, end: a.grant(user, "manager"),
    "make an annotator": lambda a, user, place, end: a.grant(user, "annotator"),
    "deactivate": lambda a, user, place, end: a.deactivate(user),
    "invite": lambda a, user, place, end: a.invite(user, "reviewer"),
    "add": lambda a, user, place, end: a.add(user, place, until=end),
    "add for a while": lambda a, user, place, end: a.add(user, place, until=end),
    "remove": lambda a, user, place, end: a.remove(user, place),
    "give a project role": lambda a, user, place, end: a.grant(user, "reviewer", on=place, until=end),
    "take a project role": lambda a, user, place, end: a.revoke(user, on=place),
    "pause": lambda a, user, place, end: a.pause(user, place, until=end),
    "unpause": lambda a, user, place, end: a.unpause(user, place),
    "assign": lambda a, user, place, end: a.assign_annotator(user, task="t2", project="p2"),
    "unassign": lambda a, user, place, end: a.unassign(user, task="t2", project="p2"),
    "create": lambda a, user, place, end: a.create_project("p9", workspace="w2"),
    "move": lambda a, user, place, end: a.move_project(place.partition(":")[2], workspace="w2"),
    "delete": lambda a, user, place, end: a.delete_project(place.partition(":")[2]),
    "unpublish": lambda a, user, place, end: a.configure(place, published=False),
    "publish, by hand": lambda a, user, place, end: a.configure(place, published=True, distribution="manual"),
    "show the data": lambda a, user, place, end: a.configure(place, show_data_manager_to=["annotator", "reviewer"]),
    "switch plugins off": lambda a, user, place, end: a.configure("organization", plugins_enabled=False),
    "restrict": lambda a, user, place, end: a.restrict("plugin:configure", "administrator"),
    "unrestrict": lambda a, user, place, end: a.unrestrict("plugin:configure"),
}
STEP = st.tuples(
    st.sampled_from(("olga", "olga", "max")),
    st.sampled_from(sorted(CHANGES)),
    st.sampled_from(("andy", "rita", "andy", "rita", "mia", "max", "zoe", "dan")),
    st.sampled_from(("project:p1", "project:p2", *PLACES)),
    st.integers(0, 40),  # seconds that pass
    st.sampled_from((None, 15, 60)),  # seconds until it ends
    st.sampled_from((*USERS, *(None,) * 60)),  # once in a while, a transfer
)


def answers(asked: Organization | Past) -> list[Any]:
    """Everything that can be asked, of everybody, everywhere."""
    found: list[Any] = [asked.owner]
    for user in USERS:
        found += [asked.role_of(user), asked.standings(user)]
        for permission in ASKED:
            domains = {Kind.ORGANIZATION: ("organization",), Kind.WORKSPACE: PLACES[:3], Kind.PROJECT: PROJECTS}[permission.kind]
            target = "andy" if permission in (Permission.ANNOTATOR_DASHBOARD_VIEW, Permission.PROJECT_MEMBER_PAUSE) else None
            task = "t2" if permission is Permission.LABELING_ACCESS else None
            for domain in domains:
                found.append(asked.check(user, permission, domain, target=target, task=task))
        found.append(asked.can(user, Permission.PROJECT_VIEW, "project:p2", via=Via.API))
    return found + [list(asked.members(place)) for place in ("organization", *PLACES)]


def begun(store: rbac.Store, name: str) -> Organization:
    """Another acme, under a name of its own."""
    state = copy.deepcopy(ACME)
    state["organizations"][0]["id"] = name
    store.import_state(state)
    return store.organization(name)


def test_as_of_gives_the_answers_that_were_given_when_that_revision_was_the_present_one(store: rbac.Store, clock: Clock) -> None:
    done: Counter[str] = Counter()

    @settings(max_examples=6, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEP, min_size=6, max_size=12))
    def replayed(steps: list[tuple[str, str, str, str, int, int | None, str | None]]) -> None:
        done["histories"] += 1
        organization = begun(store, f"o{done['histories']}")
        told: dict[int | str, list[Any]] = {organization.revision: answers(organization)}
        for actor, change, user, place, passes, lasts, to in steps:
            clock.advance(passes)
            if passes > 30:
                told[write_instant(clock.now)] = answers(organization)
            clock.advance(1)
            revision = organization.revision
            try:
                end = None if lasts is None else write_instant(clock.now + lasts * 1_000_000)
                CHANGES[change](organization.acting(actor), user, place, end)
                if to is not None:
                    organization.transfer_ownership(to=to, ticket="T", operator="root")
            except (rbac.Refused, rbac.UnknownName):
                done["refused"] += 1
            if organization.revision > revision:
                done["revisions"] += 1
                told[organization.revision] = answers(organization)

        for moment, expected in told.items():
            found = answers(organization.as_of(moment))
            assert found == expected, moment
            done["answers"] += len(found)
            done["yes"] += sum(isinstance(each, rbac.Decision) and each.allowed for each in found)

    replayed()

    assert done["histories"] >= 6 and done["revisions"] >= 12 and done["answers"] >= 3_000, done
    assert done["yes"] >= 0.1 * done["answers"], done


def test_a_revision_is_judged_at_its_own_instant_and_an_instant_at_itself(acme: Organization, clock: Clock) -> None:
    end = write_instant(clock.now + 60_000_000)
    revision = acme.acting("max").grant("andy", "reviewer", on="project:p1", until=end)
    clock.advance(3600)

    assert acme.role_of("andy", "project:p1") is Role.ANNOTATOR
    assert acme.as_of(revision).role_of("andy", "project:p1") is Role.REVIEWER
    assert acme.as_of(write_instant(clock.now - 3_599_000_000)).role_of("andy", "project:p1") is Role.REVIEWER
    assert acme.as_of(end).role_of("andy", "project:p1") is Role.ANNOTATOR
    assert acme.as_of(end).revision == revision


def test_before_it_was_founded_everything_is_a_no(acme: Organization) -> None:
    then = acme.as_of("2020-01-01T00:00:00Z")

    decision = then.check("olga", "billing:configure")
    assert (then.revision, then.owner, decision.allowed, decision.reason) == (0, None, False, "there is no organization acme")
    assert (then.role_of("olga"), then.member("olga"), list(then.members()), then.standings("olga")) == (None, None, [], [])


@pytest.mark.parametrize("moment", [0, -1, 2, 2**70, "2031-01-01T00:00:00Z", "yesterday", "2020-01-01"])
def test_a_moment_that_is_none_or_has_not_come_is_an_error(acme: Organization, moment: int | str) -> None:
    with pytest.raises(rbac.UnknownName):
        acme.as_of(moment)


def test_an_organization_that_never_was_has_no_revision(store: rbac.Store) -> None:
    with pytest.raises(rbac.UnknownName, match="nowhere has no revision 1"):
        store.organization("nowhere").as_of(1)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "after",
    ['{"role":"root","state":"active"}', '{"role":"owner","state":"active"}', "{", '{"role":1,"state":"active"}', "[]"],
)
def test_an_audit_that_leads_nowhere_is_a_store_error_and_never_an_answer(acme: Organization, tmp_path: Path, after: str) -> None:
    acme.acting("ada").grant("andy", "reviewer")
    edit(tmp_path / "rbac.db", f"UPDATE rbac_audit_change SET after = '{after}' WHERE revision = 2")

    with pytest.raises(rbac.StoreError, match="rbac audit --verify"):
        acme.as_of(2)


def test_the_past_may_be_asked_by_many_threads(acme: Organization) -> None:
    acme.acting("ada").grant("andy", "reviewer")
    then, found = acme.as_of(1), list[Role | None]()

    def ask() -> None:
        found.extend(then.role_of("andy", "project:p1") for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [Role.ANNOTATOR] * 200


def test_the_policy_is_the_one_the_store_was_opened_with(url: str, store: rbac.Store, tmp_path: Path) -> None:
    text = (Path(rbac.__file__).parent / "policy.csv").read_text()
    line = next(each for each in text.splitlines() if re.match("p, manager, +project, +data, +export,", each))
    other = tmp_path / "strict.csv"
    other.write_text(text.replace(line + "\n", ""))

    with rbac.connect(url, policy=other) as strict:
        then = strict.organization("acme").as_of(1)

        assert not then.can("max", "data:export", "project:p1")
        assert then.policy.file.endswith("strict.csv")
    assert store.organization("acme").as_of(1).can("max", "data:export", "project:p1")


@pytest.fixture
def clock() -> Clock:
    """A clock that stands in the past, since a command has no other than the system's: 2023-11-14T22:13:20Z."""
    return Clock(1_700_000_000_000_000)


@pytest.fixture
def promoted(acme: Organization, clock: Clock) -> Organization:
    """andy became reviewer and mia came into w1, ten seconds after the import."""
    clock.advance(10)
    with acme.acting("ada") as ada:
        ada.grant("andy", "reviewer")
        ada.add("mia", "workspace:w1")
    return acme


def test_the_commands_answer_as_of_a_revision_or_a_time_and_say_which(promoted: Organization, run: Run) -> None:
    for moment, code in (("1", 1), ("2", 0), ("2023-11-14T22:13:29Z", 1), ("2023-11-14T22:13:30Z", 0)):
        result = run("check", "andy", "review:access", "project:p1", "--as-of", moment)

        assert result.exit_code == code, moment
        assert "decided by the present policy.csv" in result.stdout
        assert f"as of revision {2 - code}, 2023-11-14T22:13:" in result.stdout
        assert run("explain", "andy", "review:access", "project:p1", "--as-of", moment).exit_code == code
    found = json.loads(run("check", "andy", "review:access", "project:p1", "--as-of", "1", "--json").stdout)
    assert (found["allowed"], found["revision"], found["as_of"], found["policy"]["file"]) == (
        False,
        1,
        "2023-11-14T22:13:20Z",
        "policy.csv",
    )
    assert len(found["policy"]["sha256"]) == 64


def test_roles_and_members_are_shown_as_of_then(promoted: Organization, run: Run) -> None:
    assert "mia" not in run("members", "workspace:w1", "--as-of", "1").stdout
    assert "mia" in run("members", "workspace:w1", "--as-of", "2").stdout
    assert "andy is active in acme, annotator" in run("roles", "andy", "--as-of", "1").stdout
    assert json.loads(run("roles", "andy", "--as-of", "1", "--json").stdout)["role"] == "annotator"
    assert json.loads(run("members", "workspace:w2", "--as-of", "1", "--json").stdout or "{}") == {}
    assert run("roles", "zoe", "--as-of", "1").exit_code == 1
    assert run("members", "workspace:w1", "--as-of", "2020-01-01T00:00:00Z").exit_code == 1


def test_request_lines_are_answered_as_of_then(promoted: Organization, run: Run, tmp_path: Path) -> None:
    line = {"user": "andy", "permission": "review:access", "domain": "project:p1"}
    asked = tmp_path / "requests.jsonl"
    asked.write_text(json.dumps(line) + "\n" + json.dumps({**line, "at_least": 1}) + "\n")

    found = [json.loads(each) for each in run("check", "--from", str(asked), "--as-of", "1").stdout.splitlines()]
    assert [(each["allowed"], each["revision"]) for each in found] == [(False, 1), (False, 1)]
    asked.write_text(json.dumps({**line, "at_least": 2}) + "\n")
    assert run("check", "--from", str(asked), "--as-of", "1").exit_code == 2


@pytest.mark.parametrize("moment", ["9", "0", "yesterday", "2031-01-01T00:00:00Z", "\u0662"])
def test_a_moment_that_is_none_is_a_usage_error(promoted: Organization, run: Run, moment: str) -> None:
    assert run("check", "andy", "review:access", "project:p1", "--as-of", moment).exit_code == 2
    assert run("check", "andy", "review:access", "project:p1", "--as-of", "1", "--at-least", "1").exit_code == 2
