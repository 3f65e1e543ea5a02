"""State files: read strictly, imported in one revision, exported without loss, updated by a plan."""

from __future__ import annotations

import copy
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import rbac
from rbac.database.changes import write
from rbac.database.unit_of_work import writing
from rbac.organization import Organization
from rbac.statefile.shape import Ends, OrganizationState, StateFile, WorkspaceState, read_state, write_state
from tests.conftest import ACME


def changed(path: str, value: Any) -> dict[str, Any]:
    """ACME with one thing changed: `members.ada`, `workspaces.0.projects.1.tasks`."""
    state = copy.deepcopy(ACME)
    *parents, last = path.split(".")
    part = state["organizations"][0]
    for name in parents:
        part = part[int(name)] if isinstance(part, list) else part.setdefault(name, {})
    part[last] = value
    return state


def test_an_export_imports_to_the_same_state(store: rbac.Store, tmp_path: Path) -> None:
    acme = store.organization("acme")
    acme.acting("max").add("mia", "workspace:w1", until="2030-01-01T00:00:00.000001Z")
    acme.acting("max").pause("rita", "project:p1", until="2030-01-01T00:00:00Z")
    acme.acting("max").grant("andy", "reviewer", on="project:p2")
    store.record("acme", project="p2", worked_on={"t1": ["andy"]})
    for suffix in ("yaml", "json"):
        file = tmp_path / f"acme.{suffix}"
        file.write_text(write_state(store.export_state(), as_json=suffix == "json"))
        with rbac.connect(f"sqlite:///{tmp_path / suffix}.db") as other:
            other.import_state(file)

            assert other.export_state() == store.export_state()
            assert other.organization("acme").verify()


def test_an_organization_that_exists_is_refused_without_update(store: rbac.Store) -> None:
    with pytest.raises(rbac.Refused, match="there is already an organization acme: --update"):
        store.import_state(ACME)


def test_an_update_makes_the_organization_what_the_file_says_in_one_revision(store: rbac.Store, acme: Organization) -> None:
    wanted = changed("members.andy", "reviewer")
    organization = wanted["organizations"][0]
    del organization["members"]["dan"]
    organization["workspaces"][0]["members"] = ["rita", "mia"]
    organization["workspaces"][1]["projects"].append(organization["workspaces"][0]["projects"].pop(2))
    organization["restrictions"] = {"plugin:view": "administrator"}

    plan = store.import_state(wanted, update=True, dry_run=True)
    assert acme.revision == 1
    done = store.import_state(wanted, update=True)

    assert [str(step) for step in plan[0].steps] == [str(step) for step in done[0].steps]
    assert done[0].revision == acme.revision == 2
    assert store.import_state(wanted, update=True)[0].steps == ()
    assert acme.can("mia", "data:export", "project:p1")
    assert acme.member("dan") is None
    assert acme.verify()


def test_an_update_that_waited_for_a_transfer_compares_the_new_owner(store: rbac.Store, acme: Organization) -> None:
    ended: list[object] = []

    def update() -> None:
        try:
            ended.append(store.import_state(ACME, update=True))
        except rbac.Refused as error:
            ended.append(str(error))

    updating = threading.Thread(target=update)
    with writing(store._store.engine, "acme", actor="root", actor_kind="operator", operation="transfer_ownership", at=1) as work:
        write(work, "owner", before={"user": "olga"}, after={"user": "ada"})
        updating.start()
        time.sleep(0.5)
        assert not ended
    updating.join()

    assert ended == ["the file names olga as Owner of acme, who is ada: transfer the ownership, an import never does"]


def test_an_update_never_changes_the_owner(store: rbac.Store) -> None:
    with pytest.raises(rbac.Refused, match="transfer the ownership, an import never does"):
        store.import_state(changed("owner", "otto"), update=True)


