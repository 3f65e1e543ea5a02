"""Random models, policies, requests and live edits, the same for two enforcers.

Its one rule: everything comes from one seeded `random.Random`, and every function used is a function of its arguments,
so that what two enforcers answer can be compared one by one.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import casbin
from casbin.effect import get_effector
from casbin.rbac.default_role_manager import RoleManager
from casbin.util import key_match_func

from rbac.enforcer import UNKNOWN

EFFECTS = {
    "allow": "some(where (p.eft == allow))",
    "deny": "!some(where (p.eft == deny))",
    "both": "some(where (p.eft == allow)) && !some(where (p.eft == deny))",
    "priority": "priority(p.eft) || deny",
}
WORDS = (
    "alice", "bob", "admin", "root", "read", "write", "data1", "data2", "d1", "d2",
    "/a/1", "/a/*", "/b/:id", "*", "", "1", "2", "10", "x & y",
)  # fmt: skip

_ACL = "r.sub == p.sub && r.obj == p.obj && r.act == p.act"
MATCHERS = (
    _ACL,
    f'{_ACL} || r.sub == "root"',
    "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act",
    "r.obj == p.obj && r.act == p.act && g(r.sub, p.sub)",
    "g(r.sub, p.sub) && g2(r.obj, p.obj) && r.act == p.act",
    "g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && regexMatch(r.act, p.act)",
    '(p.sub == "*" || r.sub == p.sub) && (p.obj == "*" || r.obj == p.obj) && (p.act == "*" || r.act == p.act)',
    '(r.act == p.act || p.act == "*") && kind(r.obj) == p.obj && (p.sub == "*" || g(r.sub, p.sub)) && holds(p.act, p.eft, r.obj)',
    'kind(r.obj) == p.obj && kind(r.sub) != p.sub && (r.act in ("read", "write") || !(r.act == p.act))',
    "g3(r.sub, p.sub, r.obj) && r.act == p.act",
    "r.obj == p.obj && g3(r.sub, p.sub, p.obj) && r.act == p.act",
    "g(r.sub, p.sub) && g3(r.sub, p.sub, r.obj) && keyMatch2(r.obj, p.obj)",
    "r.sub.age > 18 && r.sub.name == p.sub",
    "r.sub == r.obj.owner",
    'r.sub.name.startswith(p.sub) || r.sub in ("alice", p.obj)',
    "r.sub in p.sub && r.act not in [p.act, p.obj]",
    "r.sub + 1 > 2 && r.obj * 2 <= 10 - r.act",
    "1 < r.sub <= 10 && r.obj == p.obj",
    "r.sub && r.obj == p.obj",
    "r.obj == p.obj && r.sub",
    "r.act == p.act && 1.5",
    "faulty(r.sub) && r.obj == p.obj",
    "r.obj == p.obj && faulty(r.sub) && r.act == p.act",
    "faulty(p.sub) == r.sub && r.act == p.act",
    "r.obj == p.obj && p.sub + 1 > 2",
    "r.obj == p.obj && missing(r.sub)",
    "r.obj == p.obj && r.sub == nobody",
    "r.obj == p.obj || r.sub.__class__ == p.sub",
    'r.sub != p.sub && !(r.obj != "data1") && -r.act < 1',
    "p.sub == p.obj || r.act == p.act",
    'p.act == "read" && r.act == p.act && p.eft == "allow"',
    "eval(p.sub) && r.act == p.act",
    "r.sub is p.sub",
    "r.sub ** 2 > 4 || r.obj == p.obj",
    "r.sub['age'] == 3 || r.obj == p.obj",
    "odd(r.sub) || r.obj == p.obj",
    "r.obj == p.obj && odd(r.act)",
    "holds(p.sub, p.obj, r.act)",
    "timeMatch(p.sub, p.obj) && r.act == p.act",
)

_CALM_MATCHERS = MATCHERS.index("r.sub.age > 18 && r.sub.name == p.sub")
"""Those before it do not raise for texts."""

_CALM_ATOMS = (
    "r.sub == p.sub", "r.obj == p.obj", "r.act == p.act", "p.act == r.act", 'p.sub == "*"', 'p.obj == "*"', "r.sub != p.sub",
    'r.act == "read"', "kind(r.obj) == p.obj", "kind(r.obj) == kind(p.obj)", "g(r.sub, p.sub)", "g(r.obj, p.obj)", 'g(r.sub, "admin")',
    "g3(r.sub, p.sub, r.obj)", "r.sub == p.sub && r.act == p.act", "r.sub == p.obj", '(p.sub == "*" || g(r.sub, p.sub))', 'r.sub != "root"',
    "keyMatch(r.obj, p.obj)", "holds(p.sub, p.act, r.obj)", "holds(r.sub, p.act, r.obj)", "r.act in (p.act, p.obj)", "r.act in p.act",
    "r.sub < p.sub", '"a" < r.act < "z"', "True", "False", "r.sub == (r.obj || r.act)", "(r.sub || p.sub) == r.obj",
)  # fmt: skip
_ATOMS = (
    *_CALM_ATOMS, "kind(r.sub)", "faulty(r.act)", "odd(r.obj)", "odd(p.obj)", "r.sub.age > 18", "r.sub.name == p.sub", "r.obj", "p.act",
    "r.sub <= 2", "0", '""', "1.0", "nobody",
)  # fmt: skip


class Spelled(StrEnum):
    """A string by another name: plain in every way that counts."""

    READ = "read"
    ALICE = "alice"


class Contrary(str):
    """A string equal to everything."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return hash("data1")


