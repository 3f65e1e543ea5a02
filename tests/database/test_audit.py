"""The audit: what it tells, that it holds together, and that every tampering shows."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from rbac.clock import write_instant
from rbac.database.audit.log import entries
from rbac.database.audit.replay import State, present, replay
from rbac.database.audit.verify import verify
from rbac.database.chain import canonical
from rbac.database.engine import changing, is_sqlite, reading
from rbac.database.stored_facts import FactName
from rbac.database.unit_of_work import Work, founding, writing
from rbac.errors import Refused, UnknownName
from tests.database import writer


@pytest.fixture
def history(acme: Engine) -> Engine:
    """acme at revision 4: restricted by olga at 10 s, a role changed by ada at 20 s, ownership handed over at 30 s."""
    with writing(acme, "acme", actor="olga", actor_kind="member", operation="restrict", at=10_000_000) as work:
        writer.restrict(work, "plugin:configure", "administrator")
    with writing(acme, "acme", actor="ada", actor_kind="member", operation="grant", at=20_000_000) as work:
        before = {"role": "annotator", "state": "active"}
        writer.put(work, "member", {"role": "reviewer", "state": "active"}, user="andy", before=before)
    with writing(acme, "acme", actor="root", actor_kind="operator", operation="transfer", ticket="SUP-1", at=30_000_000) as work:
        writer.hand_over(work, "ada")
    return acme


def revisions(engine: Engine, **filters: object) -> list[int]:
    with reading(engine) as connection:
        return [entry.revision for entry in entries(connection, "acme", **filters)]  # type: ignore[arg-type]


def test_entries_come_in_order_with_what_changed(history: Engine) -> None:
    with reading(history) as connection:
        newest = next(iter(entries(connection, "acme", newest_first=True)))

    assert revisions(history) == [1, 2, 3, 4]
    assert revisions(history, newest_first=True) == [4, 3, 2, 1]
    assert (newest.actor, newest.ticket) == ("root", "SUP-1")
    assert [(change.kind, change.before, change.after) for change in newest.changes] == [("owner", {"user": "olga"}, {"user": "ada"})]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"first": 2, "last": 3}, [2, 3]),
        ({"actor": "ada"}, [3]),
        ({"user": "andy"}, [1, 3]),
        ({"kind": "restriction"}, [2]),
        ({"since": 10_000_000, "until": 30_000_000}, [2, 3]),
        ({"user": "nobody"}, []),
        ({"user": "andy", "kind": "member", "first": 2}, [3]),
    ],
)
def test_entries_are_filtered(history: Engine, filters: dict[str, object], expected: list[int]) -> None:
    assert revisions(history, **filters) == expected


def test_a_kind_of_fact_that_does_not_exist_is_an_error_and_not_an_empty_audit(history: Engine) -> None:
    with pytest.raises(UnknownName, match="unknown kind of fact 'membr': did you mean 'member'"):
        revisions(history, kind="membr")


def test_a_question_about_a_user_leaves_the_other_changes_out(history: Engine) -> None:
    with reading(history) as connection:
        first = next(iter(entries(connection, "acme", user="andy")))

    assert {change.user for change in first.changes} == {"andy"}
    assert Counter(change.kind for change in first.changes)["membership"] == 1


def test_a_whole_chain_verifies_and_says_what_it_read(history: Engine) -> None:
    with reading(history) as connection:
        found = verify(connection, "acme")

    assert found
    assert (found.organization, found.revision, found.changes, found.problems) == ("acme", 4, 20, ())


def test_the_hash_is_the_same_on_every_database_for_ever(history: Engine) -> None:
    with reading(history) as connection:
        assert verify(connection, "acme").head == "74f88594792c53d7f771a9ea03de0c293c94c69959c2c7bc2fbea6d1b833d5f8"


def test_replay_gives_the_state_of_any_revision(history: Engine) -> None:
    with reading(history) as connection:
        then, today = replay(connection, "acme", upto=2), replay(connection, "acme")

        assert today == present(connection, "acme")
    owner, andy = FactName("owner", "organization", "", ""), FactName("member", "organization", "andy", "")
    assert (then.facts[owner], today.facts[owner]) == ('{"user":"olga"}', '{"user":"ada"}')
    assert (then.facts[andy], today.facts[andy]) == ('{"role":"annotator","state":"active"}', '{"role":"reviewer","state":"active"}')


def test_verifying_an_organization_that_is_not_there_is_refused(acme: Engine) -> None:
    with reading(acme) as connection, pytest.raises(Refused, match="there is no organization nowhere"):
        verify(connection, "nowhere")


TAMPERINGS = {
    "another actor": ("UPDATE rbac_audit SET actor = 'ada' WHERE organization = 'acme' AND revision = 2", "revision 2 was edited"),
    "another time": ("UPDATE rbac_audit SET at = at + 1 WHERE organization = 'acme' AND revision = 2", "revision 2 was edited"),
    "another operation": ("UPDATE rbac_audit SET operation = 'x' WHERE organization = 'acme' AND revision = 2", "revision 2 was edited"),
    "a ticket taken away": ("UPDATE rbac_audit SET ticket = NULL WHERE organization = 'acme' AND revision = 4", "revision 4 was edited"),
    "another kind of actor": (
        "UPDATE rbac_audit SET actor_kind = 'member' WHERE organization = 'acme' AND revision = 4",
        "revision 4 was edited",
    ),
    "another change": (
        """UPDATE rbac_audit_change SET after = '{"plugin:configure":"owner"}' WHERE organization = 'acme' AND revision = 2""",
        "revision 2 was edited",
    ),
    "a change about another user": (
        "UPDATE rbac_audit_change SET \"user\" = 'ada' WHERE organization = 'acme' AND revision = 3",
        "revision 3 was edited",
    ),
    "a change that is not JSON": (
        "UPDATE rbac_audit_change SET after = '{' WHERE organization = 'acme' AND revision = 2",
        "cannot be read",
    ),
    "a change taken out": (
        "DELETE FROM rbac_audit_change WHERE organization = 'acme' AND revision = 1 AND position = 3",
        "has lost change 3",
    ),
    "all changes taken out": ("DELETE FROM rbac_audit_change WHERE organization = 'acme' AND revision = 2", "revision 2 has no changes"),
    "a change added": (
        "INSERT INTO rbac_audit_change VALUES ('acme', 2, 1, 'assignment', 'andy', 'project:p1', NULL, '{\"as\":\"reviewer\",\"task\":\"t9\"}')",  # noqa: E501
        "revision 2 was edited",
    ),
    "changes of no revision": (
        "INSERT INTO rbac_audit_change VALUES ('acme', 9, 0, 'assignment', 'andy', 'project:p1', NULL, '{\"as\":\"reviewer\",\"task\":\"t9\"}')",  # noqa: E501
        "revision 9 has changes and no audit row",
    ),
    "a revision taken out": ("DELETE FROM rbac_audit WHERE organization = 'acme' AND revision = 2", "revision 2 is missing"),
    "the newest revision taken out": (
        "DELETE FROM rbac_audit WHERE organization = 'acme' AND revision = 4",
        "the organization is at revision 4, its audit ends at 3",
    ),
    "another head": (f"UPDATE rbac_organization SET head = '{'0' * 64}' WHERE id = 'acme'", "the head of the organization is not the hash"),
    "another hash before": (
        f"UPDATE rbac_audit SET previous = '{'0' * 64}' WHERE organization = 'acme' AND revision = 3",
        "revision 3 does not follow the hash before it",
    ),
    "a role given past the audit": (
        "UPDATE rbac_member SET role = 'manager' WHERE organization = 'acme' AND \"user\" = 'andy'",
        'member organization andy is {"role":"manager","state":"active"} and by the audit {"role":"reviewer","state":"active"}',
    ),
    "an owner set past the audit": ("UPDATE rbac_organization SET owner = 'max' WHERE id = 'acme'", 'owner organization is {"user":"max"}'),
    "a switch set past the audit": ("UPDATE rbac_organization SET plugins_enabled = TRUE WHERE id = 'acme'", "plugins_enabled is true"),
    "a membership past the audit": ("DELETE FROM rbac_project_member WHERE organization = 'acme'", "membership project:p1 rita is nothing"),
    "a pause longer past the audit": ("UPDATE rbac_pause SET until = 1 WHERE organization = 'acme'", "pause project:p1 rita is"),
    "a restriction past the audit": ("DELETE FROM rbac_restriction WHERE organization = 'acme'", "plugin:configure is nothing"),
    "an assignment past the audit": ("DELETE FROM rbac_assignment WHERE organization = 'acme'", "andy t1 annotator is nothing"),
    "a project published past the audit": (
        "UPDATE rbac_project SET published = FALSE WHERE organization = 'acme'",
        "project project:p1 is",
    ),
    "a workspace created by another": (
        "UPDATE rbac_workspace SET created_by = 'ada' WHERE organization = 'acme'",
        "workspace workspace:s1 is",
    ),
}


def tamper(engine: Engine, statement: str) -> None:
    """What somebody with the file or the superuser's password can do: no triggers, no foreign keys."""
    if is_sqlite(engine):
        connection = sqlite3.connect(str(engine.url.database))
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        connection.commit()
        connection.close()
    else:
        with changing(engine) as postgresql:
            postgresql.execute(text("SET LOCAL session_replication_role = replica"))
            postgresql.exec_driver_sql(statement)


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_shows(history: Engine, tampering: str) -> None:
    statement, problem = TAMPERINGS[tampering]
    tamper(history, statement)

    with reading(history) as connection:
        found, other = verify(connection, "acme"), verify(connection, "other")

    assert not found
    assert any(problem in each for each in found.problems), found.problems
    assert other


