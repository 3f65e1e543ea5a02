"""Answers from memory see every committed change: of this process, of another, of another connection, after a fork."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

import rbac
from rbac.database.watch.data_version import FILES_CHECKED
from rbac.organization import Organization
from tests.conftest import ACME, Clock

EXPORT = ("max", "data:export", "project:p1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rbac.db"


@pytest.fixture
def store(path: Path) -> Iterator[rbac.Store]:
    with rbac.connect(f"sqlite:///{path}") as opened:
        opened.import_state(ACME)
        yield opened


@pytest.fixture
def acme(store: rbac.Store) -> Organization:
    return store.organization("acme")


def elsewhere(path: Path, change: str) -> None:
    """Make a change in another process."""
    program = f"import rbac; rbac.connect('sqlite:///{path}').organization('acme').acting('ada').{change}"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_change_of_this_process_is_seen_at_once(acme: Organization) -> None:
    assert acme.can(*EXPORT)

    acme.acting("ada").grant("max", "annotator")

    assert not acme.can(*EXPORT)


def test_a_change_of_another_process_is_seen_at_once(path: Path, acme: Organization) -> None:
    assert acme.can(*EXPORT)

    elsewhere(path, "grant('max', 'annotator')")

    assert not acme.can(*EXPORT)


def test_a_change_of_another_store_on_the_same_file_is_seen_at_once(path: Path, acme: Organization) -> None:
    assert acme.can(*EXPORT)

    with rbac.connect(f"sqlite:///{path}") as other:
        other.organization("acme").acting("ada").grant("max", "annotator")

        assert not acme.can(*EXPORT)
        other.organization("acme").acting("ada").grant("max", "manager")
        assert acme.can(*EXPORT)


def test_an_uncommitted_change_is_not_seen_and_a_rolled_back_one_never(acme: Organization) -> None:
    assert acme.can(*EXPORT)

    with pytest.raises(KeyboardInterrupt), acme.acting("ada") as ada:
        ada.grant("max", "annotator")
        assert acme.can(*EXPORT)
        raise KeyboardInterrupt

    assert acme.can(*EXPORT)
    assert acme.revision == 1


def test_a_change_is_seen_while_this_process_is_inside_a_read_transaction(path: Path, acme: Organization) -> None:
    assert acme.can(*EXPORT)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM rbac_member").fetchall()

    elsewhere(path, "grant('max', 'annotator')")

    assert not acme.can(*EXPORT)
    reader.close()


def test_a_change_is_seen_while_a_cursor_is_left_unread(path: Path, acme: Organization) -> None:
    assert acme.can(*EXPORT)
    members = acme.members()
    next(members)

    elsewhere(path, "grant('max', 'annotator')")

    assert not acme.can(*EXPORT)
    del members
    gc.collect()


def test_a_checkpoint_changes_no_answer_and_hides_no_change(path: Path, acme: Organization) -> None:
    for role, answer in (("annotator", False), ("manager", True), ("annotator", False)):
        elsewhere(path, f"grant('max', '{role}')")
        other = sqlite3.connect(path)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        other.close()

        assert acme.can(*EXPORT) is answer


def test_a_child_after_a_fork_sees_changes_and_makes_them(path: Path, acme: Organization) -> None:
    assert acme.can(*EXPORT)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            before = acme.can(*EXPORT)
            acme.acting("ada").grant("max", "annotator")
            os.write(write, f"{before} {acme.can(*EXPORT)}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 100) == b"True False"
    assert not acme.can(*EXPORT)


def test_a_backup_restored_into_the_file_is_seen_at_once(path: Path, acme: Organization, tmp_path: Path) -> None:
    backup = sqlite3.connect(tmp_path / "backup.db")
    source = sqlite3.connect(path)
    source.backup(backup)
    acme.acting("ada").grant("max", "annotator")
    acme.acting("ada").grant("andy", "reviewer")
    assert not acme.can(*EXPORT)

    backup.backup(source)

    assert acme.can(*EXPORT)
    assert acme.revision == 1
    backup.close()
    source.close()


def test_a_restored_history_that_reaches_the_same_revision_another_way_is_noticed(path: Path, acme: Organization, tmp_path: Path) -> None:
    backup = sqlite3.connect(tmp_path / "backup.db")
    source = sqlite3.connect(path)
    source.backup(backup)
    acme.acting("ada").grant("max", "annotator")
    assert not acme.can(*EXPORT)

    backup.backup(source)
    elsewhere(path, "grant('andy', 'reviewer')")

    assert acme.revision == 2
    assert acme.can(*EXPORT)
    backup.close()
    source.close()


def test_a_restore_in_the_middle_of_a_question_that_reaches_the_same_revision_is_no_mixture(
    path: Path, acme: Organization, tmp_path: Path
) -> None:
    """Of two histories: max is manager and p6 in a workspace of mia's, or max is annotator and p6 in one of his own."""
    acme.acting("mia").create_project("p6", workspace="w2")
    source, restored = sqlite3.connect(path), sqlite3.connect(tmp_path / "restored.db")
    source.backup(restored)
    with rbac.connect(f"sqlite:///{tmp_path / 'restored.db'}") as store, store.organization("acme").acting("ada") as ada:
        ada.grant("max", "annotator")
        ada.move_project("p6", workspace="w1")
    acme.acting("ada").grant("andy", "reviewer")
    assert acme.can(*EXPORT)
    restores = iter([lambda: restored.backup(source)])
    event.listen(acme._store.engine, "begin", lambda _: next(restores, lambda: None)())

    assert not acme.can("max", "data:export", "project:p6")

    assert next(restores, None) is None
    assert acme.revision == 3
    assert acme.role_of("max") == "annotator"
    source.close()
    restored.close()


