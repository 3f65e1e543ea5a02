"""One tree of errors, one sentence each. They carry data, not only text; none of them is ever an allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rbac.vocabulary import Decision


class RBACError(Exception):
    """Everything this library raises on purpose."""


class UnknownName(RBACError, ValueError):
    """A name that cannot be one, or is none of a closed set: a mistake in the question, never a "no"."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file: where (line and column, 1 based) and what would be right."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class PolicyError(RBACError):
    """policy.csv or model.conf does not load. `problems` has every mistake, first to last."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)

    @property
    def line(self) -> int:
        """The line of the first mistake."""
        return self.problems[0].line


class StateError(RBACError):
    """A state file does not load. `path` names the place, as in `organizations[0].workspaces[1].id`."""

    def __init__(self, message: str, *, file: str = "", path: str = "") -> None:
        super().__init__(": ".join(part for part in (file, path, message) if part))
        self.file, self.path = file, path


class Denied(RBACError):
    """`require` was asked for something the policy does not allow; `decision` says why."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


class Refused(RBACError):
    """A change that an authority rule or an invariant forbids. Nothing was written."""


class Conflict(RBACError):
    """Somebody else changed the organization first. `expected` and `found` are revisions, or None."""

    def __init__(self, message: str, *, expected: int | None = None, found: int | None = None) -> None:
        super().__init__(message)
        self.expected, self.found = expected, found


class StoreError(RBACError):
    """The store cannot be reached, is not there yet, is full, locked, read-only, or is not ours."""


class Stale(StoreError):
    """This node has had no answer from its database for too long: it answers nothing until it has one."""
