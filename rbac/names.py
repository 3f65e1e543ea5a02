"""Names from outside become values here: ids, domains, roles, permissions.

A name that cannot be a name is an error, never a "no".
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable
from typing import TypeVar

from rbac.errors import StoreError, UnknownName
from rbac.vocabulary import ORGANIZATION, PERMISSIONS, Domain, Kind, Permission, Role, Task, Via, Word

_Names = TypeVar("_Names", bound=Word)

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
"""What an organization, workspace, project or task may be called; case counts."""

USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+|'~#:=-]{0,254}")
"""What a user, or an operator, may be called: what identity providers issue. Case counts."""

_USERS = frozenset({"user", "actor", "operator"})


_LONGEST = 150
"""How many characters of a name are compared and repeated: a few more than a name may have."""

_QUOTED = reprlib.Repr()
_QUOTED.maxstring = _QUOTED.maxother = _LONGEST


def quoted(value: object) -> str:
    """A value as an error repeats it: in quotes, and of a long one both ends."""
    return _QUOTED.repr(value)


def parse_id(text: str, what: str) -> str:
    """`text` as plain text when it can be the id of `what` (a user, a project ...); raises UnknownName."""
    ids = USER_ID if what in _USERS else ID
    if isinstance(text, str) and ids.fullmatch(text):
        return text if type(text) is str else str.__str__(text)
    article = "an" if what[0] in "aeio" else "a"
    rule = "1 to 255 of A-Z a-z 0-9 . _ @ + | ' ~ # : = -" if ids is USER_ID else "1 to 128 of A-Z a-z 0-9 . _ @ + -"
    raise UnknownName(f"{quoted(text)} cannot be the id of {article} {what}: {rule}, the first a letter or digit")


def stored_id(text: str, what: str) -> str:
    """An id that the store holds; raises StoreError for one that only a damaged file can hold."""
    try:
        return parse_id(text, what)
    except UnknownName as error:
        raise StoreError(f"the store is damaged, restore a backup: {error}") from None


def parse_domain(text: str | Domain) -> Domain:
    """The domain at an address; raises UnknownName for anything that is not one."""
    if isinstance(text, Domain):
        return ORGANIZATION if text.kind is Kind.ORGANIZATION else parse_domain(str(text))
    if text == Kind.ORGANIZATION:
        return ORGANIZATION
    kind, colon, name = text.partition(":") if isinstance(text, str) and len(text) <= _LONGEST else ("", "", "")
    if colon and kind in (Kind.WORKSPACE, Kind.PROJECT):
        return Domain(Kind(kind), parse_id(name, kind))
    raise UnknownName(f"{quoted(text)} is not a domain: write organization, workspace:ID or project:ID")


def parse_role(text: str) -> Role:
    """The role of that name; raises UnknownName with the nearest one."""
    return _member(Role, text, "role")


def parse_permission(text: str) -> Permission:
    """The permission of that name; raises UnknownName with the nearest one."""
    try:
        return PERMISSIONS[text]
    except (KeyError, TypeError):  # a TypeError of what cannot be a key of a dictionary
        return _member(Permission, text, "permission")


def parse_via(text: str) -> Via:
    """`ui` or `api`; raises UnknownName."""
    return _member(Via, text, "way to arrive")


def _member(names: type[_Names], text: str, what: str) -> _Names:
    found = names.named(text) if isinstance(text, str) else None
    if found is None:
        raise UnknownName(f"unknown {what} {quoted(text)}{nearest(text, names) or ': one of ' + ', '.join(names)}")
    return found


def parse_task(task: str | Task) -> Task:
    """A task by its id, or with what is known of it; raises UnknownName, and TypeError for what is neither known nor not."""
    if not isinstance(task, Task):
        return Task(parse_id(task, "task"))
    for value, what in ((task.exists, "exists"), (task.worked_on, "worked_on")):
        if value is not None:
            parse_switch(value, what)
    return Task(parse_id(task.id, "task"), exists=task.exists, worked_on=task.worked_on)


def parse_ids(listed: Iterable[str], what: str) -> list[str]:
    """Several ids of `what`; raises TypeError for one text, whose letters would each be an id."""
    if isinstance(listed, str | bytes) or not isinstance(listed, Iterable):
        raise TypeError(f"{quoted(listed)} is not a list of ids of {what}s")
    return [parse_id(each, what) for each in listed]


def parse_number(value: int, what: str) -> int:
    """A whole number that an argument is; raises TypeError for everything else, a float and a truth value included."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError(f"{what} is a whole number, not {quoted(value)}")


def parse_switch(value: bool, what: str) -> bool:
    """True or False; raises TypeError for everything else, since "no" would be true and None false."""
    if isinstance(value, bool):
        return value
    raise TypeError(f"{what} is True or False, not {quoted(value)}")


def nearest(name: str, names: Iterable[str]) -> str:
    """`: did you mean 'x'?` for the nearest of `names`, or nothing when none is near; to a very long name none is."""
    if not isinstance(name, str) or len(name) > _LONGEST:
        return ""
    found = difflib.get_close_matches(name, [str(each)[:_LONGEST] for each in names], n=1, cutoff=0.6)
    return f": did you mean {found[0]!r}?" if found else ""
