"""Invariant 10 on PostgreSQL: over a large store, every statement of a question or a change uses an index and stays in one organization.

With statistics and without, with the values given and as a prepared statement that does not know them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

import rbac
from rbac.database import tables as t
from rbac.organization import Organization
from tests.conftest import execute

ORGANIZATIONS, MANY = 60, 4000
"""How many organizations with everything in them, and how many with nothing but an Owner."""

NAMES = {table.name for table in t.metadata.tables.values()} - {t.store.name}


def _organization(number: int) -> dict[str, Any]:
    users = {f"u{n}": ("manager", "reviewer", "annotator")[n % 3] for n in range(60)}
    projects = [
        {
            "id": f"p{n}",
            "created_by": f"u{3 * (n % 9)}",
            "published": True,
            "distribution": ("manual", "automatic")[n % 2],
            "members": [f"u{n % 60}", f"u{(n + 7) % 60}"],
            "project_roles": {f"u{3 * (n % 20) + 2}": "reviewer"},
            "paused": {f"u{3 * (n % 20) + 1}": "manual"},
            "tasks": {f"t{k}": {"annotators": ["u2"], "reviewers": ["u1"], "worked_on_by": ["u5"]} for k in range(4)},
        }
        for n in range(30)
    ]
    workspaces = [
        {"id": f"w{n}", "created_by": "u0", "members": [f"u{k}" for k in range(n, 60, 5)], "projects": projects[n::5]} for n in range(5)
    ]
    restrictions = {"plugin:configure": "administrator"}
    return {"id": f"o{number}", "owner": "olga", "members": users, "restrictions": restrictions, "workspaces": workspaces}


def _grown(url: str) -> None:
    """Many small organizations beside the large ones, with long histories, keys and refusals; nothing gathers statistics by itself."""
    switches = ", ".join(["false"] * len(t.SETTINGS))
    many = f"FROM generate_series(1, {MANY}) AS g"
    audit = ", ".join({"revision": "g"}.get(column.name, f'a."{column.name}"') for column in t.audit.columns)
    execute(
        url,
        f"""BEGIN;
        INSERT INTO {t.organization.name} SELECT 'x' || g, 'olga', 'active', 0, repeat('0', 64), {switches} {many};
        INSERT INTO {t.member.name} (organization, "user", role, state) SELECT 'x' || g, 'olga', 'administrator', 'active' {many};
        INSERT INTO {t.workspace.name} (organization, id, created_by, personal) SELECT 'x' || g, 'w0', 'olga', false {many};
        INSERT INTO {t.restriction.name} SELECT 'x' || g, 'plugin:configure', 'administrator' {many};
        INSERT INTO {t.request_key.name} (organization, actor, key, at, revision, fingerprint)
            SELECT 'x' || g, 'olga', lpad(g::text, 64, '0'), 0, 1, repeat('0', 64) {many};
        INSERT INTO {t.refusal.name} (organization, id, at, actor, operation, reason) SELECT 'x' || g, 1, 0, 'olga', 'grant', 'no' {many};
        INSERT INTO {t.audit.name} SELECT {audit} FROM {t.audit.name} AS a CROSS JOIN generate_series(100, 160) AS g;
        COMMIT""",
    )


@pytest.fixture
def large(url: str) -> Iterator[tuple[str, rbac.Store]]:
    """A large store on PostgreSQL."""
    with rbac.connect(url) as store:
        execute(url, *(f"ALTER TABLE {name} SET (autovacuum_enabled = false)" for name in NAMES))
        store.import_state({"organizations": [_organization(number) for number in range(ORGANIZATIONS)]})
        _grown(url)
        yield url, store


def _questions(acme: Organization) -> None:
    for user in ("u0", "u1", "u2", "olga", "nobody"):
        acme.permissions(user, "project:p0")
        acme.can(user, "labeling:access", "project:p0", task="t1")
        acme.can(user, "annotator_dashboard:view", target="u2")
        acme.role_of(user, "workspace:w1")
    acme.check_many([rbac.Request(f"u{n}", "data_manager:view", f"project:p{n % 30}", None, f"t{n % 5}") for n in range(150)])
    acme.check_many([rbac.Request(f"u{n}", "annotator_dashboard:view", "organization", f"u{n // 2}") for n in range(150)])


def _changes(acme: Organization) -> None:
    u0, olga = acme.acting("u0"), acme.acting("olga", key="once")
    olga.grant("u59", "reviewer")
    acme.acting("olga").invite("zoe", "annotator")
    u0.add("u3", "workspace:w0")
    u0.remove("u3", "workspace:w0")
    u0.pause("u10", "project:p0")
    u0.assign_annotator("u5", task="t1", project="p0")
    u0.unassign("u5", task="t1", project="p0")
    u0.configure("project:p0", published=False)
    u0.create_project("p90", workspace="w0")
    u0.move_project("p90", workspace="w1")
    u0.delete_project("p90")
    with pytest.raises(rbac.Refused):
        acme.acting("u2").grant("u1", "manager")


def _sent(store: rbac.Store, acme: Organization) -> dict[str, Any]:
    """Every statement that questions and changes send, with its parameters."""
    sent: dict[str, Any] = {}

    def note(_: object, __: object, text: str, values: Any, *___: object) -> None:
        if re.match(r"\(*(SELECT|UPDATE|DELETE)", text) and "pg_catalog" not in text:
            sent.setdefault(text, values[0] if isinstance(values, list) else values)

    event.listen(store._store.engine, "before_cursor_execute", note)
    _questions(acme)
    store._store.abandon()
    _questions(acme)
    _changes(acme)
    _questions(acme)
    event.remove(store._store.engine, "before_cursor_execute", note)
    return sent


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)


def _unbound(plan: dict[str, Any]) -> list[str]:
    """The steps of a plan that walk through a table, or an index without the organization."""
    found = []
    for node in _nodes(plan):
        condition = node.get("Index Cond", "")
        name = node.get("Relation Name") or node.get("Index Name", "")
        if node["Node Type"] == "Seq Scan" and name in NAMES:
            found.append(f"walks {name}")
        if node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Index Scan"):
            column = "id" if name in (t.organization.name, f"pk_{t.organization.name}") else "organization"
            found += [] if f"({column} = " in condition else [f"{node['Index Name']} of {name} by {condition}"]
    return found


def _plans(store: rbac.Store, text: str, values: Any) -> Iterator[dict[str, Any]]:
    """The plan for these values, and the one that a prepared statement may have for all of them."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    generic = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", text).replace("%%", "%")
    with store._store.reading() as connection:
        driver: Any = connection.connection.driver_connection
        yield driver.execute(f"EXPLAIN (FORMAT JSON) {text}", values or None).fetchone()[0][0]["Plan"]
        yield driver.execute(f"EXPLAIN (FORMAT JSON, GENERIC_PLAN) {generic}").fetchone()[0][0]["Plan"]


