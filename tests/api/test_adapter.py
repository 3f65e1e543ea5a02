"""The store through Casbin's own API: rows become tokens, nothing is written, stock Casbin decides the same."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

import rbac
from rbac.decisions.adapter import Filter, StoreAdapter
from rbac.organization import Organization
from rbac.vocabulary import Permission
from tests.conftest import ACME

USERS = ("olga", "ada", "max", "mia", "rita", "andy", "dan", "nina", "zoe")
PLACES = {"organization": ["organization"], "workspace": ["workspace:w1", "workspace:w2", "workspace:nowhere"]}
PROJECTS = ["project:p1", "project:p2", "project:p3", "project:p4", "project:p5", "project:nowhere"]


@pytest.mark.parametrize("stock", [False, True], ids=["compiled", "stock"])
def test_casbin_decides_every_question_as_the_facade_does(acme: Organization, stock: bool) -> None:
    enforcer = acme.enforcer(stock=stock)
    asked = [
        (user, permission, place)
        for user in USERS
        for permission in Permission
        for place in PLACES.get(permission.kind, PROJECTS)
    ]  # fmt: skip
    asked = asked if not stock else asked[:: len(asked) // 150]

    for question in asked:
        assert enforcer.enforce(*acme.request(*question)) is acme.can(*question), question


def test_a_users_links_are_loaded_alone(store: rbac.Store, acme: Organization) -> None:
    enforcer = acme.enforcer(user="max")

    assert enforcer.enforce(*acme.request("max", "data:export", "project:p1"))
    assert not enforcer.enforce(*acme.request("ada", "data:export", "project:p1"))
    links = list(StoreAdapter(store._store.engine).links(Filter("acme", user="andy")))
    assert ("user:andy", "annotator", "acme") in links
    assert not any(name.startswith("user:") and name != "user:andy" for name, _, _ in links)


def test_every_organization_is_loaded_when_none_is_named(store: rbac.Store) -> None:
    store.create("beta", owner="olga")
    enforcer = store.organization("acme").enforcer()
    enforcer.set_adapter(StoreAdapter(store._store.engine))
    enforcer.get_model().clear_policy()

    StoreAdapter(store._store.engine).load_policy(enforcer.get_model())

    rows = enforcer.get_model()["g"]["g"].policy
    assert ["user:olga", "owner", "acme"] in rows
    assert ["user:olga", "owner", "beta"] in rows


@pytest.mark.parametrize(
    "method",
    [
        "save_policy", "add_policy", "add_policies", "remove_policy", "remove_policies", "remove_filtered_policy",
        "update_policy", "update_policies", "update_filtered_policies",
    ],
)  # fmt: skip
def test_every_write_method_raises(store: rbac.Store, method: str) -> None:
    with pytest.raises(rbac.Refused, match="not written through Casbin"):
        getattr(StoreAdapter(store._store.engine), method)("p", "p", ["x"])


def test_no_method_of_casbins_adapter_that_writes_is_left() -> None:
    import casbin_sqlalchemy_adapter

    inherited = {
        name
        for name in dir(casbin_sqlalchemy_adapter.Adapter)
        if not name.startswith("_") and getattr(StoreAdapter, name) is getattr(casbin_sqlalchemy_adapter.Adapter, name)
    }
    assert inherited <= {"is_filtered", "filter_query"}


def test_the_view_has_the_same_roles_for_casbin_in_any_language(store: rbac.Store, acme: Organization) -> None:
    acme.acting("max").grant("andy", "reviewer", on="project:p1")

    with store._store.reading() as connection:
        rows = {tuple(row)[:4] for row in connection.execute(select(text("ptype, v0, v1, v2 FROM rbac_casbin_rule")))}

    assert ("g", "user:olga", "owner", "acme") in rows
    assert ("g2", "user:andy", "reviewer", "acme/project/p1") in rows
    assert ("g3", "user:rita", "member", "acme/workspace/w1") in rows
    assert not any(row[1] == "user:dan" for row in rows)


def test_one_organization_knows_nothing_of_another(store: rbac.Store) -> None:
    other: dict[str, Any] = {**ACME["organizations"][0], "id": "beta", "owner": "otto", "members": {"olga": "annotator", "max": "manager"}}
    other["workspaces"] = [{"id": "w1", "created_by": "otto", "projects": [{"id": "p1", "created_by": "otto"}]}]
    store.import_state({"organizations": [other]})
    acme, beta = store.organization("acme"), store.organization("beta")

    assert acme.can("max", "data:export", "project:p1")
    assert not beta.can("max", "data:export", "project:p1")
    assert not beta.can("olga", "billing:configure")
    assert not acme.can("otto", "billing:configure")
    assert not acme.enforcer().enforce(*beta.request("otto", "billing:configure"))
