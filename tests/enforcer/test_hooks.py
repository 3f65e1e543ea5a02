"""`specialize` on a matcher function, `links` on a role manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from casbin.core_enforcer import CoreEnforcer
from casbin.rbac.default_role_manager import RoleManager

from rbac.enforcer import UNKNOWN
from tests.enforcer.pairs import Pair
from tests.enforcer.random_worlds import Thing

CONDITIONS: dict[str, Callable[[Any], bool]] = {"adult": lambda age: age >= 18, "even": lambda age: age % 2 == 0}


def conditions(calls: list[Any]) -> Any:
    """A matcher function with the hook, that notes how the hook is called."""

    def holds(names: str, value: Any) -> bool:
        return all(CONDITIONS[name](value) for name in names.split("&"))

    def specialize(names: Any, value: Any) -> Callable[[Any], bool] | None:
        calls.append((names, value))
        if names is UNKNOWN:
            return None
        chosen = [CONDITIONS[name] for name in names.split("&")]
        return lambda value: all(condition(value) for condition in chosen)

    holds.specialize = specialize  # type: ignore[attr-defined]
    return holds


def test_specialize_gets_the_constants_of_a_line_once_and_unknown_for_the_rest() -> None:
    calls: list[Any] = []
    pair = Pair("r.sub == p.sub && holds(p.obj, r.obj)", ("p, a, adult, x", "p, b, adult&even, x"), functions={"holds": conditions(calls)})

    answers = [pair.enforce(*each) for each in (("a", 19, "x"), ("b", 19, "x"), ("b", 20, "x"), ("a", 3, "x"))]
    assert answers == [True, False, True, False]
    assert calls == [("adult", UNKNOWN), ("adult&even", UNKNOWN)]


def test_a_line_that_specialize_raises_at_raises_when_it_is_reached() -> None:
    pair = Pair("r.sub == p.sub && holds(p.obj, r.obj)", ("p, a, adult, x", "p, b, unheard, x"), functions={"holds": conditions([])})

    assert pair.enforce("a", 20, "x") is True
    assert pair.enforce("b", 20, "x") is KeyError
    assert pair.ours.compiled


def test_constants_that_are_equal_and_not_the_same_are_specialised_apart() -> None:
    def spells(constant: Any, value: object) -> bool:
        return f"{constant!r}" == str(value)

    spells.specialize = lambda constant, value: lambda value: spells(constant, value)  # type: ignore[attr-defined]
    pair = Pair("r.obj == p.obj && spells(p.sub, r.sub)", functions={"spells": spells})
    for constant in (1, True, 1.0):
        pair.both(lambda each: each.add_policy(constant, f"{constant!r}", "x"))  # noqa: B023

    assert [pair.enforce(each, each, "x") for each in ("1", "True", "1.0")] == [True, True, True]


def test_specialize_may_decline() -> None:
    calls: list[Any] = []
    pair = Pair("r.sub == p.sub && holds(r.act, r.obj)", ("p, a, x, x",), functions={"holds": conditions(calls)})

    assert pair.enforce("a", 20, "even") is True
    assert calls == [(UNKNOWN, UNKNOWN)]


def test_a_specialised_function_that_raises_raises_as_stock_does() -> None:
    pair = Pair("r.sub == p.sub && holds(p.obj, r.obj)", ("p, a, adult, x",), functions={"holds": conditions([])})

    assert pair.enforce("a", "no age", "x") is TypeError


class Groups(RoleManager):  # type: ignore[misc]
    """A role manager with the hook."""

    def __init__(self, groups: dict[str, frozenset[str] | None], asked: list[Any]) -> None:
        super().__init__()
        self.groups, self.asked = groups, asked

    def links(self, name: str, *domain: str) -> frozenset[str] | None:
        self.asked.append((name, *domain))
        return self.groups[name]

    def has_link(self, name1: str, name2: str, *domain: str) -> bool:
        return name2 in (self.groups[name1] or ("secret",))


def grouped(groups: dict[str, frozenset[str] | None], matcher: str = "g(r.sub, p.sub) && r.act == p.act") -> tuple[Pair, list[Any]]:
    """A pair over the same groups."""
    asked: list[Any] = []
    pair = Pair(matcher, ("p, reader, x, read", "p, writer, x, write", "p, writer, x, read", "p, secret, x, y"))
    pair.both(lambda each: (each.set_role_manager(Groups(groups, asked)), each.build_role_links())[:0])
    return pair, asked


def test_links_are_asked_for_once_a_request_and_decide_every_line() -> None:
    pair, asked = grouped({"ann": frozenset({"reader", "writer"}), "bob": frozenset({"reader"}), "eve": frozenset()})

    assert [pair.enforce(*each) for each in (("ann", "x", "write"), ("bob", "x", "write"), ("bob", "x", "read"), ("eve", "x", "read"))] == [
        True, False, True, False,
    ]  # fmt: skip
    assert asked == [(name,) for name in ("ann", "ann", "bob", "bob", "bob", "bob", "eve", "eve")]


def test_links_of_none_send_the_request_to_stock_casbin() -> None:
    pair, _ = grouped({"ann": None})

    assert pair.ours.compiled
    assert pair.enforce("ann", "x", "y") is True
    assert pair.enforce("ann", "x", "read") is False


class Spelled(Groups):
    """Gives a text where names are promised."""

    def links(self, name: str, *domain: str) -> Any:
        return " ".join(super().links(name) or ())


@pytest.mark.parametrize("matcher", ["g(r.sub, p.sub) && r.act == p.act", "keyMatch(r.act, p.act) && g(r.sub, p.sub)"])
def test_links_that_are_no_set_of_names_are_not_believed(matcher: str) -> None:
    pair, asked = grouped({}, matcher)
    pair.both(lambda each: (each.set_role_manager(Spelled({"ann": frozenset({"readers"})}, asked)), each.build_role_links())[:0])

    assert pair.enforce("ann", "x", "read") is False
    assert asked


def test_a_text_is_no_set_of_letters() -> None:
    pair = Pair("g(r.sub, p.sub) && r.act == p.act", ("p, r, x, read", "p, s, x, read"))
    pair.both(lambda each: (each.set_role_manager(Spelled({"ann": frozenset({"rs"})}, [])), each.build_role_links())[:0])

    assert pair.enforce("ann", "x", "read") is False


def test_links_that_raise_raise_as_stock_does() -> None:
    pair, _ = grouped({})

    assert pair.enforce("nobody", "x", "read") is KeyError


def test_links_are_only_asked_about_plain_names() -> None:
    pair, asked = grouped({"ann": frozenset({"reader"})})

    pair.enforce(Thing(), "x", "read")
    assert asked == []


class Sized(Groups):
    """A role manager that is empty, and so false."""

    def __len__(self) -> int:
        return 0


class Doubtful(Groups):
    """A role manager that is false."""

    def __bool__(self) -> bool:
        return False


@pytest.mark.parametrize("kind", [Sized, Doubtful])
def test_links_of_a_manager_that_may_be_false_are_not_asked_for(kind: type[Groups]) -> None:
    pair, asked = grouped({"ann": frozenset({"reader"})})
    for each in (pair.stock, pair.ours):
        each.model["g"]["g"].rm = kind({"ann": frozenset({"reader"})}, asked)

    assert pair.enforce("ann", "x", "read") is False  # stock Casbin compares the names instead
    assert pair.enforce("reader", "x", "read") is True


def test_links_get_the_domain_as_text() -> None:
    asked: list[Any] = []
    pair = Pair("g(r.sub, p.sub, r.obj)", ("p, reader, x, y",), g="_, _, _")
    pair.both(lambda each: (each.set_role_manager(Groups({"ann": frozenset({"reader"})}, asked)), each.build_role_links())[:0])

    assert pair.enforce("ann", 7, "read") is True
    assert asked == [("ann", "7")] * 2


class Place(str):
    """A text that carries something along."""

    __slots__ = ("kind",)


class Shouting(str):
    """A text that is another one when it is asked to be a text."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