def test_a_backup_moved_over_the_file_is_seen_within_the_time_between_two_looks(path: Path, acme: Organization, tmp_path: Path) -> None:
    backup = sqlite3.connect(tmp_path / "backup.db")
    source = sqlite3.connect(path)
    source.backup(backup)
    source.close()
    backup.close()
    acme.acting("ada").grant("max", "annotator")
    assert not acme.can(*EXPORT)

    acme._store.engine.dispose()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.move(tmp_path / "backup.db", path)
    time.sleep(FILES_CHECKED * 1.2)

    assert acme.can(*EXPORT)


def test_a_file_moved_over_the_store_is_what_is_read_and_written_by_connections_that_were_open(path: Path, acme: Organization) -> None:
    """Their own file has no name any more: answers from it are of another history, and what is written there is lost."""
    assert acme.can(*EXPORT)
    other = Path(f"{path}.other")
    source, target = sqlite3.connect(path), sqlite3.connect(other)
    source.backup(target)
    source.close()
    target.close()
    with rbac.connect(f"sqlite:///{other}") as store:
        store.organization("acme").acting("ada").grant("max", "annotator")
    for file in (path, other):
        for suffix in ("-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)

    shutil.move(other, path)

    revision = acme.acting("ada").grant("andy", "reviewer")
    time.sleep(FILES_CHECKED * 1.2)
    assert not acme.can(*EXPORT)
    with rbac.connect(f"sqlite:///{path}") as store:
        assert store.organization("acme").revision == revision == 3
        assert store.organization("acme").role_of("andy") == "reviewer"


def test_a_file_that_is_gone_is_an_error_and_no_answer(path: Path, acme: Organization) -> None:
    assert acme.can(*EXPORT)

    path.rename(f"{path}.away")
    time.sleep(FILES_CHECKED * 1.2)

    with pytest.raises(rbac.StoreError, match="no store at"):
        acme.can(*EXPORT)


def test_an_index_deleted_while_it_is_in_use_is_an_error_to_questions_and_changes(path: Path, acme: Organization) -> None:
    """SQLite goes on with the deleted one: it would see no commit of another program any more, and they none of ours."""
    assert acme.can(*EXPORT)
    Path(f"{path}-shm").unlink()
    elsewhere(path, "grant('max', 'annotator')")
    time.sleep(FILES_CHECKED * 1.2)

    with pytest.raises(rbac.StoreError, match="-shm was deleted while"):
        acme.can(*EXPORT)
    with pytest.raises(rbac.StoreError, match="-shm was deleted while"):
        acme.acting("ada").grant("andy", "reviewer")


def test_memory_follows_the_clock_when_something_ends(path: Path) -> None:
    clock = Clock()
    with rbac.connect(f"sqlite:///{path}", clock=clock) as store:
        store.import_state(ACME)
        acme = store.organization("acme")
        acme.acting("max").add("mia", "workspace:w1", until="2027-01-16T00:00:00Z")
        assert acme.can("mia", "data:export", "project:p1")

        clock.now = 1_800_057_600_000_000  # that very instant

        assert not acme.can("mia", "data:export", "project:p1")


def test_threads_never_see_a_mixture_while_another_process_changes_everything(path: Path, acme: Organization) -> None:
    """max is manager or a member of w2, never both and never neither: whoever mixes two revisions sees both or neither."""
    acme.acting("ada").grant("max", "annotator")
    acme.acting("ada").add("max", "workspace:w2")
    program = (
        f"import rbac\nacme = rbac.connect('sqlite:///{path}').organization('acme')\n"
        "for _ in range(150):\n"
        "    with acme.acting('ada') as ada:\n        ada.grant('max', 'manager'); ada.remove('max', 'workspace:w2')\n"
        "    with acme.acting('ada') as ada:\n        ada.grant('max', 'annotator'); ada.add('max', 'workspace:w2')\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program])
    asked = [0]
    wrong: list[object] = []

    def ask() -> None:
        while writer.poll() is None:
            many = acme.check_many([rbac.Request("max", "workspace:create"), rbac.Request("max", "workspace:view", "workspace:w2")])
            asked[0] += 1
            if bool(many[0]) == bool(many[1]) or many[0].revision != many[1].revision:
                wrong.append(many)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert writer.returncode == 0
    assert not wrong
    assert asked[0] > 300
    assert acme.revision == 303
