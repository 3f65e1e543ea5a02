"""The shape of a `*.rbac.yaml` file: policy tests as data.

docs/review.md shows one, docs/schemas has its JSON Schema. The reader and the editors' schema use the same types.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from rbac.documents import Strict

Names = str | list[str]


class About(Strict, frozen=True):
    """What a request is about besides its domain: a target, a task, and how it arrives."""

    target: str | None = None
    task: str | None = None
    via: str = "ui"


_NOTHING = About()


class Check(Strict, frozen=True, kw_only=True):
    """What one user may, and may not, in one domain."""

    user: str
    where: str = msgspec.field(name="in")
    may: Names = msgspec.field(default_factory=list)
    may_not: Names = msgspec.field(default_factory=list)
    about: About = msgspec.field(name="with", default=_NOTHING)
    because: str = ""


class WhoCan(Strict, frozen=True, kw_only=True):
    """Exactly the members who may, nobody else."""

    permission: str
    where: str = msgspec.field(name="in")
    users: list[str]
    about: About = msgspec.field(name="with", default=_NOTHING)
    because: str = ""


class Can(Strict, frozen=True, kw_only=True):
    """Exactly the permissions a user has in a domain, no other."""

    user: str
    where: str = msgspec.field(name="in")
    permissions: list[str]
    about: About = msgspec.field(name="with", default=_NOTHING)
    because: str = ""


class When(Strict, frozen=True):
    """An answer that depends: `{when: created_or_invited & unless_restricted}`."""

    when: str


class Cell(Strict, frozen=True, kw_only=True):
    """The whole answer of one cell, or of several that are answered alike: always, never, or when.

    `denied` says what nobody may in these cells, in the place of the file's.
    """

    role: Names
    permission: Names
    answer: str | When
    denied: str | None = None
    because: str = ""


class TestFile(Strict, frozen=True, kw_only=True):
    """A whole file.

    The cells are answered for whoever the guards let pass: `denied` says, for each kind of domain, what nobody may;
    by default that is what the published table denies to everybody.
    """

    __test__ = False  # pytest: not a class of tests

    clock: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    state: str | dict[str, Any] | None = None
    organization: str | None = None
    checks: list[Check] = msgspec.field(default_factory=list)
    who_can: list[WhoCan] = msgspec.field(default_factory=list)
    can: list[Can] = msgspec.field(default_factory=list)
    cells: list[Cell] = msgspec.field(default_factory=list)
    denied: dict[str, str] = msgspec.field(default_factory=dict)