class Agreeable:
    """No string at all, but equal to "alice", and with a verdict that is no bool."""

    def __eq__(self, other: object) -> Any:
        return 1

    def __hash__(self) -> int:
        return hash("alice")


class Hostile:
    """Raises when it is compared, asked whether it is true, or hashed."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("compared")

    def __bool__(self) -> bool:
        raise ValueError("asked")

    __hash__ = None  # type: ignore[assignment]


class Thing:
    """Something with attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


VALUES: tuple[Any, ...] = (
    1, 2, 3, True, False, 1.0, 2.5, math.nan, None, b"read", Spelled.READ, Spelled.ALICE, Contrary("bob"), Agreeable(), Hostile(),
    Thing(name="alice", age=20, owner="alice"), Thing(name="bob", age=3),
    Thing(name=Contrary("x"), age=19.5, owner=1), SimpleNamespace(name="alice", age=20, owner="alice"),
    Thing(name=["x"], age="old", owner=None),
    Contrary("x"), Contrary("alice"), Agreeable(),
    {"name": "alice", "age": 30}, {"f": open}, [1, "alice"], ("alice",), {"alice"}, open, len, re, casbin.Enforcer, frozenset({"admin"}),
)  # fmt: skip


def kind(path: Any) -> Any:
    """The shape of a path; raises for what is no text."""
    return {0: "data1", 1: "/a/1", 2: "data2"}.get(path.count("/"), "")


def faulty(value: Any) -> Any:
    """Raises for some values and not for others."""
    if value in ("alice", "1", 2):
        raise KeyError(value)
    return value in ("bob", "read", "data1")


def odd(value: Any) -> Any:
    """Answers with all sorts of things."""
    table = {"alice": 1, "bob": "", "read": 0.5, "write": 0.0, "data1": None, "data2": [], "d1": True, 1: open, 2: Agreeable()}
    return table.get(value, False)


def holds(cond: Any, eft: Any, value: Any) -> Any:
    """A condition by its name."""
    if cond == "x & y":
        raise LookupError(cond)
    return (cond == value) is (eft != "deny")


def _specialize(cond: Any, eft: Any, value: Any) -> Callable[..., Any] | None:
    if cond is UNKNOWN or eft is UNKNOWN or value is not UNKNOWN:
        return None
    if cond == "x & y":
        raise LookupError(cond)
    return lambda value: (cond == value) is (eft != "deny")


holds.specialize = _specialize  # type: ignore[attr-defined]

FUNCTIONS: dict[str, Callable[..., Any]] = {"kind": kind, "faulty": faulty, "odd": odd, "holds": holds}


class LinkedRoles(RoleManager):  # type: ignore[misc]  # casbin has no types
    """A role manager with the hook, which keeps nothing of the names it is asked about."""

    def has_link(self, name1: Any, name2: Any, *domain: Any) -> bool:
        return isinstance(name1, str) and isinstance(name2, str) and str(name2) in self._reached(str(name1))

    def links(self, name: Any, *domain: Any) -> frozenset[str] | None:
        return None if name == "root" else self._reached(str(name)) if isinstance(name, str) else frozenset()

    def _reached(self, name: str) -> frozenset[str]:
        found, ahead = {name}, [name]
        while ahead:
            role = self.all_roles.get(ahead.pop())
            new = set(role.get_roles() if role else ()) - found
            found |= new
            ahead.extend(new)
        return frozenset(found)


