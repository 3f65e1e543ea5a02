"""Where the machine keeps its store: a SQLite file or a PostgreSQL database, each with its own way to die and to come back."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, event, text

import rbac
from tests.conftest import database, execute

NOTHING_TO_COMMIT = 7


def moved(connection: Connection, revision: int) -> bool:
    """Whether this transaction has a new revision in it, and not a record of refusals alone."""
    return connection.scalar(text("SELECT max(revision) FROM rbac_audit")) > revision  # type: ignore[no-any-return]


class Place(Protocol):
    """A store's database, empty at `begin`; lives for one run of the machine."""

    restores: bool
    """Whether `back_up` and `restore` are there."""

    def begin(self) -> str: ...
    def end(self) -> None: ...
    def at_least(self, revision: int) -> dict[str, Any]:
        """What a question to any handle needs to see a revision that another one made."""

    def crash(self, store: rbac.Store, revision: int, unit_of_work: Callable[[], object]) -> bool:
        """Make a unit of work die where it would commit what comes after `revision`; whether it came that far."""

    def back_up(self) -> None: ...
    def restore(self) -> None: ...


class OnFile:
    """One SQLite file: a commit is seen by every handle at once, a writer is killed as a process."""

    restores = True

    def __init__(self, folder: Path, migrated: Path) -> None:
        self._path, self._backup, self._migrated = folder / "machine.db", folder / "backup.db", migrated

    def begin(self) -> str:
        self.end()
        shutil.copy(self._migrated, self._path)
        return f"sqlite:///{self._path}"

    def end(self) -> None:
        for path in (self._path, self._backup):
            for suffix in ("", "-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)

    def at_least(self, revision: int) -> dict[str, Any]:
        return {}

    def crash(self, store: rbac.Store, revision: int, unit_of_work: Callable[[], object]) -> bool:
        child = os.fork()
        if child == 0:
            try:
                event.listen(store._store.engine, "commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
                unit_of_work()
                os._exit(NOTHING_TO_COMMIT)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.waitstatus_to_exitcode(status) == NOTHING_TO_COMMIT, status
        return killed

    def back_up(self) -> None:
        self._copy(self._path, self._backup)

    def restore(self) -> None:
        self._copy(self._backup, self._path)

    def _copy(self, old: Path, new: Path) -> None:
        with closing(sqlite3.connect(old)) as source, closing(sqlite3.connect(new)) as target:
            source.backup(target)


class OnServer:
    """One PostgreSQL database: a commit is heard soon, a writer dies with its connection."""

    restores = False

    def __init__(self, server: str) -> None:
        self._server, self._name = server, ""

    def begin(self) -> str:
        self._name = f"m{uuid.uuid4().hex}"
        execute(self._server, f"CREATE DATABASE {self._name} TEMPLATE migrated STRATEGY FILE_COPY")
        return database(self._server, self._name)

    def end(self) -> None:
        execute(self._server, f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")

    def at_least(self, revision: int) -> dict[str, Any]:
        return {"at_least": revision}

    def crash(self, store: rbac.Store, revision: int, unit_of_work: Callable[[], object]) -> bool:
        cut: list[Any] = []

        def terminate(connection: Connection) -> None:
            if not cut and moved(connection, revision):
                cut.append(connection.scalar(text("SELECT pg_backend_pid()")))
                execute(self._server, f"SELECT pg_terminate_backend({cut[0]})")

        event.listen(store._store.engine, "commit", terminate)
        try:
            unit_of_work()
        except rbac.StoreError:
            assert cut
        finally:
            event.remove(store._store.engine, "commit", terminate)
        return bool(cut)

    def back_up(self) -> None:
        raise NotImplementedError

    def restore(self) -> None:
        raise NotImplementedError
