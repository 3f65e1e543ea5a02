"""What is kept in memory is bounded, leaves when it changes, and unknown names leave nothing."""

from __future__ import annotations

import copy
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

import rbac
from rbac.acting import Acting
from rbac.organization import Organization
from rbac.policy.reader import PACKAGED
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.records import ProjectRecord
from rbac.snapshot.statements import ASSIGNED
from rbac.snapshot.view import RevisionChanged
from rbac.vocabulary import Role
from tests.conftest import ACME


class Queries:
    """Counts the statements that reach the database."""

    def __init__(self, store: rbac.Store) -> None:
        self.statements: list[str] = []
        event.listen(store._store.engine, "before_cursor_execute", self._note)

    def _note(self, connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            self.statements.append(statement)

    def taken(self) -> list[str]:
        taken, self.statements = self.statements, []
        return taken


@pytest.fixture
def file_store(tmp_path: Path) -> rbac.Store:
    store = rbac.connect(f"sqlite:///{tmp_path / 'rbac.db'}")
    store.import_state(ACME)
    return store


def test_a_known_user_in_a_known_domain_costs_no_query(file_store: rbac.Store) -> None:
    acme, queries = file_store.organization("acme"), Queries(file_store)
    acme.can("max", "data:export", "project:p1")
    queries.taken()

    assert acme.can("max", "data:import", "project:p1")
    assert not acme.can("max", "billing:configure")
    assert queries.taken() == []


def test_a_new_user_and_a_new_domain_cost_one_query_each(file_store: rbac.Store) -> None:
    acme, queries = file_store.organization("acme"), Queries(file_store)
    acme.can("max", "data:export", "project:p1")
    queries.taken()

    acme.can("mia", "data:export", "project:p1")
    assert len(queries.taken()) == 1
    acme.can("mia", "data:export", "project:p2")
    assert len(queries.taken()) == 1


def test_opening_a_store_loads_nothing(tmp_path: Path, file_store: rbac.Store) -> None:
    store = rbac.connect(f"sqlite:///{tmp_path / 'rbac.db'}")
    queries = Queries(store)

    store.organization("acme")

    assert queries.taken() == []


def test_only_what_a_change_names_is_read_again(file_store: rbac.Store) -> None:
    acme = file_store.organization("acme")
    for user in ("max", "mia", "rita"):
        acme.can(user, "data:export", "project:p1")
    acme.acting("ada").grant("rita", "annotator")
    queries = Queries(file_store)

    acme.can("max", "data:export", "project:p1")
    acme.can("mia", "data:export", "project:p1")
    after_the_change = queries.taken()
    acme.can("rita", "data:export", "project:p1")

    assert not any("workspace_member" in statement for statement in after_the_change)
    assert len(queries.taken()) == 1


def test_unknown_names_leave_nothing_behind(file_store: rbac.Store) -> None:
    acme = file_store.organization("acme")

    def ask(numbers: range) -> None:
        for number in numbers:
            assert not acme.can(f"nobody{number}", "data:export", "project:p1")
            assert not acme.can("max", "data:export", f"project:nothing{number}")
            assert not file_store.organization(f"org{number}").can("max", "workspace:create")

    def held() -> int:
        gc.collect()  # garbage is not kept
        return tracemalloc.get_traced_memory()[0]

    ask(range(300))
    tracemalloc.start()
    ask(range(300, 400))
    sizes = [held()]
    for start in (400, 1000):
        ask(range(start, start + 600))
        sizes.append(held())
    tracemalloc.stop()

    first, second = sizes[1] - sizes[0], sizes[2] - sizes[1]
    assert min(first, second) < 20_000, "the interpreter's own table of texts may double once, and not twice"


def test_a_small_capacity_keeps_little_and_answers_the_same(tmp_path: Path, file_store: rbac.Store) -> None:
    questions = [(user, f"project:p{n}") for user in ("olga", "ada", "max", "mia", "rita", "andy") for n in range(1, 6)]
    full = file_store.organization("acme")
    with rbac.connect(f"sqlite:///{tmp_path / 'rbac.db'}", capacity=4) as small:
        acme = small.organization("acme")

        assert [acme.can(user, "project:view", where) for user, where in questions * 2] == [
            full.can(user, "project:view", where) for user, where in questions * 2
        ]


def test_every_kind_of_change_is_followed(acme: Organization) -> None:
    """Each step changes an answer that was in memory."""
    ada, max_ = acme.acting("ada"), acme.acting("max")
    steps: list[tuple[Callable[[], object], tuple[str, str, str], bool]] = [
        (lambda: max_.pause("rita", "project:p1"), ("rita", "project:view", "project:p1"), False),
        (lambda: max_.unpause("rita", "project:p1"), ("rita", "project:view", "project:p1"), True),
        (lambda: max_.configure("project:p1", published=False), ("rita", "project:view", "project:p1"), False),
        (lambda: max_.configure("project:p1", published=True), ("rita", "project:view", "project:p1"), True),
        (lambda: max_.grant("andy", "reviewer", on="project:p1"), ("andy", "review:access", "project:p1"), True),
        (lambda: max_.revoke("andy", on="project:p1"), ("andy", "review:access", "project:p1"), False),
        (lambda: max_.unassign("andy", task="t1", project="p2"), ("andy", "project:view", "project:p2"), False),
        (lambda: max_.assign_annotator("andy", task="t2", project="p2"), ("andy", "project:view", "project:p2"), True),
        (lambda: ada.add("mia", "workspace:w1"), ("mia", "data:export", "project:p1"), True),
        (lambda: ada.move_project("p1", workspace="w2"), ("rita", "project:view", "project:p1"), False),
        (lambda: ada.move_project("p1", workspace="w1"), ("rita", "project:view", "project:p1"), True),
        (lambda: acme.acting("olga").restrict("project:delete", "owner"), ("ada", "project:delete", "project:p1"), False),
        (lambda: acme.acting("olga").unrestrict("project:delete"), ("ada", "project:delete", "project:p1"), True),
        (lambda: acme.acting("olga").configure("organization", plugins_enabled=False), ("ada", "plugin:view", "project:p1"), False),
        (lambda: acme.transfer_ownership(to="ada", ticket="T", operator="root"), ("ada", "billing:configure", "organization"), True),
        (lambda: acme.acting("ada").deactivate("max"), ("max", "data:export", "project:p1"), False),
        (lambda: acme.acting("ada").activate("max"), ("max", "data:export", "project:p1"), True),
        (lambda: acme.acting("ada").delete_project("p4"), ("ada", "workspace:delete", "workspace:w2"), True),
        (lambda: acme.acting("ada").create_project("p4", workspace="w2"), ("ada", "workspace:delete", "workspace:w2"), False),
        (lambda: acme.acting("ada").delete_project("p1"), ("ada", "project:view", "project:p1"), False),
    ]  # fmt: skip
    for change, question, answer in steps:
        assert acme.can(*question) is not answer, question

        change()

        assert acme.can(*question) is answer, question


def test_members_share_the_ids_of_domains_and_what_they_have_none_of(acme: Organization) -> None:
    """In memory; what `member` hands out is a copy."""
    with acme._store.reading() as connection:
        source = Snapshot(connection, "acme", acme._store.decider.cells)
        rita, andy = source.member("rita"), source.member("andy")

    assert rita is not None and andy is not None
    assert next(iter(rita.workspaces)) is next(iter(andy.workspaces))
    assert rita.pauses is andy.pauses


def test_what_a_changed_policy_reads_is_looked_up_whoever_it_gives_it_to(tmp_path: Path) -> None:
    """An annotator who is given shared histories by an edit has them: facts are loaded by the lines, not by the role."""
    mine = tmp_path / "mine.csv"
    line = next(each for each in PACKAGED.read_text().split("\n") if "annotator," in each and "own_history" in each)
    mine.write_text(PACKAGED.read_text().replace(line, line.replace("own_history & unless_restricted", "own_or_shared_history")))
    with rbac.connect(f"sqlite:///{tmp_path / 'rbac.db'}", policy=mine) as store:
        store.import_state(ACME)
        acme = store.organization("acme")

        assert acme.can("andy", "annotator_dashboard:view", target="rita")
        assert not acme.can("andy", "annotator_dashboard:view", target="mia")


def test_what_a_caller_does_to_a_record_it_was_given_changes_no_answer(file_store: rbac.Store) -> None:
    acme = file_store.organization("acme")
    assert not acme.can("andy", "review:access", "project:p1")
    member = acme.member("andy")
    assert member is not None

    member.project_roles["p1"] = (Role.REVIEWER, None)
    acme.details().restrictions["data:export"] = Role.OWNER

    assert not acme.can("andy", "review:access", "project:p1")
    assert not acme.details().restrictions


def test_what_is_remembered_of_a_members_tasks_is_bounded_by_the_capacity(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'rbac.db'}"
    with rbac.connect(url) as store:
        store.import_state(ACME)
        with store.organization("acme").acting("max") as max_:
            for number in range(60):
                max_.create_project(f"q{number}", workspace="w1")
                max_.configure(f"project:q{number}", published=True, distribution="manual")
    with rbac.connect(url, capacity=20) as store:
        acme = store.organization("acme")
        kept = store._store._cache._organizations

        for number in range(60):
            acme.can("andy", "project:view", f"project:q{number}")

            assert sum(len(member.assigned) for member in kept["acme"].members.values()) <= 20


LEFT_ALONE: dict[str, tuple[tuple[str, Callable[[Acting], object]], tuple[str, str, str]]] = {
    "a new workspace leaves the projects": (("max", lambda a: a.create_workspace("w9")), ("max", "data:export", "project:p1")),
    "a deleted workspace leaves the others": (("mia", lambda a: a.delete_workspace("w3")), ("max", "workspace:update", "workspace:w1")),
    "a new project leaves the others": (("max", lambda a: a.create_project("p9", workspace="w1")), ("max", "data:export", "project:p1")),
    "a setting of a project leaves its workspace": (
        ("max", lambda a: a.configure("project:p1", distribution="manual")),
        ("max", "workspace:update", "workspace:w1"),
    ),
    "somebody else's membership leaves the user": (("max", lambda a: a.add("mia", "workspace:w1")), ("andy", "project:view", "project:p1")),
    "an assignment leaves what the member is": (
        ("max", lambda a: a.assign_annotator("andy", task="t2", project="p2")),
        ("andy", "project:view", "project:p1"),
    ),
    "an assignment leaves those in other projects": (
        ("max", lambda a: a.assign_annotator("andy", task="x1", project="p3")),
        ("andy", "labeling:access", "project:p2"),
    ),
}
"""A change, and a question that it leaves in memory."""


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_a_change_evicts_what_it_concerns_and_nothing_else(file_store: rbac.Store, case: str) -> None:
    acme = file_store.organization("acme")
    acme.acting("mia").create_workspace("w3")
    acme.acting("max").configure("project:p3", published=True, distribution="manual")
    file_store.record("acme", project="p3", tasks=["x1"])
    (actor, change), question = LEFT_ALONE[case]
    assert acme.can(*question)
    change(acme.acting(actor))
    sent = Queries(file_store)

    assert acme.can(*question)

    (refresh,) = sent.taken()
    assert not any(table in refresh for table in ("rbac_workspace_member", "rbac_project ", "rbac_workspace ", "rbac_assignment"))


def test_the_applications_facts_of_tasks_evict_nothing(file_store: rbac.Store) -> None:
    acme = file_store.organization("acme")
    assert acme.can("andy", "labeling:access", "project:p2", task="t1")

    file_store.record("acme", project="p2", tasks=["x1"], worked_on={"t1": ["andy"]})
    sent = Queries(file_store)
    assert not acme.can("andy", "labeling:access", "project:p2", task="x1")

    assert not any("rbac_workspace_member" in statement for statement in sent.taken())


def test_what_an_assignment_changes_is_read_again(file_store: rbac.Store) -> None:
    acme, task = file_store.organization("acme"), {"task": "t2"}
    assert not acme.can("andy", "labeling:access", "project:p2", **task)

    acme.acting("max").assign_annotator("andy", task="t2", project="p2")
    assert acme.can("andy", "labeling:access", "project:p2", **task)
    acme.acting("max").unassign("andy", task="t2", project="p2")
    acme.acting("max").unassign("andy", task="t1", project="p2")

    assert not acme.can("andy", "labeling:access", "project:p2", **task)
    assert not acme.can("andy", "labeling:access", "project:p2")


def test_a_question_that_began_before_an_assignment_leaves_nothing_stale_behind(file_store: rbac.Store) -> None:
    """It has read that nothing is assigned when the change is made and followed, and asks on after it."""
    acme = file_store.organization("acme")
    acme.can("andy", "project:view", "project:p1")
    acme.can("max", "project:view", "project:p2")
    before = file_store._store.view("acme", 0, rbac.Request("andy", "labeling:access", "project:p2", None, "t2"))
    andy, project = before.member("andy"), before.domain("project:p2")
    assert andy is not None and isinstance(project, ProjectRecord)
    before.task("t2", "p2", andy, ASSIGNED)

    acme.acting("max").assign_annotator("andy", task="t2", project="p2")
    acme.can("max", "project:view", "project:p2")
    with pytest.raises(RevisionChanged):
        before.assigned(andy, project)
        before.ensure_unchanged()

    assert acme.can("andy", "labeling:access", "project:p2", task="t2")


def test_tasks_that_do_not_exist_leave_nothing_behind(file_store: rbac.Store) -> None:
    acme = file_store.organization("acme")
    for number in range(50):
        assert not acme.can("andy", "labeling:access", "project:p2", task=f"none{number}")
    assert acme.can("andy", "labeling:access", "project:p2", task="t1")

    assert set(file_store._store._cache._organizations["acme"].members["andy"].assigned) == {"p2", ("p2", "t1")}


def test_an_import_that_gives_a_workspace_another_creator_is_seen_in_its_projects(file_store: rbac.Store) -> None:
    acme = file_store.organization("acme")
    assert not acme.can("mia", "project:update", "project:p1")
    state = copy.deepcopy(ACME)
    state["organizations"][0]["workspaces"][0]["created_by"] = "mia"

    file_store.import_state(state, update=True)

    assert acme.can("mia", "project:update", "project:p1")
