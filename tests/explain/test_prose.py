"""Where the role in force comes from, in words."""

from __future__ import annotations

import pytest

from rbac.clock import parse_instant
from rbac.explain.prose import role_in_force
from rbac.organization import Organization
from tests.conftest import Clock

END = "2030-01-31T12:00:00Z"


def _why(acme: Organization, user: str, domain: str = "project:p1") -> str:
    permission = {"organization": "api:access", "project:p1": "project:view"}[domain]
    return role_in_force(acme.trace(user, permission, domain).question)


def test_without_a_project_role_it_is_the_organization_role(acme: Organization) -> None:
    assert _why(acme, "olga") == "owner: the organization role"
    assert _why(acme, "andy", "organization") == "annotator: the organization role"


def test_a_project_role_replaces_it_until_it_ends(acme: Organization, clock: Clock) -> None:
    acme.acting("max").grant("andy", "reviewer", on="project:p1", until=END)
    assert _why(acme, "andy") == f"reviewer: the project role until {END}, in place of the organization role annotator"

    clock.now = parse_instant(END)

    assert _why(acme, "andy") == f"annotator: the organization role, since the project role reviewer ended at {END}"


def test_for_a_manager_it_is_without_effect(acme: Organization) -> None:
    acme.acting("max").grant("andy", "reviewer", on="project:p1")
    acme.acting("ada").grant("andy", "manager")

    assert _why(acme, "andy") == "manager: the organization role, for which the project role reviewer is without effect"


@pytest.mark.parametrize("user", ["zoe", "dan", "nina"])
def test_whoever_is_not_active_has_none(acme: Organization, user: str) -> None:
    assert _why(acme, user) == ""