def test_a_thorough_tampering_changes_the_head(history: Engine) -> None:
    """Whoever rewrites hash after hash can make a chain that holds, but not with the head that was written down elsewhere."""
    with reading(history) as connection:
        head = verify(connection, "acme").head
    tamper(history, f"UPDATE rbac_audit SET hash = '{'a' * 64}' WHERE organization = 'acme' AND revision = 4")
    tamper(history, f"UPDATE rbac_organization SET head = '{'a' * 64}' WHERE id = 'acme'")

    with reading(history) as connection:
        assert verify(connection, "acme").head != head


def test_a_change_that_does_not_fit_what_was_there_is_a_problem(acme: Engine) -> None:
    with writing(acme, "acme", actor="root", actor_kind="operator", operation="record", at=1) as work:
        work.record("member", user="andy", before={"role": "manager", "state": "active"}, after={"role": "reviewer", "state": "active"})
        given = {"as": "annotator", "task": "t1"}
        work.record("assignment", user="andy", domain="project:p1", after=given)
        work.record("assignment", user="andy", domain="project:p1", before={**given, "task": "t9"})

    with reading(acme) as connection:
        problems = verify(connection, "acme").problems
    assert any("andy was" in each and "before" in each for each in problems)
    assert any("t1 annotator comes to be a second time" in each for each in problems)
    assert any("t9 annotator changes and is not there" in each for each in problems)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_801_396_800_000_000, "2027-01-31T12:00:00Z"),
        (1_801_396_800_000_001, "2027-01-31T12:00:00.000001Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_instants_are_written_alike_everywhere(at: int, expected: str) -> None:
    assert write_instant(at) == expected


def test_canonical_json_is_ascii_sorted_and_without_spaces() -> None:
    assert canonical({"b": None, "a": ["é", 1]}) == '{"a":["\\u00e9",1],"b":null}'


# Random histories: small sets of names, so that things meet. Each step is (what, user, domain, choice).

USERS = ("olga", "ada", "max", "owner")
DOMAINS = ("workspace:a", "workspace:b", "project:a", "project:b", "project:c")
KINDS = (
    "member",
    "workspace",
    "project",
    "membership",
    "project_role",
    "pause",
    "assignment",
    "settings",
    "restriction",
    "owner",
)
STEPS = st.tuples(st.sampled_from(KINDS), st.sampled_from(USERS), st.sampled_from(DOMAINS), st.integers(0, 3))
UNTIL = (None, "2027-01-31T12:00:00Z", "2027-01-31T12:00:00.000007Z", None)
DROPPED = 3  # of the four choices, the one that takes a fact away


def value(kind: str, choice: int) -> dict[str, object]:
    """What a fact may be, for one of four choices."""
    roles = ("annotator", "reviewer", "manager", None)
    values: dict[str, dict[str, object]] = {
        "member": {"role": roles[choice], "state": "active" if choice < 3 else "invited"},
        "workspace": {"created_by": USERS[choice], "personal": choice == 2},
        "project": {
            "workspace": "ab"[choice % 2],
            "created_by": None if choice else "olga",
            "published": choice == 1,
            "distribution": "manual" if choice else "automatic",
            "show_data_manager_to": [["annotator"], ["annotator", "reviewer"], [], ["reviewer"]][choice],
            "review_only_assigned": choice == 2,
        },
        "membership": {"until": UNTIL[choice]},
        "project_role": {"role": roles[choice % 2], "until": UNTIL[choice]},
        "pause": {"reason": "manual" if choice else "annotator_evaluation", "until": UNTIL[choice]},
        "assignment": {"task": f"t{choice % 2}", "as": "annotator" if choice < 2 else "reviewer"},
    }
    return values[kind]


def step(work: Work, kind: str, user: str, domain: str, choice: int) -> None:
    """One random change, made where the tables allow it; the database raises where they do not."""
    if kind == "settings":
        return writer.settings(work, {"plugins_enabled": choice % 2 == 0, "manual_role_management": choice < 2})
    if kind == "restriction":
        return writer.restrict(work, "plugin:view", (None, "owner", "manager", "administrator")[choice])
    if kind == "owner":
        return writer.hand_over(work, user)
    place = "workspace" if kind == "workspace" else "project"
    if kind not in ("member", "membership") and not domain.startswith(place):
        return None
    new = value(kind, choice)
    where = "organization" if kind == "member" else domain
    whose = None if kind in ("workspace", "project") else user
    there = {fact: text for fact, text in writer.now(work).facts.items() if fact[:3] == (kind, where, whose or "")}
    return change(work, kind, new, where, whose, there, drop=choice == DROPPED)


def change(work: Work, kind: str, new: dict[str, object], where: str, whose: str | None, there: dict[FactName, str], *, drop: bool) -> None:
    """Put what is not there, change what is, and drop it one time in four."""
    probe = State()
    probe.put(kind, new, domain=where, user=whose)
    (fact,) = probe.facts
    before = json.loads(there[fact]) if fact in there else None
    if before is not None and (drop or kind == "assignment") and kind != "member":
        writer.drop(work, kind, before, user=whose, domain=where)
    else:
        writer.put(work, kind, new, user=whose, domain=where, before=before)


def founded(engine: Engine, name: str) -> int:
    """An organization with four active members, two workspaces and two projects."""
    with founding(engine, name, owner="olga", actor="root", operation="init", at=1) as work:
        for user in USERS[1:]:
            writer.put(work, "member", value("member", 2), user=user)
        for each in ("a", "b"):
            writer.put(work, "workspace", value("workspace", 0), domain=f"workspace:{each}")
            writer.put(work, "project", value("project", 0), domain=f"project:{each}")
            for task in ("t0", "t1"):
                writer.put(work, "task", {"task": task}, domain=f"project:{each}")
    return work.revision


def attempted(engine: Engine, name: str, steps: list[tuple[str, str, str, int]]) -> Work | None:
    """The unit of work of these steps, None when the database refused one of them."""
    try:
        with writing(engine, name, actor="root", actor_kind="operator", operation="record", at=1) as work:
            for each in steps:
                step(work, *each)
    except Refused:
        return None
    return work


def test_replaying_any_history_gives_the_tables_at_every_revision(engine: Engine) -> None:
    done: Counter[str] = Counter()

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.lists(STEPS, min_size=1, max_size=2), min_size=8, max_size=16))
    def histories(history: list[list[tuple[str, str, str, int]]]) -> None:
        done["organizations"] += 1
        name = f"org{done['organizations']}"
        states: dict[int, State] = {}
        founded(engine, name)
        for steps in history:
            work = attempted(engine, name, steps)
            done["refused" if work is None else "accepted"] += 1
            done["changes"] += work.changes if work is not None else 0
            with reading(engine) as connection:
                states[work.revision if work is not None else max(states, default=1)] = present(connection, name)
        with reading(engine) as connection:
            found = verify(connection, name)
            assert found, found.problems
            assert all(replay(connection, name, upto=revision) == state for revision, state in states.items())

    histories()
    assert done["organizations"] >= 40
    assert done["accepted"] >= 100, done
    assert done["changes"] >= 100, done
