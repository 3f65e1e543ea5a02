"""Studio RBAC: the permission table of Label Studio Enterprise, decided by Casbin.

Start with `connect`; what it returns answers questions and makes changes. Errors are one tree, under RBACError.
Each name is imported when it is first used: the command line does what must come before SQLAlchemy is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rbac.acting import Acting
    from rbac.database.audit.heads import Head
    from rbac.database.audit.log import Entry
    from rbac.database.audit.refusals import Refusal
    from rbac.database.audit.verify import Verification
    from rbac.database.health import Health
    from rbac.decisions.evaluate import Permissions, Trace
    from rbac.errors import Conflict, Denied, PolicyError, Problem, RBACError, Refused, Stale, StateError, StoreError, UnknownName
    from rbac.listing.members import Member, Membership
    from rbac.listing.standings import Standing
    from rbac.organization import Details, Organization
    from rbac.past import Past
    from rbac.policy.reader import Policy
    from rbac.statefile.importing import Imported
    from rbac.statefile.shape import StateFile
    from rbac.store import Store, connect
    from rbac.vocabulary import ChangedFact, Decision, Domain, Kind, Permission, Request, Revision, Role, State, Task, Via

__version__ = "0.2.0"

_NAMES: dict[str, tuple[str, ...]] = {
    "rbac.acting": ("Acting",),
    "rbac.database.audit.heads": ("Head",),
    "rbac.database.audit.log": ("Entry",),
    "rbac.database.audit.refusals": ("Refusal",),
    "rbac.database.audit.verify": ("Verification",),
    "rbac.database.health": ("Health",),
    "rbac.decisions.evaluate": ("Permissions", "Trace"),
    "rbac.errors": (
        *("Conflict", "Denied", "PolicyError", "Problem", "RBACError", "Refused"),
        *("Stale", "StateError", "StoreError", "UnknownName"),
    ),
    "rbac.listing.members": ("Member", "Membership"),
    "rbac.listing.standings": ("Standing",),
    "rbac.organization": ("Details", "Organization"),
    "rbac.past": ("Past",),
    "rbac.policy.reader": ("Policy",),
    "rbac.statefile.importing": ("Imported",),
    "rbac.statefile.shape": ("StateFile",),
    "rbac.store": ("Store", "connect"),
    "rbac.vocabulary": (
        *("ChangedFact", "Decision", "Domain", "Kind", "Permission"),
        *("Request", "Revision", "Role", "State", "Task", "Via"),
    ),
}
"""The public names, by the module that defines each."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Acting",
    "ChangedFact",
    "Conflict",
    "Decision",
    "Denied",
    "Details",
    "Domain",
    "Entry",
    "Head",
    "Health",
    "Imported",
    "Kind",
    "Member",
    "Membership",
    "Organization",
    "Past",
    "Permission",
    "Permissions",
    "Policy",
    "PolicyError",
    "Problem",
    "RBACError",
    "Refusal",
    "Refused",
    "Request",
    "Revision",
    "Role",
    "Stale",
    "Standing",
    "State",
    "StateError",
    "StateFile",
    "Store",
    "StoreError",
    "Task",
    "Trace",
    "UnknownName",
    "Verification",
    "Via",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
