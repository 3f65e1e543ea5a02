"""The SQL of reading: one branch for each kind of record, joined with UNION ALL.

Whatever a question lacks comes in one statement, so in one snapshot and one round trip. Every row has the same columns,

    part, five texts, a number, and truths as the bits of another number

and every branch is bound to one organization and to lists of names: arrays on PostgreSQL, JSON on SQLite. It is text, and
not expressions of SQLAlchemy's, because those take 30 ms to build and compile, which every process would pay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal

from rbac.database import tables as t
from rbac.database.columns import LAST_INSTANT
from rbac.vocabulary import MANAGER_OR_ABOVE, Role, State

Part = Literal["version", "restrictions", "history", "members", "workspaces", "projects", "assigned", "tasks", "shares"]

NEVER = LAST_INSTANT + 1
"""The end of what two members share for ever."""

EXISTS, ASSIGNED, WORKED_ON = 1, 2, 4
"""What is read of a task: whether it exists, whether the user is assigned to it and as what, whether they have worked on it."""


@cache
def text_of(database: str, parts: tuple[Part, ...], gated: bool = False) -> str:
    """The statement that reads these parts.

    `gated` leaves out what a user has to do with a project, task or target unless their organization role is one of `readers`.
    """
    branches = (branch for part in parts for branch in _BRANCHES[part](_Words(database, gated)))
    return "\nUNION ALL ".join(branches)


def names(database: str, key: str, rows: Sequence[Any], width: int = 1) -> dict[str, Any]:
    """The parameters of a list of names, or of tuples of so many: one JSON text on SQLite, an array a column on PostgreSQL."""
    if database == "sqlite":
        return {key: json.dumps(rows)}
    return {key: rows} if width == 1 else {f"{key}_{column}": [row[column] for row in rows] for column in range(width)}


class _Words:
    """What the two databases write differently; lives while a statement is written."""

    def __init__(self, database: str, gated: bool) -> None:
        self._json = database == "sqlite"
        self._gated = gated

    def number(self, key: str) -> str:
        """A parameter that is a number."""
        return f":{key}" if self._json else f"%({key})s::bigint"

    def here(self, table: str, column: str = "organization") -> str:
        """The condition that a row belongs to the organization."""
        return f"{table}.{column} = {':organization' if self._json else '%(organization)s::text'}"

    def among(self, column: str, key: str) -> str:
        """The condition that a column is one of a list."""
        return f"{column} IN (SELECT value FROM json_each(:{key}))" if self._json else f"{column} = ANY(%({key})s::text[])"

    def tuples(self, key: str, *types: str) -> tuple[str, list[str]]:
        """A list of tuples to select from, and its columns."""
        if self._json:
            return f"json_each(:{key}) AS k", [f"json_extract(k.value, '$[{column}]')" for column in range(len(types))]
        arrays = ", ".join(f"%({key}_{column})s::{each}[]" for column, each in enumerate(types))
        columns = [f"c{column}" for column in range(len(types))]
        return f"unnest({arrays}) AS k({', '.join(columns)})", [f"k.{column}" for column in columns]

    def for_readers(self, user: str) -> str:
        """The condition that the organization role of a user is one of `readers`, where that is asked for."""
        if not self._gated:
            return "1 = 1"
        role = f"""(SELECT r.role FROM {_MEMBER} AS r WHERE {self.here("r")} AND r."user" = {user})"""
        return self.among(role, "readers")


_ORGANIZATION, _STORE, _RESTRICTION = t.organization.name, t.store.name, t.restriction.name
_AUDIT, _CHANGE = t.audit.name, t.audit_change.name
_MEMBER, _WORKSPACE, _PROJECT = t.member.name, t.workspace.name, t.project.name
_TASK, _ASSIGNMENT, _WORKED_ON = t.task.name, t.assignment.name, t.worked_on.name
_LINKS = (
    ("w", t.workspace_member.name, "workspace", "NULL"),
    ("p", t.project_member.name, "project", "NULL"),
    ("r", t.project_role.name, "project", "l.role"),
    ("x", t.pause.name, "project", "l.reason"),
)
"""What belongs to a member: what the rows are called, their table, their domain, and the word that each has."""


def _columns(part: str, *texts: str, number: str = "NULL", bits: str = "NULL") -> str:
    """The columns of a branch."""
    filled = [f"CAST({each} AS TEXT)" if each == "NULL" else each for each in (*texts, *["NULL"] * (5 - len(texts)))]
    return f"'{part}', {', '.join(filled)}, CAST({number} AS BIGINT), CAST({bits} AS BIGINT)"


def _bits(*columns: str) -> str:
    """Several truths as one number: the first counts 1, the second 2, the third 4."""
    return " + ".join(f"{2**position} * CAST({column} AS INTEGER)" for position, column in enumerate(columns))


# -- the organization ------------------------------------------------------------------------------------------------------


def _version(words: _Words) -> list[str]:
    switches = _bits(*(f"o.{name}" for name in t.SETTINGS))
    columns = _columns("version", "o.head", f"(SELECT epoch FROM {_STORE})", "o.owner", number="o.revision", bits=switches)
    return [f"SELECT {columns} FROM {_ORGANIZATION} AS o WHERE {words.here('o', 'id')}"]


def _restrictions(words: _Words) -> list[str]:
    columns = _columns("restriction", "l.permission", "l.level")
    return [f"SELECT {columns} FROM {_RESTRICTION} AS l WHERE {words.here('l')}"]


def _history(words: _Words) -> list[str]:
    """The hash of the revision `after`, and at most `limit` changes that came after it."""
    hashed = f"SELECT {_columns('hash', 'a.hash')} FROM {_AUDIT} AS a WHERE {words.here('a')} AND a.revision = {words.number('after')}"
    after = f"{words.here('c')} AND c.revision > {words.number('after')} LIMIT {words.number('limit')}"
    columns = _columns("change", "g.kind", 'g."user"', "g.domain", "g.before", "g.after")
    return [hashed, f"SELECT {columns} FROM (SELECT * FROM {_CHANGE} AS c WHERE {after}) AS g"]


# -- members and domains ---------------------------------------------------------------------------------------------------


def _members(words: _Words) -> list[str]:
    """Members and what belongs to each. The Owner's own row says administrator, so that a transfer is one UPDATE."""
    columns, named = _columns("member", 'm."user"', "m.state", "m.role"), words.among('m."user"', "members")
    branches = [f"SELECT {columns} FROM {_MEMBER} AS m WHERE {words.here('m')} AND {named}"]
    for part, table, domain, word in _LINKS:
        columns, named = _columns(part, 'l."user"', f"l.{domain}", word, number="l.until"), words.among('l."user"', "members")
        branches.append(f"SELECT {columns} FROM {table} AS l WHERE {words.here('l')} AND {named}")
    return branches


