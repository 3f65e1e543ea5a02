"""What is compiled, what is not, and that `compiled` says so."""

from __future__ import annotations

import copy
import logging
import pickle
import weakref
from typing import Any

import casbin
import pytest
from casbin.core_enforcer import CoreEnforcer
from casbin.effect import AllowOverrideEffector
from casbin.model import FunctionMap, Model
from casbin.model.assertion import Assertion

from rbac.enforcer import CompiledEnforcer
from tests.enforcer.pairs import Pair, text
from tests.enforcer.random_worlds import Thing

ACL = "r.sub == p.sub && r.obj == p.obj && r.act == p.act"
LINES = ("p, alice, data1, read", "p, bob, data2, write")


class OwnEffect(AllowOverrideEffector):  # type: ignore[misc]
    """An effector of one's own."""


class OwnModel(Model):  # type: ignore[misc]
    """A model of one's own."""


class OwnFunctions(FunctionMap):  # type: ignore[misc]
    """A function map of one's own."""


@pytest.fixture
def stock_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(self: Any, *_: Any) -> Any:
        raise AssertionError("stock Casbin was asked")

    monkeypatch.setattr(CoreEnforcer, "enforce_ex", unreachable)


@pytest.mark.parametrize(
    "matcher",
    [
        ACL,
        "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act",
        "g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && regexMatch(r.act, p.act)",
        '(p.sub == "*" || r.sub == p.sub) && r.obj != p.obj || r.act in ("read", p.act)',
        "r.sub.startswith(p.sub) || !(1 < 2) || p.obj + p.act == r.obj + r.act",
    ],
)
def test_common_matchers_never_reach_stock_casbin(matcher: str, request: pytest.FixtureRequest) -> None:
    pair = Pair(matcher, LINES)
    assert pair.ours.enforce("alice", "data1", "read") is pair.stock.enforce("alice", "data1", "read")
    request.getfixturevalue("stock_is_out_of_reach")

    assert pair.ours.compiled
    assert pair.ours.compiled.reason == ""
    for values in (("alice", "data1", "read"), ("carol", "data2", "write"), ("", "", "")):
        assert isinstance(pair.ours.enforce(*values), bool)


def test_attributes_of_objects_never_reach_stock_casbin(request: pytest.FixtureRequest) -> None:
    pair = Pair("r.sub.age > 18 && r.sub.name == p.sub && r.sub.name.startswith(p.sub)", LINES)
    assert pair.enforce(Thing(name="alice", age=20), "x", "y") is True
    request.getfixturevalue("stock_is_out_of_reach")

    assert pair.ours.enforce(Thing(name="alice", age=20), "x", "y") is True
    assert pair.ours.enforce(Thing(name="alice", age=3), "x", "y") is False


@pytest.mark.parametrize(
    ("matcher", "reason"),
    [
        ("eval(p.sub) && r.act == p.act", "the matcher uses eval()"),
        ("r.sub == p.sub if r.act == p.act else False", "the matcher uses IfExp"),
        ("r.sub[0] == p.sub", "the matcher uses Subscript"),
        ("r.sub is p.sub", "the matcher uses Is"),
        ("keyMatch(keyMatch2, p.sub)", "the matcher uses the function keyMatch2 as a value"),
        ("r.sub == p.sub; r.obj == p.obj", "the matcher is not one expression"),
        ("r.sub ==", "SyntaxError"),
    ],
)
def test_what_has_no_exact_meaning_here_stays_with_stock_casbin(matcher: str, reason: str) -> None:
    pair = Pair(matcher, LINES)

    assert pair.ours.compiled.reason.startswith(reason)
    assert not pair.ours.compiled
    pair.enforce("alice", "data1", "read")


def test_priority_effects_stay_with_stock_casbin() -> None:
    pair = Pair(ACL, (f"{line}, deny" for line in LINES), p="sub, obj, act, eft", effect="priority")

    assert pair.ours.compiled.reason == "the effect is a PriorityEffector"
    assert pair.enforce("alice", "data1", "read") is False


