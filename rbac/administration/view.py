"""What a unit of work sees of its organization: each record is read once, and again once a fact has changed."""

from __future__ import annotations

from rbac.database.unit_of_work import Work
from rbac.snapshot.found import Found
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.wanted import CellNeeds


class WorkView(Snapshot):
    """A Snapshot of the organization that a unit of work has locked; lives as long as that work.

    Nobody else changes the organization meanwhile: what was read stays true until the work itself writes.
    """

    def __init__(self, work: Work, cells: CellNeeds) -> None:
        super().__init__(work.connection, work.organization, cells)
        self._work = work
        self._changes = work.changes

    @property
    def read(self) -> Found | None:
        """What was read and is still true."""
        if self._changes != self._work.changes:
            self._changes, self.found = self._work.changes, None
        return self.found
