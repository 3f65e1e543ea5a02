"""State files, broken in every way: refused whole with file and place, or imported and exported without loss."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import rbac
from rbac.database.stored_facts import Fact
from rbac.errors import StateError
from rbac.statefile.check import check_state
from rbac.statefile.convert import facts_from, settings_of, state_from
from rbac.statefile.shape import StateFile, read_state, write_state
from rbac.vocabulary import State
from tests.fuzz import campaign, mutations

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "examples" / "acme.yaml").read_text()
TREES = [
    yaml.load(EXAMPLE, yaml.SafeLoader),
    json.loads(json.dumps(yaml.load((ROOT / "tests/policy/switches.rbac.yaml").read_text(), yaml.SafeLoader)["state"], default=str)),
    {"organizations": [{"id": "beta", "owner": "ben", "members": {"cy": {"role": None, "state": "invited"}}}, {"id": "a", "owner": "ben"}]},
    {"organizations": [{"id": "b", "owner": "x", "members": {"y": {"role": "manager", "state": "deactivated"}}, "workspaces": [
        {"id": "w", "members": {"x": {"until": "2030-01-01T00:00:00.000001+02:00"}, "y": None}, "projects": [
            {"id": "p", "members": {"y": {"until": None}}, "project_roles": {"x": "reviewer"}, "tasks": {"1": {"worked_on_by": ["x"]}},
             "paused": {"y": {"reason": "annotator_evaluation"}, "x": "manual"}}]}]}]},
]  # fmt: skip
TEXTS = [json.dumps(tree) for tree in TREES]
POOLS: dict[str, list[Any]] = {}
for _tree in TREES:
    mutations.gather(POOLS, _tree)
LEVELS = ("organizations", "workspaces", "projects", "tasks", "members", "x")
IMPORTED = campaign.share("states", 0.02, least=20)


def make(rng: random.Random) -> tuple[bytes, bool]:
    """The bytes of a state file, and whether it is JSON."""
    as_json, dice = rng.random() < 0.35, rng.random()
    if dice < 0.03:
        return (mutations.bomb(rng, LEVELS) if rng.random() < 0.5 else _typed_bomb(rng)), False
    if dice < 0.15 and not as_json:
        return mutations.bytes_of(rng, EXAMPLE.encode()), False
    tree = json.loads(rng.choice(TEXTS))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        tree = mutations.tree_of(rng, tree, POOLS, nasty=0.3)
    data = mutations.written(rng, tree, as_json=as_json)
    return (mutations.bytes_of(rng, data, 2) if rng.random() < 0.25 else data), as_json


def _typed_bomb(rng: random.Random) -> bytes:
    """A small file whose every level has the right shape and is repeated many times."""
    wide = rng.choice((2, 20, 60))
    tasks = ", ".join(f"t{number}: &t {{annotators: []}}" if not number else f"t{number}: *t" for number in range(wide))
    projects = ", ".join([f"&p {{id: p, tasks: {{{tasks}}}}}", *["*p"] * wide])
    workspaces = ", ".join([f"&w {{id: w, projects: [{projects}]}}", *["*w"] * wide])
    return f"organizations: [&o {{id: o, owner: u, workspaces: [{workspaces}]}}{', *o' * wide}]\n".encode()


class Stores:
    """A store with one organization that no import may touch; replaced after an import that came in. Lives for a run."""

    def __init__(self, folder: Path) -> None:
        self.file = {False: folder / "fuzz.yaml", True: folder / "fuzz.json"}
        self.store: rbac.Store | None = None

    def ready(self) -> rbac.Store:
        if self.store is None:
            self.store = rbac.connect("sqlite://")
            self.store.create("bystander", owner="olga")
        return self.store

    def used(self) -> None:
        if self.store is not None:
            self.store.close()
        self.store = None

    def judge(self, given: tuple[bytes, bool], done: campaign.Run, rng: random.Random) -> bool:
        data, as_json = given
        file = self.file[as_json]
        file.write_bytes(data)
        sampled = rng.random() < IMPORTED
        try:
            state = read_state(file)
            check_state(state, str(file))
        except StateError as error:
            assert str(error).startswith(f"{file}: ") and error.file == str(file), "the file is named"
            assert "\n" not in str(error), "one sentence"
            if sampled:
                done.more["refused by a store"] += 1
                self.refuses(file)
            return False
        for organization in state.organizations:
            assert organization.id != "" and organization.owner not in organization.members
        self.says_the_same(state, file, as_json=as_json)
        if sampled and state.organizations and all(each.id != "bystander" for each in state.organizations):
            done.more["imported into a store"] += 1
            self.imports(state, file)
        return True

    def refuses(self, file: Path) -> None:
        """The store has nothing of it."""
        store = self.ready()
        with pytest.raises(StateError):
            store.import_state(file)
        assert store.organizations() == ["bystander"] and store.organization("bystander").revision == 1

    def says_the_same(self, state: StateFile, file: Path, *, as_json: bool) -> None:
        """Its facts make a state with the same facts, and so does that state's text."""
        again = StateFile([state_from(each.id, each.owner, [_settings(each), *facts_from(each)]) for each in state.organizations])
        assert list(map(_facts, again.organizations)) == list(map(_facts, state.organizations)), "facts there and back"
        file.write_text(write_state(again, as_json=as_json), encoding="utf-8")
        read = read_state(file)
        check_state(read, str(file))
        assert list(map(_facts, read.organizations)) == list(map(_facts, state.organizations)), "written and read"

    def imports(self, state: StateFile, file: Path) -> None:
        """It comes in whole, and an export of it comes in to the same."""
        store = self.ready()
        try:
            assert {each.revision for each in store.import_state(file)} <= {1}
            found = store.export_state(*(each.id for each in state.organizations))
            for each in state.organizations:
                assert store.organization(each.id).verify(), "the audit replays to it"
                assert store.organization(each.id).member(each.owner).state is State.ACTIVE  # type: ignore[union-attr]
            wanted = {each.id: _facts(each) for each in state.organizations}
            assert {each.id: _facts(each) for each in found.organizations} == wanted, "what the file says"
            assert store.organization("bystander").revision == 1
            with rbac.connect("sqlite://") as other:
                self.file[False].write_text(write_state(found), encoding="utf-8")
                other.import_state(self.file[False])
                assert sorted(map(_facts, other.export_state().organizations)) == sorted(map(_facts, found.organizations)), (
                    "an export imports to the same"
                )
        finally:
            self.used()


def _settings(organization: Any) -> Fact:
    return Fact("settings", None, "organization", settings_of(organization))


def _facts(organization: Any) -> tuple[str, str, str, list[str]]:
    return (
        organization.id,
        organization.owner,
        json.dumps(settings_of(organization)),
        sorted(json.dumps(each) for each in facts_from(organization)),
    )


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Where states are imported."""
    made = Stores(tmp_path)
    yield made
    made.used()


def test_any_state_file_is_refused_whole_with_its_place_or_comes_in_without_loss(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    done = campaign.run("states", make, stores.judge)

    campaign.conclude(done, capsys, accepted=0.1, refused=0.3)
    assert done.more["imported into a store"] and done.more["refused by a store"]
