"""What one statement brings is what the rows of the tables say, over random stores; and beside a writer it is one revision."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from itertools import product
from typing import Any

from sqlalchemy import select

import rbac
from rbac.database import tables as t
from rbac.organization import Organization
from rbac.snapshot.found import Found
from rbac.snapshot.records import ends_of
from rbac.snapshot.statements import ASSIGNED, EXISTS, WORKED_ON
from rbac.snapshot.wanted import Wanted
from rbac.vocabulary import MANAGER_OR_ABOVE, Role
from tests.conftest import Clock

_KEY: dict[Any, str] = {t.organization: "id"}


class Rows:
    """Every row of one organization, table by table, and records made of them one by one."""

    def __init__(self, store: rbac.Store, organization: str) -> None:
        self.id = organization
        with store._store.reading() as connection:
            self._rows = {
                table: [
                    row for row in connection.execute(select(table)).mappings() if row.get(_KEY.get(table, "organization")) == organization
                ]
                for table in t.metadata.tables.values()
            }
        (self.organization,) = self._rows[t.organization]

    def of(self, table: Any, **where: Any) -> list[Any]:
        return [row for row in self._rows[table] if all(row[name] == value for name, value in where.items())]

    def role(self, user: str) -> str | None:
        rows = self.of(t.member, user=user)
        return "owner" if user == self.organization["owner"] else rows[0]["role"] if rows else None

    def member(self, user: str) -> Any:
        rows = self.of(t.member, user=user)
        if not rows:
            return None
        links: list[Any] = []
        for table, domain, word in (
            (t.workspace_member, "workspace", None),
            (t.project_member, "project", None),
            (t.project_role, "project", "role"),
            (t.pause, "project", "reason"),
        ):
            links.append({row[domain]: (row[word], row["until"]) if word else row["until"] for row in self.of(table, user=user)})
        return self.role(user), rows[0]["state"], *links

    def workspace(self, name: str) -> Any:
        rows = self.of(t.workspace, id=name)
        return (rows[0]["created_by"], rows[0]["personal"], not self.of(t.project, workspace=name)) if rows else None

    def project(self, name: str) -> Any:
        rows = self.of(t.project, id=name)
        if not rows:
            return None
        (row,), (home,) = rows, self.of(t.workspace, id=rows[0]["workspace"])
        shown = {role for role, on in (("annotator", row["show_to_annotators"]), ("reviewer", row["show_to_reviewers"])) if on}
        switches = row["personal"], row["published"], row["review_only_assigned"]
        return row["workspace"], home["created_by"], row["created_by"], row["distribution"], shown, switches

    def assigned(self, user: str, project: str, **task: str) -> tuple[bool, bool]:
        kinds = {row["kind"] for row in self.of(t.assignment, user=user, project=project, **task)}
        return "annotator" in kinds, "reviewer" in kinds

    def reached(self, user: str, project: Any, workspace: str) -> Iterator[int]:
        """Until when a domain, or a project with its workspace, is one that somebody created or was invited to."""
        never = 10**18
        counts = bool(self.of(t.member, user=user, state="active")) and self.role(user) in MANAGER_OR_ABOVE
        yield from (row["until"] or never for row in self.of(t.workspace_member, user=user, workspace=workspace))
        yield from (never for row in self.of(t.workspace, id=workspace, created_by=user, personal=False) if counts)
        if project is not None:
            yield from (row["until"] or never for row in self.of(t.project_member, user=user, project=project))
            yield from (never for row in self.of(t.project, id=project, created_by=user, personal=False) if counts)

    def share(self, user: str, target: str, now: int) -> bool:
        places = [(None, row["id"]) for row in self.of(t.workspace)] + [(row["id"], row["workspace"]) for row in self.of(t.project)]
        return any(
            not self.of(t.workspace, id=workspace, personal=True)
            and all(any(until > now for until in self.reached(who, project, workspace)) for who in (user, target))
            for project, workspace in places
        )


def random_state(seed: int) -> dict[str, Any]:
    """An organization of everything, with ends in the past and in the future."""
    draw = random.Random(seed)
    users = [f"u{n}" for n in range(draw.randint(3, 7))]
    roles = ("administrator", "manager", "manager", "reviewer", "annotator")
    ends = (None, None, "2001-01-01T00:00:00Z", "2090-01-01T00:00:00Z")

    def some(names: list[str], most: int = 4) -> list[str]:
        return draw.sample(names, draw.randint(0, min(most, len(names))))

    def members() -> dict[str, Any]:
        return {user: None if (end := draw.choice(ends)) is None else {"until": end} for user in some(users)}

    def project(name: str, personal: bool) -> dict[str, Any]:
        made: dict[str, Any] = {
            "id": name,
            "created_by": draw.choice(users),
            "published": not personal and draw.random() < 0.7,
            "distribution": draw.choice(("manual", "automatic")),
            "show_data_manager_to": some(["annotator", "reviewer"]),
            "review_only_assigned": draw.random() < 0.5,
            "tasks": {f"t{n}": {"annotators": some(users), "reviewers": some(users), "worked_on_by": some(users)} for n in range(3)},
        }
        if not personal:
            made["members"] = members()
            made["project_roles"] = {user: draw.choice(("reviewer", "annotator")) for user in some(users)}
            made["paused"] = dict.fromkeys(some(users), "manual")
        return made

    workspaces = []
    for number in range(draw.randint(1, 4)):
        personal = draw.random() < 0.25
        projects = [project(f"p{number}{each}", personal) for each in range(draw.randint(0, 3))]
        workspace: dict[str, Any] = {"id": f"w{number}", "created_by": draw.choice(users), "personal": personal, "projects": projects}
        workspaces.append(workspace if personal else workspace | {"members": members()})
    given: dict[str, Any] = {user: draw.choice(roles) for user in users}
    given["u1"] = {"role": draw.choice(roles), "state": "deactivated"} if draw.random() < 0.3 else given["u1"]
    restrictions = {"plugin:configure": "administrator"} if draw.random() < 0.5 else {}
    return {"id": f"o{seed}", "owner": "olga", "members": given, "restrictions": restrictions, "workspaces": workspaces}


def everything(rows: Rows) -> Wanted:
    """Everything that can be read of an organization, and names of what is not there."""
    users = [row["user"] for row in rows.of(t.member)] + ["nobody"]
    projects = [row["id"] for row in rows.of(t.project)] + ["nothing"]
    tasks = product(projects, ("t0", "t1", "t2", "t9"), users)
    return Wanted(
        members=set(users),
        workspaces={row["id"] for row in rows.of(t.workspace)} | {"nothing"},
        projects=set(projects),
        assigned=set(product(users, projects)),
        tasks={key: number % 8 for number, key in enumerate(tasks)},
        shares=set(product(users, users)),
    )


def compared(rows: Rows, wanted: Wanted, found: Found, now: int) -> int:
    """Raise unless every record says what the rows say; how many were compared."""
    assert found.organization is not None and found.organization.owner == rows.organization["owner"]
    assert found.organization.restrictions == {row["permission"]: row["level"] for row in rows.of(t.restriction)}
    assert (found.organization.plugins_enabled, found.organization.revision) == (rows.organization["plugins_enabled"], 1)
    for user in wanted.members:
        m: Any = found.members[user]
        given = None if m is None else (m.role, m.state, ends_of(m.workspaces), ends_of(m.projects), m.project_roles, m.pauses)
        assert given == rows.member(user)
    for name in wanted.workspaces:
        w: Any = found.domains[f"workspace:{name}"]
        assert (None if w is None else (w.created_by, w.personal, w.empty)) == rows.workspace(name)
    for name in wanted.projects:
        p: Any = found.domains[f"project:{name}"]
        switches = None if p is None else (p.personal, p.published, p.review_only_assigned)
        own = None if p is None else (p.workspace, p.workspace_created_by, p.created_by, p.distribution, p.show_data_manager_to, switches)
        assert own == rows.project(name)
    for user, project in wanted.assigned:
        assert found.assigned[user, project] == rows.assigned(user, project)
    for (project, task, user), what in wanted.tasks.items():
        read, bits = found.tasks[project, task, user]
        there = bool(rows.of(t.task, project=project, id=task))
        worked_on = bool(rows.of(t.worked_on, project=project, task=task, user=user))
        expected = (there, *rows.assigned(user, project, task=task), worked_on)
        asked = tuple(bool(what & each) for each in (EXISTS, ASSIGNED, ASSIGNED, WORKED_ON))
        assert read == what
        assert [bool(bits >> n & 1) for n in range(4)] == [a and b for a, b in zip(expected, asked, strict=True)]
    for user, target in wanted.shares:
        until = found.shares[user, target]
        assert (until is not None and until > now) == rows.share(user, target, now), (user, target)
    return (
        len(wanted.members) + len(wanted.workspaces) + len(wanted.projects) + len(wanted.assigned) + len(wanted.tasks) + len(wanted.shares)
    )


def test_what_one_statement_brings_is_what_the_tables_say(url: str, clock: Clock) -> None:
    count = 0
    with rbac.connect(url, clock=clock) as store:
        store.import_state({"organizations": [random_state(seed) for seed in range(25)]})
        for seed in range(25):
            rows = Rows(store, f"o{seed}")
            wanted = everything(rows)

            found = store._store._cache.read(f"o{seed}", wanted)

            count += compared(rows, wanted, found, clock())

    assert count > 5_000


def test_what_only_some_roles_need_is_read_for_them_alone(acme: Organization) -> None:
    wanted = Wanted(assigned={("andy", "p2"), ("max", "p2"), ("olga", "p2")}, tasks={("p2", "t1", user): 7 for user in ("andy", "olga")})
    wanted.readers = frozenset({Role.ANNOTATOR})

    found = acme._store._cache.read("acme", wanted)

    assert found.assigned == {("andy", "p2"): (True, False)}
    assert found.tasks == {("p2", "t1", "andy"): (7, 3), ("p2", "t1", "olga"): (EXISTS, 1)}


def test_nothing_is_torn_beside_a_writer(store: rbac.Store, acme: Organization) -> None:
    """max is manager or a member of w2, never both and never neither."""
    acme.acting("ada").grant("max", "annotator")
    acme.acting("ada").add("max", "workspace:w2")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with acme.acting("ada") as ada:
                ada.grant("max", "manager")
                ada.remove("max", "workspace:w2")
            with acme.acting("ada") as ada:
                ada.grant("max", "annotator")
                ada.add("max", "workspace:w2")

    writer = threading.Thread(target=write)
    writer.start()
    revisions, asked, torn = set[int](), 0, 0
    try:
        while len(revisions) < 40 or asked < 400:
            asked += 1
            found = store._store._cache.read("acme", Wanted(members={"max"}))
            member = found.members["max"]
            assert member is not None and found.version is not None
            torn += (member.role is Role.MANAGER) == ("w2" in member.workspaces)
            torn += (member.role is Role.MANAGER) == (found.version.revision % 2 == 1)
            revisions.add(found.version.revision)
    finally:
        stop.set()
        writer.join()

    assert torn == 0
