"""Casbin, compiled: `CompiledEnforcer` in the place of `casbin.Enforcer`, for any model.

The package knows Casbin and nothing of this program.
"""

from rbac.enforcer.compiled import Compilation, CompiledEnforcer
from rbac.enforcer.specialise import UNKNOWN

__all__ = ["UNKNOWN", "Compilation", "CompiledEnforcer"]
