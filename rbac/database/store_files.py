"""The files of SQLite stores: the one place that opens and closes them.

Closing any descriptor of a file drops every lock that this process has on it, SQLite's own included, and then the next
process that closes the store deletes its log under this one. So a store's file is made, opened and closed through SQLite
alone, which keeps count of its descriptors; everything else here looks at names.

A connection is used only while the path names the file, log and index it was opened with: with files that were moved away
or deleted SQLite would go on, and what it wrote would be lost with them. It is closed only then, too: whoever closes a
file last deletes log and index by name, whoever's they are by then.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote_to_bytes, urlsplit
from weakref import WeakSet

from rbac.database import after_fork, write_ahead_log
from rbac.database.after_fork import Stage
from rbac.errors import StoreError
from rbac.files import opened_elsewhere

Identity = tuple[int, int]
"""Device and inode: what tells a file from any other that may be moved into its place."""

BUSY = 10
"""Seconds a connection waits for others before it gives up."""

_ATTEMPTS = 5  # to open a file that is replaced again and again


class Replaced(Exception):
    """The path of a connection names another file by now, or none: a new connection has to be made."""


class StoreConnection(sqlite3.Connection):
    """A connection to a store, for the process that opened it. `file` is None for a store in memory."""

    closed = True  # until it is open
    in_use = False
    process = 0
    file: OpenFile | None = None
    link: Path | None = None  # the path it was opened by, where that leads to the file through a symbolic link

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.closed, self.process = False, os.getpid()
        _connections.add(self)

    def cursor(self, *args: Any, **named: Any) -> Any:
        self._ensure_own()
        return super().cursor(*args, **named)

    def execute(self, *args: Any, **named: Any) -> sqlite3.Cursor:
        self._ensure_own()
        return super().execute(*args, **named)

    def commit(self) -> None:
        self._ensure_own()
        super().commit()

    def rollback(self) -> None:
        if self.process == os.getpid():
            super().rollback()

    def close(self) -> None:
        """Close it; where that could delete the files of others, it stays open and unused until the process ends."""
        if self.closed:
            return
        self.closed = True
        if self.process != os.getpid():
            return
        if self.file is not None and not self.file.may_close():
            self.file.keep(self)
        else:
            self.close_now()

    def close_now(self) -> None:
        """Close it, whatever its files are."""
        super().close()
        if self.file is not None:
            self.file.forget(self)

    def ensure_in_place(self) -> None:
        """Raise Replaced where another file is in the place of this connection's, StoreError where no new connection helps."""
        if self.file is not None:
            self.file.ensure_in_place(self.link)

    def __del__(self) -> None:
        self.close()

    def _ensure_own(self) -> None:
        if self.process != os.getpid():
            raise StoreError("this process was forked in the middle of this change or question: only its parent can finish it")


class _Names(NamedTuple):
    """What the names of a store mean at one moment; None for a file that is not there."""

    main: Identity | None
    wal: Identity | None
    shm: Identity | None
    times: tuple[int, int]  # when the file's metadata changed last, and its content


