"""All rows of a store, and every answer about an organization, to be compared before and after."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

import rbac
from rbac import Permission
from rbac.database import tables
from rbac.organization import Organization


def rows(store: rbac.Store, *but: str) -> dict[str, list[Any]]:
    """Every row of every table, but those named, as values that compare; but the stamp of the file, which every transaction replaces."""
    with store._store.reading() as connection:
        kept = [table for table in tables.metadata.tables.values() if table.name.removeprefix("rbac_") not in but]
        columns = {table.name: [column for column in table.c if column is not tables.store.c.file] for table in kept}
        return {table.name: sorted(map(repr, connection.execute(select(*columns[table.name])))) for table in kept}


def answers(organization: Organization) -> list[Any]:
    """Every permission of every member in every domain, the members of each domain, and the revision."""
    users = [each.user for each in organization.members()]
    domains = organization.domains()
    found: list[Any] = [organization.revision, organization.owner, users]
    for domain in domains:
        found.append(list(organization.members(domain)))
        for permission in (each for each in Permission if each.kind is domain.kind):
            found += [organization.check(user, permission, domain) for user in users]
    return found
