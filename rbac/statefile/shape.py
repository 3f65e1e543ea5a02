"""The shape of a state file, its reading from YAML or JSON, and its writing.

Shapes and types only: names and references are for check.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from rbac.documents import DocumentError, convert, parse_json, parse_yaml, write_yaml
from rbac.errors import StateError
from rbac.files import read_file
from rbac.text import plain, visible

_SHOWN = 400  # characters of a path, a sentence or the name of a file

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the file: unknown keys are errors, defaults are not written."""


_Part = TypeVar("_Part", bound=_Strict)


class MemberState(_Strict):
    """A member; in short the role of an active one. In full `{role: annotator, state: deactivated}`, `{state: invited}`."""

    role: str | None = None
    state: str = "active"


class Ends(_Strict):
    """A membership that may end: `{until: 2027-01-31T12:00:00Z}`."""

    until: Moment | None = None


class ProjectRole(_Strict):
    """A project role; in short the role of one that does not end."""

    role: str
    until: Moment | None = None


class Pause(_Strict):
    """A pause; in short the reason of one that does not end."""

    reason: str = "manual"
    until: Moment | None = None


class TaskState(_Strict):
    """A task: to whom it is assigned, and who has worked on it."""

    annotators: list[str] = []
    reviewers: list[str] = []
    worked_on_by: list[str] = []


class ProjectState(_Strict):
    """A project."""

    id: str
    created_by: str | None = None
    published: bool = False
    distribution: str = "automatic"
    show_data_manager_to: list[str] = []
    review_only_assigned: bool = False
    members: list[str] | dict[str, Ends | None] = []
    project_roles: dict[str, str | ProjectRole] = {}
    paused: dict[str, str | Pause] = {}
    tasks: dict[str, TaskState | None] = {}


class WorkspaceState(_Strict):
    """A workspace with its projects."""

    id: str
    created_by: str | None = None
    personal: bool = False
    members: list[str] | dict[str, Ends | None] = []
    projects: list[ProjectState] = []


class SettingsState(_Strict):
    """The settings of an organization."""

    plugins_enabled: bool = False
    manual_role_management: bool = True
    administrators_make_administrators: bool = True
    tokens_for_annotators_and_reviewers: bool = True


class OrganizationState(_Strict):
    """An organization; `members` does not repeat the Owner."""

    id: str
    owner: str
    members: dict[str, str | MemberState] = {}
    settings: SettingsState = msgspec.field(default_factory=SettingsState)
    restrictions: dict[str, str] = {}
    workspaces: list[WorkspaceState] = []


class StateFile(_Strict):
    """The whole file."""

    organizations: list[OrganizationState]


def read_state(source: str | Path | Mapping[str, Any]) -> StateFile:
    """The state in a YAML or JSON file, or in a dictionary of the same shape; raises StateError with the path."""
    if isinstance(source, Mapping):
        return _convert(dict(source), "")
    path = Path(source)
    name = file_name(path)
    try:
        text = read_file(path).decode("utf-8")
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}", file=name) from error
    except UnicodeDecodeError as error:
        raise StateError(f"byte {error.start} is not UTF-8", file=name) from error
    except ValueError as error:  # of a null character, or of half a character
        raise StateError("cannot be read: no file can have this name", file=name) from error
    try:
        data = parse_json(text) if path.suffix == ".json" else parse_yaml(text)
    except DocumentError as error:
        raise StateError(str(error), file=name) from None
    return _convert(data, name)


def file_name(path: str | Path) -> str:
    """The name of a file as an error repeats it: on one line, and of a very long one both ends."""
    return visible(_both_ends(str(path)))


def write_state(state: StateFile, *, as_json: bool = False) -> str:
    """The text of a state file, YAML unless asked for JSON; reading it gives `state` again."""
    if as_json:
        return json.dumps(msgspec.to_builtins(state), indent=2) + "\n"
    return write_yaml(msgspec.to_builtins(state, builtin_types=(datetime,)))


def in_full(shape: type[_Part], given: str | _Part) -> _Part:
    """What may be written as its first value alone, as all of it."""
    return shape(given) if isinstance(given, str) else given


def members_of(domain: WorkspaceState | ProjectState) -> Iterator[tuple[str, datetime | None]]:
    """The members listed, each with the end of the membership."""
    listed = domain.members
    if isinstance(listed, list):
        yield from ((user, None) for user in listed)
    else:
        yield from ((user, ends.until if ends else None) for user, ends in listed.items())


def printable(text: str) -> str:
    """A path inside a file, or a sentence, as an error repeats it: as plain text, and of a very long one both ends."""
    return plain(_both_ends(text))


def _both_ends(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"


def _convert(data: Any, file: str) -> StateFile:
    try:
        return convert(data, StateFile)
    except DocumentError as error:
        message = printable(error.message)
        hint = ": quote it" if "expected `str" in message and "got `str" not in message else ""
        if "RFC3339" in message:
            message = "expected an instant, as in 2027-01-31T12:00:00Z"
        raise StateError(f"{message}{hint}", file=file, path=printable(_named(data, error.path))) from None


_VALUES: dict[str, Any] = {
    "restrictions": str,
    "project_roles": str | ProjectRole,
    "paused": str | Pause,
    "tasks": TaskState | None,
}


def _named(data: Any, path: str) -> str:
    """The path with the key that msgspec leaves open: the first in `members[...]` that does not convert."""
    before, open_key, after = path.partition("[...]")
    if not open_key:
        return path
    part = data
    try:
        for name in re.findall(r"[A-Za-z_]+|[0-9]+", before):
            part = part[int(name)] if name.isdecimal() else part[name]
        part = part.items()
    except (LookupError, TypeError, AttributeError):  # an unknown key that looks like a path of msgspec's
        return path
    field = before.rpartition(".")[2]
    kind = _VALUES.get(field, Ends | None if "workspaces" in before else str | MemberState)
    for key, value in part:
        try:
            msgspec.convert(value, kind)
        except (msgspec.ValidationError, UnicodeEncodeError):
            return f"{before}.{key}{after}"
    return path