@dataclass
class World:
    """Two enforcers over the same model, and what to do to both; `trail` says what was done.

    A tame world has texts only, and no edit that breaks it: there, nearly everything is for compiled code to answer.
    """

    random: random.Random
    enforcers: tuple[Any, Any]
    tame: bool
    trail: list[str] = field(default_factory=list)

    def both(self, what: str, act: Callable[[Any], Any]) -> tuple[Any, Any]:
        """Do something to both enforcers; what came of it, exceptions included."""
        self.trail.append(what)
        return _outcome(act, self.enforcers[0]), _outcome(act, self.enforcers[1])


def _outcome(act: Callable[[Any], Any], enforcer: Any) -> Any:
    try:
        result = act(enforcer)
    except Exception as error:
        return type(error), str(error)
    return type(result), result


def matcher(rng: random.Random, *, tame: bool) -> str:
    """One of the known matchers, or a random one."""
    if rng.random() < 0.5:
        return rng.choice(MATCHERS[:_CALM_MATCHERS] if tame else MATCHERS)
    return _expression(rng, _CALM_ATOMS if tame else _ATOMS, depth=3)


def _expression(rng: random.Random, atoms: Sequence[str], *, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        atom = rng.choice(atoms)
        return f"!({atom})" if rng.random() < 0.15 else atom
    joined = rng.choice((" && ", " && ", " || ")).join(_expression(rng, atoms, depth=depth - 1) for _ in range(rng.randint(2, 3)))
    return f"({joined})"


def model_text(rng: random.Random, text: str) -> str:
    """A model around a matcher: with or without an effect column."""
    effect = "priority" if rng.random() < 0.03 else rng.choice(("allow", "allow", "deny", "both", "both"))
    eft = ", eft" if "p.eft" in text or rng.random() < 0.8 else ""
    return (
        f"[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act{eft}\n"
        "[role_definition]\ng = _, _\ng2 = _, _\ng3 = _, _, _\n"
        f"[policy_effect]\ne = {EFFECTS[effect]}\n[matchers]\nm = {text}\n"
    )


def rule(made: World) -> list[Any]:
    """A policy line; now and then of a wrong length, or with something in it that is no text."""
    rng, width = made.random, len(made.enforcers[0].model["p"]["p"].tokens)
    tokens: list[Any] = [rng.choice(WORDS) for _ in range(3)]
    if width == 4:
        tokens.append(rng.choice(("allow", "allow", "deny", "deny", "", "perhaps")))
    if not made.tame and rng.random() < 0.01:
        tokens.append("x")
    if not made.tame and rng.random() < 0.02:
        tokens[rng.randrange(len(tokens))] = rng.choice((1, 2.0, True, None, Spelled.READ, math.nan))
    return tokens


def request(made: World) -> list[Any]:
    """Three values, mostly words, often those of a policy line; now and then too many."""
    rng = made.random
    lines = _policy(made.enforcers[0])
    values: list[Any] = list(rng.choice(lines))[:3] if lines and rng.random() < 0.4 else [rng.choice(WORDS) for _ in range(3)]
    if made.tame:
        return values
    values = [rng.choice(VALUES) if rng.random() < 0.1 else value for value in values]
    if rng.random() < 0.02:
        values.append("x")
    if rng.random() < 0.02:
        values.insert(0, casbin.core_enforcer.EnforceContext("r", "p", "e", "m"))
    return values


def world(rng: random.Random, kinds: tuple[Any, Any]) -> World:
    """Two fresh enforcers of two kinds with the same random model and policy."""
    tame = rng.random() < 0.5
    text = model_text(rng, matcher(rng, tame=tame))
    enforcers = tuple(kind(casbin.Enforcer.new_model(text=text)) for kind in kinds)
    made = World(rng, (enforcers[0], enforcers[1]), tame, [text])
    linked = rng.random() < 0.4
    for each in enforcers:
        for name, function in FUNCTIONS.items():
            each.add_function(name, function)
        if linked:
            each.set_role_manager(LinkedRoles())
            each.build_role_links()
    for _ in range(rng.choice((0, 1, 3, 10, 30))):
        edit_lines(made)
    for _ in range(rng.choice((0, 2, 6))):
        edit_roles(made)
    return made


def edit_lines(made: World) -> tuple[Any, Any]:
    """Add a policy line."""
    tokens = rule(made)
    return made.both(f"add_policy{tokens}", lambda each: each.add_policy(*tokens))


def edit_roles(made: World) -> tuple[Any, Any]:
    """Add a link, in `g` or `g2`."""
    ptype, user, role = made.random.choice(("g", "g", "g2", "g3")), made.random.choice(WORDS), made.random.choice(WORDS)
    domain = (made.random.choice(WORDS),) if ptype == "g3" else ()
    return made.both(f"{ptype} {user} {role} {domain}", lambda each: each.add_named_grouping_policy(ptype, user, role, *domain))


def edit(made: World) -> tuple[Any, Any]:
    """Change both in one of the ways that Casbin allows, or that Python does."""
    rng = made.random
    name, act = rng.choice(EDITS[:-_BREAKING] if made.tame else EDITS)
    tokens, others, number, word = rule(made), rule(made), rng.random(), rng.choice(WORDS)
    text, effect = matcher(rng, tame=made.tame), rng.choice((*EFFECTS.values(), *list(EFFECTS.values())[:3]))
    choice = SimpleNamespace(tokens=tokens, others=others, number=number, word=word, text=text, effect=effect)
    return made.both(f"{name} {choice}", lambda each: act(each, choice))


def _policy(enforcer: Any) -> Any:
    return enforcer.model["p"]["p"].policy


def _at(enforcer: Any, choice: Any) -> int:
    return int(choice.number * len(_policy(enforcer)))


def _set_matcher(enforcer: Any, choice: Any) -> None:
    enforcer.model["m"]["m"].value = casbin.util.escape_assertion(choice.text)


def _set_model(enforcer: Any, choice: Any) -> None:
    enforcer.set_model(casbin.Enforcer.new_model(text=model_text(random.Random(choice.number), choice.text)))
    enforcer.init_rm_map()


def _another_role_manager(enforcer: Any, choice: Any) -> None:
    enforcer.set_role_manager(LinkedRoles() if choice.number < 0.5 else RoleManager(10))
    enforcer.build_role_links()


EDITS: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("add_policy", lambda e, c: e.add_policy(*c.tokens)),
    ("add_policies", lambda e, c: e.add_policies([list(c.tokens), list(c.others)])),
    ("remove_policy", lambda e, c: e.remove_policy(*_policy(e)[_at(e, c)])),
    ("remove_filtered_policy", lambda e, c: e.remove_filtered_policy(0, c.word)),
    ("update_policy", lambda e, c: e.update_policy(_policy(e)[_at(e, c)], list(c.tokens))),
    ("clear_policy", lambda e, c: e.clear_policy() if c.number < 0.2 else None),
    ("policy.append", lambda e, c: _policy(e).append(list(c.tokens))),
    ("policy[i] =", lambda e, c: _policy(e).__setitem__(_at(e, c), list(c.tokens))),
    ("policy.pop", lambda e, c: _policy(e).pop(_at(e, c))),
    ("policy.reverse", lambda e, c: _policy(e).reverse()),
    ("policy =", lambda e, c: setattr(e.model["p"]["p"], "policy", [list(c.tokens), list(c.others)])),
    ("add_grouping_policy", lambda e, c: e.add_grouping_policy(c.word, c.others[0])),
    ("remove_grouping_policy", lambda e, c: e.remove_grouping_policy(*e.model["g"]["g"].policy[0])),
    ("set_role_manager", _another_role_manager),
    ("g3", lambda e, c: e.add_named_grouping_policy("g3", c.word, c.others[0], c.others[1])),
    ("not g3", lambda e, c: e.remove_named_grouping_policy("g3", *e.model["g"]["g3"].policy[-1])),
    ("matching_func", lambda e, c: e.add_named_matching_func("g3" if c.number < 0.2 else "g", key_match_func) if c.number < 0.4 else None),
    ("matcher =", _set_matcher),
    ("set_model", lambda e, c: _set_model(e, c) if c.number < 0.3 else None),
    ("add_function", lambda e, c: e.add_function("kind", odd if c.number < 0.5 else kind)),
    ("set_effector", lambda e, c: e.set_effector(get_effector(c.effect))),
    ("forbidden function", lambda e, c: e.add_function("bad", open if c.number < 0.1 else kind)),
    ("enable_enforce", lambda e, c: e.enable_enforce(c.number < 0.9)),
)
_BREAKING = 3
"""So many edits at the end leave little for compiled code."""
