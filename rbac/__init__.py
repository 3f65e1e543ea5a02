"""Studio RBAC: the permission table of Label Studio Enterprise, decided by Casbin.

Start with `connect`; what it returns answers questions and makes changes. Errors are one tree, under RBACError.
Each name is imported when it is first used: the command line does what must come before SQLAlchemy is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rbac.errors import Conflict, Denied, PolicyError, RBACError, Refused, StateError, StoreError, UnknownName
    from rbac.store import Store, connect
    from rbac.vocabulary import Change, Decision, Domain, Permission, Request, Revision, Role

__version__ = "0.1.0"

__all__ = [
    "Change",
    "Conflict",
    "Decision",
    "Denied",
    "Domain",
    "Permission",
    "PolicyError",
    "RBACError",
    "Refused",
    "Request",
    "Revision",
    "Role",
    "StateError",
    "Store",
    "StoreError",
    "UnknownName",
    "connect",
]

_HOME = {
    **dict.fromkeys(("Store", "connect"), "rbac.store"),
    **dict.fromkeys(("Change", "Decision", "Domain", "Permission", "Request", "Revision", "Role"), "rbac.vocabulary"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME.get(name, "rbac.errors")), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
