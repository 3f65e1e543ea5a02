"""A process that changes a store until it is killed: it announces each change, makes it, and says that it is done.

Its one rule: an announcement holds everything that making the change takes, so that whoever reads it can send the
same change again. A change bears a name of its own, which the audit or the table of keys keeps.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import event

import rbac
from rbac.organization import Organization

CREW = tuple(f"crew{number}" for number in range(6))
"""Members who always have one role together: half a change of them would show."""

HEIRS = ("olga", "ada", "max", "mia")
MATES = ("andy", "rita")
KINDS = (*("grant",) * 6, *("several",) * 5, *("transfer",) * 3, *("import",) * 2, *("update",) * 3)
"""How often which kind of change is thrown."""

KEYED = ("grant", "several")
WRITES = "writes"
"""What it says before each statement that writes."""

SIZE = 60
"""Members of an imported organization."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, in words that make it again: `name` is its key, ticket or operator."""

    kind: str
    name: str
    organization: str = "acme"
    actor: str = ""
    values: tuple[str, ...] = ()

    def make(self, store: rbac.Store) -> int:
        """Make it, or make it again; the revision it is said to have."""
        acme, values = store.organization(self.organization), self.values
        if self.kind == "grant":
            return acme.acting(self.actor, key=self.name).grant(values[0], values[1])
        if self.kind == "several":
            with acme.acting(self.actor, key=self.name) as acting:
                for user in CREW:
                    revision = acting.grant(user, values[0])
            return revision
        if self.kind == "transfer":
            return acme.transfer_ownership(to=values[0], ticket=self.name, operator="root")
        (imported,) = store.import_state(world(self.organization, *values), update=True, operator=self.name)
        return imported.revision


def world(organization: str, variant: str) -> dict[str, Any]:
    """An organization to be imported; the two variants of it have hardly a fact in common."""
    one = variant == "one"
    people = {f"u{number}": ("annotator", "reviewer")[(number + one) % 2] for number in range(SIZE)}
    members = [user for number, user in enumerate(people) if number % 2 == one]
    project = {
        "id": f"p{variant}",
        "created_by": "olga",
        "published": one,
        "members": members,
        "paused": dict.fromkeys(members[:9], "manual"),
    }
    workspace = {"id": "w", "created_by": "olga", "members": members, "projects": [project]}
    state = {"id": organization, "owner": "olga", "members": people, "settings": {"plugins_enabled": one}, "workspaces": [workspace]}
    return {"organizations": [state]}


def live(url: str, life: int, pipe: Connection) -> None:
    """Change the store until the end of this process, which comes from outside."""
    dice = random.Random(life)
    with rbac.connect(url) as store:
        event.listen(store._store.engine, "before_cursor_execute", lambda *said: tell(pipe, said[2]))
        for number in itertools.count():
            change = thrown(dice, store, f"k-{life}-{number}")
            pipe.send(change)
            pipe.send(change.make(store))


def tell(pipe: Connection, statement: str) -> None:
    """Say that rows are about to be written."""
    if statement.startswith(("INSERT", "UPDATE", "DELETE")):
        pipe.send(WRITES)


def thrown(dice: random.Random, store: rbac.Store, name: str) -> Change:
    """A change that changes something in the store as it is."""
    acme, kind = store.organization("acme"), dice.choice(KINDS)
    owner = acme.owner
    if kind == "grant":
        user = dice.choice(MATES)
        return Change(kind, name, actor=owner, values=(user, another_role(dice, acme, user)))
    if kind == "several":
        return Change(kind, name, actor=owner, values=(another_role(dice, acme, CREW[0]),))
    if kind == "transfer":
        return Change(kind, name, values=(dice.choice([heir for heir in HEIRS if heir != owner]),))
    if kind == "import":
        return Change(kind, name, organization=name, values=(dice.choice(["one", "two"]),))
    variant = "two" if store.organization("other").details().plugins_enabled else "one"
    return Change(kind, name, organization="other", values=(variant,))


def another_role(dice: random.Random, acme: Organization, user: str) -> str:
    """A role that the user has not."""
    return dice.choice([role for role in ("manager", "reviewer", "annotator") if role != acme.role_of(user)])
