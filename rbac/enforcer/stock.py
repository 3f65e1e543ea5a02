"""Casbin's own enforcer, assembled from values: a model's text, policy lines, matcher functions and a role manager."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import casbin
from casbin.persist import Adapter


def assemble(
    *,
    model: str,
    lines: Iterable[tuple[str, ...]],
    functions: Mapping[str, Callable[..., Any]],
    roles: Any,
    adapter: Adapter | None = None,
    kind: Callable[..., casbin.Enforcer] = casbin.Enforcer,
) -> casbin.Enforcer:
    """An enforcer of `kind` with `lines` as its policy, `functions` in its matcher and `roles` as the manager of `g`.

    Everything goes in through Casbin's own API. With an adapter, the policy is what the adapter loads.
    """
    enforcer = kind(casbin.Enforcer.new_model(text=model), None)
    for name, function in functions.items():
        enforcer.add_function(name, function)
    enforcer.set_role_manager(roles)
    for line in lines:
        enforcer.get_model().add_policy("p", "p", list(line))
    enforcer.build_role_links()
    if adapter is not None:
        enforcer.set_adapter(adapter)
    return enforcer
