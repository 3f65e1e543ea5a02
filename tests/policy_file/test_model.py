"""The strict reader of model.conf, and the files as stock Casbin reads them."""

from __future__ import annotations

import casbin
import pytest

from rbac.decisions.decider import Decider
from rbac.errors import PolicyError
from rbac.policy.conditions import holds
from rbac.policy.facts import GivenFacts
from rbac.policy.model import PACKAGED, parse_model, read_model
from rbac.policy.reader import PACKAGED as POLICY
from rbac.policy.reader import read_policy
from rbac.policy.roles import DomainRoles, kind
from rbac.vocabulary import Kind, Role

TEXT = PACKAGED.read_text()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("&& holds(p.cond, p.eft, r.facts)", "", "never looks at p.cond"),
        ("kind(r.dom) == p.dom", "kind(r.dom)() == p.dom", "a call of something other than g, kind, holds"),
        ("holds(", "hold(", "unknown function 'hold': did you mean 'holds'?"),
        ("kind(r.dom) == p.dom", "true == p.dom", "unknown name 'true'"),
        ("g(r.sub, p.sub, r.dom)", "g(r.sub, p.sub)", "g takes 3 values, not 2"),
        ("r.dom", "r.domain", "unknown value r.domain: did you mean 'dom'?"),
        (" && !some(where (p.eft == deny))", "", "e must be some(where (p.eft == allow)) && !some(where (p.eft == deny))"),
        ("[matchers]", "[matcher]", "unknown section [matcher]: did you mean 'matchers'?"),
        ("m = (", "m = ((", "the matcher is no expression"),
        ("r = sub, dom, obj, act, facts", "r = sub, dom, obj, act", "r must be sub, dom, obj, act, facts"),
        ("g = _, _, _", "g = _, _", "g must be _, _, _"),
        ("r = sub, dom", "r = s ub, dom", "r must be sub, dom, obj, act, facts"),
        ("p.eft == deny", "p.eft = = deny", "e must be some(where (p.eft == allow)) && !some(where (p.eft == deny))"),
        ("some(where (", "some(where(", "e must be some(where (p.eft == allow)) && !some(where (p.eft == deny))"),
        ("g = _, _, _", "g = _, _, _\ng2 = _, _", "unknown key 'g2'"),
        ("g = _, _, _", "g = _, _, _ # roles", "a comment behind a line"),
        ("[role_definition]\ng = _, _, _\n", "", "section [role_definition] with g = ... is missing"),
    ],
)
def test_a_model_that_would_decide_something_else_is_refused_when_it_is_loaded(old: str, new: str, says: str) -> None:
    assert old in TEXT

    with pytest.raises(PolicyError) as caught:
        parse_model(TEXT.replace(old, new))

    assert says in str(caught.value)


@pytest.mark.parametrize(
    "grown",
    ["!" * 5000 + "r.sub", "!" * 300_000 + "r.sub", "r.sub" + ".a" * 5000, "(" * 5000 + "r.sub" + ")" * 5000],
    ids=["not", "very often not", "attributes", "parentheses"],
)
def test_a_matcher_that_is_nested_beyond_measure_is_refused_like_any_other(grown: str) -> None:
    with pytest.raises(PolicyError, match=r"mine\.conf:\d+:5: the matcher is no expression: .*nested"):
        parse_model(TEXT.replace("m = ", f"m = {grown} && "), "mine.conf")


@pytest.mark.parametrize("shortcut", ["1 == 1 || ", "!"])
def test_a_matcher_that_lets_somebody_in_past_the_lines_is_refused_before_the_first_request(shortcut: str) -> None:
    model = parse_model(TEXT.replace("m = (p.act", f"m = {shortcut}(p.act"), "mine.conf")

    with pytest.raises(PolicyError, match=r"mine\.conf:1:1: the matcher does not decide"):
        Decider(read_policy(), model)


@pytest.mark.parametrize(
    "shortcut", ['r.sub == "user:u" || ', 'kind(r.sub) == "x" || ', "g(p.sub, r.sub, r.dom) || ", "r.sub in p.sub || "]
)
def test_a_matcher_that_tests_the_user_by_name_is_refused(shortcut: str) -> None:
    with pytest.raises(PolicyError, match=r"mine\.conf:\d+:5: r\.sub stands as the first value of g\(\.\.\.\) only"):
        parse_model(TEXT.replace("m = (p.act", f"m = {shortcut}(p.act"), "mine.conf")


def test_a_model_laid_out_and_commented_another_way_is_the_packaged_one() -> None:
    moved = "# mine\n" + TEXT.replace(" || ", "  ||  ")
    other = TEXT.replace('p.act == "*" || r.act == p.act', 'r.act == p.act || p.act == "*"')

    assert Decider(read_policy(), parse_model(moved, "mine.conf")).packaged
    assert not Decider(read_policy(), parse_model(other, "mine.conf")).packaged


def test_a_matcher_written_another_way_is_accepted() -> None:
    model = parse_model(TEXT.replace('p.act == "*" || r.act == p.act', 'r.act == p.act || p.act == "*"'))

    assert Decider(read_policy(), model).casbin.compiled


def test_stock_casbin_reads_both_files_as_they_are() -> None:
    enforcer = casbin.Enforcer(str(PACKAGED), str(POLICY))
    enforcer.add_function("kind", kind)
    enforcer.add_function("holds", holds)
    roles = DomainRoles()
    enforcer.set_role_manager(roles)
    enforcer.build_role_links()
    for link in (("acme/project/p1", "project", "acme"), ("user:max", "manager", "acme")):
        roles.add_link(*link)
    known = {"task_named": False, "target_named": False, "personal": False, "paused": False, "role": Role.MANAGER, "kind": Kind.PROJECT}
    inside = GivenFacts(project_member=True, **known)
    outside = GivenFacts(project_member=False, workspace_member=False, created_project=False, created_workspace=False, **known)

    assert enforcer.enforce("user:max", "acme/project/p1", "data", "export", inside)
    assert not enforcer.enforce("user:max", "acme/project/p1", "data", "export", outside)
    assert not enforcer.enforce("user:max", "acme/project/p2", "data", "export", inside)
    assert not enforcer.enforce("user:manager", "acme/project/p1", "data", "export", inside)
    assert [list(line.tokens) for line in read_policy().lines] == enforcer.get_policy()


def test_the_packaged_model_is_compiled_and_not_interpreted() -> None:
    compiled = Decider(read_policy(), read_model()).casbin.compiled

    assert compiled, compiled.reason