@pytest.mark.skipif("RBAC_PARTITIONED" in os.environ, reason="a partition of this store is a few pages, which are rightly walked")
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_every_statement_of_a_question_or_a_change_uses_an_index_and_stays_in_one_organization(large: tuple[str, rbac.Store]) -> None:
    url, store = large
    sent = _sent(store, store.organization("o7"))
    wrong: list[str] = []

    for statistics in ("missing", "fresh"):
        if statistics == "fresh":
            execute(url, "ANALYZE")
        for text, values in sent.items():
            for which, plan in zip(("these values", "any values"), _plans(store, text, values), strict=True):
                wrong += [f"{statistics} statistics, {which}: {step}: {text[:300]} ..." for step in _unbound(plan)]

    assert len(sent) >= 15
    assert not wrong, "\n".join(wrong)


def test_a_walk_and_a_search_of_every_organization_are_found() -> None:
    walk = {"Node Type": "Append", "Plans": [{"Node Type": "Seq Scan", "Relation Name": "rbac_member"}]}
    search = {"Node Type": "Index Scan", "Relation Name": "rbac_member", "Index Name": "i", "Index Cond": '("user" = $1)'}

    assert _unbound(walk) == ["walks rbac_member"]
    assert _unbound(search) == ['i of rbac_member by ("user" = $1)']
    assert _unbound(json.loads(json.dumps(search | {"Index Cond": "(organization = $1)"}))) == []
