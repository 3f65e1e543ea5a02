"""Studio RBAC: the permission table of Label Studio Enterprise, decided by Casbin.

Start with `connect`; what it returns answers questions and makes changes. Errors are one tree, under RBACError.
"""

from rbac.errors import Conflict, Denied, PolicyError, RBACError, Refused, StateError, StoreError, UnknownName
from rbac.store import Store, connect
from rbac.vocabulary import Decision, Domain, Permission, Request, Role

__version__ = "0.1.0"

__all__ = [
    "Conflict",
    "Decision",
    "Denied",
    "Domain",
    "Permission",
    "PolicyError",
    "RBACError",
    "Refused",
    "Request",
    "Role",
    "StateError",
    "Store",
    "StoreError",
    "UnknownName",
    "connect",
]
