"""The state of an open store, without replaying an audit or counting members, which `Store.problems` does.

Every problem is a sentence in `problems`: whoever monitors a store needs to know no threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from sqlalchemy import Connection, Engine, select, text

from rbac.clock import Clock
from rbac.database import schema
from rbac.database import tables as t
from rbac.database.engine import is_sqlite, place, reading
from rbac.database.watch.listener import ListenerState

SKEW = 1.0
"""Seconds between the clock that decides about `until` and the database's, above which it is a problem."""

FIRST_ANSWER = 1.0
"""Seconds to wait for the first answer of a listener that was not needed yet."""


@dataclass(frozen=True, slots=True)
class Health:
    """Where a store is, its schema and epoch, each organization's revision, and how this node learns of changes.

    `listener` and `skew` are None on SQLite, which has neither a server to listen to nor a clock of its own. `skew` is
    seconds that this node's clock is ahead of the database's.
    """

    place: str
    schema: str
    epoch: str
    organizations: dict[str, int]
    listener: ListenerState | None
    skew: float | None
    problems: tuple[str, ...]


def health(engine: Engine, clock: Clock, listener: ListenerState | None) -> Health:
    """Query a store that is there; `listener` is how this node learns of changes. Raises StoreError when the store cannot answer."""
    with reading(engine) as connection:
        epoch = connection.execute(select(t.store.c.epoch)).scalar_one()
        rows = connection.execute(select(t.organization.c.id, t.organization.c.revision).order_by(t.organization.c.id)).all()
        skew = _skew(connection, clock)
    problems = (*_clash(), *_not_listening(listener), *_skewed(skew))
    return Health(place(engine), schema.HEAD, epoch, {row.id: row.revision for row in rows}, listener, skew, problems)


def _skew(connection: Connection, clock: Clock) -> float | None:
    """Seconds that this node's clock is ahead of the database's, at least; a SQLite file has no clock of its own."""
    if is_sqlite(connection):
        return None
    before = clock()
    theirs: int = connection.execute(text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")).scalar_one()
    return ((before + clock()) / 2 - theirs) / 1_000_000


def _skewed(skew: float | None) -> Iterator[str]:
    if skew is not None and abs(skew) > SKEW:
        where, when = ("ahead of", "early") if skew > 0 else ("behind", "late")
        yield f"the clock here is {abs(skew):.1f} s {where} the database's: what ends at an instant ends too {when}"


def _not_listening(listener: ListenerState | None) -> Iterator[str]:
    if listener is not None and listener.state != "listening":
        yield f"this node does not hear of changes at once, it is {listener.state}: {listener.why or 'no answer yet'}"


def _clash() -> Iterator[str]:
    """Two distributions that overwrite each other's files."""
    found = []
    for name in ("casbin", "pycasbin"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    if len(found) > 1:
        yield f"{' and '.join(found)} are both installed and overwrite each other: uninstall both, then install casbin"