def test_what_is_of_ones_own_class_stays_with_stock_casbin() -> None:
    model = OwnModel()
    model.load_model_from_text(text(ACL))
    functions = CompiledEnforcer(casbin.Enforcer.new_model(text=text(ACL)))
    functions.fm = OwnFunctions()
    effect = CompiledEnforcer(casbin.Enforcer.new_model(text=text(ACL)))
    effect.set_effector(OwnEffect())
    logger = CompiledEnforcer(casbin.Enforcer.new_model(text=text(ACL)))
    logger.logger = logging.LoggerAdapter(logging.getLogger("x"), {})

    reasons = [each.compiled.reason for each in (CompiledEnforcer(model), functions, effect, logger)]
    assert reasons == [
        "the model is a OwnModel",
        "the functions are a OwnFunctions",
        "the effect is a OwnEffect",
        "the logger is a LoggerAdapter",
    ]


def test_a_policy_value_that_is_no_plain_text_stays_with_stock_casbin() -> None:
    pair = Pair(ACL)
    pair.both(lambda each: each.model["p"]["p"].policy.append(["alice", ["data1"], "read"]))

    assert pair.ours.compiled.reason == "the policy has a value of type list"
    assert pair.enforce("alice", "data1", "read") is False


def test_a_disabled_enforcer_says_so() -> None:
    pair = Pair(ACL, LINES)
    pair.ours.enable_enforce(False)

    assert pair.ours.compiled.reason == "enforcing is disabled"
    pair.ours.enable_enforce(True)
    assert pair.ours.compiled


def test_the_answer_of_compiled_is_false_when_nothing_is() -> None:
    assert bool(Pair("eval(p.sub)", LINES).ours.compiled) is False


def test_a_copy_of_an_enforcer_answers_from_its_own_policy() -> None:
    pair = Pair("g(r.sub, p.sub)", (*LINES, "g, carol, alice"))
    pair.enforce("carol", "x", "y")
    twin = copy.deepcopy(pair.ours)
    twin.delete_role_for_user("carol", "alice")

    assert twin.enforce("carol", "x", "y") is False
    assert pair.enforce("carol", "x", "y") is True
    twin.add_policy("carol", "x", "y")
    assert twin.enforce("carol", "x", "y") is True
    assert pair.ours.get_policy() == pair.stock.get_policy()


def test_a_tracked_model_is_copied_and_pickled_as_plain_lists() -> None:
    pair = Pair(ACL, LINES)
    pair.enforce("alice", "data1", "read")
    policy = pair.ours.model["p"]["p"].policy

    assert type(copy.deepcopy(policy)) is list
    assert type(pickle.loads(pickle.dumps(policy))) is list
    assert type(copy.deepcopy(pair.ours.model["p"]["p"])) is Assertion
    assert policy == pair.stock.model["p"]["p"].policy
    assert pair.ours.model.to_text() == pair.stock.model.to_text()


def test_two_fields_that_python_takes_for_one_name_stay_with_stock_casbin() -> None:
    pair = Pair("r.sub == p.sub", ("p, alice, x, y",), r="sub, \u017fub, act")

    assert pair.ours.compiled.reason == "a field of the request is no plain name"
    assert pair.enforce("bob", "alice", "x") is False


def test_a_subclass_that_explains_in_its_own_way_is_asked() -> None:
    class Refusing(CompiledEnforcer):
        def enforce_ex(self, *rvals: Any) -> Any:
            return False, ["never"]

    enforcer = Refusing(casbin.Enforcer.new_model(text=text(ACL)))
    enforcer.add_policy("alice", "data1", "read")

    assert enforcer.enforce("alice", "data1", "read") is False


def test_nothing_a_request_brought_is_kept() -> None:
    class Name(str):
        """A text that can be referenced weakly."""

    pair = Pair(ACL, LINES)
    name = Name("alice")
    gone = weakref.ref(name)
    assert pair.ours.enforce(name, "data1", "read") is True
    del name

    assert gone() is None


def test_denied_requests_for_unknown_names_leave_nothing_behind() -> None:
    pair = Pair(ACL, LINES)
    pair.ours.enforce("alice", "data1", "read")
    tables = [each for each in pair.ours._slot.decide.__globals__.values() if isinstance(each, dict)]
    before = [len(each) for each in tables]
    for number in range(100):
        pair.ours.enforce(f"u{number}", f"o{number}", "read")

    assert [len(each) for each in tables] == before
