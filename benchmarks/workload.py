"""One workload as data: users, projects, memberships and questions, all computed from their numbers, none at random.

Its one rule: every engine gets exactly these facts and exactly these questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

ROLES = ("annotator", "reviewer", "manager", "administrator", "owner")

IN_PROJECT = (
    "project:view", "data:export", "data_manager:view", "project:update",
    "storage:configure", "labeling:access", "review:access", "plugin:configure",
)  # fmt: skip
IN_WORKSPACE = ("workspace:view", "workspace:update")
IN_ORGANIZATION = ("organization_page:view", "user:invite", "workspace:create")

RESTRICTED = {"storage:configure": "administrator"}
"""The organization's permission settings; the plugins feature is on, tasks are distributed automatically."""


class User(NamedTuple):
    """A member: five memberships, one of them of a workspace; `reviewer_in` are project roles, `paused_in` pauses."""

    id: str
    role: str
    active: bool
    workspaces: tuple[str, ...]
    projects: tuple[str, ...]
    reviewer_in: tuple[str, ...]
    paused_in: tuple[str, ...]


class Project(NamedTuple):
    """A project, with what its workspace says of it."""

    id: str
    workspace: str
    workspace_created_by: str
    created_by: str
    published: bool
    shown_to: frozenset[str]


class Question(NamedTuple):
    """Three strings, which is all an engine is told."""

    user: str
    permission: str
    domain: str


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    name: str
    users: int
    projects: int

    @property
    def workspaces(self) -> int:
        return self.projects // 10

    @property
    def memberships(self) -> int:
        return 5 * self.users


SIZES = {
    size.name: size for size in (Size("S", 100, 20), Size("M", 10_000, 1_000), Size("L", 100_000, 10_000), Size("XL", 1_000_000, 100_000))
}


def user(size: Size, number: int) -> User:
    """The user of a number, counted from 0."""
    memberships = tuple(dict.fromkeys(f"p{(number * 7919 + each * 104_729) % size.projects}" for each in range(4)))
    promoted, paused = memberships[1:2] if number % 20 == 8 else (), memberships[:1] if number % 20 == 7 else ()
    return User(f"u{number}", _role(number), number % 97 != 5, (f"w{number * 31 % size.workspaces}",), memberships, promoted, paused)


def users(size: Size) -> Iterator[User]:
    """Everybody."""
    return (user(size, number) for number in range(size.users))


def project(size: Size, number: int) -> Project:
    """The project of a number, counted from 0."""
    home = number // 10
    shown = {role for role, every in (("annotator", 3), ("reviewer", 2)) if number % every == 0}
    return Project(f"p{number}", f"w{home}", creator(size, home), creator(size, number * 13), number % 10 != 3, frozenset(shown))


def projects(size: Size) -> Iterator[Project]:
    """Every project."""
    return (project(size, number) for number in range(size.projects))


def creator(size: Size, number: int) -> str:
    """A manager, who created the workspace of a number."""
    return f"u{number % (size.users // 10) * 10 + 2}"


def questions(size: Size, count: int, seed: int = 1) -> list[Question]:
    """Questions of users drawn evenly: eight in ten in a project, six of these in one of theirs."""
    random = Random(f"{seed} {size.name}")
    return [_question(size, random, random.randrange(size.users)) for _ in range(count)]


def _question(size: Size, random: Random, number: int) -> Question:
    who, draw = user(size, number), random.random()
    if draw < 0.1:
        return Question(who.id, random.choice(IN_ORGANIZATION), "organization")
    if draw < 0.2:
        home = random.choice((who.workspaces[0], f"w{random.randrange(size.workspaces)}"))
        return Question(who.id, random.choice(IN_WORKSPACE), f"workspace:{home}")
    where = random.choice(who.projects) if draw < 0.8 else f"p{random.randrange(size.projects)}"
    return Question(who.id, random.choice(IN_PROJECT), f"project:{where}")


def _role(number: int) -> str:
    if number == 0:
        return "owner"
    if number % 50 == 1:
        return "administrator"
    return {2: "manager", 3: "reviewer", 4: "reviewer"}.get(number % 10, "annotator")
