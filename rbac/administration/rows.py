"""Records as the values of facts, for both sides of a change."""

from __future__ import annotations

from typing import Any

from rbac.database.stored_facts import until_text
from rbac.snapshot.records import ProjectRecord, Until, WorkspaceRecord


def membership(until: Until) -> dict[str, Any]:
    """A membership."""
    return {"until": until_text(until)}


def pause(row: tuple[str, Until]) -> dict[str, Any]:
    """A pause."""
    return {"reason": row[0], "until": until_text(row[1])}


def workspace(record: WorkspaceRecord) -> dict[str, Any]:
    """A workspace."""
    return {"created_by": record.created_by, "personal": record.personal}


def project(record: ProjectRecord) -> dict[str, Any]:
    """A project."""
    return {
        "workspace": record.workspace,
        "created_by": record.created_by,
        "published": record.published,
        "distribution": str(record.distribution),
        "show_data_manager_to": sorted(map(str, record.show_data_manager_to)),
        "review_only_assigned": record.review_only_assigned,
    }
