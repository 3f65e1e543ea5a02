"""What a unit of work sees of its organization: each row is read once, and again once a fact has changed."""

from __future__ import annotations

from typing import Any

from rbac.database.unit_of_work import Work
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.view import Reads


class WorkView(Snapshot):
    """A Snapshot of the organization that a unit of work has locked; lives as long as that work.

    Nobody else changes the organization meanwhile: what was read stays true until the work itself writes.
    """

    def __init__(self, work: Work, reads: Reads) -> None:
        super().__init__(work.connection, work.organization, reads)
        self._work = work
        self._changes = work.changes
        self._rows: dict[tuple[Any, ...], Any] = {}

    def rows(self, statement: Any, **values: Any) -> Any:
        """The rows of a statement, from memory unless a fact has changed since."""
        if self._changes != self._work.changes:
            self._changes, self._rows = self._work.changes, {}
        key = (statement, *values.items())
        if key not in self._rows:
            self._rows[key] = super().rows(statement, **values)
        return self._rows[key]
