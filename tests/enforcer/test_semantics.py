"""What stock Casbin says, `CompiledEnforcer` says: one test for each thing that is easily lost in a compiler."""

from __future__ import annotations

import logging
import math
from enum import StrEnum
from typing import Any

import casbin
import pytest
import simpleeval
from casbin.core_enforcer import EnforceContext
from casbin.util import generate_g_function

from tests.enforcer.pairs import Pair, text
from tests.enforcer.random_worlds import Agreeable, Thing

ACL = "r.sub == p.sub && r.obj == p.obj && r.act == p.act"
LINES = ("p, alice, data1, read", "p, bob, data2, write")


class Liar(str):
    """Equal to everything."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("nobody")


def test_the_operators_are_rewritten_as_casbin_does() -> None:
    pair = Pair('!(r.sub == p.sub) && r.obj != p.obj || r.act == "a && b"', LINES[:1])

    assert pair.enforce("carol", "data3", "x") is True
    assert pair.enforce("alice", "data1", "x") is False
    assert pair.enforce("alice", "data1", "a and b") is True  # Casbin rewrites inside of quotes, too
    assert pair.ours.compiled


def test_a_wildcard_folds_away_and_still_decides() -> None:
    pair = Pair('(p.sub == "*" || r.sub == p.sub) && (r.act == p.act || p.act == "*")', ("p, *, x, read", "p, bob, x, *"))

    assert [pair.enforce(*each) for each in (("eve", "x", "read"), ("eve", "x", "write"), ("bob", "x", "write"))] == [True, False, True]


def test_the_lines_are_looked_at_in_order_and_no_further_than_the_effect_asks() -> None:
    functions = {"check": lambda value: 1 / (value != "boom")}
    for lines, expected in ((("p, a, x, read", "p, boom, x, read"), True), (("p, boom, x, read", "p, a, x, read"), ZeroDivisionError)):
        pair = Pair("r.obj == p.obj && (check(p.sub) == 1.0) && r.sub == p.sub", lines, functions=functions)

        assert pair.enforce("a", "x", "read") is expected


def test_an_allow_that_a_later_line_denies_is_a_denial() -> None:
    pair = Pair(ACL, ("p, a, x, read, allow", "p, a, x, read, deny"), p="sub, obj, act, eft", effect="both")

    assert pair.enforce("a", "x", "read") is False


def test_a_line_that_raises_after_an_allow_raises_under_allow_and_deny() -> None:
    lines = ("p, alice, data1, read, allow", "p, bob, data1, read, allow")
    pair = Pair("r.obj == p.obj && (p.sub == r.sub || boom(r.sub))", lines, p="sub, obj, act, eft", effect="both", functions={"boom": int})

    assert pair.enforce("alice", "data1", "read") is ValueError


def test_a_field_that_is_not_reached_may_be_anything_and_one_that_is_raises() -> None:
    pair = Pair("r.act == p.act && r.sub.age > 18", LINES)

    assert pair.enforce("no age", "x", "delete") is False
    assert pair.enforce("no age", "x", "read") is simpleeval.AttributeDoesNotExist


def test_an_index_does_not_pass_over_a_term_that_raises() -> None:
    pair = Pair("explode(r.sub) && r.act == p.act", LINES, functions={"explode": lambda value: {"alice": True}[value]})

    assert pair.enforce("alice", "x", "nobody does this") is False
    assert pair.enforce("bob", "x", "nobody does this") is KeyError


def test_an_index_does_not_pass_over_a_term_that_is_no_bool() -> None:
    pair = Pair("r.sub && r.act == p.act", LINES)

    assert pair.enforce("", "x", "nobody does this") is RuntimeError
    assert pair.enforce("alice", "x", "nobody does this") is False


def test_an_index_does_not_pass_over_a_comparison_that_raises() -> None:
    pair = Pair('r.sub < p.sub && r.act == p.act && "x" in r.obj', LINES)

    assert pair.enforce(1, "x", "nobody does this") is TypeError
    assert pair.enforce("a", "x", "nobody does this") is False


def test_an_index_does_not_pass_over_a_choice_that_may_be_no_bool() -> None:
    pair = Pair('(r.sub == p.sub || "") && r.act == p.act', LINES)

    assert pair.enforce("carol", "x", "nobody does this") is RuntimeError
    assert pair.enforce("alice", "x", "write") is RuntimeError


def test_a_field_that_must_equal_two_things_equals_neither() -> None:
    pair = Pair("r.sub == p.sub && r.sub == p.obj && r.act == p.act", ("p, a, b, read", "p, c, c, read"))

    assert [pair.enforce(each, "x", "read") for each in "abc"] == [False, False, True]


def test_an_expression_that_few_lines_ask_is_computed_only_when_it_is_reached() -> None:
    asked: list[Any] = []
    pair = Pair("r.obj == p.obj && spelled(r.sub) == p.sub", LINES[:1], functions={"spelled": asked.append})

    assert pair.ours.enforce("alice", "data2", "read") is False
    assert asked == []


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), (1.5, True), (0.0, False), (1, RuntimeError), ("x", RuntimeError), (None, RuntimeError)]
)
def test_a_matcher_answers_with_a_bool_or_a_float(value: object, expected: object) -> None:
    pair = Pair("r.obj == p.obj && answer()", LINES, functions={"answer": lambda: value})

    assert pair.enforce("alice", "data1", "read") is expected


def test_a_constant_that_is_no_bool_is_no_answer() -> None:
    pair = Pair("r.obj == p.obj && p.act", LINES)

    assert pair.enforce("alice", "data1", "read") is RuntimeError
    assert pair.enforce("alice", "elsewhere", "read") is False


def test_a_line_of_the_wrong_length_raises_only_when_it_is_reached() -> None:
    pair = Pair(ACL, ("p, alice, data1, read", "p, bob, data2"))

    assert pair.enforce("alice", "data1", "read") is True
    assert pair.enforce("bob", "data2", "write") is RuntimeError


def test_a_request_of_the_wrong_length_raises() -> None:
    pair = Pair(ACL, LINES)

    assert pair.enforce("alice", "data1") is RuntimeError
    assert pair.enforce() is RuntimeError
    assert pair.enforce("alice", "data1", "read", "x") is RuntimeError


@pytest.mark.parametrize("effect", ["allow", "deny", "both"])
def test_an_empty_policy_is_one_line_of_empty_texts(effect: str) -> None:
    pair = Pair(ACL, effect=effect, p="sub, obj, act, eft")

    assert pair.enforce("", "", "") is True
    assert pair.enforce("alice", "", "") is (effect == "deny")


def test_an_effect_that_is_neither_allow_nor_deny_decides_nothing() -> None:
    for effect in ("allow", "deny", "both"):
        pair = Pair(ACL, ("p, a, x, read, perhaps",), p="sub, obj, act, eft", effect=effect)

        assert pair.enforce("a", "x", "read") is (effect == "deny")


def test_without_an_effect_column_a_line_allows() -> None:
    assert Pair(ACL, LINES, effect="both").enforce("alice", "data1", "read") is True


def test_the_explanation_is_the_row_itself() -> None:
    pair = Pair(ACL, LINES)

    assert pair.ours.enforce_ex("alice", "data1", "read")[1] is pair.ours.get_policy()[0]
    assert pair.ours.enforce_ex("carol", "data1", "read") == (False, [])


def test_numbers_and_truths_are_equal_across_types_and_never_to_texts() -> None:
    pair = Pair("r.sub == p.sub", functions={})
    for value in (1, "2", True):
        pair.both(lambda each: each.add_policy(value, "x", "y"))  # noqa: B023

    assert [pair.enforce(each, "x", "y") for each in (1, 1.0, True, "1", 2, "2", 0, False)] == [
        True,
        True,
        True,
        False,
        False,
        True,
        False,
        False,
    ]


def test_a_number_and_a_truth_with_the_same_hash_fold_apart() -> None:
    pair = Pair("r.obj == p.obj && name(p.sub) == r.sub", functions={"name": lambda value: f"{value!r}"})
    for value in (1, True, 1.0):
        pair.both(lambda each: each.add_policy(value, repr(value), "y"))  # noqa: B023

    assert all(pair.enforce(name, name, "y") is True for name in ("1", "True", "1.0"))
    assert pair.enforce("True", "1", "y") is False


def test_not_a_number_is_equal_to_nothing() -> None:
    pair = Pair("r.sub == p.sub")
    pair.both(lambda each: each.add_policy(math.nan, "x", "y"))

    assert pair.enforce(math.nan, "x", "y") is False


class Pretender:
    """Takes itself for `open`."""

    def __call__(self) -> None: ...

    def __eq__(self, other: object) -> bool:
        return other is open

    def __hash__(self) -> int:
        return hash(open)


class Disguised:
    """A list with `open` in it, as far as isinstance can tell."""

    __class__ = property(lambda self: list)

    def __iter__(self) -> Any:
        return iter((open,))


class Masked(Disguised):
    """The same, behind `__getattribute__`."""

    __class__ = object.__dict__["__class__"]

    def __getattribute__(self, name: str) -> Any:
        return list if name == "__class__" else object.__getattribute__(self, name)


class OneOf(StrEnum):
    """A text by another name."""

    ALICE = "alice"


@pytest.mark.parametrize("value", [Liar("bob"), OneOf.ALICE, ["alice"], {"a": 1}, {"alice"}, Thing(), None, b"alice", 3, len, logging])
def test_whatever_the_value_is_equality_is_its_own(value: object) -> None:
    assert isinstance(Pair(ACL, LINES).enforce(value, "data1", "read"), bool | type)


def test_a_text_that_says_it_equals_everything_is_believed_as_stock_believes_it() -> None:
    assert Pair(ACL, LINES).enforce(Liar("bob"), "data1", "read") is True


@pytest.mark.parametrize("value", [{"f": open}, [open], (math,), open, math, type, Pretender(), Disguised(), Masked()])
def test_the_sandbox_looks_into_what_a_request_brings(value: object) -> None:
    assert (
        Pair("r.obj == p.obj && anything(r.sub)", LINES, functions={"anything": lambda _: True}).enforce(value, "data1", "x")
        is simpleeval.FeatureNotAvailable
    )


@pytest.mark.parametrize("attribute", ["__class__", "_private", "func_globals", "format", "mro"])
def test_a_forbidden_attribute_is_forbidden(attribute: str) -> None:
    assert Pair(f'r.obj == p.obj && r.sub.{attribute} == "x"', LINES).enforce("alice", "data1", "read") is simpleeval.FeatureNotAvailable


@pytest.mark.parametrize(
    "term", ['r.sub._name == "x"', 'r.sub.func_name == "x"', "r.sub._name.isalpha()", 'r.sub.name.format("y") == "x"', "r.sub.exec(1)"]
)
def test_a_forbidden_attribute_is_forbidden_where_there_is_one(term: str) -> None:
    user = Thing(_name="x", func_name="x", name="x", exec=lambda _: True)

    assert Pair(f"r.obj == p.obj && {term}", LINES).enforce(user, "data1", "read") is simpleeval.FeatureNotAvailable


def test_a_text_in_the_matcher_may_be_too_long() -> None:
    assert Pair(f'r.obj == p.obj && r.sub != "{"x" * 100_001}"', LINES).enforce("alice", "data1", "read") is simpleeval.IterableTooLong


def test_a_forbidden_function_in_the_map_fails_every_request() -> None:
    assert Pair(ACL, LINES, functions={"unused": open}).enforce("carol", "x", "y") is simpleeval.FeatureNotAvailable


def test_a_forbidden_function_as_an_attribute_is_forbidden() -> None:
    user = Thing(run=eval, age=3)

    assert Pair("r.obj == p.obj && r.sub.run", LINES).enforce(user, "data1", "x") is simpleeval.FeatureNotAvailable


def test_a_forbidden_function_as_a_method_is_forbidden() -> None:
    user = Thing(run=eval)

    assert Pair("r.obj == p.obj && r.sub.run(p.sub)", ("p, True, data1, x",)).enforce(user, "data1", "x") is simpleeval.FeatureNotAvailable


def test_a_constant_that_seems_to_change_nothing_may_be_the_value() -> None:
    pair = Pair("(r.sub || False) == r.obj", LINES)

    assert pair.enforce("", "", "x") is False
    assert pair.enforce("a", "a", "x") is True


@pytest.mark.parametrize("expression", ['p.act * 99999 == "x"', "r.sub ** 9999999 > 1", "r.sub * 200000 == r.sub", "1 << r.sub > 1"])
def test_the_limits_of_the_evaluator_hold(expression: str) -> None:
    pair = Pair(f"r.obj == p.obj && {expression}", LINES)

    assert pair.enforce("abc" if "200000" in expression else 99999, "data1", "read") in (
        simpleeval.NumberTooHigh,
        simpleeval.IterableTooLong,
    )


def test_an_unknown_name_and_an_unknown_function_raise_when_they_are_reached() -> None:
    for term, error in (("nobody", simpleeval.NameNotDefined), ("nothing(r.sub)", simpleeval.FunctionNotDefined)):
        pair = Pair(f"r.obj == p.obj && {term}", LINES)

        assert pair.enforce("alice", "elsewhere", "read") is False
        assert pair.enforce("alice", "data1", "read") is error


def test_an_attribute_may_be_an_index_instead() -> None:
    assert Pair("r.sub.age > 18", LINES).enforce({"age": 20}, "x", "y") is True


def test_a_constant_that_stock_cannot_compare_raises_for_the_request_that_gets_there() -> None:
    pair = Pair("r.obj == p.obj && p.sub > 1", LINES)

    assert pair.enforce("alice", "elsewhere", "read") is False
    assert pair.enforce("alice", "data1", "read") is TypeError
    assert pair.ours.compiled


@pytest.mark.parametrize(
    "term",
    [
        "anything(made(r.sub))",
        "made(r.sub) == p.sub",
        "!(made(r.sub) != p.sub)",
        "(made(r.sub) || r.obj) == p.sub",
        'r.act in (made(r.sub), "x")',
    ],
)
@pytest.mark.parametrize("value", [open, [open], Agreeable(), Liar("x")])
def test_what_a_function_makes_is_looked_at_like_what_a_request_brings(term: str, value: object) -> None:
    pair = Pair(f"keyMatch(r.obj, p.obj) && {term}", LINES, functions={"made": lambda _: value, "anything": lambda _: True})

    assert pair.enforce("alice", "data1", "read") is not None
    assert pair.ours.compiled


def test_a_function_of_constants_is_called_for_each_request() -> None:
    now = ["alice"]
    pair = Pair("r.obj == p.obj && current(p.sub)", LINES, functions={"current": lambda name: name == now[0]})

    assert pair.enforce("x", "data1", "y") is True
    now[0] = "bob"
    assert pair.enforce("x", "data1", "y") is False


def test_an_enforce_context_is_no_value() -> None:
    pair = Pair(ACL, LINES)

    assert pair.enforce(EnforceContext("r", "p", "e", "m"), "alice", "data1", "read") is True
    pair = Pair("r.obj == p.obj && anything(r.sub)", LINES, functions={"anything": lambda _: True})
    assert pair.enforce(EnforceContext("r", "p", "e", "m"), "data1", "read") is RuntimeError
    pair = Pair("r.obj == p.obj", LINES)
    assert pair.enforce(EnforceContext("r", "p", "e", "m"), "data1", "read") is RuntimeError


def test_a_disabled_enforcer_allows_everything_as_stock_does() -> None:
    pair = Pair(ACL, LINES)
    pair.both(lambda each: each.enable_enforce(False))

    assert pair.both(lambda each: each.enforce_ex("nobody")) == [True, []]
    pair.both(lambda each: each.enable_enforce(True))
    assert pair.enforce("carol", "data1", "read") is False


def test_a_link_is_asked_for_with_the_text_of_the_domain() -> None:
    pair = Pair("g(r.sub, p.sub, r.dom) && r.act == p.act", ("p, admin, x, read", "g, alice, admin, 7"), r="sub, dom, act", g="_, _, _")

    assert pair.enforce("alice", 7, "read") is True
    assert pair.enforce("alice", 8, "read") is False


def test_a_role_manager_is_asked_once_for_the_same_question() -> None:
    asked: list[Any] = []

    class Counting(casbin.rbac.default_role_manager.RoleManager):  # type: ignore[misc]
        def has_link(self, *names: Any) -> bool:
            asked.append(names)
            return bool(super().has_link(*names))

    pair = Pair("g(r.sub, p.sub) && keyMatch(r.obj, p.obj)", [f"p, admin, data{number}, read" for number in range(5)])
    pair.ours.set_role_manager(Counting())
    pair.ours.build_role_links()

    pair.ours.enforce("alice", "data9", "read")
    assert asked == [("alice", "admin")]


def test_requests_are_logged_as_stock_logs_them(caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair(ACL, LINES)
    for each in (pair.stock, pair.ours):
        each.logger = logging.getLogger("tests.enforcer")
    with caplog.at_level(logging.INFO, "tests.enforcer"):
        pair.enforce("alice", "data1", "read")
        pair.enforce("carol", 1, None)

    records = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert records == [("INFO", "Request: alice, data1, read ---> True")] * 4 + [("WARNING", "Request: carol, 1, None ---> False")] * 4


def test_the_exception_is_stocks_own_and_hides_none_of_ours() -> None:
    pair = Pair("r.sub.age > 18", LINES)
    with pytest.raises(simpleeval.AttributeDoesNotExist) as caught:
        pair.ours.enforce("alice", "x", "y")

    assert "rbac" not in str(caught.value.__context__)


def test_a_matcher_function_called_g_is_the_role_definition_s() -> None:
    pair = Pair("g(r.sub, p.sub)", ("p, admin, x, y", "g, alice, admin"), functions={"g": lambda *_: True})

    assert pair.enforce("alice", "x", "y") is True
    assert pair.enforce("bob", "x", "y") is False
    assert generate_g_function(None)("a", "a")


def test_batch_enforce_asks_one_by_one() -> None:
    assert Pair(ACL, LINES).both(lambda each: each.batch_enforce([["alice", "data1", "read"], ["x", "y", "z"]])) == [True, False]


def test_the_model_text_is_what_the_tests_think_it_is() -> None:
    assert "some(where (p.eft == allow))" in text(ACL)
