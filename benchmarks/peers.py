"""What others offer, doing the same work: stock Casbin, FastEnforcer, cedarpy, rules (django-rules) and oso.

Each takes three strings and looks its facts up itself. Its one rule: a peer gets the best way its documentation shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.handwritten import facts
from benchmarks.oracle import CELLS
from benchmarks.ours import _members, _places
from benchmarks.workload import RESTRICTED, Size, creator, projects, users

Decide = Callable[[str, str, str], bool]


# -- Casbin: our model and policy, Casbin's own enforcer and role manager ----------------------------------------------------


def stock(size: Size) -> Decide:
    """As is: the default role manager compares every new name with every other, so a domain of n users costs n * n."""
    return _casbin(size, fast=False, workaround=False)


def stock_workaround(size: Size) -> Decide:
    """With `add_matching_func(None)`, which takes that comparison away."""
    return _casbin(size, fast=False, workaround=True)


def fast(size: Size) -> Decide:
    """FastEnforcer, which looks at the lines of one permission only; lines for `*` are written out for it."""
    return _casbin(size, fast=True, workaround=True)


def _casbin(size: Size, *, fast: bool, workaround: bool) -> Decide:
    import casbin
    from casbin.model import FastModel

    from rbac.decisions.decider import CASBIN, FUNCTIONS
    from rbac.policy.model import read_model
    from rbac.policy.reader import read_policy
    from rbac.snapshot.facts_of_records import RecordedFacts
    from rbac.snapshot.records import NO_REQUEST_RECORDS
    from rbac.vocabulary import Permission, State

    text = read_model().text.replace("r = sub, dom, obj, act, facts", "r = sub, dom, obj, act, facts, org")
    text = text.replace("g(r.sub, p.sub, r.dom)", "g(r.sub, p.sub, r.org)")
    if fast:
        model = FastModel((2, 3))
        model.load_model_from_text(text)
        engine = casbin.FastEnforcer(model, cache_key_order=(2, 3))
    else:
        engine = casbin.Enforcer(casbin.Enforcer.new_model(text=text))
    for name, function in FUNCTIONS.items():
        engine.add_function(name, function)
    pairs = sorted(set(CASBIN.values()))
    for line in read_policy().lines:
        subject, kind, obj, act, *rest = line.tokens
        written = [pair for pair in pairs if obj in ("*", pair[0]) and act in ("*", pair[1])] if fast else [(obj, act)]
        for pair in written:
            engine.model.add_policy("p", "p", [subject, kind, *pair, *rest])
    members, places = {each.user: each for each in _members(size)}, dict(_places(size))
    links = engine.model.model["g"]["g"].policy
    for member in members.values():
        links.append([f"user:{member.user}", str(member.role), "acme"])
        links.extend([f"user:{member.user}", str(role), f"acme/project/{where}"] for where, (role, _) in member.project_roles.items())
    engine.build_role_links()
    if workaround:
        engine.get_role_manager().add_matching_func(None)
    organization, named = places["organization"], {str(each): (each, *CASBIN[each]) for each in Permission}

    def decide(user: str, permission: str, domain: str) -> bool:
        asked, obj, act = named[permission]
        member, place = members[user], places[domain]
        if member.state is not State.ACTIVE:
            return False
        role: Any = member.role_in(place, 1)
        facts = RecordedFacts(place.kind, role, organization, member, place, asked, 1, False, False, NO_REQUEST_RECORDS)  # type: ignore[arg-type]
        scope = "acme" if role is member.role else place.path
        return engine.enforce(f"user:{user}", place.path, obj, act, facts, scope)  # type: ignore[no-any-return]

    return decide


# -- Cedar -------------------------------------------------------------------------------------------------------------------

_CEDAR_WORDS = {
    "yes": "true",
    "unlifted": "true",
    "member": "principal.workspaces.contains(resource.id)",
    "enters": "resource.published && (principal.projects.contains(resource.id) || principal.workspaces.contains(resource.workspace)) "
    "&& !principal.paused.contains(resource.id)",
}


def cedar(size: Size) -> Decide:
    """cedarpy with its policies and entities parsed once, into handles."""
    import cedarpy

    policies, entities = cedarpy.PolicySet.from_str(_cedar_policies()), cedarpy.Entities.from_json_str(json.dumps(_cedar_entities(size)))

    def decide(user: str, permission: str, domain: str) -> bool:
        request = {"principal": f'User::"{user}"', "action": f'Action::"{permission}"', "resource": f'Place::"{domain}"', "context": {}}
        return bool(cedarpy.is_authorized(request, policies, entities).allowed)

    return decide


def _cedar_policies() -> str:
    lines = []
    for (permission, role), cell in CELLS.items():
        if cell == "-" or (role == "manager" and permission in RESTRICTED):
            continue
        lines.append(f'permit(principal, action == Action::"{permission}", resource) when {{ {_cedar_when(permission, role, cell)} }};')
    return "\n".join(lines)


def _cedar_when(permission: str, role: str, cell: str) -> str:
    here = f'principal.role == "{role}"'
    if role == "annotator" and not permission.startswith("workspace"):
        here += " && !principal.reviewer_in.contains(resource.id)"
    if role == "reviewer" and not permission.startswith("workspace"):
        here = f'({here} || (principal.role == "annotator" && principal.reviewer_in.contains(resource.id)))'
    words = []
    for word in cell.split(","):
        if word == "shown":
            words.append(f'resource.shown_to.contains("{role}")')
        elif word == "invited" and permission.startswith("workspace"):
            words.append("(principal.workspaces.contains(resource.id) || resource.created_by == principal.id)")
        elif word == "invited":
            there = "principal.projects.contains(resource.id) || principal.workspaces.contains(resource.workspace)"
            words.append(f"({there} || resource.created_by == principal.id || resource.workspace_created_by == principal.id)")
        else:
            words.append(_CEDAR_WORDS[word])
    return " && ".join(["principal.active", here, *words])


def _cedar_entities(size: Size) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [_entity("Place", "organization", {"id": ""})]
    for number in range(size.workspaces):
        found.append(_entity("Place", f"workspace:w{number}", {"id": f"w{number}", "created_by": creator(size, number)}))
    for place in projects(size):
        found.append(_entity("Place", f"project:{place.id}", {**place._asdict(), "shown_to": sorted(place.shown_to)}))
    for who in users(size):
        fields = {"id": who.id, "role": who.role, "active": who.active, "workspaces": who.workspaces, "projects": who.projects}
        found.append(_entity("User", who.id, {**fields, "reviewer_in": who.reviewer_in, "paused": who.paused_in}))
    return found


def _entity(kind: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


# -- rules, the engine of django-rules -----------------------------------------------------------------------------------------


def django_rules(size: Size) -> Decide:
    """`rules`: predicates joined with & and |, one rule a permission."""
    import rules

    members, places = facts(size)
    known = rules.RuleSet()
    predicate = rules.predicate

    def role_of(member: Any, place: Any) -> Any:
        return "reviewer" if member[0] == "annotator" and place and place[0] in member[4] else member[0]

    def is_a(role: str) -> Any:
        return predicate(lambda who, place: role_of(who[1], place) == role, name=role)

    words: dict[str, Any] = {
        "yes": predicate(lambda who, place: True, name="yes"),
        "unlifted": predicate(lambda who, place: True, name="unlifted"),
        "member": predicate(lambda who, place: place[0] in who[1][2], name="member"),
        "shown": predicate(lambda who, place: role_of(who[1], place) in place[5], name="shown"),
        "enters": predicate(
            lambda who, place: place[4] and (place[0] in who[1][3] or place[1] in who[1][2]) and place[0] not in who[1][5], name="enters"
        ),
        "invited": predicate(_invited, name="invited"),
    }
    roles = {role: is_a(role) for role in ("annotator", "reviewer", "manager", "administrator", "owner")}
    joined: dict[str, Any] = {}
    for (permission, role), cell in CELLS.items():
        if cell == "-" or (role == "manager" and permission in RESTRICTED):
            continue
        term = roles[role]
        for word in cell.split(","):
            term = term & words[word]
        joined[permission] = joined[permission] | term if permission in joined else term
    for permission, term in joined.items():
        known.add_rule(permission, term)

    def decide(user: str, permission: str, domain: str) -> bool:
        member = members[user]
        return bool(member[1] and known.test_rule(permission, (user, member), places.get(domain, ())))

    return decide


def _invited(who: Any, place: Any) -> bool:
    user, member = who
    if len(place) == 2:
        return place[0] in member[2] or place[1] == user
    return place[0] in member[3] or place[1] in member[2] or user in (place[2], place[3])


# -- oso -----------------------------------------------------------------------------------------------------------------------


class Worker:
    """A member as oso sees one."""

    def __init__(self, user: str, member: Any) -> None:
        self.user = user
        self.role, self.active, self.workspaces, self.projects, self.reviewer_in, self.paused = member

    def role_in(self, place: Where) -> str:
        return "reviewer" if self.role == "annotator" and place.id in self.reviewer_in else str(self.role)

    def enters(self, place: Where) -> bool:
        facts = place.facts
        return facts[4] and (facts[0] in self.projects or facts[1] in self.workspaces) and facts[0] not in self.paused

    def member(self, place: Where) -> bool:
        return place.id in self.workspaces

    def shown(self, place: Where) -> bool:
        return self.role_in(place) in place.facts[5]

    def invited(self, place: Where) -> bool:
        return _invited((self.user, (self.role, self.active, self.workspaces, self.projects)), place.facts)


class Where:
    """A domain as oso sees one."""

    def __init__(self, facts: Any) -> None:
        self.facts = facts
        self.id = facts[0] if facts else ""


def oso(size: Size) -> Decide:
    """oso: one Polar rule a filled cell, conditions as methods."""
    from oso import Oso

    engine = Oso()
    engine.register_class(Worker)
    engine.register_class(Where)
    lines = []
    for (permission, role), cell in CELLS.items():
        if cell != "-" and not (role == "manager" and permission in RESTRICTED):
            more = "".join(f" and actor.{word}(place)" for word in cell.split(",") if word not in ("yes", "unlifted"))
            lines.append(f'allow(actor: Worker, "{permission}", place: Where) if actor.active and actor.role_in(place) = "{role}"{more};')
    engine.load_str("\n".join(lines))
    members, places = facts(size)

    def decide(user: str, permission: str, domain: str) -> bool:
        return bool(engine.is_allowed(Worker(user, members[user]), permission, Where(places.get(domain, ()))))

    return decide