def _workspaces(words: _Words) -> list[str]:
    holds = f"CASE WHEN EXISTS (SELECT 1 FROM {_PROJECT} AS p WHERE {words.here('p')} AND p.workspace = w.id) THEN 1 ELSE 0 END"
    columns = _columns("workspace", "w.id", "w.created_by", bits=_bits("w.personal", holds))
    return [f"SELECT {columns} FROM {_WORKSPACE} AS w WHERE {words.here('w')} AND {words.among('w.id', 'workspaces')}"]


def _projects(words: _Words) -> list[str]:
    switches = ("personal", "published", "show_to_annotators", "show_to_reviewers", "review_only_assigned")
    bits = _bits(*(f"p.{name}" for name in switches))
    columns = _columns("project", "p.id", "p.workspace", "p.created_by", "w.created_by", "p.distribution", bits=bits)
    home = f"LEFT JOIN {_WORKSPACE} AS w ON {words.here('w')} AND w.id = p.workspace"
    return [f"SELECT {columns} FROM {_PROJECT} AS p {home} WHERE {words.here('p')} AND {words.among('p.id', 'projects')}"]


# -- what a user has to do with a project, a task, another member ------------------------------------------------------------


def _one(words: _Words, table: str, where: str) -> str:
    """1 where there is such a row, else 0; a scalar subquery walks the index on both databases, whatever the statistics say."""
    return f"coalesce((SELECT 1 FROM {table} AS x WHERE {words.here('x')} AND {where} LIMIT 1), 0)"


def _assigned(words: _Words) -> list[str]:
    """Whether a user has a task in a project, as annotator and as reviewer."""
    listed, (user, project) = words.tuples("assigned", "text", "text")
    where = f'x."user" = {user} AND x.project = {project} AND x.kind = '
    kinds = (_one(words, _ASSIGNMENT, f"{where}'{kind}'") for kind in (Role.ANNOTATOR, Role.REVIEWER))
    columns = _columns("assigned", user, project, bits=_bits(*kinds))
    return [f"SELECT {columns} FROM {listed} WHERE {words.for_readers(user)}"]


