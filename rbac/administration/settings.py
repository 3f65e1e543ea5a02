"""The settings of an organization and of its projects, and the restrictions of permissions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from msgspec.structs import replace

from rbac.administration.authority import Authority
from rbac.database.changes import write
from rbac.database.stored_facts import project_value
from rbac.errors import Refused, UnknownName
from rbac.names import nearest, parse_role, quoted
from rbac.vocabulary import WORKERS, Distribution, Domain, Kind, Permission, Role

ORGANIZATION_SETTINGS = {
    "plugins_enabled": Permission.FEATURE_SETTINGS_CONFIGURE,
    "manual_role_management": Permission.SSO_CONFIGURE,
    "administrators_make_administrators": Permission.PERMISSION_SETTINGS_CONFIGURE,
    "tokens_for_annotators_and_reviewers": Permission.ACCESS_TOKENS_CONFIGURE,
}
"""Each setting of an organization, all of them true or false, and the permission that changing it takes."""

PROJECT_SETTINGS = {
    "published": Permission.PROJECT_UPDATE,
    "distribution": Permission.PROJECT_SETTINGS_CONFIGURE,
    "show_data_manager_to": Permission.PROJECT_SETTINGS_CONFIGURE,
    "review_only_assigned": Permission.PROJECT_SETTINGS_CONFIGURE,
}
"""Each setting of a project, and the permission that changing it takes."""

_SETTINGS = {Kind.ORGANIZATION: ORGANIZATION_SETTINGS, Kind.WORKSPACE: {}, Kind.PROJECT: PROJECT_SETTINGS}
_SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Value = bool | Distribution | frozenset[Role]


class Settings(TypedDict, total=False):
    """What `configure` takes: for the organization the first four, for a project the others."""

    plugins_enabled: bool
    manual_role_management: bool
    administrators_make_administrators: bool
    tokens_for_annotators_and_reviewers: bool
    published: bool
    distribution: str
    show_data_manager_to: Iterable[str]
    review_only_assigned: bool


def configure(authority: Authority, domain: Domain, values: Mapping[str, Value]) -> None:
    """Change settings of the organization or of a project; each takes a permission of its own."""
    authority.about(domain)
    project = authority.project(domain.id) if domain.kind is Kind.PROJECT else None
    for permission in dict.fromkeys(_SETTINGS[domain.kind][name] for name in values):
        authority.require(permission, domain)
    if project is None:
        _configure_organization(authority, values)
        return
    if values.get("published") and project.personal:
        raise Refused(f"{domain} is in a personal workspace and cannot be published")
    after = replace(project, **values)
    write(authority.work, "project", domain=str(domain), before=project_value(project), after=project_value(after))


def restrict(authority: Authority, permission: Permission, level: Role) -> None:
    """Lift a permission to a level: whoever is below it loses the permission."""
    authority.require(Permission.PERMISSION_SETTINGS_CONFIGURE)
    why = authority.decider.policy.why_ineffective(permission, level)
    if why:
        raise Refused(f"{permission} cannot be restricted to {level}: {why}")
    _set_restriction(authority, permission, level)


def unrestrict(authority: Authority, permission: Permission) -> None:
    """Take a restriction back."""
    authority.require(Permission.PERMISSION_SETTINGS_CONFIGURE)
    _set_restriction(authority, permission, None)


def parse_settings(kind: Kind, given: Mapping[str, Any]) -> dict[str, Value]:
    """The values of settings of one kind of domain; raises UnknownName."""
    if not given:
        raise UnknownName("nothing to configure: name a setting, as in distribution='manual'")
    known = _SETTINGS[kind]
    for name in given:
        if name not in known:
            one_of = f": one of {', '.join(known)}" if known else ""
            raise UnknownName(f"{kind} has no setting {quoted(name)}{nearest(name, known) or one_of}")
    return {name: _parse(name, value) for name, value in given.items()}


def as_texts(values: Mapping[str, Value]) -> list[str]:
    """Settings in the words of the command line, in the order of their names: `distribution=manual`."""
    shown = {name: ",".join(sorted(value)) if isinstance(value, frozenset) else value for name, value in values.items()}
    return [f"{name}={shown[name]}" for name in sorted(shown)]


def _parse(name: str, value: Any) -> Value:
    """A setting's value, from Python or from the command line's text."""
    if name == "distribution":
        distribution = Distribution.named(value)
        if distribution is None:
            raise UnknownName(f"distribution is automatic or manual, not {quoted(value)}")
        return distribution
    if name == "show_data_manager_to":
        names = list(filter(None, value.split(","))) if isinstance(value, str) else value
        roles = frozenset(map(parse_role, names)) if isinstance(names, Iterable) else None
        if roles is None or not roles <= WORKERS:
            raise UnknownName("show_data_manager_to names annotator, reviewer or both: the others see it always")
        return roles
    switch = _SWITCH.get(str(value)[:6].lower()) if isinstance(value, str | bool) else None
    if switch is None:
        raise UnknownName(f"{name} is true or false, not {quoted(value)}")
    return switch


def _configure_organization(authority: Authority, values: Mapping[str, Value]) -> None:
    present = authority.organization()
    changed = {name: value for name, value in values.items() if getattr(present, name) != value}
    if changed:
        write(authority.work, "settings", before={name: getattr(present, name) for name in changed}, after=changed)


def _set_restriction(authority: Authority, permission: Permission, level: Role | None) -> None:
    present = authority.organization().restrictions.get(permission)
    before, after = (None if each is None else {str(permission): str(each)} for each in (present, level))
    write(authority.work, "restriction", before=before, after=after)
