"""A pytest plugin: `CompiledEnforcer` in the place of `casbin.Enforcer`, and a count of who answered.

It is loaded by its bare name, from this folder: the suite it is used on has a package `tests` of its own.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import casbin
import casbin.synced_enforcer
from casbin.core_enforcer import CoreEnforcer

from rbac.enforcer import CompiledEnforcer

REPORT = "RBAC_SWAPPED_REPORT"
_seen: Counter[str] = Counter()
_stock = CoreEnforcer.enforce_ex


class Counted(CompiledEnforcer):
    """Counts the requests; everything else is CompiledEnforcer."""

    def enforce(self, *rvals: Any) -> Any:
        _seen["requests"] += 1
        return super().enforce(*rvals)

    def enforce_ex(self, *rvals: Any) -> Any:
        _seen["requests"] += 1
        return super().enforce_ex(*rvals)


def _counted_stock(self: Any, *rvals: Any) -> Any:
    _seen["answered by stock"] += isinstance(self, Counted)
    return _stock(self, *rvals)


def pytest_configure() -> None:
    CoreEnforcer.enforce_ex = _counted_stock
    casbin.Enforcer = casbin.synced_enforcer.Enforcer = Counted


def pytest_unconfigure() -> None:
    Path(os.environ[REPORT]).write_text(json.dumps(_seen))
