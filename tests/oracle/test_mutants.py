"""Every single-cell mutation of policy.csv is refused by the reader, or differs from the table the oracle typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from rbac.errors import PolicyError
from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import PACKAGED, Policy, parse_policy
from rbac.vocabulary import Effect, Kind, Permission, Role
from tests.oracle import PERMISSIONS, ROLES, conditions

DENY = {
    ("organization", "unknown_target"),
    ("workspace", "unknown_target"),
    ("workspace", "foreign_sandbox"),
    ("project", "unknown_task"),
    ("project", "unknown_target"),
    ("project", "foreign_sandbox"),
    ("project", "paused"),
}


STATED = {
    (Role(role), Permission(permission)): [] if (stated := conditions(role, permission)) is None else [set(stated)]
    for role in ROLES
    for permission in PERMISSIONS
}


def is_the_table(policy: Policy) -> bool:
    """Whether a policy is the specification's table, cell by cell, and its deny lines and no others."""
    for (role, permission), stated in STATED.items():
        if [set(line.conditions) for line in policy.cell(role, permission)] != stated:
            return False
    denied = [(str(line.kind), *line.conditions) for line in policy.deny_lines if line.role is None and line.permission is None]
    return len(policy.deny_lines) == len(DENY) and set(denied) == DENY


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """Each way to change one line in one cell: what was done, and the whole file then."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if not line.startswith("p,"):
            continue
        fields = [part.strip() for part in line.split(",")]
        for what, changed in one_line(fields):
            rest = [*lines[:number], *([", ".join(changed)] if changed else []), *lines[number + 1 :]]
            yield f"line {number + 1}: {what}", "\n".join(rest)


def one_line(fields: list[str]) -> Iterator[tuple[str, list[str] | None]]:
    def put(place: int, value: str) -> list[str]:
        return [*fields[:place], value, *fields[place + 1 :]]

    yield "dropped", None
    for role in (*Role, "*"):
        if role != fields[1]:
            yield f"role {role}", put(1, str(role))
    for kind in Kind:
        if kind != fields[2]:
            yield f"domain {kind}", put(2, str(kind))
    for permission in Permission:
        if (permission.object, permission.action) != (fields[3], fields[4]):
            yield f"permission {permission}", [*fields[:3], permission.object, permission.action, *fields[5:]]
    stated = [] if fields[5] == "always" else [name.strip() for name in fields[5].split("&")]
    for name in stated:
        rest = [other for other in stated if other != name]
        yield f"without {name}", put(5, " & ".join(rest) or "always")
        for other in CONDITIONS:
            if other not in stated:
                yield f"{other} for {name}", put(5, " & ".join(other if each == name else each for each in stated))
    for other in CONDITIONS:
        if other not in stated:
            yield f"with {other}", put(5, " & ".join([*stated, other]))
    yield "effect", put(6, "deny" if fields[6] == Effect.ALLOW else "allow")


def test_the_packaged_policy_is_the_table() -> None:
    assert is_the_table(parse_policy(PACKAGED.read_bytes()))


def test_every_mutation_of_one_cell_is_refused_or_noticed(record_property: Any) -> None:
    done: Counter[str] = Counter()
    survivors = []
    for what, text in mutants(PACKAGED.read_text()):
        try:
            policy = parse_policy(text)
        except PolicyError:
            done["refused by the reader"] += 1
            continue
        done["noticed" if not is_the_table(policy) else "survived"] += 1
        if is_the_table(policy):
            survivors.append(what)

    record_property("mutants", dict(done))
    print(f"\n{dict(done)}")  # noqa: T201
    assert not survivors
    assert done["noticed"] > 1000
    assert done["refused by the reader"] > 1000