@pytest.mark.parametrize(
    ("path", "value", "where", "says"),
    [
        ("owner", "o lga", "organizations[0].owner", "cannot be the id of a user"),
        ("members.ada", "boss", "organizations[0].members.ada", "unknown role 'boss'"),
        ("members.ada", "owner", "organizations[0].members.ada", "one Owner"),
        ("members.olga", "manager", "organizations[0].members.olga", "not listed again"),
        ("members.ada", {"role": "manager", "state": "asleep"}, "organizations[0].members.ada.state", "unknown state"),
        ("members.ada", {"role": "manager", "state": "invited"}, "organizations[0].members.ada", "has no role yet"),
        ("members.ada", {"state": "active"}, "organizations[0].members.ada", "has a role"),
        ("members.ada", 7, "organizations[0].members.ada", "expected"),
        ("settings.colour", True, "organizations[0].settings", "unknown field `colour`"),
        ("settings.plugins_enabled", "yes", "organizations[0].settings.plugins_enabled", "expected `bool`"),
        ("restrictions", {"plugin:viev": "manager"}, "organizations[0].restrictions", "did you mean 'plugin:view'?"),
        ("workspaces.0.id", "w2", "organizations[0].workspaces[1].id", "is there already"),
        ("workspaces.0.created_by", "zoe", "organizations[0].workspaces[0].created_by", "no member of the organization"),
        ("workspaces.0.members", ["nina"], "organizations[0].workspaces[0].members.nina", "only invited"),
        ("workspaces.0.members", ["rita", "rita"], "organizations[0].workspaces[0].members", "is there already"),
        ("workspaces.2.members", ["rita"], "organizations[0].workspaces[2].members", "take no members"),
        ("workspaces.2.created_by", None, "organizations[0].workspaces[2]", "created_by is missing"),
        ("workspaces.2.projects.0.published", True, "workspaces[2].projects[0].published", "cannot be published"),
        ("workspaces.0.projects.0.id", "p4", "organizations[0].workspaces[1].projects[0].id", "is there already"),
        ("workspaces.0.projects.0.distribution", "random", "projects[0].distribution", "automatic or manual"),
        ("workspaces.0.projects.0.show_data_manager_to", ["manager"], "show_data_manager_to", "annotator or reviewer"),
        ("workspaces.0.projects.0.project_roles", {"andy": "manager"}, "project_roles.andy", "annotator or reviewer"),
        ("workspaces.0.projects.0.project_roles", {"zoe": "reviewer"}, "project_roles.zoe", "no member"),
        ("workspaces.0.projects.0.paused", {"rita": "tired"}, "paused.rita", "unknown reason 'tired'"),
        ("workspaces.0.projects.0.paused", {"andy": "manual", "rita": {"until": "1 May"}}, "paused.rita.until", "expected an instant"),
        ("workspaces.0.members", {"rita": {"until": "9999-12-31T23:59:59-00:01"}}, "members.rita.until", "outside the years 1 to 9999"),
        ("workspaces.0.members", {"rita": {"until": "1960-01-01T00:00:00Z"}}, "members.rita.until", "before 1970"),
        ("workspaces.0.projects.0.members", {"rita": {"until": "1969-12-31T23:59:59.999999Z"}}, "members.rita.until", "before 1970"),
        ("workspaces.0.projects.0.paused", {"rita": {"until": "1970-01-01T00:00:00+00:01"}}, "paused.rita", "before 1970"),
        ("workspaces.0.projects.0.project_roles", {"rita": {"role": "annotator", "until": "0001-01-01T00:00:00Z"}}, "rita", "before 1970"),
        ("workspaces.0.projects.0.tasks", {"t 1": None}, "tasks", "cannot be the id of a task"),
        ("workspaces.0.projects.1.tasks", {"t1": {"annotators": ["zoe"]}}, "tasks.t1.annotators", "no member"),
        ("workspaces.0.projects.1.tasks", {"t1": {"anotators": ["andy"]}}, "tasks", "unknown field"),
        ("members", {"a,b": "manager"}, "organizations[0].members", "cannot be the id"),
        ("workspaces.0.id", "w1\nw2", "organizations[0].workspaces[0].id", "cannot be the id"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_path_and_nothing_is_written(tmp_path: Path, path: str, value: Any, where: str, says: str) -> None:
    database = tmp_path / "rbac.db"
    for dry_run in (True, False):
        with rbac.connect(f"sqlite:///{database}") as store, pytest.raises(rbac.StateError) as caught:
            store.import_state(changed(path, value), dry_run=dry_run)
        assert says.lower() in str(caught.value).lower()
        assert where in str(caught.value)

    assert not database.exists()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yaml", "organizations: [", "not valid YAML"),
        ("a.yaml", "organizations:\n  - id: acme\n    owner: olga\n    owner: ada\n", "4:5: duplicate key 'owner'"),
        ("a.yaml", "", "expected `object`, got `null`"),
        ("a.yaml", "organizations:\n  - {id: 7, owner: olga}\n", "expected `str`, got `int`: quote it"),
        ("a.yaml", "!!python/object:os.system {}", "1:1: the tag tag:yaml.org,2002:python/object:os.system is not supported"),
        ("a.yaml", "a: &a [*a]", "1:8: an alias: write out what it repeats"),
        ("a.yaml", "organizations: [&o {id: a, owner: b}, *o]", "1:39: an alias: write out what it repeats"),
        ("a.yaml", "organizations:\n  - <<: {id: a}\n    owner: b\n", "2:5: a merge with <<: write out its keys"),
        ("a.yaml", "organizations: !!bool maybe", "1:16: 'maybe' is not a valid bool"),
        ("a.yaml", "organizations: !!int ''", "1:16: '' is not a valid int"),
        ("a.yaml", "organizations: !!timestamp soon", "1:16: 'soon' is not a valid timestamp"),
        ("a.yaml", '"\\n": 1\n', r"contains unknown field `\n`"),
        ("a.yaml", '"x - at `$[...].y": 1\n', "object contains unknown field"),
        (
            "a.yaml",
            "organizations: [{id: a, owner: b, members: {1: manager}}]",
            "organizations[0].members: expected `str`, got `int`: quote it",
        ),
        ("a.json", '{"organizations": [{"id": "a", "owner": "b", "members": {"c\\nd": 5}}]}', r"organizations[0].members.c\nd: expected"),
        ("a.json", '{"organizations": ' + "9" * 5000 + "}", "a number has too many digits"),
        ("a.json", '{"organizations": [}', "not valid JSON"),
        ("a.json", '{"organizations": [], "organizations": []}', "duplicate key 'organizations'"),
        ("a.json", '{"\\ud800": 1}', r"half a character in \ud800"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.yaml", "[" * 20_000, "not valid YAML"),
        ("a.yaml", "\x00", "not valid YAML"),
        ("a.json", "\ufeff{}", "not valid JSON"),
    ],
)
def test_a_file_that_is_not_a_state_file_is_refused_in_one_sentence(tmp_path: Path, name: str, text: str, says: str) -> None:
    file = tmp_path / name
    file.write_text(text)

    with pytest.raises(rbac.StateError) as caught:
        read_state(file)

    assert says in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_that_make_an_enormous_tree_of_a_small_file_are_refused_at_once(tmp_path: Path) -> None:
    tasks = ", ".join(["t0: &t {annotators: []}", *(f"t{number}: *t" for number in range(1, 100))])
    projects = ", ".join([f"&p {{id: p, tasks: {{{tasks}}}}}", *["*p"] * 100])
    workspaces = ", ".join([f"&w {{id: w, projects: [{projects}]}}", *["*w"] * 100])
    (tmp_path / "a.yaml").write_text(f"organizations: [&o {{id: o, owner: u, workspaces: [{workspaces}]}}{', *o' * 100}]\n")

    with pytest.raises(rbac.StateError, match="an alias: write out"):
        read_state(tmp_path / "a.yaml")


def test_an_instant_that_is_used_twice_is_written_twice(tmp_path: Path) -> None:
    end = datetime(2030, 1, 1, tzinfo=UTC)
    workspace = WorkspaceState("w", members={"ben": Ends(end), "cy": Ends(end)})
    state = StateFile([OrganizationState("a", "ben", members={"cy": "manager"}, workspaces=[workspace])])
    (tmp_path / "a.yaml").write_text(write_state(state))

    assert read_state(tmp_path / "a.yaml") == state


def test_a_name_in_the_path_of_an_error_cannot_begin_a_new_line(tmp_path: Path) -> None:
    wrong = changed("workspaces.0.projects.0.paused", {"x\nrbac: all is well": "manual"})

    with pytest.raises(rbac.StateError, match=r"paused\.x\\nrbac: all is well: ") as caught, rbac.connect("sqlite://") as store:
        store.import_state(wrong)

    assert "\n" not in str(caught.value)


def test_a_missing_file_and_bytes_that_are_not_text_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(rbac.StateError, match="cannot be read: No such file"):
        read_state(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(rbac.StateError, match="byte 0 is not UTF-8"):
        read_state(tmp_path / "bytes.yaml")


def test_an_import_of_several_organizations_is_all_or_nothing(store: rbac.Store) -> None:
    both = copy.deepcopy(ACME)
    both["organizations"].append({"id": "beta", "owner": "olga"})

    with pytest.raises(rbac.Refused):
        store.import_state(both)

    assert store.organizations() == ["acme"]


def test_ids_that_yaml_would_read_as_other_types_are_read_back_unchanged(tmp_path: Path) -> None:
    names = ["no", "1e3", "007", "null", "2027-01-31", "true", "1_000", "0x1f", "y"]
    state = {"organizations": [{"id": "off", "owner": "on", "members": dict.fromkeys(names, "annotator")}]}
    with rbac.connect(f"sqlite:///{tmp_path / 'a.db'}") as store:
        store.import_state(state)
        (tmp_path / "out.yaml").write_text(write_state(store.export_state()))
        exported = store.export_state()

    assert read_state(tmp_path / "out.yaml") == exported
    assert json.loads(write_state(exported, as_json=True))["organizations"][0]["members"] == dict.fromkeys(names, "annotator")
