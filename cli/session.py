"""The global options of one command, and the store they name.

The store is opened when a command asks for it, so that help and usage errors never touch one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

import rbac
from rbac.cli import output
from rbac.cli.errors import No
from rbac.errors import PolicyError, Problem
from rbac.names import stored_id

if TYPE_CHECKING:
    from rbac.organization import Organization

DATABASE = "sqlite:///rbac.db"
PACKAGED = "packaged"
"""What --policy may say in the place of a file: the policy inside the package."""


class Session:
    """The values of the global options, and the store they name; lives for one command."""

    def __init__(self) -> None:
        self.db: str | None = None
        self.org: str | None = None
        self.policy: str | None = None
        self.model: str | None = None
        self.json = False
        self._store: rbac.Store | None = None

    @property
    def url(self) -> str:
        """The address of the store."""
        return self.db if self.db is not None else os.environ.get("RBAC_DB") or DATABASE

    def store(self) -> rbac.Store:
        """The store, opened at the first call and closed when the command ends."""
        if self._store is None:
            policy = None if self.policy == PACKAGED else self.policy
            self._store = rbac.connect(self.url, policy=policy, model=self.model)
            click.get_current_context().call_on_close(self._store.close)
        return self._store

    def reviewed(self) -> Path:
        """The policy that a command is about which asks no store: --policy, else ./policy.csv. Says on stderr which it is."""
        from rbac.policy.reader import PACKAGED as SHIPPED

        if self.policy is None and not os.path.isfile("policy.csv"):
            raise PolicyError([Problem("policy.csv", 1, 1, f"is not here: name a policy with --policy, or say --policy {PACKAGED}")])
        path = SHIPPED if self.policy == PACKAGED else Path(self.policy or "policy.csv")
        if os.path.isfile(path):  # else the error of reading it says all
            output.line(f"policy: {'the packaged policy.csv' if path is SHIPPED else path}", err=True)
        return path

    def named(self) -> str | None:
        """The organization that was named, if any. An empty --org is kept, to be refused: a script's variable was not set."""
        return self.org if self.org is not None else os.environ.get("RBAC_ORG") or None

    def organization(self) -> Organization:
        """The organization named, or the only one there is."""
        named = self.named()
        if named is not None:
            return self.store().organization(named)
        there = self.store().organizations()
        if len(there) != 1:
            shown = ", ".join(there[:5]) + (" ..." if len(there) > 5 else "")
            raise click.UsageError(f"name an organization with --org: {shown}" if there else "the store has no organization yet")
        return self.store().organization(stored_id(there[0], "organization"))

    def existing(self) -> Organization:
        """The same; raises No when there is no such organization."""
        found = self.organization()
        if found.id not in self.store().organizations():
            raise No(f"there is no organization {found.id}")
        return found


current = click.make_pass_decorator(Session, ensure=True)
"""Gives a command its Session as the first argument."""
