"""Every change to who may do what: one function a change, each asking `Authority` before it writes.

The functions write inside a unit of work that somebody else opened and will commit; `rbac.acting` is that somebody.
"""

from rbac.administration.authority import Authority
from rbac.administration.members import add, assign, pause, remove, unassign, unpause
from rbac.administration.people import activate, deactivate, grant, grant_in_project, invite, revoke, transfer_ownership
from rbac.administration.projects import (
    configure,
    create_project,
    create_workspace,
    delete_project,
    delete_workspace,
    move_project,
    parse_setting,
    restrict,
    unrestrict,
)

__all__ = [
    "Authority",
    "activate",
    "add",
    "assign",
    "configure",
    "create_project",
    "create_workspace",
    "deactivate",
    "delete_project",
    "delete_workspace",
    "grant",
    "grant_in_project",
    "invite",
    "move_project",
    "parse_setting",
    "pause",
    "remove",
    "restrict",
    "revoke",
    "transfer_ownership",
    "unassign",
    "unpause",
    "unrestrict",
]
