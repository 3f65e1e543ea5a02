"""Facts: what the tables hold of one organization, row by row, as small JSON values.

A fact has a kind, perhaps a user, a domain and a value, the same in the tables, the audit and the state file. STORED is
the one table of the kinds: it reads a row as a value and writes a value as a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, select

from rbac.clock import kept_instant, parse_instant, write_instant
from rbac.database import tables as t
from rbac.vocabulary import Domain, Kind

Value = dict[str, Any]

ORGANIZATION = "organization"
_BATCH = 1000


class FactName(NamedTuple):
    """The name of one fact. `user` and `name` are empty where the kind has none; `name` is a setting, permission or task."""

    kind: str
    domain: str
    user: str
    name: str

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


class Fact(NamedTuple):
    """One fact of an organization."""

    kind: str
    user: str | None
    domain: str
    value: Value

    @property
    def key(self) -> FactName:
        """What two values of the same fact have in common."""
        return name_of(self.kind, self.user, self.domain, self.value)


class StoredKind(NamedTuple):
    """One kind of fact in one table.

    `value` reads a row; `columns` gives a row's columns beside those of organization, domain and user. `identified_by`
    are the keys of the value that tell two facts of one user and domain apart. With `mapping` the value has a key a name.
    What is not `audited` the application records, outside revisions: task_facts.py.
    """

    kind: str
    domain: Kind
    table: Table[Any]
    value: Callable[[Any], Value]
    columns: Callable[[Value], dict[str, Any]]
    identified_by: tuple[str, ...] = ()
    mapping: bool = False
    audited: bool = True

    @property
    def depends_on_domain(self) -> bool:
        """Whether the fact ends with its domain: a membership does, the project itself does not."""
        return self.domain is not Kind.ORGANIZATION and self.kind != self.domain

    def of(self, organization: str) -> ColumnElement[bool]:
        """The condition that a row belongs to an organization."""
        column: ColumnElement[str] = self.table.c["id" if self.table is t.organization else "organization"]
        return column == organization

    def row(self, organization: str, user: str | None, domain: str, value: Value) -> dict[str, Any]:
        """The row of a fact, by column."""
        row: dict[str, Any] = {"id" if self.table is t.organization else "organization": organization}
        if user is not None:
            row["user"] = user
        if self.domain is not Kind.ORGANIZATION:
            row[str(self.domain) if self.depends_on_domain else "id"] = domain.partition(":")[2]
        return row | self.columns(value)

    def fact(self, row: Any) -> Fact:
        """The fact of a row."""
        domain = ORGANIZATION
        if self.domain is not Kind.ORGANIZATION:
            domain = f"{self.domain}:{getattr(row, self.domain) if self.depends_on_domain else row.id}"
        return Fact(self.kind, getattr(row, "user", None), domain, self.value(row))


# -- the values of facts, from rows, records and state files ----------------------------------------------------------------


def member_value(role: str | None, state: str) -> Value:
    """A member: their role, None for whoever has none yet, and their state."""
    return {"role": None if role is None else str(role), "state": str(state)}


def workspace_value(workspace: Any) -> Value:
    """A workspace."""
    return {"created_by": workspace.created_by, "personal": bool(workspace.personal)}


def project_value(project: Any, *, workspace: str | None = None, shown_to: Iterable[str] | None = None) -> Value:
    """A project; its workspace, and the roles that its data manager is shown to, where it does not name them itself."""
    return {
        "workspace": project.workspace if workspace is None else workspace,
        "created_by": project.created_by,
        "published": bool(project.published),
        "distribution": str(project.distribution),
        "show_data_manager_to": sorted(map(str, project.show_data_manager_to if shown_to is None else shown_to)),
        "review_only_assigned": bool(project.review_only_assigned),
    }


def membership_value(until: int | None) -> Value:
    """A membership of a workspace or project; `until` is the instant it ends, None for never."""
    return {"until": _text(until)}


def project_role_value(role: str | None, until: int | None) -> Value:
    """A role in one project."""
    return {"role": str(role), "until": _text(until)}


def pause_value(reason: str, until: int | None) -> Value:
    """A pause in one project."""
    return {"reason": str(reason), "until": _text(until)}


def _text(until: int | None) -> str | None:
    return None if until is None else write_instant(until)


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)


# -- the table of the kinds --------------------------------------------------------------------------------------------------


def _same(value: Value) -> dict[str, Any]:
    return value


def _settings(row: Any) -> Value:
    return {name: bool(getattr(row, name)) for name in t.SETTINGS}


def _restriction(value: Value) -> dict[str, Any]:
    ((permission, level),) = value.items()
    return {"permission": permission, "level": level}


def _project(row: Any) -> Value:
    shown = [role for role, on in (("annotator", row.show_to_annotators), ("reviewer", row.show_to_reviewers)) if on]
    return project_value(row, shown_to=shown)


def _project_columns(value: Value) -> dict[str, Any]:
    columns = {name: value[name] for name in ("workspace", "created_by", "published", "distribution", "review_only_assigned")}
    shown = value["show_data_manager_to"]
    return {**columns, "show_to_annotators": "annotator" in shown, "show_to_reviewers": "reviewer" in shown}


def _membership(row: Any) -> Value:
    return membership_value(kept_instant(row.until))


def _membership_columns(value: Value) -> dict[str, Any]:
    return {"until": _instant(value["until"]), "personal": False}


def _with_instant(value: Value) -> dict[str, Any]:
    return {**value, "until": _instant(value["until"])}


def _role(row: Any) -> Value:
    return project_role_value(row.role, kept_instant(row.until))


def _pause(row: Any) -> Value:
    return pause_value(row.reason, kept_instant(row.until))


def _assignment(row: Any) -> Value:
    return {"task": row.task, "as": row.kind}


def _assignment_columns(value: Value) -> dict[str, Any]:
    return {"task": value["task"], "kind": value["as"]}


STORED: tuple[StoredKind, ...] = (
    StoredKind("owner", Kind.ORGANIZATION, t.organization, lambda row: {"user": row.owner}, lambda value: {"owner": value["user"]}),
    StoredKind("settings", Kind.ORGANIZATION, t.organization, _settings, _same, mapping=True),
    StoredKind("member", Kind.ORGANIZATION, t.member, lambda row: member_value(row.role, row.state), _same),
    StoredKind("restriction", Kind.ORGANIZATION, t.restriction, lambda row: {row.permission: row.level}, _restriction, mapping=True),
    StoredKind("workspace", Kind.WORKSPACE, t.workspace, workspace_value, _same),
    StoredKind("project", Kind.PROJECT, t.project, _project, _project_columns),
    StoredKind("membership", Kind.WORKSPACE, t.workspace_member, _membership, _membership_columns),
    StoredKind("membership", Kind.PROJECT, t.project_member, _membership, _membership_columns),
    StoredKind("project_role", Kind.PROJECT, t.project_role, _role, _with_instant),
    StoredKind("pause", Kind.PROJECT, t.pause, _pause, _with_instant),
    StoredKind("task", Kind.PROJECT, t.task, lambda row: {"task": row.id}, lambda value: {"id": value["task"]}, ("task",), audited=False),
    StoredKind("assignment", Kind.PROJECT, t.assignment, _assignment, _assignment_columns, ("task", "as")),
    StoredKind("worked_on", Kind.PROJECT, t.worked_on, lambda row: {"task": row.task}, _same, ("task",), audited=False),
)
"""Every kind of fact, each after those it refers to. The audit has one more, `organization`: owner and settings of the founding."""

_BY_KIND = {(stored.kind, str(stored.domain)): stored for stored in STORED}
_IDENTIFIED_BY = {stored.kind: stored.identified_by for stored in STORED if stored.identified_by}

ORDER = {key: position for position, key in enumerate(_BY_KIND)}
"""The position of a kind in a kind of domain: what it refers to comes before it."""

MAPPINGS = frozenset(stored.kind for stored in STORED if stored.mapping)
"""The kinds whose value has a key a name: each setting, and each permission restricted, is a fact of its own."""

UNAUDITED = frozenset(stored.kind for stored in STORED if not stored.audited)
"""The kinds that the application records, outside revisions."""

DEPENDENT = frozenset(stored.kind for stored in STORED if stored.depends_on_domain)
"""The kinds that end with their domain: written after everything independent, deleted before it."""


def stored_kind(kind: str, domain: str) -> StoredKind:
    """How facts of a kind are stored in a domain of that address."""
    return _BY_KIND[kind, domain.partition(":")[0]]


def name_of(kind: str, user: str | None, domain: str, value: Value) -> FactName:
    """The name of the fact that has this value."""
    if kind == "restriction":
        return FactName(kind, domain, "", next(iter(value)))
    detail = " ".join([value[key] for key in _IDENTIFIED_BY.get(kind, ())])
    return FactName(kind, domain, user or "", detail)


def facts_of(connection: Connection, organization: str, *, audited: bool = False) -> Iterator[Fact]:
    """Every fact of an organization but the Owner, or every audited one, streamed, each kind after those it refers to; ids in order."""
    for stored in STORED:
        if stored.kind != "owner" and (stored.audited or not audited):
            yield from _facts(connection, stored, stored.of(organization))


def dependants(connection: Connection, organization: str, domain: Domain, *kinds: str) -> Iterator[Fact]:
    """The audited facts that end with a domain, or those of these kinds, in an order in which they can be deleted."""
    for stored in reversed(STORED):
        if stored.domain is domain.kind and stored.depends_on_domain and stored.audited and (not kinds or stored.kind in kinds):
            yield from _facts(connection, stored, stored.of(organization), stored.table.c[str(domain.kind)] == domain.id)


def _facts(connection: Connection, stored: StoredKind, *where: ColumnElement[bool]) -> Iterator[Fact]:
    query = select(stored.table).where(*where).order_by(*stored.table.primary_key)
    with connection.execute(query.execution_options(yield_per=_BATCH)) as rows:
        for row in rows:
            yield stored.fact(row)
