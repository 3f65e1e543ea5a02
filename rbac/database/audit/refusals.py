"""Changes that were refused, kept beside the audit: who tried what when, and the sentence that refused it.

A refusal is no change: it has no revision, stands in no chain, and only the newest KEPT of an organization are there.
One rule: a refusal is written after its change was rolled back, in a transaction of its own, and failing to write it
never hides why the change was refused.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, func, insert, select

from rbac.database import tables
from rbac.database.columns import comparable
from rbac.database.engine import changing
from rbac.errors import Refused
from rbac.names import parse_id
from rbac.text import plain

KEPT = 10_000
"""How many refusals an organization keeps; older ones go as new ones come."""

_OPERATION = 255  # characters; the table takes no more
_REASON = 1000
_NAMES = ("organization", "at", "actor", "operation", "reason")

_log = logging.getLogger("rbac")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One change that was refused. `at` is microseconds since 1970, UTC; `operation` is the change with its arguments."""

    organization: str
    at: int
    actor: str
    operation: str
    reason: str


class Attempt:
    """One unit of work and what of it was refused; lives inside `recorded`.

    `organization` and `operation` say what is being tried, and may be replaced as the work goes on.
    """

    def __init__(self, organization: str, actor: str, operation: str, at: int) -> None:
        self.organization, self.actor, self.operation, self.at = organization, actor, operation, at
        self.refusals: deque[Refusal] = deque(maxlen=KEPT)
        self._last: Refused | None = None

    def refused(self, error: Refused) -> None:
        """Note a refusal, once however often it passes by."""
        if error is not self._last:
            self._last = error
            operation, reason = plain(self.operation, _OPERATION) or "change", plain(str(error), _REASON)
            self.refusals.append(Refusal(self.organization, self.at, self.actor, operation, reason))


@contextmanager
def recorded(engine: Engine, organization: str, *, actor: str, operation: str = "", at: int) -> Iterator[Attempt]:
    """Keep what is refused inside, once the block is over and however it ends; errors go on as they were.

    The unit of work belongs inside the block, so that it has been rolled back or committed by then.
    """
    attempt = Attempt(organization, actor, operation, at)
    try:
        yield attempt
    except Refused as error:
        attempt.refused(error)
        raise
    finally:
        if attempt.refusals:
            _keep(engine, attempt.refusals)


def refusals(
    connection: Connection,
    organization: str,
    *,
    since: int | None = None,
    until: int | None = None,
    actor: str | None = None,
    newest_first: bool = False,
) -> Iterator[Refusal]:
    """The refusals of an organization in the order they were kept, streamed; `since` is included, `until` is not."""
    c = tables.refusal.c
    conditions = [
        c.organization == organization,
        *([c.at >= comparable(since)] if since is not None else []),
        *([c.at < comparable(until)] if until is not None else []),
        *([c.actor == parse_id(actor, "actor")] if actor is not None else []),
    ]
    query = select(c.organization, c.at, c.actor, c.operation, c.reason).where(*conditions)
    order = c.id.desc() if newest_first else c.id
    for row in connection.execute(query.order_by(order), execution_options={"yield_per": 1000}):
        yield Refusal(*row)


def _keep(engine: Engine, kept: deque[Refusal]) -> None:
    try:
        with changing(engine) as connection:
            for organization in sorted({refusal.organization for refusal in kept}):
                _write(connection, organization, [each for each in kept if each.organization == organization])
    except Exception as error:  # whatever it is, the caller has to hear of the refusal and not of this
        _log.warning("%d refusals could not be recorded: %s", len(kept), plain(str(error), _REASON))


def _write(connection: Connection, organization: str, kept: list[Refusal]) -> None:
    """Add refusals and let the oldest go. Nothing for an organization that is not there: there is nobody to show it to."""
    locked = select(tables.organization.c.id).where(tables.organization.c.id == organization).with_for_update()
    if connection.execute(locked).first() is None:
        return
    table, here = tables.refusal, tables.refusal.c.organization == organization
    newest = connection.execute(select(func.max(table.c.id)).where(here)).scalar() or 0
    rows = [{"id": number, **{name: getattr(each, name) for name in _NAMES}} for number, each in enumerate(kept, newest + 1)]
    connection.execute(insert(table), rows)
    connection.execute(delete(table).where(here, table.c.id <= newest + len(kept) - KEPT))
