"""Every public method of every handle, found by introspection, with every wrong value for every parameter.

What is wrong raises an error of rbac or a TypeError, in one short sentence; nothing is written, and nothing is kept in memory
under what is not a parsed name.
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rbac
from rbac.acting import Acting
from rbac.names import parse_domain, parse_id
from rbac.open_store import open_store_of
from rbac.organization import Organization
from rbac.past import Past
from rbac.store import Store
from rbac.vocabulary import Domain, Kind, Permission, Role, State
from tests.conftest import ACME


class Text(str):
    """A text that says it is every other one."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("andy")

    def __str__(self) -> str:
        return "project:p1"


class Named:
    """No text at all, with the name of something that is there."""

    def __str__(self) -> str:
        return "project:p1"


WRONG: dict[str, Any] = {
    "None": None,
    "an int": 5,
    "a negative int": -1,
    "a huge int": 10**30,
    "a float": 1.5,
    "NaN": math.nan,
    "True": True,
    "bytes": b"andy",
    "an empty list": [],
    "a list": ["andy"],
    "a dict": {"andy": 1},
    "an object": object(),
    "a huge text": "x" * 1_000_000,
    "an empty text": "",
    "half a character": "an\ud800dy",
    "two lines": "andy\nada",
    "another letter": "\u0430ndy",
    "a text of a class of its own": Text("an dy"),
    "a user in a class of its own": Text("andy"),
    "a project in a class of its own": Text("project:p1"),
    "an object with a name": Named(),
    "a Domain": Domain(Kind.PROJECT, "p1"),
    "a Domain of what is no id": Domain(Kind.PROJECT, typing.cast(Any, 5)),
    "a Domain of another kind": Domain(typing.cast(Any, "galaxy"), "g1"),
    "a Role": Role.MANAGER,
    "a Kind": Kind.PROJECT,
    "a Permission": Permission.DATA_EXPORT,
    "a State": State.ACTIVE,
    "a function": len,
    "an instant without a zone": datetime.datetime(2099, 1, 1),
}

RIGHT: dict[str, Any] = {
    "user": "andy", "permission": "data:export", "domain": "project:p1", "target": "rita", "task": None, "via": "ui", "at_least": 0,
    "role": "reviewer", "on": "project:p1", "until": None, "project": "p1", "workspace": "w1", "level": "administrator", "personal": False,
    "actor": "ada", "expect": None, "key": None, "to": "ada", "ticket": "SUP-1", "operator": "root", "moment": 1, "head": (), "revision": 1,
    "first": None, "last": None, "since": None, "kind": None, "newest_first": False, "stock": False, "requests": (),
    "backup": "backup.db",
    "organization": "acme", "organizations": "acme", "owner": "olga", "source": {"organizations": []}, "update": False, "dry_run": True,
    "progress": None, "tasks": (), "removed": (), "worked_on": None, "after": None, "limit": None,
}  # fmt: skip
"""A value for every parameter that any method has; in the tests of one parameter all the others have these."""

OF_A_METHOD: dict[str, dict[str, Any]] = {
    "assign_annotator": {"project": "p2", "task": "t2"},
    "assign_reviewer": {"project": "p2", "task": "t2"},
    "unassign": {"project": "p2", "task": "t1"},
    "restrict": {"permission": "plugin:configure"},
    "unrestrict": {"permission": "plugin:configure"},
    "create_workspace": {"workspace": "w9"},
    "create_project": {"project": "p9"},
    "create": {"organization": "beta"},
    "transfer_ownership": {"to": "olga"},
    "permissions": {"domain": "project:p1"},
}

SENTENCE = 1500


def parameters() -> Iterator[tuple[type, str, str]]:
    """Every parameter of every public method of every handle."""
    for handle in (Store, Organization, Acting, Past):
        for name, method in inspect.getmembers(handle, inspect.isfunction):
            if not name.startswith("_"):
                yield from ((handle, name, each) for each in list(inspect.signature(method).parameters)[1:])


ENTRANCES = list(parameters())


@pytest.fixture
def store() -> Iterator[Store]:
    """Acme, in memory."""
    with rbac.connect("sqlite://") as store:
        store.import_state(ACME)
        yield store


def handle_of(kind: type, store: Store) -> Any:
    """A handle of a kind."""
    acme = store.organization("acme")
    return {Store: store, Organization: acme, Acting: acme.acting("ada"), Past: acme.as_of(1)}[kind]