@pytest.mark.parametrize(("domain", "given"), [(Place("seven"), Place), (Shouting("seven"), str)])
def test_links_get_a_domain_that_is_a_text_as_it_is(domain: str, given: type[str]) -> None:
    asked: list[Any] = []
    pair = Pair("g(r.sub, p.sub, r.obj)", ("p, reader, x, y",), g="_, _, _")
    pair.both(lambda each: (each.set_role_manager(Groups({"ann": frozenset({"reader"})}, asked)), each.build_role_links())[:0])

    assert pair.enforce("ann", domain, "read") is True
    assert pair.ours.enforce("ann", domain, "read") is True
    assert {each for _, each in asked} == {str(domain)}
    assert type(asked[-1][1]) is given


def test_links_get_a_computed_domain_as_text() -> None:
    asked: list[Any] = []
    pair = Pair("g(r.sub, p.sub, place(r.obj))", ("p, reader, x, y",), g="_, _, _", functions={"place": len})
    pair.both(lambda each: (each.set_role_manager(Groups({"ann": frozenset({"reader"})}, asked)), each.build_role_links())[:0])

    assert pair.enforce("ann", "seven", "read") is True
    assert asked == [("ann", "5")] * 2


def test_links_and_specialize_leave_nothing_for_stock_casbin(monkeypatch: pytest.MonkeyPatch) -> None:
    pair, _ = grouped({"ann": frozenset({"reader", "stranger"})}, '(p.sub == "*" || g(r.sub, p.sub)) && r.act == p.act')
    monkeypatch.setattr(CoreEnforcer, "enforce_ex", None)

    assert pair.ours.enforce("ann", "x", "read") is True
    assert pair.ours.enforce("ann", "x", "write") is False
