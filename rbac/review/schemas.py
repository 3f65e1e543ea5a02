"""JSON Schemas of the files people write, for their editors: state files, policy tests, claims.

Made from the very types that read the files. `python -m rbac.review.schemas docs/schemas` writes them. A schema
never refuses what the reader accepts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from rbac.review.claims import ClaimsFile
from rbac.review.testing.file import TestFile
from rbac.statefile.shape import StateFile
from rbac.vocabulary import Distribution, PauseReason, Permission, Role, State

SHAPES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "state.schema.json": (StateFile, "A state of organizations"),
    "policy-test.schema.json": (TestFile, "Tests of a policy"),
    "claims.schema.json": (ClaimsFile, "Claims about a policy"),
}
"""The file of each schema, the type it is made from, and its title."""

_PERMISSIONS, _ROLES = [str(permission) for permission in Permission], [str(role) for role in Role]
_OFFERED: dict[str, list[str]] = {
    "Check.may": _PERMISSIONS,
    "Check.may_not": _PERMISSIONS,
    "WhoCan.permission": _PERMISSIONS,
    "Can.permissions": _PERMISSIONS,
    "Cell.permission": _PERMISSIONS,
    "Cell.role": _ROLES,
    "MemberState.role": _ROLES[:-1],
    "MemberState.state": [str(state) for state in State],
    "ProjectRole.role": _ROLES[:2],
    "ProjectState.distribution": [str(each) for each in Distribution],
    "ProjectState.show_data_manager_to": _ROLES[:2],
    "Pause.reason": [str(reason) for reason in PauseReason],
}
"""What an editor may offer for a part whose type is text, or a list of texts."""


def schema(file: str) -> dict[str, Any]:
    """The schema of one of SHAPES."""
    shape, title = SHAPES[file]
    made = msgspec.json.schema(shape)
    for struct, part in made["$defs"].items():
        for name, value in part.get("properties", {}).items():
            if f"{struct}.{name}" in _OFFERED:
                part["properties"][name] = _offering(value, _OFFERED[f"{struct}.{name}"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **made}


def write(folder: Path) -> None:
    """Every schema as a file of `folder`."""
    for file in SHAPES:
        (folder / file).write_text(json.dumps(schema(file), indent=2) + "\n", encoding="utf-8")


def _offering(value: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The same type with its texts out of a closed set; other types stay as they are."""
    if "anyOf" in value:
        return value | {"anyOf": [_offering(each, names) for each in value["anyOf"]]}
    if value.get("type") == "array":
        return value | {"items": _offering(value["items"], names)}
    return value | {"enum": names} if value.get("type") == "string" else value


if __name__ == "__main__":
    write(Path(sys.argv[1]))
