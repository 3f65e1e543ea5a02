"""No public call lets go of a lock that this process holds on a store's file: without it the next to close it deletes the log."""

from __future__ import annotations

import gc
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import rbac
from rbac.acting import Acting
from rbac.organization import Organization
from rbac.past import Past
from tests.conftest import ACME
from tests.faults.held import descriptors, locks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="locks are read from /proc")

EXPORT = ("max", "data:export", "project:p1")
BETA = {"organizations": [{"id": "beta", "owner": "ben"}]}
Calls = dict[str, Callable[[], Any]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rbac.db"


@pytest.fixture
def store(path: Path) -> Iterator[rbac.Store]:
    with rbac.connect(f"sqlite:///{path}") as opened:
        opened.import_state(ACME)
        acme = opened.organization("acme")
        assert acme.can(*EXPORT) and acme.can(*EXPORT)
        yield opened


def calls_of_a_store(store: rbac.Store, path: Path) -> Calls:
    other, backup = path.with_name("other.yaml"), path.with_name("backup.db")
    other.write_text(json.dumps(BETA))
    return {
        "policy": lambda: store.policy,
        "organization": lambda: store.organization("acme"),
        "organizations": store.organizations,
        "create": lambda: [store.create("gamma", owner="gus"), refused(lambda: store.create("gamma", owner="gus"))],
        "import_state": lambda: [
            store.import_state(other),
            store.import_state(other, update=True),
            store.import_state(other, dry_run=True, update=True),
            refused(lambda: store.import_state(other)),
            refused(lambda: store.import_state(path)),  # itself
            refused(lambda: store.import_state(f"{path}-wal")),
            refused(lambda: store.import_state(f"{path}-shm")),
        ],
        "export_state": store.export_state,
        "record": lambda: store.record("acme", project="p1", tasks=["n1"]),
        "health": store.health,
        "problems": lambda: list(store.problems()),
        "upgrade": store.upgrade,
        "restored": store.restored,
        "backup": lambda: [store.backup(backup), refused(lambda: store.backup(path)), refused(lambda: store.backup(backup))],
        "restore": lambda: [store.restore(backup), refused(lambda: store.restore(path)), refused(lambda: store.restore(other))],
        "close": lambda: None,  # what it is for; see the test below
    }


def calls_of_an_organization(acme: Organization) -> Calls:
    return {
        "can": lambda: acme.can(*EXPORT),
        "check": lambda: acme.check(*EXPORT),
        "require": lambda: [acme.require(*EXPORT), refused(lambda: acme.require("andy", *EXPORT[1:]))],
        "trace": lambda: acme.trace(*EXPORT),
        "check_many": lambda: acme.check_many([rbac.Request(*EXPORT)] * 3),
        "permissions": lambda: acme.permissions(*EXPORT[::2]),
        "role_of": lambda: acme.role_of("max"),
        "member": lambda: acme.member("max"),
        "members": lambda: list(acme.members()),
        "standings": lambda: acme.standings("max"),
        "domains": acme.domains,
        "owner": lambda: acme.owner,
        "revision": lambda: acme.revision,
        "id": lambda: acme.id,
        "policy": lambda: acme.policy,
        "token": lambda: acme.can(*EXPORT, at_least=acme.token(1)),
        "details": lambda: acme.details(),
        "ineffective_restrictions": lambda: acme.ineffective_restrictions(),
        "acting": lambda: acme.acting("ada"),
        "transfer_ownership": lambda: acme.transfer_ownership(to="olga", ticket="SUP-1", operator="root"),
        "as_of": lambda: acme.as_of(1).can(*EXPORT),
        "audit": lambda: [next(acme.audit()), list(acme.audit())],
        "refusals": lambda: list(acme.refusals()),
        "verify": lambda: acme.verify(head=acme.head()),
        "head": acme.head,
        "enforcer": lambda: acme.enforcer().enforce(*acme.request(*EXPORT)),
        "request": lambda: acme.request(*EXPORT),
    }


def calls_of_somebody_acting(ada: Acting) -> Calls:
    return {
        "grant": lambda: [ada.grant("andy", "reviewer"), refused(lambda: ada.grant("olga", "reviewer"))],
        "revoke": lambda: ada.revoke("andy", on="project:p1"),
        "invite": lambda: ada.invite("zoe", "annotator"),
        "deactivate": lambda: ada.deactivate("zoe"),
        "activate": lambda: ada.activate("zoe"),
        "add": lambda: ada.add("zoe", "workspace:w1"),
        "remove": lambda: ada.remove("zoe", "workspace:w1"),
        "pause": lambda: ada.pause("andy", "project:p1"),
        "unpause": lambda: ada.unpause("andy", "project:p1"),
        "assign_annotator": lambda: ada.assign_annotator("andy", task="t1", project="p2"),
        "assign_reviewer": lambda: ada.assign_reviewer("rita", task="t1", project="p2"),
        "unassign": lambda: ada.unassign("rita", task="t1", project="p2"),
        "create_workspace": lambda: ada.create_workspace("w9"),
        "create_project": lambda: ada.create_project("p9", workspace="w9"),
        "move_project": lambda: ada.move_project("p9", workspace="w1"),
        "configure": lambda: ada.configure("project:p9", distribution="manual"),
        "delete_project": lambda: ada.delete_project("p9"),
        "delete_workspace": lambda: ada.delete_workspace("w9"),
        "restrict": lambda: refused(lambda: ada.restrict("plugin:configure", "administrator")),
        "unrestrict": lambda: refused(lambda: ada.unrestrict("plugin:configure")),
    }


def refused(call: Callable[[], Any]) -> object:
    with pytest.raises((rbac.RBACError, UnicodeDecodeError)) as caught:
        call()
    return caught.value


def public(*kinds: type) -> set[str]:
    return {name for kind in kinds for name in dir(kind) if not name.startswith("_")}


def test_every_public_call_leaves_the_locks_on_the_file_as_they_were(store: rbac.Store, path: Path) -> None:
    acme = store.organization("acme")
    past = acme.as_of(1)
    groups: dict[type, Calls] = {
        rbac.Store: calls_of_a_store(store, path),
        Organization: calls_of_an_organization(acme),
        Acting: calls_of_somebody_acting(acme.acting("ada")),
        Past: {name: partial(call_past, past, name) for name in public(Past)},
    }
    before = locks(path)
    assert {(which, how) for which, how, _, _ in before} == {("", "READ"), ("-shm", "READ")}

    for kind, calls in groups.items():
        assert public(kind) <= calls.keys(), f"say how it is called: {public(kind) - calls.keys()}"
        for name, call in calls.items():
            call()
            gc.collect()
            assert before <= locks(path), f"{kind.__name__}.{name} let go of a lock"


def call_past(past: Past, name: str) -> object:
    with suppress(TypeError):
        found = getattr(past, name)
        return found(*EXPORT) if callable(found) else found
    return None


def test_a_second_store_on_the_file_takes_no_lock_away_when_it_is_closed_or_forgotten(store: rbac.Store, path: Path) -> None:
    before = locks(path)
    for address in (f"sqlite:///{path}", f"sqlite:///file:{path}?mode=ro&uri=true"):
        with rbac.connect(address) as second:
            assert second.organization("acme").can(*EXPORT)
        assert before <= locks(path)
        third = rbac.connect(address).organization("acme")
        assert third.can(*EXPORT) and third.can(*EXPORT)
        del third
        gc.collect()
        assert before <= locks(path)


def test_nothing_but_sqlite_has_the_files_open(store: rbac.Store, path: Path) -> None:
    """Each connection has the file and the log once, all together have the index once: no descriptor is anybody else's."""
    open_ones = descriptors(path)

    assert open_ones.count(f"{path}-shm") == 1
    assert open_ones.count(str(path)) == open_ones.count(f"{path}-wal") >= 1


def test_files_that_are_open_as_a_store_are_read_by_nobody_else(store: rbac.Store, path: Path) -> None:
    """A policy, a state file, heads: whoever opened the store's file as one would close it again."""
    before = locks(path)
    for suffix in ("", "-wal", "-shm"):
        file = Path(f"{path}{suffix}")
        refused(lambda file=file: rbac.connect("sqlite://", policy=file))  # type: ignore[misc]
        refused(lambda file=file: rbac.connect("sqlite://", model=file))  # type: ignore[misc]
        refused(lambda file=file: store.import_state(file))  # type: ignore[misc]

        assert before <= locks(path)


def test_a_store_that_another_process_closes_keeps_its_log(store: rbac.Store, path: Path) -> None:
    """What the locks are for: a change after any call of a store is there after another process came and went."""
    acme = store.organization("acme")
    refused(lambda: store.create("acme", owner="olga"))
    refused(lambda: store.import_state(ACME))
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM rbac_member").fetchall()
    program = f"import sqlite3; sqlite3.connect({str(path)!r}).execute('SELECT 1 FROM rbac_member')"
    subprocess.run([sys.executable, "-c", program], check=True)

    revision = acme.acting("ada").grant("andy", "reviewer")

    seen = subprocess.run(
        [
            sys.executable,
            "-m",
            "rbac.cli",
            "--db",
            f"sqlite:///{path}",
            "--org",
            "acme",
            "check",
            "andy",
            "review:access",
            "project:p2",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(seen.stdout)["revision"] == revision
