"""Casbin enforcers: stock, and compiled."""

from rbac.enforcer.stock import assemble

__all__ = ["assemble"]
