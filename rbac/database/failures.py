"""What the errors of the two databases mean, in one sentence each, with what to do.

By code, not by wording, because wordings are translated and change; the first code that fits decides.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from rbac.errors import Conflict, RBACError, Refused, StoreError

_NOT_OURS = "{where} is not a store of this program, or an older one: `rbac db upgrade` brings an older one up to date"
_UNREACHABLE = "cannot reach {where}: {detail}"
_BUSY = "{where} is busy with another change: try again"

SENTENCES = {
    "SQLITE_BUSY": "{where} is locked by another program: try again",
    "SQLITE_LOCKED": "{where} is locked by another program: try again",
    "SQLITE_FULL": "the disk of {where} is full: nothing was written",
    "SQLITE_READONLY": "{where} is read-only: let this user write the file and its directory",
    "SQLITE_CORRUPT": "{where} is damaged: restore a backup",
    "SQLITE_NOTADB": "{where} is not a database: name another file",
    "SQLITE_CANTOPEN": "cannot open {where}: see that the file and its directory are there and may be read and written",
    "SQLITE_IOERR": "cannot read or write {where}: {detail}: see that its disk works and has room",
    "SQLITE_PERM": "cannot open {where}: this user may not",
    "SQLITE_SCHEMA": _BUSY,
    "28": "{where} does not let this user in: {detail}",
    "3D": "{where} does not exist: create the database first",
    "42P01": _NOT_OURS,
    "42703": _NOT_OURS,
    "3F": _NOT_OURS,
    "42501": "this user may not do that at {where}: {detail}",
    "25006": "{where} is read-only: name the primary server",
    "53100": "the disk of {where} is full: nothing was written",
    "53300": "{where} has no connections left: lower the number of nodes or raise max_connections",
    "55P03": _BUSY,
    "57014": "{where} took too long to answer: try again",
    "XX001": "{where} is damaged: restore a backup",
    "XX002": "{where} is damaged: restore a backup",
}
"""By the beginning of SQLite's error name or of PostgreSQL's SQLSTATE."""

_LOST_RACES = ("40001", "40P01")


def translated(error: Exception, *, where: str, secret: str | None = None) -> RBACError:
    """The error of ours that this one of SQLAlchemy or a driver is; `secret` is cut out of any detail."""
    if isinstance(error, StatementError) and isinstance(error.orig, RBACError):
        return error.orig  # ours, raised by a connection of ours
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code, detail = _code(cause), _first_line(cause, secret)
    if isinstance(error, (IntegrityError, sqlite3.IntegrityError)):
        return Refused(f"the store refused the change: {detail}")
    if code in _LOST_RACES:
        return Conflict(f"somebody else changed {where} at the same moment: try again")
    return StoreError(_sentence(code, error, detail).format(where=where, detail=detail))


def _sentence(code: str, error: Exception, detail: str) -> str:
    if isinstance(error, PoolTimeout):
        return _BUSY
    if code == "SQLITE_ERROR" and detail.startswith(("no such table", "no such column")):
        return _NOT_OURS
    for beginning, sentence in SENTENCES.items():
        if code.startswith(beginning):
            return sentence
    if isinstance(error, DBAPIError) and (error.connection_invalidated or not code):
        return _UNREACHABLE
    return _UNREACHABLE if code.startswith(("08", "57P")) else "{where} failed: {detail}"


def _code(cause: BaseException) -> str:
    return str(getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or "")


def _first_line(cause: BaseException, secret: str | None) -> str:
    """The driver's words without SQLAlchemy's statement and parameters, which may hold anything."""
    text = cause.args[0] if isinstance(cause, SQLAlchemyError) and cause.args else str(cause)
    line = next(iter(str(text).strip().splitlines()), type(cause).__name__)
    return line.replace(secret, "***") if secret else line
