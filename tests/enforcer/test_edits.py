"""Whatever changes, the next request is answered from what is there then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import casbin
import pytest
from casbin.effect import DenyOverrideEffector
from casbin.model import FunctionMap
from casbin.persist.adapters.string_adapter import StringAdapter
from casbin.rbac.default_role_manager import RoleManager

from rbac.enforcer import CompiledEnforcer
from tests.enforcer.pairs import Pair, text

ACL = "r.sub == p.sub && r.obj == p.obj && r.act == p.act"
NEW = ["carol", "data3", "read"]
GIVES: dict[str, Callable[[Any], Any]] = {
    "add_policy": lambda each: each.add_policy(*NEW),
    "add_policies": lambda each: each.add_policies([NEW, ["x", "y", "z"]]),
    "update_policy": lambda each: each.update_policy(["alice", "data1", "read"], NEW),
    "model.add_policy": lambda each: each.model.add_policy("p", "p", list(NEW)),
    "policy.append": lambda each: each.model["p"]["p"].policy.append(NEW),
    "policy.insert": lambda each: each.get_policy().insert(0, NEW),
    "policy[0] =": lambda each: each.get_policy().__setitem__(0, NEW),
    "policy[:] =": lambda each: each.get_policy().__setitem__(slice(None), [NEW]),
    "policy +=": lambda each: each.get_policy().__iadd__([NEW]) and None,
    "policy.extend": lambda each: each.get_policy().extend([NEW]),
    "policy =": lambda each: setattr(each.model["p"]["p"], "policy", [NEW]),
    "clear_policy, then append": lambda each: (each.clear_policy(), each.get_policy().append(NEW))[:0],
    "matcher =": lambda each: setattr(each.model["m"]["m"], "value", 'r_sub == "carol"'),
    "set_effector": lambda each: each.set_effector(DenyOverrideEffector()),
    "enable_enforce": lambda each: each.enable_enforce(False),
    "add_grouping_policy": lambda each: each.add_grouping_policy("carol", "alice"),
}


@pytest.mark.parametrize("name", sorted(GIVES))
def test_what_an_edit_gives_is_given_at_once(name: str) -> None:
    pair = Pair("(g(r.sub, p.sub) || r.sub == p.sub) && (r.obj == p.obj || r.obj == 'data3') && r.act == p.act", ("p, alice, data1, read",))
    assert pair.enforce(*NEW) is False
    pair.both(GIVES[name])

    assert pair.enforce(*NEW) is True


TAKES: dict[str, Callable[[Any], Any]] = {
    "remove_policy": lambda each: each.remove_policy("alice", "data1", "read"),
    "remove_policies": lambda each: each.remove_policies([["alice", "data1", "read"]]),
    "remove_filtered_policy": lambda each: each.remove_filtered_policy(0, "alice"),
    "update_policy": lambda each: each.update_policy(["alice", "data1", "read"], NEW),
    "clear_policy": lambda each: each.clear_policy(),
    "policy.clear": lambda each: each.get_policy().clear(),
    "policy.pop": lambda each: each.get_policy().pop() and None,
    "policy.remove": lambda each: each.get_policy().remove(["alice", "data1", "read"]),
    "del policy[0]": lambda each: each.get_policy().__delitem__(0),
    "policy *= 0": lambda each: each.get_policy().__imul__(0) and None,
    "model.add_def": lambda each: each.model.add_def("m", "m", "r.sub == 'nobody'"),
    "model['m'] =": lambda each: each.model.model.__setitem__("m", {"m": casbin.Enforcer.new_model(text=text("r.act == 'x'"))["m"]["m"]}),
    "set_model": lambda each: each.set_model(casbin.Enforcer.new_model(text=text(ACL))),
    "add_function": lambda each: each.add_function("passes", lambda *_: False),
    "fm[...] =": lambda each: each.fm.fm.update(passes=lambda *_: False),
    "fm =": lambda each: setattr(each, "fm", FunctionMap.load_function_map()),
    "g.rm =": lambda each: setattr(each.model["g"]["g"], "rm", RoleManager(10)),
    "set_role_manager": lambda each: (each.set_role_manager(RoleManager(0)), each.build_role_links())[:0],
    "delete_role": lambda each: each.remove_grouping_policy("ann", "alice"),
    "policy.reverse": lambda each: (each.add_policy("x", "y"), each.get_policy().reverse())[:0],
}


@pytest.mark.parametrize("name", sorted(TAKES))
def test_what_an_edit_takes_is_taken_at_once(name: str) -> None:
    matcher = "g(r.sub, p.sub) && r.obj == p.obj && passes(r.sub) && r.act == p.act"
    pair = Pair(matcher, ("p, alice, data1, read", "g, ann, alice"), functions={"passes": lambda _: True})
    assert pair.enforce("ann", "data1", "read") is True
    pair.both(TAKES[name])

    assert pair.enforce("ann", "data1", "read") is not True


def test_the_edits_of_these_tests_find_a_compiled_enforcer() -> None:
    assert Pair(ACL, ("p, alice, data1, read",)).ours.compiled


def test_load_policy_replaces_what_was_there_and_a_failed_load_leaves_it() -> None:
    pair = Pair(ACL, ("p, alice, data1, read",))
    pair.both(lambda each: each.set_adapter(StringAdapter("p, carol, data3, read")))
    assert pair.enforce("alice", "data1", "read") is True
    pair.both(lambda each: each.load_policy())

    assert [pair.enforce("alice", "data1", "read"), pair.enforce(*NEW)] == [False, True]
    pair.both(lambda each: each.set_adapter(None))
    pair.both(lambda each: each.load_policy())
    assert pair.enforce(*NEW) is True


def test_a_list_handed_out_before_the_first_request_still_counts() -> None:
    pair = Pair(ACL, ("p, alice, data1, read",))
    policies = (pair.stock.get_policy(), pair.ours.get_policy())
    pair.enforce(*NEW)
    for policy in policies:
        policy.append(NEW)

    assert pair.enforce(*NEW) is True


def test_a_list_handed_out_after_the_policy_was_cleared_still_counts() -> None:
    pair = Pair(ACL, ("p, alice, data1, read",))
    pair.both(lambda each: each.clear_policy())
    policies = (pair.stock.get_policy(), pair.ours.get_policy())
    pair.enforce(*NEW)
    for policy in policies:
        policy.append(NEW)

    assert pair.enforce(*NEW) is True


def test_a_function_map_handed_out_before_the_first_request_still_counts() -> None:
    pair = Pair("r.sub == p.sub && passes(r.sub)", ("p, carol, x, y",), functions={"passes": lambda _: False})
    maps = (pair.stock.fm.get_functions(), pair.ours.fm.get_functions())
    assert pair.enforce(*NEW) is False
    for functions in maps:
        functions["passes"] = lambda _: True

    assert pair.enforce(*NEW) is True


def test_two_enforcers_over_one_model_both_see_an_edit() -> None:
    model = casbin.Enforcer.new_model(text=text(ACL))
    first, second = CompiledEnforcer(model), CompiledEnforcer(model)
    assert [first.enforce(*NEW), second.enforce(*NEW)] == [False, False]
    first.add_policy(*NEW)

    assert [first.enforce(*NEW), second.enforce(*NEW)] == [True, True]


def test_stock_requests_in_between_do_not_force_a_new_compilation() -> None:
    pair = Pair("g(r.sub, p.sub) && r.obj == p.obj", ("p, alice, data1, read",))
    before = pair.ours.compiled
    for values in (({"a": 1}, "data1", "read"), ("alice", "data1")):
        pair.enforce(*values)

    assert pair.ours.compiled is before


def test_a_link_added_to_the_same_role_manager_needs_no_new_compilation() -> None:
    pair = Pair("g(r.sub, p.sub) && r.obj == p.obj", ("p, alice, data1, read",))
    before = pair.ours.compiled
    pair.both(lambda each: each.add_grouping_policy("carol", "alice"))

    assert pair.enforce("carol", "data1", "read") is True
    assert pair.ours.compiled is before


@pytest.mark.parametrize("name", ["add_policy", "set_model", "add_function"])
def test_what_changes_while_it_is_compiled_is_not_lost(name: str) -> None:
    enforcer = CompiledEnforcer(casbin.Enforcer.new_model(text=text(f"{ACL} && passes(p.sub)")))
    other = casbin.Enforcer.new_model(text=text('r.sub == "carol"'))
    changes = {
        "add_policy": lambda: enforcer.add_policy(*NEW),
        "set_model": lambda: enforcer.set_model(other),
        "add_function": lambda: enforcer.add_function("passes", lambda _: True),
    }
    pending = [changes[name]]

    def passes(_: Any) -> bool:
        return name != "add_function"

    passes.specialize = lambda _: pending.pop()() and None if pending else None  # type: ignore[attr-defined]
    enforcer.add_function("passes", passes)
    enforcer.add_policy(*(NEW if name == "add_function" else ("alice", "data1", "read")))

    enforcer.enforce(*NEW)
    assert pending == []
    assert enforcer.enforce(*NEW) is True


def test_edits_and_requests_in_many_threads_never_answer_from_a_policy_that_was_gone_before() -> None:
    enforcer = CompiledEnforcer(casbin.Enforcer.new_model(text=text(ACL)))
    enforcer.add_policy("always", "x", "y")
    stop, wrong, asked = threading.Event(), [], [0]

    def ask() -> None:
        while not stop.is_set():
            asked[0] += 1
            if enforcer.enforce("always", "x", "y") is not True or enforcer.enforce("never", "x", "y") is not False:
                wrong.append("another line's answer")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(150):
        enforcer.add_policy(f"u{number}", "x", "y")
        given = enforcer.enforce(f"u{number}", "x", "y")
        enforcer.remove_policy(f"u{number}", "x", "y")
        taken = enforcer.enforce(f"u{number}", "x", "y")
        if (given, taken) != (True, False):
            wrong.append(f"{number}: {given} {taken}")
    stop.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert asked[0] > 100
