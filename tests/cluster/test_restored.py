"""A store that was restored from a backup: memories are emptied, and revisions of the life that was lost are refused."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

import rbac
from rbac.database.engine import changing
from rbac.database.watch import listener
from rbac.organization import Organization
from tests.cluster.conftest import EXPORT, listening, within
from tests.conftest import ACME


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rbac.db"


def back_up(path: Path, backup: Path) -> None:
    source, target = sqlite3.connect(path), sqlite3.connect(backup)
    source.backup(target)
    source.close()
    target.close()


def test_a_token_of_a_life_that_was_lost_is_refused_also_when_its_number_is_reached_again(path: Path, tmp_path: Path) -> None:
    with rbac.connect(f"sqlite:///{path}") as store:
        store.import_state(ACME)
        acme = store.organization("acme")
        kept = acme.token(acme.acting("ada").grant("andy", "reviewer"))
        back_up(path, tmp_path / "backup")
        lost = acme.token(acme.acting("ada").grant("max", "annotator"))
        assert not acme.can(*EXPORT, at_least=lost)

        back_up(tmp_path / "backup", path)

        with pytest.raises(rbac.StoreError, match="has not been reached"):
            acme.can(*EXPORT, at_least=lost)
        acme.acting("ada").grant("andy", "annotator")
        with pytest.raises(rbac.StoreError, match="was issued before a backup was restored"):
            acme.can(*EXPORT, at_least=lost)
        assert acme.can(*EXPORT, at_least=kept)


@pytest.mark.parametrize("token", ["", "1", "1@", "@" + "0" * 16, "1@123", "-1@" + "0" * 16, "9" * 30 + "@" + "0" * 16])
def test_what_is_no_token_is_a_mistake_and_no_answer(acme: Organization, token: str) -> None:
    with pytest.raises(rbac.UnknownName, match="is not a revision"):
        acme.can(*EXPORT, at_least=token)


def test_a_token_is_the_same_on_every_node(acme: Organization, node: Organization) -> None:
    revision = acme.acting("ada").grant("max", "annotator")

    assert node.token(revision) == acme.token(revision)
    assert not node.can(*EXPORT, at_least=acme.token(revision))


def test_a_new_life_empties_the_memory_of_every_node_at_once(acme: Organization, node: Organization) -> None:
    assert node.can(*EXPORT)
    with changing(acme._store.engine) as connection:  # a repair by hand, which no audit names
        connection.execute(text("UPDATE rbac_member SET role = 'annotator' WHERE \"user\" = 'max'"))
    assert node.can(*EXPORT)

    epoch = rbac.Store(acme._store).restored()

    within(2, lambda: not node.can(*EXPORT))
    assert rbac.Store(node._store).health().epoch == epoch


def test_a_new_life_of_a_file_is_another_epoch(path: Path) -> None:
    with rbac.connect(f"sqlite:///{path}") as store:
        store.import_state(ACME)
        before = store.health().epoch

        assert store.restored() == store.health().epoch != before


def test_a_file_restored_by_moving_it_is_answered_from(path: Path, tmp_path: Path) -> None:
    with rbac.connect(f"sqlite:///{path}") as store:
        store.import_state(ACME)
    back_up(path, tmp_path / "backup")
    with rbac.connect(f"sqlite:///{path}") as store:
        store.organization("acme").acting("ada").grant("max", "annotator")
    shutil.move(tmp_path / "backup", path)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)

    with rbac.connect(f"sqlite:///{path}") as store:
        store.restored()
        assert store.organization("acme").can(*EXPORT)


def test_a_token_of_a_new_life_is_not_answered_from_the_memory_of_the_old_one(
    acme: Organization, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that has not heard of the restore, at the very revision of the token."""
    monkeypatch.setattr(listener, "CHANNEL", "nobody")
    with rbac.connect(url, poll=60, max_staleness=60) as store:
        node = store.organization("acme")
        assert listening(store)
        monkeypatch.undo()
        acme.acting("ada").grant("andy", "reviewer")
        assert node.check(*EXPORT, at_least=2)
        with changing(acme._store.engine) as connection:  # as a backup of the first revision leaves it
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for table in ("rbac_audit_change", "rbac_audit"):
                connection.execute(text(f"DELETE FROM {table} WHERE revision = 2"))
            connection.execute(text("UPDATE rbac_member SET role = 'annotator' WHERE \"user\" = 'andy'"))
            connection.execute(text("UPDATE rbac_organization SET revision = 1, head = (SELECT hash FROM rbac_audit)"))

        with rbac.connect(url) as restored:
            acme = restored.organization("acme")
            token = acme.token(acme.acting("ada").grant("max", "annotator"))

        assert token.startswith("2@")
        assert not node.can(*EXPORT, at_least=token)
