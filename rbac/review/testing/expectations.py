"""What a policy test file comes down to: expectations, each with the line it stands in.

Every kind of check becomes one of two: somebody's request over a state is answered yes or no, or a cell is answered in
a whole formula. A name that is unknown, in the file or in its state, is an error and never a passed "no".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, KeysView
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rbac.clock import parse_instant
from rbac.documents import Lines, read_located
from rbac.errors import PolicyError, Problem, UnknownName
from rbac.fact_space.formulas import Formula, parse_formula
from rbac.names import parse_domain, parse_id, parse_permission, parse_role, parse_via
from rbac.policy.facts import Facts
from rbac.review.published import DENIED
from rbac.review.testing.file import Can, Check, Names, TestFile, WhoCan
from rbac.vocabulary import Decision, Kind, Permission, Request, Role, Via

NOON = parse_instant("2026-01-01T12:00:00Z")
"""The present instant of a test file that pins none."""

_Path = tuple[str | int, ...]
_Value = TypeVar("_Value")


class Trial(Protocol):
    """A state that can be asked, one organization of it, at one instant."""

    def decide(self, request: Request) -> Decision: ...
    def facts(self, request: Request) -> Facts | None:
        """Every fact of a question, whether the policy reads it or not; None where the answer is no before the policy."""

    def users(self) -> KeysView[str]: ...
    def missing(self, request: Request) -> str | None:
        """What a question names that is not there: its user or its domain."""


OpenTrial = Callable[[str | dict[str, Any], Path, str | None, int], Trial]
"""Opens a state (a path, or the state itself), found from a test file, for an organization and at an instant."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to a trial and its expected answer. The facts are None where the answer is no before the policy.

    `through` are the facts of `api:access`, for a request through the API.
    """

    file: str
    line: int
    request: Request
    allowed: bool
    because: str
    trial: Trial
    facts: Facts | None
    through: Facts | None

    def __str__(self) -> str:
        request = self.request
        about = {"target": request.target, "task": request.task, "via": None if request.via == Via.UI else request.via}
        told = ", ".join(f"{name} {value}" for name, value in about.items() if value is not None)
        verb = "may" if self.allowed else "may not"
        return f"{request.user} {verb} {request.permission} in {request.domain}{' with ' + told if told else ''}"


@dataclass(frozen=True, slots=True)
class Answered:
    """One cell and its whole expected answer: `answer` where `denied` does not hold, no where it does."""

    file: str
    line: int
    role: Role
    permission: Permission
    answer: Formula
    denied: Formula
    because: str

    def __str__(self) -> str:
        return f"{self.role}, {self.permission}: {self.answer}"


Expectation = Asked | Answered


def read_expectations(path: Path, open_trial: OpenTrial) -> tuple[Expectation, ...]:
    """Everything a test file expects; raises PolicyError or StateError for a file that is not understood, or expects nothing."""
    shape, lines = read_located(path, TestFile)
    found: list[Expectation] = list(_cells(shape, lines))
    if shape.checks or shape.who_can or shape.can:
        if shape.state is None:
            lines.wrong("has checks but no state: name a state file, or write the state here")
        now = NOON if shape.clock is None else _parsed(lines, ("clock",), parse_instant, shape.clock)
        trial = open_trial(shape.state, path, shape.organization, now)
        found += _Reader(lines, trial).read(shape)
    if not found:
        lines.wrong("expects nothing: write checks, who_can, can or cells")
    return tuple(found)


def _cells(shape: TestFile, lines: Lines) -> Iterator[Answered]:
    denied: dict[Kind, Formula] = dict(DENIED)
    for name, text in shape.denied.items():
        kind = Kind.named(name)
        if kind is None:
            lines.wrong(f"unknown kind of domain {name!r}: one of {', '.join(Kind)}", "denied", name)
        denied[kind] = _parsed(lines, ("denied", name), parse_formula, text)
    for number, cell in enumerate(shape.cells):
        path = ("cells", number)
        text = cell.answer if isinstance(cell.answer, str) else f"when {cell.answer.when}"
        answer = _parsed(lines, path, parse_formula, text)
        own = None if cell.denied is None else _parsed(lines, path, parse_formula, cell.denied)
        for permission in _each(lines, path, parse_permission, cell.permission):
            for role in _each(lines, path, parse_role, cell.role):
                yield Answered(lines.file, lines.at(*path), role, permission, answer, own or denied[permission.kind], cell.because)


class _Reader:
    """Turns the checks of one file into questions to its state; lives for that file."""

    def __init__(self, lines: Lines, trial: Trial) -> None:
        self._lines, self._trial = lines, trial

    def read(self, shape: TestFile) -> Iterator[Asked]:
        for number, check in enumerate(shape.checks):
            for key, allowed in (("may", True), ("may_not", False)):
                for place, permission in enumerate(_listed(getattr(check, key))):
                    yield self._asked(check, check.user, permission, "checks", number, key, place, allowed=allowed)
            if not check.may and not check.may_not:
                self._lines.wrong("expects nothing: write may or may_not", "checks", number)
        for number, who in enumerate(shape.who_can):
            listed = dict.fromkeys(who.users)
            for user in self._everybody(listed, number):
                yield self._asked(who, user, who.permission, "who_can", number, allowed=user in listed)
        for number, can in enumerate(shape.can):
            for permission in self._every(can, number):
                yield self._asked(can, can.user, permission, "can", number, allowed=permission in can.permissions)

    def _everybody(self, listed: Iterable[str], number: int) -> KeysView[str]:
        users = self._trial.users()
        for user in listed:
            if user not in users:
                self._lines.wrong(f"{user} is no member of the organization", "who_can", number)
        return users

    def _every(self, can: Can, number: int) -> list[Permission]:
        domain = _parsed(self._lines, ("can", number), parse_domain, can.where)
        asked = [permission for permission in Permission if permission.kind is domain.kind]
        for name in can.permissions:
            permission = _parsed(self._lines, ("can", number), parse_permission, name)
            if permission not in asked:
                self._lines.wrong(f"{permission} is asked in {permission.kind}, not in {domain.kind}", "can", number)
        return asked

    def _asked(self, check: Check | WhoCan | Can, user: str, permission: str, *path: str | int, allowed: bool) -> Asked:
        request = _parsed(self._lines, path, _request, check, user, permission)
        missing = self._trial.missing(request)
        if missing is not None:
            self._lines.wrong(missing, *path)
        facts = self._trial.facts(request)
        through = self._trial.facts(Request(request.user, Permission.API_ACCESS)) if request.via == Via.API else None
        return Asked(self._lines.file, self._lines.at(*path), request, allowed, check.because, self._trial, facts, through)


def _request(check: Check | WhoCan | Can, user: str, name: str) -> Request:
    permission, domain, about = parse_permission(name), parse_domain(check.where), check.about
    if permission.kind is not domain.kind:
        raise UnknownName(f"{permission} is asked in {permission.kind}, not in {domain.kind}")
    target = None if about.target is None else parse_id(about.target, "user")
    task = None if about.task is None else parse_id(about.task, "task")
    if task is not None and domain.kind is not Kind.PROJECT:
        raise UnknownName(f"a task is named in a project only, not in {domain}")
    return Request(parse_id(user, "user"), permission, str(domain), target=target, task=task, via=parse_via(about.via))


def _listed(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _each(lines: Lines, path: _Path, parse: Callable[[str], _Value], names: Names) -> list[_Value]:
    return [_parsed(lines, path, parse, name) for name in _listed(names)]


def _parsed(lines: Lines, path: _Path, parse: Callable[..., _Value], *texts: Any) -> _Value:
    """What `parse` makes of names in a file; a name it does not know is an error with its line."""
    try:
        return parse(*texts)
    except UnknownName as error:
        lines.wrong(str(error), *path)


def test_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The test files named, and those in the folders named; raises PolicyError for a folder without any."""
    for path in paths:
        if not os.path.isdir(path):  # path.is_dir() raises for a name that is too long
            yield path
            continue
        inside = sorted(path.rglob("*.rbac.yaml"))
        if not inside:
            raise PolicyError([Problem(str(path), 1, 1, "holds no file *.rbac.yaml")])
        yield from inside


test_files.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test
