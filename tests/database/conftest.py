"""Two organizations that look alike, so that a query which forgets the organization finds too much."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from rbac.database.unit_of_work import transaction
from tests.database import writer

PROJECT = {
    "created_by": "max",
    "published": True,
    "distribution": "automatic",
    "show_data_manager_to": ["annotator"],
    "review_only_assigned": False,
}


@pytest.fixture
def acme(engine: Engine) -> Engine:
    """A store with `acme` and `other`: olga owns both, w1 holds p1 with task t1, s1 is max's own workspace and holds p5."""
    with transaction(engine) as works:
        for organization in ("acme", "other"):
            work = works.found(organization, owner="olga", actor="root", operation="import", at=1_000_000)
            for user, role in (("ada", "administrator"), ("max", "manager"), ("rita", "reviewer"), ("andy", "annotator")):
                writer.put(work, "member", {"role": role, "state": "active"}, user=user)
            writer.put(work, "member", {"role": "annotator", "state": "deactivated"}, user="dan")
            writer.put(work, "member", {"role": None, "state": "invited"}, user="nina")
            writer.put(work, "workspace", {"created_by": "max", "personal": False}, domain="workspace:w1")
            writer.put(work, "workspace", {"created_by": "max", "personal": True}, domain="workspace:s1")
            writer.put(work, "project", {"workspace": "w1", **PROJECT}, domain="project:p1")
            writer.put(work, "project", {"workspace": "s1", **PROJECT, "published": False}, domain="project:p5")
            writer.put(work, "membership", {"until": None}, user="andy", domain="workspace:w1")
            writer.put(work, "membership", {"until": "2027-01-31T12:00:00Z"}, user="rita", domain="project:p1")
            writer.put(work, "project_role", {"role": "reviewer", "until": None}, user="andy", domain="project:p1")
            writer.put(work, "pause", {"reason": "manual", "until": None}, user="rita", domain="project:p1")
            writer.put(work, "task", {"task": "t1"}, domain="project:p1")
            writer.put(work, "assignment", {"task": "t1", "as": "annotator"}, user="andy", domain="project:p1")
            writer.put(work, "worked_on", {"task": "t1"}, user="andy", domain="project:p1")
    # only in the other organization: what acme must not be able to point to
    with transaction(engine) as works:
        work = works.lock("other", actor="olga", actor_kind="member", operation="invite", at=2_000_000)
        writer.put(work, "member", {"role": "manager", "state": "active"}, user="otto")
        writer.put(work, "workspace", {"created_by": "otto", "personal": False}, domain="workspace:w7")
        writer.put(work, "project", {"workspace": "w7", **PROJECT}, domain="project:p7")
        writer.put(work, "task", {"task": "t7"}, domain="project:p7")
    return engine
