"""Casbin, compiled: `CompiledEnforcer` in the place of `casbin.Enforcer`, for any model.

The package knows Casbin and nothing of this program.
"""

from rbac.enforcer.compiled import Compilation, CompiledEnforcer
from rbac.enforcer.specialise import UNKNOWN
from rbac.enforcer.stock import assemble

__all__ = ["UNKNOWN", "Compilation", "CompiledEnforcer", "assemble"]