def call(handle: Any, name: str, parameter: str, value: Any) -> object:
    """Call a method with one value of one's own; what it streams is read to the end."""
    given: dict[str, Any] = {}
    positional: list[Any] = []
    for each, about in inspect.signature(getattr(handle, name)).parameters.items():
        used = value if each == parameter else {**RIGHT, **OF_A_METHOD.get(name, {})}.get(each)
        if about.kind is inspect.Parameter.VAR_KEYWORD:
            given |= {"published": True if parameter == "" else value}
        elif about.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
            positional.append(used)
        else:
            given[each] = used
    found = getattr(handle, name)(*positional, **given)
    return list(found) if isinstance(found, types.GeneratorType) else found


def fits(kind: type, name: str, parameter: str, value: Any) -> bool:
    """Whether a value is of the type that a parameter says it has, so that it may be accepted."""
    method = getattr(kind, name)
    named = {**vars(typing), **{each: getattr(rbac, each) for each in rbac.__all__}, **method.__globals__}
    about = inspect.signature(method).parameters[parameter]
    return _is(value, bool if about.kind is inspect.Parameter.VAR_KEYWORD else eval(about.annotation, named))


def _is(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_is(value, each) for each in typing.get_args(hint))
    if origin is Callable or hint is Callable:
        return callable(value)
    return isinstance(value, origin or hint)


def remembered(handle: Any) -> Iterator[tuple[str, Any]]:
    """Every key of the caches behind a handle, with what it is a name of."""
    for organization, kept in open_store_of(handle)._cache._organizations.items():
        yield "organization", organization
        for user, record in (*kept.members.items(), *kept.old_members.items()):
            yield "user", user
            yield from (("project", project) for project in record.assigned)
        yield from (("domain", address) for address in (*kept.domains, *kept.old_domains))


def revisions(store: Store) -> dict[str, int]:
    """The revision of every organization."""
    return {name: store.organization(name).revision for name in store.organizations()}


@pytest.mark.parametrize(
    ("kind", "name", "parameter"), ENTRANCES, ids=[f"{kind.__name__}.{name}({each})" for kind, name, each in ENTRANCES]
)
def test_what_is_wrong_is_an_error_that_leaves_nothing_behind(
    store: Store, kind: type, name: str, parameter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some of the texts are names of files that a backup makes
    handle, state, before, unexpected = handle_of(kind, store), store.export_state(), revisions(store), []
    for what, value in WRONG.items():
        fitting = fits(kind, name, parameter, value)
        try:
            call(handle, name, parameter, value)
        except (rbac.RBACError, TypeError) as error:
            said = str(error)
            if "\n" in said or not said or len(said) > SENTENCE:
                unexpected.append(f"{what}: {said[:200]!r}")
        except Exception as error:
            unexpected.append(f"{what}: {error!r:.200}")
        else:
            unexpected += [] if fitting else [f"{what} is accepted"]
        for of, key in remembered(handle):
            if type(key) is not str or str(parse_domain(key) if of == "domain" else parse_id(key, of)) != key:
                unexpected.append(f"{what} is remembered: {of} {key!r:.200}")
        if revisions(store) != before and not fitting:
            unexpected.append(f"{what} changed the store")
        if fitting:
            before, state = revisions(store), store.export_state()

    assert not unexpected, "\n".join(unexpected)
    assert store.export_state() == state


def test_the_right_values_are_names_everywhere_so_that_one_wrong_value_is_all_that_is_wrong(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    methods = sorted({(kind, name) for kind, name, _ in ENTRANCES}, key=lambda each: (each[0].__name__, each[1]))
    for kind, name in methods:
        with contextlib.suppress(rbac.Refused, rbac.Denied, *([rbac.StoreError] if name in ("backup", "restore") else [])):
            call(handle_of(kind, store), name, "", None)

    assert len(ENTRANCES) > 140 and len(methods) > 50


@pytest.mark.parametrize("given", [{"tasks": "t7"}, {"removed": "t1"}, {"worked_on": {"t1": "andy"}}, {"tasks": b"t7"}])
def test_one_text_is_not_a_list_of_ids(store: Store, given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="is not a list of ids of"):
        store.record("acme", project="p2", **given)

    assert store.organization("acme").revision == 1
