"""What one member can do, domain by domain, as rows and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rbac.vocabulary import Permission

if TYPE_CHECKING:
    from rbac.decisions.evaluate import Permissions
    from rbac.organization import Organization

COLUMNS = ("domain", "role", "permission", "action", "note")
"""The headings of `rows`."""

NEEDS_TARGET = "needs a target"
"""The note beside a permission that depends on the member it is about."""


def reach(organization: Organization, user: str) -> Iterator[Permissions]:
    """What a member can do in each domain where they can do anything, as one domain after the other is asked."""
    for domain in organization.domains():
        found = organization.permissions(user, domain)
        if found.allowed or found.with_target:
            yield found


def rows(organization: Organization, found: Iterable[Permissions]) -> Iterator[tuple[str, ...]]:
    """Every permission with its domain and the role in force there."""
    for each in found:
        role = str(organization.role_of(each.user, each.domain) or "")
        for permission in permission_rows(each):
            yield str(each.domain), role, *permission


def permission_rows(found: Permissions) -> Iterator[tuple[str, str, str]]:
    """Each permission in a domain with its action and a note, in the order of the published table."""
    for permission in Permission:
        if permission in found.allowed or permission in found.with_target:
            yield permission, permission.row.wording, NEEDS_TARGET if permission in found.with_target else ""


def as_data(found: Permissions) -> dict[str, Any]:
    """The permissions in a domain for JSON."""
    return {"domain": str(found.domain), "allowed": found.allowed, "with_target": found.with_target, "revision": found.revision}
