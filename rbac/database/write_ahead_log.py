"""Whether the write-ahead log beside a SQLite file was written for that file.

SQLite does not ask: it applies any whole log of that name, also to a backup that was moved or copied into the file's
place, which mixes the two or undoes the restore. So each change writes a stamp to the row of `rbac_store`: a random token,
the token before it, and the inode of the file. A log fits its file when its newest stamp names the file's inode, and
the token that the file itself has, without the log, is in the log or is the one before it.
"""

from __future__ import annotations

import mmap
import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

NO_TOKEN = "0" * 32
"""What a file has that was never written to by a change."""

_STAMPED = f"UPDATE rbac_store SET file = lower(hex(randomblob(16))) || '<' || coalesce(substr(file, 1, 32), '{NO_TOKEN}') || '@' || ?"

_STAMP = re.compile(rb"([0-9a-f]{32})<([0-9a-f]{32})@([0-9]{20})")
_HEADER, _FRAME_HEADER = 32, 24  # bytes; see SQLite's file format, "The Write-Ahead Log"
_MAGIC = (0x377F0682, 0x377F0683)
_LOOKS, _BETWEEN = 40, 0.025  # at a log and a file that do not fit: another process may be moving the one into the other


class _Stamp(NamedTuple):
    token: str
    previous: str
    inode: int


class _Look(NamedTuple):
    """What log and file said at one moment: whether the log has content, its stamps in order, and the file's own."""

    content: bool
    logged: tuple[_Stamp, ...]
    stamped: bool
    own: _Stamp | None


def stamp(connection: sqlite3.Connection, inode: int) -> None:
    """Write the stamp of a change, in its transaction. Every one has the same length: it takes the place of the one before."""
    connection.execute(_STAMPED, (f"{inode:020d}",))


def stamp_after(copy: sqlite3.Connection, present: sqlite3.Connection, inode: int) -> None:
    """Write the stamp of a change that replaces everything: it follows the one of the store that it is for."""
    try:
        row = present.execute("SELECT file FROM rbac_store").fetchone()
    except sqlite3.OperationalError:  # it is empty
        row = None
    previous = row[0][:32] if row and row[0] else NO_TOKEN
    copy.execute("UPDATE rbac_store SET file = lower(hex(randomblob(16))) || '<' || ? || '@' || ?", (previous, f"{inode:020d}"))


def unstamp(copy: sqlite3.Connection) -> None:
    """Give a backup a stamp that no log has: no log fits it."""
    copy.execute("UPDATE rbac_store SET file = NULL")
    stamp(copy, 0)


def fits(file: Path) -> bool:
    """Whether SQLite may apply the log beside a file to it; also when there is none, or nothing in it."""
    before = None
    for _ in range(_LOOKS):
        look = _look(file)
        if _whole(look, os.stat(file).st_ino):
            return True
        if look == before:
            return False  # nobody is at work: it stays so
        before = look
        time.sleep(_BETWEEN)
    return False


def _whole(look: _Look, inode: int) -> bool:
    if not look.content:
        return True
    if not look.logged:  # written by a program that shares the file, or whose file it is
        return look.own is None or look.own.inode == inode
    tokens = {look.logged[0].previous, *(stamp.token for stamp in look.logged)}
    return look.logged[-1].inode == inode and look.stamped and (look.own.token if look.own else NO_TOKEN) in tokens


def _look(file: Path) -> _Look:
    """The log first: what is moved into the file meanwhile is in what was read of the log."""
    content, logged = _read_log(Path(f"{file}-wal"))
    stamped, own = _read_own(file) if content else (True, None)
    return _Look(content, logged, stamped, own)


def _read_log(log: Path) -> tuple[bool, tuple[_Stamp, ...]]:
    """Whether a log has frames that SQLite would apply, and the stamps in them. SQLite locks no byte of a log."""
    try:
        with log.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            frames = _end_of_frames(data)
            found = [_parsed(match) for match in _STAMP.finditer(data, _HEADER, frames)] if frames > _HEADER else []
            return frames > _HEADER, tuple(found)
    except (OSError, ValueError):  # there is none, or it is empty
        return False, ()


def _end_of_frames(data: mmap.mmap) -> int:
    """Where the frames end that belong to the header; older ones may follow."""
    if len(data) < _HEADER or int.from_bytes(data[:4], "big") not in _MAGIC:
        return 0
    frame = _FRAME_HEADER + int.from_bytes(data[8:12], "big")
    salt, position = data[16:24], _HEADER
    while position + frame <= len(data) and data[position + 8 : position + 16] == salt:
        position += frame
    return position


def _read_own(file: Path) -> tuple[bool, _Stamp | None]:
    """Whether a file without its log is a store, and its stamp; read by SQLite, which looks after its locks."""
    try:
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(file))}?mode=ro&immutable=1", uri=True)) as connection:
            row = connection.execute("SELECT file FROM rbac_store").fetchone()
    except sqlite3.Error:
        return False, None
    match = _STAMP.fullmatch(row[0].encode()) if row and isinstance(row[0], str) else None
    return row is not None, _parsed(match) if match else None


def _parsed(match: re.Match[bytes]) -> _Stamp:
    return _Stamp(match[1].decode(), match[2].decode(), int(match[3]))
