"""What an edit of the conditions themselves changes: the functions of two revisions, compared over the same space.

The functions of a revision run in a process of their own, with an environment that has no token in it. That is for places where the code
of a branch runs anyway; elsewhere `edited_code` only says what was edited.
"""

from __future__ import annotations

import copy
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rbac.errors import RBACError
from rbac.fact_space.constraints import known_in
from rbac.fact_space.diagrams import NO, Node, is_missing
from rbac.fact_space.space import Space, space
from rbac.policy.facts import VALUES, Facts, MissingFact
from rbac.policy.reader import Policy
from rbac.review.diff.compare import Direction
from rbac.review.git import Source, git
from rbac.vocabulary import Effect, Permission, Role

_CODE = (":(top,glob)**/policy/conditions.py", ":(top,glob)**/policy/facts.py", ":(top,glob)**/model.conf")
_SECONDS = 60

_PROBE = """
import itertools, json, sys
sys.path.insert(0, sys.argv[1])
from rbac.policy.conditions import CONDITIONS
from rbac.policy.facts import VALUES, GivenFacts, MissingFact

def value(function, facts):
    try:
        return "1" if function(facts) else "0"
    except MissingFact:
        return "-"

def table(condition):
    reads = sorted(condition.reads)
    places = itertools.product(*(range(len(VALUES[name]) + 1) for name in reads))
    rows = ({name: VALUES[name][at] for name, at in zip(reads, row) if at < len(VALUES[name])} for row in places)
    return {"reads": reads, "values": "".join(value(condition.function, GivenFacts(**row)) for row in rows)}

def said(value):
    return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)

facts = {name: list(map(said, values)) for name, values in VALUES.items()}
print(json.dumps({"facts": facts, "conditions": {name: table(each) for name, each in CONDITIONS.items()}}))
"""


class NotCompared(RBACError):
    """The functions of a revision cannot be compared; the message says why."""


class Table(NamedTuple):
    """A condition as a table: the facts it reads, and for each combination of them `1`, `0`, or `-` where a fact it reads is missing."""

    reads: tuple[str, ...]
    values: str


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """One cell that decides differently with the policy and the functions of each revision, and facts with which it does."""

    role: Role
    permission: Permission
    direction: Direction
    example: str

    def __str__(self) -> str:
        return f"{self.role}, {self.permission}: {self.direction} by the functions, for example with {self.example}"


def edited_code(old: Source, new: Source) -> tuple[str, ...]:
    """The files with conditions, facts and the model that differ between two revisions; none where `old` is no revision."""
    if old.revision is None:
        return ()
    ends = [old.revision] if new.revision is None else [old.revision, new.revision]
    return tuple((git("diff", "--name-only", *ends, "--", *_CODE) or "").split())


def compare_functions(old: Source, new: Source, before: Policy, after: Policy) -> tuple[FunctionChange, ...]:
    """Every cell that decides differently, each policy with the functions of its own revision; raises NotCompared."""
    one, other = _functions(old), _functions(new)
    if one == other:
        return ()
    here, then, now = space(), _with(one), _with(other)
    found = []
    for permission in Permission:
        for role in Role:
            was, is_now = then.allowed(before, role, permission), now.allowed(after, role, permission)
            gained, lost = here.diagrams.but_not(is_now, was), here.diagrams.but_not(was, is_now)
            if was == is_now or not (_differs(then, now, before, role, permission) or _differs(then, now, after, role, permission)):
                continue
            direction = Direction.CHANGED if NO not in (gained, lost) else Direction.WIDER if lost == NO else Direction.NARROWER
            example = _example(gained if gained != NO else lost, permission, one, other)
            found.append(FunctionChange(role, permission, direction, example))
    return tuple(found)


def _differs(then: Space, now: Space, policy: Policy, role: Role, permission: Permission) -> bool:
    """Whether the functions, and not only the lines, decide a cell differently."""
    try:
        return then.allowed(policy, role, permission) != now.allowed(policy, role, permission)
    except NotCompared:
        return True


def _example(node: Node, permission: Permission, *tables: Mapping[str, Table]) -> str:
    read = {name for functions in tables for table in functions.values() for name in table.reads}
    named = read & known_in(permission.kind) - {"role", "kind"}
    needed = [name for name in space().diagrams.names if name in named and space().diagrams.forget(node, [name]) != node]
    return space().counterexample(node, needed)


# -- the functions of a revision -------------------------------------------------------------------------------------------------


def _functions(source: Source) -> dict[str, Table]:
    with tempfile.TemporaryDirectory(prefix="rbac-functions-") as folder:
        root = _checked_out(source, Path(folder))
        environment = {"PATH": os.defpath}  # no token, no address of a store, nothing that names a Python
        command = [sys.executable, "-I", "-B", "-c", _PROBE, str(root)]
        try:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise NotCompared(f"the conditions of {source.title} do not end") from None
    if done.returncode:
        told = done.stderr.strip().splitlines()
        raise NotCompared(f"the conditions of {source.title} do not run: {told[-1] if told else 'no message'}")
    return _read(json.loads(done.stdout), source)


def _checked_out(source: Source, folder: Path) -> Path:
    """The top of the repository as of a revision; for a file, as it is now."""
    if source.revision is None:
        return Path((git("rev-parse", "--show-toplevel") or ".").strip())
    packed = subprocess.run(["git", "archive", source.revision, "--", ":/rbac"], capture_output=True, check=False, cwd=_top())
    if packed.returncode:
        raise NotCompared(f"there is no rbac in {source.title}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        members = [each for each in archive.getmembers() if not each.issym() and not each.islnk()]
        archive.extractall(folder, members=members, filter="data")
    return folder


def _top() -> str:
    return (git("rev-parse", "--show-toplevel") or ".").strip()


def _read(told: Any, source: Source) -> dict[str, Table]:
    """The tables of a process, whose facts must be those of this program."""
    mine = {name: [_said(value) for value in values] for name, values in VALUES.items()}
    found = {}
    for name, table in told["conditions"].items():
        if any(told["facts"].get(fact) != mine.get(fact) for fact in table["reads"]):
            raise NotCompared(f"{name} of {source.title} reads facts that this program does not have")
        found[name] = Table(tuple(table["reads"]), table["values"])
    return found


def _said(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)


# -- in the space ------------------------------------------------------------------------------------------------------------------


def _with(functions: Mapping[str, Table]) -> Space:
    """The space with other functions for the conditions; its diagrams are the same, so that they can be compared."""
    here, nodes = copy.copy(space()), dict[tuple[str, Effect], Node]()

    def condition(name: str, effect: Effect) -> Node:
        if name not in functions:
            raise NotCompared(f"there is no condition {name} in that revision")
        if (name, effect) not in nodes:
            nodes[name, effect] = here.diagrams.of(_looked_up(functions[name]), if_missing=effect is Effect.DENY)
        return nodes[name, effect]

    here.condition = condition  # type: ignore[assignment]  # the space's own is cached
    return here


def _looked_up(table: Table) -> Callable[[Facts], bool]:
    def function(facts: Facts) -> bool:
        at = 0
        for name, place in _places(facts, table.reads):
            at = at * (len(VALUES[name]) + 1) + place
        if table.values[at] == "-":
            raise MissingFact("one that is read")
        return table.values[at] == "1"

    return function


def _places(facts: Facts, names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    for name in names:
        value = getattr(facts, name)
        yield name, len(VALUES[name]) if is_missing(value) else VALUES[name].index(value)
