"""Changes: one transaction, one revision, one audit row; authority is judged first, and nothing is written when refused."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import event

import rbac
from rbac import Role
from rbac.acting import Acting
from rbac.clock import write_instant
from rbac.organization import Organization
from tests.conftest import Clock


def test_every_change_returns_the_new_revision_and_leaves_one_audit_row(acme: Organization) -> None:
    assert acme.acting("ada").grant("andy", "reviewer") == 2

    newest = list(acme.audit())[-1]
    assert (newest.revision, newest.actor, newest.actor_kind, newest.operation) == (2, "ada", "member", "grant")
    assert [(change.kind, change.user, change.before, change.after) for change in newest.changes] == [
        ("member", "andy", {"role": "annotator", "state": "active"}, {"role": "reviewer", "state": "active"})
    ]


def test_every_change_says_what_it_wrote_as_the_audit_has_it(acme: Organization, store: rbac.Store) -> None:
    max_ = acme.acting("max")
    store.record("acme", project="p4", tasks=["t9"])
    acme.acting("mia").configure("project:p4", distribution="manual")
    acme.acting("mia").assign_annotator("max", task="t9", project="p4")
    revisions = [
        acme.acting("ada").invite("zoe", "annotator"),
        max_.add("zoe", "workspace:w1", until="2030-01-01T00:00:00Z"),
        max_.grant("andy", "reviewer", on="project:p2"),
        max_.configure("project:p2", show_data_manager_to={"reviewer", "annotator"}, published=False),
        acme.acting("olga").restrict("plugin:view", "manager"),
        acme.acting("olga").configure("organization", plugins_enabled=False),
        max_.move_project("p2", workspace="max-sandbox"),
        max_.delete_project("p2"),
        store.record("acme", project="p4", removed=["t9"]),
        acme.transfer_ownership(to="max", ticket="T", operator="root"),
        store.create("beta", owner="ben"),
    ]

    written = [*list(acme.audit())[3:], *store.organization("beta").audit()]
    assert [(int(each), each.changed, each.facts) for each in revisions] == [(entry.revision, True, entry.changes) for entry in written]


def test_inside_a_block_every_call_says_what_it_wrote_itself(acme: Organization) -> None:
    with acme.acting("ada") as ada:
        first, same, second = ada.grant("andy", "reviewer"), ada.grant("andy", "reviewer"), ada.invite("zoe")

    assert (first, same, second) == (2, 2, 2)
    assert [each.changed for each in (first, same, second)] == [True, False, True]
    assert [change.user for each in (first, same, second) for change in each.facts] == ["andy", "zoe"]


def test_a_revision_is_the_number_it_is(acme: Organization) -> None:
    revision = acme.acting("ada").grant("andy", "reviewer")

    assert f"{revision} {revision!r} {json.dumps(revision)} {revision + 1!r}" == "2 2 2 3"
    assert type(revision + 1) is int
    for copied in (pickle.loads(pickle.dumps(revision)), copy.deepcopy(revision)):
        assert (copied, copied.facts, copied.changed) == (revision, revision.facts, True)


def test_a_revision_goes_where_a_number_goes(acme: Organization) -> None:
    revision = acme.acting("ada", expect=acme.revision).grant("andy", "reviewer")

    assert acme.check("andy", "review:access", "project:p1", at_least=revision).revision == revision
    assert acme.as_of(revision).role_of("andy") is Role.REVIEWER
    assert acme.token(revision).startswith("2@")
    assert [entry.revision for entry in acme.audit(first=revision, last=revision)] == [2]
    assert acme.acting("ada", expect=revision).grant("andy", "annotator") == 3


def test_a_change_that_changes_nothing_writes_nothing_and_returns_the_present_revision(acme: Organization) -> None:
    ada, max_ = acme.acting("ada"), acme.acting("max")

    assert ada.grant("andy", "annotator") == 1
    assert max_.add("andy", "workspace:w1") == 1
    assert max_.remove("mia", "project:p1") == 1
    assert max_.unpause("rita", "project:p1") == 1
    assert max_.revoke("andy", on="project:p1") == 1
    assert max_.configure("project:p1", published=True) == 1
    assert ada.move_project("p1", workspace="w1") == 1
    assert ada.deactivate("dan") == 1
    assert acme.transfer_ownership(to="olga", ticket="T", operator="root") == 1
    assert len(list(acme.audit())) == 1


def test_a_block_is_one_revision_and_an_exception_undoes_all_of_it(acme: Organization) -> None:
    with acme.acting("ada") as ada:
        ada.grant("andy", "reviewer")
        ada.add("andy", "workspace:w2")
        ada.invite("zoe", "annotator")
    assert acme.revision == 2
    assert next(reversed(list(acme.audit()))).operation == "grant, add, invite"

    with pytest.raises(rbac.Refused), acme.acting("ada") as ada:
        ada.grant("andy", "annotator")
        ada.grant("olga", "annotator")

    assert acme.revision == 2
    assert acme.role_of("andy") is Role.REVIEWER


def test_inside_a_block_authority_follows_from_the_changes_before(acme: Organization) -> None:
    with pytest.raises(rbac.Refused, match="may not project:create"), acme.acting("mia") as mia:
        mia.create_project("p9", workspace="w2")
        mia.create_project("p10", workspace="w1")

    with acme.acting("mia") as mia:
        mia.create_workspace("w9")
        mia.create_project("p9", workspace="w9")
        mia.add("andy", "project:p9")

    assert acme.can("mia", "project:update", "project:p9")


STATEMENTS: dict[str, tuple[str, Callable[[Acting], object], int]] = {
    "grant": ("ada", lambda a: a.grant("andy", "reviewer"), 6),
    "grant in a project": ("max", lambda a: a.grant("andy", "reviewer", on="project:p2"), 6),
    "add": ("max", lambda a: a.add("mia", "workspace:w1"), 6),
    "pause": ("max", lambda a: a.pause("rita", "project:p2"), 6),
    "assign": ("max", lambda a: a.assign_annotator("rita", task="t2", project="p2"), 8),
    "configure": ("max", lambda a: a.configure("project:p1", published=False, distribution="manual"), 6),
    "create": ("max", lambda a: a.create_project("p9", workspace="w1"), 6),
    "move": ("max", lambda a: a.move_project("p1", workspace="max-sandbox"), 7),
}
"""Each change with how many statements it takes, the lock and the audit included."""


@pytest.mark.parametrize("case", STATEMENTS)
def test_a_change_reads_nothing_twice(acme: Organization, store: rbac.Store, case: str) -> None:
    actor, change, most = STATEMENTS[case]
    sent: list[tuple[str, str]] = []
    event.listen(store._store.engine, "before_cursor_execute", lambda _, __, text, values, *___: sent.append((text, str(values))))

    change(acme.acting(actor))

    assert len(sent) == len(set(sent)) == most, sent


def test_expect_is_a_conflict_when_somebody_else_changed_the_organization_first(acme: Organization) -> None:
    revision = acme.revision
    acme.acting("olga").grant("andy", "reviewer")

    with pytest.raises(rbac.Conflict, match="is at revision 2, not at 1") as caught:
        acme.acting("ada", expect=revision).grant("andy", "manager")

    assert (caught.value.expected, caught.value.found) == (1, 2)
    assert acme.role_of("andy") is Role.REVIEWER


def test_a_key_makes_a_retry_harmless(acme: Organization) -> None:
    first = acme.acting("ada", key="retry-7f3").grant("andy", "reviewer")
    acme.acting("olga").grant("andy", "manager")

    again = acme.acting("ada", key="retry-7f3").grant("andy", "reviewer")
    assert (again, again.changed, again.facts) == (first, False, ())
    assert acme.role_of("andy") is Role.MANAGER


def test_a_key_used_for_another_change_is_a_conflict(acme: Organization) -> None:
    acme.acting("ada", key="k").grant("andy", "reviewer")

    with pytest.raises(rbac.Conflict, match="the key 'k' was used for another change, at revision 2"):
        acme.acting("ada", key="k").grant("andy", "manager")


def test_two_transfers_at_once_leave_one_owner_and_every_change_is_in_the_audit(acme: Organization) -> None:
    def transfer(to: str) -> None:
        for _ in range(10):
            acme.transfer_ownership(to=to, ticket="T", operator="root")

    threads = [threading.Thread(target=transfer, args=(name,)) for name in ("ada", "max", "mia")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert acme.owner in ("ada", "max", "mia")
    assert [user.user for user in acme.members() if user.role is Role.OWNER] == [acme.owner]
    assert acme.verify()
    assert acme.revision == len(list(acme.audit())) > 3


@pytest.mark.parametrize(
    ("actor", "change", "says"),
    [
        ("andy", lambda a: a.grant("andy", "administrator"), "andy may not member_role:assign"),
        ("ada", lambda a: a.grant("ada", "manager"), "nobody changes their own role"),
        ("ada", lambda a: a.grant("max", "owner"), "owner cannot be given"),
        ("olga", lambda a: a.grant("max", "owner"), "owner cannot be given"),
        ("ada", lambda a: a.grant("olga", "annotator"), "olga is the Owner of acme"),
        ("ada", lambda a: a.deactivate("olga"), "olga is the Owner of acme"),
        ("ada", lambda a: a.grant("zoe", "annotator"), "zoe is no member of acme"),
        ("max", lambda a: a.grant("max", "annotator", on="project:p1"), "nobody changes their own role"),
        ("ada", lambda a: a.grant("max", "reviewer", on="project:p1"), "max is manager"),
        ("ada", lambda a: a.grant("andy", "manager", on="project:p1"), "cannot be a project role"),
        ("mia", lambda a: a.grant("andy", "reviewer", on="project:p1"), "mia may not project_member:manage"),
        ("max", lambda a: a.grant("andy", "reviewer", on="project:p4"), "andy is no member of project:p4"),
        ("max", lambda a: a.add("dan", "workspace:w1"), "dan is deactivated"),
        ("max", lambda a: a.add("nina", "workspace:w1"), "nina is invited"),
        ("max", lambda a: a.add("zoe", "workspace:w1"), "zoe is no member"),
        ("max", lambda a: a.add("andy", "workspace:w2"), "max may not workspace_member:manage"),
        ("max", lambda a: a.add("andy", "workspace:nowhere"), "there is no workspace nowhere"),
        ("max", lambda a: a.add("andy", "organization"), "are invited and deactivated, not added"),
        ("max", lambda a: a.remove("andy", "project:p1"), "andy is in project:p1 through workspace:w1"),
        ("max", lambda a: a.remove("ada", "project:p1"), "ada is administrator and needs no membership"),
        ("max", lambda a: a.pause("mia", "project:p1"), "max may not project_member:pause mia"),
        ("rita", lambda a: a.pause("andy", "project:p1"), "rita may not project_member:pause"),
        ("max", lambda a: a.delete_workspace("w1"), "workspace_empty is false"),
        ("max", lambda a: a.create_workspace("w2"), "there is a workspace:w2 already"),
        ("max", lambda a: a.move_project("p1", workspace="w2"), "max may not project:create in workspace:w2"),
        ("max", lambda a: a.configure("organization", plugins_enabled=False), "max may not feature_settings:configure"),
        ("ada", lambda a: a.configure("organization", manual_role_management=False), None),
        ("ada", lambda a: a.restrict("plugin:view", "administrator"), "ada may not permission_settings:configure"),
        ("olga", lambda a: a.restrict("plugin:view", "owner"), "cannot be restricted to owner"),
        ("olga", lambda a: a.restrict("data:export", "owner"), "cannot be restricted"),
        ("ada", lambda a: a.invite("andy"), "andy is active in acme already"),
        ("ada", lambda a: a.invite("nina"), "nina is invited in acme already"),
        ("ada", lambda a: a.activate("nina"), "nina has no role yet"),
        ("max", lambda a: a.assign_annotator("andy", task="t9", project="p2"), "unknown_task"),
        ("max", lambda a: a.assign_annotator("mia", task="t2", project="p2"), "target_is_project_member is false"),
        ("max", lambda a: a.assign_reviewer("andy", task="t2", project="p2"), "target_may_review is false"),
        ("max", lambda a: a.assign_annotator("rita", task="t2", project="p1"), "unknown_task"),
        ("dan", lambda a: a.create_workspace("w9"), "dan is deactivated"),
        ("zoe", lambda a: a.create_workspace("w9"), "zoe is no member"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_sentence_and_writes_nothing(acme: Organization, actor: str, change: object, says: str | None) -> None:
    if says is None:
        assert change(acme.acting(actor)) == 2  # type: ignore[operator]
        return
    with pytest.raises(rbac.Refused, match=says):
        change(acme.acting(actor))  # type: ignore[operator]

    assert acme.revision == 1
    assert acme.verify()


def test_a_pause_from_annotator_evaluation_is_not_lifted_nor_replaced_by_hand(store: rbac.Store) -> None:
    state = {
        "organizations": [
            {
                "id": "beta",
                "owner": "olga",
                "members": {"max": "manager", "rita": "reviewer"},
                "workspaces": [
                    {
                        "id": "w",
                        "created_by": "max",
                        "members": ["rita"],
                        "projects": [{"id": "p", "created_by": "max", "published": True, "paused": {"rita": "annotator_evaluation"}}],
                    }
                ],
            }
        ]
    }
    store.import_state(state)
    beta = store.organization("beta")

    for change in (beta.acting("olga").unpause, beta.acting("max").pause):
        with pytest.raises(rbac.Refused, match="by annotator evaluation"):
            change("rita", "project:p")


def test_deleting_a_project_deletes_what_belongs_to_it_and_a_reused_id_inherits_nothing(acme: Organization) -> None:
    max_ = acme.acting("max")
    max_.grant("andy", "reviewer", on="project:p2")
    max_.pause("rita", "project:p2")
    max_.add("mia", "project:p2")
    max_.delete_project("p2")
    acme.acting("ada").create_project("p2", workspace="w1")
    acme.acting("ada").configure("project:p2", published=True)

    assert not acme.can("mia", "data:export", "project:p2")
    assert acme.role_of("andy", "project:p2") is Role.ANNOTATOR
    assert acme.can("rita", "review:access", "project:p2")
    assert not acme.can("andy", "labeling:access", "project:p2", task="t1")
    assert acme.verify()


def test_losing_a_membership_leaves_role_pause_and_tasks_without_effect_until_it_is_given_again(acme: Organization) -> None:
    max_ = acme.acting("max")
    max_.grant("andy", "reviewer", on="project:p2")
    max_.remove("andy", "workspace:w1")
    assert not acme.can("andy", "review:access", "project:p2")

    max_.add("andy", "project:p2")

    assert acme.role_of("andy", "project:p2") is Role.REVIEWER
    assert acme.can("andy", "review:access", "project:p2", task="t1")


@pytest.mark.parametrize(
    "mistake",
    [
        lambda a: a.grant("andy", "boss"),
        lambda a: a.grant("an dy", "manager"),
        lambda a: a.grant("andy", "manager", until="2030-01-01T00:00:00Z"),
        lambda a: a.grant("andy", "reviewer", on="workspace:w1"),
        lambda a: a.add("andy", "project"),
        lambda a: a.add("andy", "workspace:w2", until="2020-01-01T00:00:00Z"),
        lambda a: a.add("andy", "workspace:w2", until="tomorrow"),
        lambda a: a.add("andy", "workspace:w2", until=datetime(2030, 1, 1)),
        lambda a: a.configure("project:p1", colour="red"),
        lambda a: a.configure("project:p1", show_data_manager_to=None),
        lambda a: a.configure("project:p1", distribution="random"),
        lambda a: a.configure("workspace:w1", published=True),
        lambda a: a.configure("organization", plugins_enabled="perhaps"),
        lambda a: a.configure("project:p1"),
        lambda a: a.restrict("plugin:viev", "manager"),
        lambda a: a.create_workspace("w 9"),
        lambda a: a.create_workspace("x" * 129),
    ],
)
def test_an_invalid_name_is_an_error_and_changes_nothing(acme: Organization, mistake: object) -> None:
    with pytest.raises(rbac.UnknownName):
        mistake(acme.acting("ada"))  # type: ignore[operator]

    assert acme.revision == 1


def test_an_end_is_given_as_text_or_as_an_aware_datetime(acme: Organization) -> None:
    acme.acting("max").add("mia", "workspace:w1", until=datetime(2030, 1, 1, tzinfo=UTC))

    assert [member.until for member in acme.members("workspace:w1")] == [None, 1_893_456_000_000_000, None]


def test_the_application_records_tasks_and_work_without_a_revision(store: rbac.Store, acme: Organization) -> None:
    revision = store.record("acme", project="p1", tasks=["t1", "t2"], worked_on={"t1": ["andy", "andy"]})

    assert (revision, revision.changed) == (1, False)
    acme.acting("max").configure("project:p1", show_data_manager_to=["annotator"])
    assert acme.can("andy", "data_manager:view", "project:p1", task="t1")
    assert not acme.can("andy", "data_manager:view", "project:p1", task="t2")
    assert store.record("acme", project="p1", tasks=["t1"], worked_on={"t1": ["andy"]}) == 2
    assert store.record("acme", project="p1", removed=["t1"]) == 2
    assert "unknown_task" in acme.check("andy", "labeling:access", "project:p1", task="t1").reason
    for wrong in ({"tasks": [], "worked_on": {"t9": ["andy"]}}, {"worked_on": {"t2": ["zoe"]}}, {"worked_on": {"t2": ["nina"]}}):
        with pytest.raises(rbac.Refused):
            store.record("acme", project="p1", **wrong)
    with pytest.raises(rbac.Refused, match="there is no project p9"):
        store.record("acme", project="p9", tasks=["t1"])
    assert acme.verify()


def test_a_task_that_is_assigned_is_taken_back_before_it_is_taken_away(store: rbac.Store, acme: Organization) -> None:
    assert acme.can("andy", "project:view", "project:p2")

    revision = store.record("acme", project="p2", removed=["t1"])

    assert [(each.kind, each.user, each.before) for each in revision.facts] == [
        ("assignment", "andy", {"as": "annotator", "task": "t1"}),
        ("assignment", "rita", {"as": "reviewer", "task": "t1"}),
    ]
    assert not acme.can("andy", "project:view", "project:p2")
    assert acme.verify()


def test_a_reused_id_inherits_nothing_and_a_past_moment_is_answered_from_the_stamps(
    store: rbac.Store, acme: Organization, clock: Clock
) -> None:
    question = ("andy", "data_manager:view", "project:p1")
    acme.acting("max").configure("project:p1", published=True, show_data_manager_to=["annotator"])
    before = clock.now
    clock.advance(10)
    store.record("acme", project="p1", tasks=["t5"], worked_on={"t5": ["andy"]})
    recorded = clock.now
    clock.advance(10)
    acme.acting("max").delete_project("p1")
    clock.advance(10)
    acme.acting("max").create_project("p1", workspace="w1")
    acme.acting("max").configure("project:p1", published=True, show_data_manager_to=["annotator"])
    store.record("acme", project="p1", tasks=["t5"])

    assert not acme.can(*question, task="t5")
    assert acme.as_of(write_instant(recorded)).can(*question, task="t5")
    assert not acme.as_of(write_instant(before)).can(*question, task="t5")
    assert not acme.as_of(write_instant(clock.now)).can(*question, task="t5")