class OpenFile:
    """One file that this process has open, with its log and its index. Lives as long as one of its connections."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path, self.identity = path, identity
        self._log: Identity | None = None
        self._index: Identity | None = None
        self._times: tuple[int, int] | None = None
        self._open = 0
        self._kept: list[StoreConnection] = []

    def add(self, connection: StoreConnection) -> None:
        """Count a connection that was opened and has read: SQLite has log and index open, and its lock keeps them in place."""
        connection.file = self
        with _lock:
            self._open += 1
            _open_files[self.identity] = self
        self.note_names()

    def note_names(self) -> None:
        """Note the log and the index of a file that has them; for a connection that has just read."""
        if self._index is None:
            names = _names(self.path)
            if names.main == self.identity:
                self._log, self._index, self._times = names.wal, names.shm, names.times

    def forget(self, connection: StoreConnection) -> None:
        """Count a connection that was closed."""
        with _lock:
            self._open -= 1
            self._kept = [each for each in self._kept if each is not connection]
            if not self._open and _open_files.get(self.identity) is self:
                del _open_files[self.identity]

    def keep(self, connection: StoreConnection) -> None:
        """Leave a connection open that must not be closed now."""
        with _lock:
            self._kept.append(connection)
        _keep_until_exit(connection)

    def ensure_in_place(self, link: Path | None = None) -> None:
        """Raise Replaced or StoreError unless the path, and the link to it, name this file with its own log and index beside it."""
        names = _names(self.path)
        if names.main != self.identity or (link is not None and identity(link) != self.identity):
            self._times = None
            raise Replaced
        if self._index is not None:
            for suffix, noted, found in (("wal", self._log, names.wal), ("shm", self._index, names.shm)):
                if found != noted:
                    raise StoreError(deleted(self.path, suffix))
        if not self._was_here(names):
            raise StoreError(mixed(self.path))

    def may_close(self) -> bool:
        """Whether whoever closes it last deletes no log and no index but its own."""
        names = _names(self.path)
        if names.main != self.identity:
            self._times = None
            return False
        others = (found not in (None, noted) for noted, found in ((self._log, names.wal), (self._index, names.shm)))
        return not (self._index is not None and any(others)) and self._was_here(names)

    def retire(self) -> bool:
        """Close what is not in use, if it may be closed; whether nothing is open any more."""
        for connection in [each for each in _connections if each.file is self and not each.in_use]:
            connection.close()
        if self.may_close():
            for connection in list(self._kept):
                connection.close_now()
        return not self._open

    def _was_here(self, names: _Names) -> bool:
        """Whether the file stayed at its path since the last time; where it may not have, whether the log there is its own."""
        moved = self._times is None or (names.times[0] != self._times[0] and names.times[1] == self._times[1])
        if moved and not write_ahead_log.fits(self.path):
            return False
        self._times = names.times
        return True


def connect(database: str, *, uri: bool = False, **options: Any) -> StoreConnection:
    """A connection to the file that `database` names, which has to be there; or to a memory.

    It has read once, so that nobody deletes log and index beside it any more. Raises StoreError, or the driver's error.
    """
    after_fork.ensure_usable()
    path = path_of(database, uri)
    if path is None:
        return sqlite3.connect(database, uri=uri, factory=StoreConnection, **options)
    for _ in range(_ATTEMPTS):
        connection = _connect(path, database, uri=uri, **options)
        if connection is not None:
            return connection
    raise StoreError(f"{path} is replaced again and again: try again when that is over")


def address(path: Path, mode: str) -> str:
    """The `file:` address of a path, absolute, whatever characters it has and whatever directory the process changes to."""
    return f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode={mode}"


def create(path: Path) -> None:
    """Make an empty file, unless there is one; raises the driver's error."""
    after_fork.ensure_usable()
    if not os.path.exists(path):  # path.exists() raises for a name that is too long
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA schema_version")
        connection.close()


def connect_alone(path: Path) -> sqlite3.Connection:
    """A connection to a new file that nobody else knows of."""
    return sqlite3.connect(path, timeout=BUSY, check_same_thread=False, isolation_level=None)


def identity(path: Path | str) -> Identity | None:
    """The identity of the file at a path, None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_open(path: Path | str) -> bool:
    """Whether a file, its log or its index is open as a store in this process: nobody else may open it."""
    found = identity(path)
    return found is not None and any(found in (each.identity, each._log, each._index) for each in list(_open_files.values()))


def missing(where: str) -> str:
    """The sentence for a store that is not there yet."""
    return f"there is no store at {where} yet: `rbac init` or `rbac import` makes one"


def deleted(path: Path, suffix: str = "shm") -> str:
    """The sentence for a log or index that was deleted under us: SQLite goes on with its own, and no program sees the other's commits."""
    return f"{path}-{suffix} was deleted while {path} was in use: stop every program that uses it, then start them again"


def mixed(path: Path) -> str:
    """The sentence for a log beside a file that it was not written for."""
    return (
        f"{path} was replaced, and {path}-wal holds changes of the file that was there: put that file back, or stop every "
        f"program that uses it and delete {path}-wal and {path}-shm; `rbac db restore` replaces a store as a whole"
    )