def _tasks(words: _Words) -> list[str]:
    """What is wanted of tasks for users; the number says what was read."""
    listed, (project, task, user, wanted) = words.tuples("tasks", "text", "text", "text", "integer")
    reader = words.for_readers(user)
    wants = {what: f"{wanted} & {what} <> 0{'' if what == EXISTS else f' AND {reader}'}" for what in (EXISTS, ASSIGNED, WORKED_ON)}
    exists = _one(words, _TASK, f"x.project = {project} AND x.id = {task}")
    worked_on = _one(words, _WORKED_ON, f'x.project = {project} AND x.task = {task} AND x."user" = {user}')
    # an expression of the user, so that PostgreSQL without statistics does not walk all tasks of the user in the project
    kinds = f"""{words.here("x")} AND x.project = {project} AND x.task = {task} AND x."user" || '' = {user}"""
    kind = f"CASE x.kind WHEN '{Role.ANNOTATOR}' THEN 2 ELSE 4 END"
    assigned = f"coalesce((SELECT sum({kind}) FROM {_ASSIGNMENT} AS x WHERE {kinds}), 0)"
    asked = ((EXISTS, exists), (ASSIGNED, assigned), (WORKED_ON, f"8 * {worked_on}"))
    bits = " + ".join(f"CASE WHEN {wants[what]} THEN {found} ELSE 0 END" for what, found in asked)
    read = " + ".join(f"CASE WHEN {condition} THEN {what} ELSE 0 END" for what, condition in wants.items())
    return [f"SELECT {_columns('task', project, task, user, number=read, bits=bits)} FROM {listed}"]


def _shares(words: _Words) -> list[str]:
    """Until when, for some workspace or project that is not personal, `created_or_invited` holds for both of two members."""
    listed, both = words.tuples("shares", "text", "text")
    user, target = both
    workspace, project = (t.workspace_member.name, "workspace", _WORKSPACE), (t.project_member.name, "project", _PROJECT)
    through = f"CROSS JOIN {_PROJECT} AS p WHERE {words.here('p')} AND p.id = a.id"
    ends = (
        f"SELECT a.ends AS one, {_until(words, target, 'a.id', *workspace)} AS other FROM ({_reached(words, user, *workspace)}) AS a",
        f"SELECT a.ends, {_until(words, target, 'a.id', *project)} FROM ({_reached(words, user, *project)}) AS a",
        f"SELECT a.ends, {_until(words, target, 'p.workspace', *workspace)} FROM ({_reached(words, user, *project)}) AS a {through}",
        f"SELECT a.ends, {_until(words, user, 'p.workspace', *workspace)} FROM ({_reached(words, target, *project)}) AS a {through}",
    )
    last = f"(SELECT max(CASE WHEN s.one < s.other THEN s.one ELSE s.other END) FROM ({' UNION ALL '.join(ends)}) AS s)"
    return [f"SELECT {_columns('shares', *both, number=last)} FROM {listed} WHERE {words.for_readers(user)}"]


_COUNTS = ", ".join(f"'{role}'" for role in sorted(MANAGER_OR_ABOVE - {Role.OWNER}))  # the Owner's own row says administrator


def _reached(words: _Words, who: str, links: str, domain: str, created: str, one: str = "") -> str:
    """The domains, none personal, that somebody created or was invited to, each with its end; or one of them."""
    named, made = (f" AND l.{domain} = {one}", f" AND d.id = {one}") if one else ("", "")
    invited = f"SELECT l.{domain} AS id, coalesce(l.until, {NEVER}) AS ends FROM {links} AS l"
    invited += f""" WHERE {words.here("l")} AND l."user" = {who}{named}"""
    counts = f"""{words.here("m")} AND m."user" = {who} AND m.state = '{State.ACTIVE}' AND m.role IN ({_COUNTS})"""
    creator = f"d.created_by = {who} AND NOT d.personal AND (SELECT 1 FROM {_MEMBER} AS m WHERE {counts}) = 1"
    return f"{invited} UNION ALL SELECT d.id, {NEVER} FROM {created} AS d WHERE {words.here('d')}{made} AND {creator}"


def _until(words: _Words, who: str, one: str, links: str, domain: str, created: str) -> str:
    """Until when one domain is among those that somebody reaches; NULL where it is not."""
    return f"(SELECT max(b.ends) FROM ({_reached(words, who, links, domain, created, one)}) AS b)"


_BRANCHES: dict[Part, Callable[[_Words], list[str]]] = {
    "version": _version,
    "restrictions": _restrictions,
    "history": _history,
    "members": _members,
    "workspaces": _workspaces,
    "projects": _projects,
    "assigned": _assigned,
    "tasks": _tasks,
    "shares": _shares,
}