def _connect(path: Path, database: str, **options: Any) -> StoreConnection | None:
    """A connection; None when another file came to the path meanwhile."""
    real = Path(os.path.realpath(path))
    known = _checked(path, real)
    connection = sqlite3.connect(database, factory=StoreConnection, **options)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        there = identity(real) == known
    except BaseException:
        if identity(real) == known:
            connection.close()
        else:
            _keep_until_exit(connection)
        raise
    if not there:
        _keep_until_exit(connection)
        return None
    connection.link = None if real == path else path
    _open_files.get(known, OpenFile(real, known)).add(connection)
    return connection


def _checked(path: Path, real: Path) -> Identity:
    """The identity of a file that may be opened; StoreError says why it may not."""
    if os.path.isdir(path):  # path.is_dir() raises for a name that is too long
        raise StoreError(f"{path} is a directory: name a file in it")
    try:
        found = os.stat(real)
    except OSError:
        raise StoreError(
            missing(str(path)) if os.path.isdir(path.parent) else f"there is no directory {path.parent}: make it first"
        ) from None
    known = found.st_dev, found.st_ino
    if known in _inherited:
        raise StoreError(f"{path} was open in the process that this one was forked from: close it before the fork, or open it only after")
    if found.st_nlink > 1:
        raise StoreError(
            f"{path} has {found.st_nlink} names (hard links), and SQLite keeps a log for each: remove the others, a symbolic link is fine"
        )
    opened = _open_files.get(known)
    if opened is not None:
        try:
            opened.ensure_in_place()
            return known
        except (Replaced, StoreError):
            if not opened.retire():
                raise StoreError(deleted(real)) from None
    if not write_ahead_log.fits(real):
        raise StoreError(mixed(real))
    return known


def path_of(database: str, uri: bool) -> Path | None:
    """The file that a name or a `file:` address means; None for a memory."""
    if not uri or not database.startswith("file:"):
        return None if database in ("", ":memory:") else Path(os.path.abspath(database))
    split = urlsplit(database)
    name, asked = os.fsdecode(unquote_to_bytes(split.path)), parse_qs(split.query)
    in_memory = name in ("", ":memory:") or "memory" in asked.get("mode", ()) or "memdb" in asked.get("vfs", ())
    return None if in_memory else Path(os.path.abspath(name))


def _names(path: Path) -> _Names:
    try:
        found = os.stat(path)
    except OSError:
        return _Names(None, None, None, (0, 0))
    times = found.st_ctime_ns, found.st_mtime_ns
    return _Names((found.st_dev, found.st_ino), identity(f"{path}-wal"), identity(f"{path}-shm"), times)


def _keep_until_exit(connection: StoreConnection) -> None:
    """Take care that nothing closes a connection, the end of the interpreter included; the system closes its files."""
    from ctypes import py_object, pythonapi

    connection.closed = True
    pythonapi.Py_IncRef(py_object(connection))


class _State:
    """Stands for this module in the registry of forks."""


def _at_exit() -> None:
    """The interpreter closes what is open when it ends, without a question."""
    for connection in list(_connections):
        if not connection.closed and connection.process == os.getpid() and connection.file is not None and not connection.file.may_close():
            _keep_until_exit(connection)


def _in_child(_: object) -> None:
    """A connection of the parent must be neither used nor closed; what SQLite still has open keeps its file from us."""
    global _lock, _inherited
    _lock = threading.Lock()
    for connection in list(_connections):
        if not connection.closed:
            _keep_until_exit(connection)
    _open_files.clear()
    _inherited = frozenset(_open_descriptors())


def _open_descriptors() -> set[Identity]:
    """The identities of everything that this process has a descriptor of."""
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except (OSError, ValueError):
        numbers = list(range(min(os.sysconf("SC_OPEN_MAX"), 65536)))
    found = set()
    for number in numbers:
        try:
            status = os.fstat(number)
        except OSError:
            continue
        found.add((status.st_dev, status.st_ino))
    return found


_lock = threading.Lock()
_open_files: dict[Identity, OpenFile] = {}
_connections: WeakSet[StoreConnection] = WeakSet()
_inherited: frozenset[Identity] = frozenset()
_state = _State()
after_fork.register(_state, Stage.FILES, in_child=_in_child)
atexit.register(_at_exit)
opened_elsewhere.append(is_open)
