"""Invariant 2: nobody gives what they may not give, changes whom they may not change, or circumvents a rule."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner

import rbac
from rbac.acting import Acting
from rbac.cli import main
from rbac.organization import Organization
from tests.conftest import ACME
from tests.invariants.everything import rows

ROLES = ("annotator", "reviewer", "manager", "administrator", "owner")
WHO = {"annotator": ("andy", "anna"), "reviewer": ("rita", "rolf"), "manager": ("max", "mia"), "administrator": ("ada", "alma")}

ROUTES: dict[str, tuple[str, Callable[[rbac.Store, Organization], object]]] = {
    "one's own promotion": ("ada", lambda s, a: a.acting("ada").grant("ada", "owner")),
    "one's own demotion": ("ada", lambda s, a: a.acting("ada").grant("ada", "annotator")),
    "one's own project role": ("max", lambda s, a: a.acting("max").grant("max", "reviewer", on="project:p1")),
    "a promotion above one's reach": ("max", lambda s, a: a.acting("max").grant("andy", "administrator")),
    "an invitation above one's reach": ("max", lambda s, a: a.acting("max").invite("zoe", "administrator")),
    "a reactivation above one's reach": ("rita", lambda s, a: a.acting("rita").activate("dan")),
    "a project role for a manager": ("ada", lambda s, a: a.acting("ada").grant("mia", "reviewer", on="project:p1")),
    "a manager's role as a project role": ("max", lambda s, a: a.acting("max").grant("andy", "manager", on="project:p1")),
    "a project role where one manages nothing": ("mia", lambda s, a: a.acting("mia").grant("andy", "reviewer", on="project:p1")),
    "a membership where one manages nothing": ("max", lambda s, a: a.acting("max").add("max", "workspace:w2")),
    "a member of nowhere": ("max", lambda s, a: a.acting("max").add("zoe", "workspace:w1")),
    "a member of somebody's sandbox": ("max", lambda s, a: a.acting("max").add("mia", "workspace:max-sandbox")),
    "the Owner's sandbox is no exception": ("olga", lambda s, a: a.acting("olga").delete_project("p5")),
    "the Owner's role": ("ada", lambda s, a: a.acting("ada").grant("olga", "annotator")),
    "the Owner's state": ("ada", lambda s, a: a.acting("ada").deactivate("olga")),
    "a pause of annotator evaluation lifted": ("max", lambda s, a: a.acting("max").unpause("rita", "project:p2")),
    "a pause of annotator evaluation replaced": ("olga", lambda s, a: a.acting("olga").pause("rita", "project:p2")),
    "a pause of annotator evaluation cut short": (
        "max",
        lambda s, a: a.acting("max").pause("rita", "project:p2", until="2027-01-15T08:00:01Z"),
    ),
    "configure": ("ada", lambda s, a: a.acting("ada").configure("organization", administrators_make_administrators=True)),
    "restrict": ("ada", lambda s, a: a.acting("ada").restrict("plugin:configure", "manager")),
    "unrestrict": ("ada", lambda s, a: a.acting("ada").unrestrict("plugin:configure")),
    "a move into a workspace of somebody else": ("max", lambda s, a: a.acting("max").move_project("p1", workspace="w2")),
    "a move into a sandbox of somebody else": ("ada", lambda s, a: a.acting("ada").move_project("p1", workspace="max-sandbox")),
    "a move of somebody else's project into one's sandbox": (
        "max",
        lambda s, a: a.acting("max").move_project("p4", workspace="max-sandbox"),
    ),
    "a project in a workspace of somebody else": ("max", lambda s, a: a.acting("max").create_project("p9", workspace="w2")),
    "a workspace under a name that is taken": ("mia", lambda s, a: a.acting("mia").create_workspace("w1")),
    "publishing in a sandbox": ("max", lambda s, a: a.acting("max").configure("project:p5", published=True)),
    "a task for somebody who may not have it": (
        "max",
        lambda s, a: a.acting("max").assign_reviewer("andy", task="t2", project="p2"),
    ),
    "an actor who is deactivated": ("dan", lambda s, a: a.acting("dan").create_workspace("w9")),
    "an actor who is invited": ("nina", lambda s, a: a.acting("nina").create_workspace("w9")),
    "an actor who is nobody": ("zoe", lambda s, a: a.acting("zoe").invite("zoe", "administrator")),
    "an actor called like a role": ("owner", lambda s, a: a.acting("owner").grant("andy", "administrator")),
    "a transfer to somebody who is not there": ("root", lambda s, a: a.transfer_ownership(to="zoe", ticket="T", operator="root")),
    "an import that changes the Owner": ("operator", lambda s, a: s.import_state(_owned_by("mallory"), update=True)),
    "an import of what is there": ("operator", lambda s, a: s.import_state(_owned_by("olga"))),
    "work recorded for a stranger": ("operator", lambda s, a: s.record("acme", project="p2", worked_on={"t1": ["zoe"]})),
}


def _owned_by(owner: str) -> dict[str, Any]:
    state = copy.deepcopy(ACME)
    state["organizations"][0]["owner"] = owner
    return state


@pytest.fixture
def guarded(store: rbac.Store, acme: Organization) -> Organization:
    """acme with rita paused by annotator evaluation in p2, and a restriction."""
    state = copy.deepcopy(ACME)
    state["organizations"][0]["workspaces"][0]["projects"][1]["paused"] = {"rita": "annotator_evaluation"}
    state["organizations"][0]["restrictions"] = {"plugin:configure": "administrator"}
    store.import_state(state, update=True)
    return acme


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_round_a_rule_is_refused_recorded_and_writes_nothing(store: rbac.Store, guarded: Organization, route: str) -> None:
    actor, change = ROUTES[route]
    before = rows(store, "refusal")

    with pytest.raises(rbac.Refused) as caught:
        change(store, guarded)

    assert rows(store, "refusal") == before
    assert [(each.actor, each.reason) for each in guarded.refusals()] == [(actor, str(caught.value))]


COMMANDS = [
    ("grant ada owner --as olga", 4),
    ("grant andy administrator --as max", 4),
    ("grant andy reviewer --on project:p4 --as max", 4),
    ("invite zoe administrator --as max", 4),
    ("deactivate olga --as ada", 4),
    ("add andy workspace:w2 --as max", 4),
    ("project move p1 --workspace w2 --as max", 4),
    ("configure organization plugins_enabled=false --as max", 4),
    ("restrict plugin:view administrator --as ada", 4),
    ("transfer-ownership dan --ticket T", 4),
]


@pytest.mark.parametrize(("line", "code"), COMMANDS)
def test_the_command_line_is_refused_alike(store: rbac.Store, acme: Organization, url: str, line: str, code: int) -> None:
    before = rows(store, "refusal")

    result = CliRunner().invoke(main, line.split(), env={"RBAC_DB": url, "RBAC_ORG": "acme"})

    assert (result.exit_code, result.stdout) == (code, ""), result.stderr
    assert rows(store, "refusal") == before
    assert len(list(acme.refusals())) == 1


class Undo(Exception):
    """Undoes a change that was only tried."""


def accepted(acme: Organization, actor: str, change: Callable[[Acting], object]) -> bool:
    """Whether a change would be made; it is not."""
    try:
        with acme.acting(actor) as acting:
            change(acting)
            raise Undo
    except Undo:
        return True
    except rbac.Refused:
        return False


def granted(whom: str, giving: str, acting: Acting) -> int:
    return acting.grant(whom, giving)


def deactivated(whom: str, acting: Acting) -> int:
    return acting.deactivate(whom)


def expected(actor: str, target: str, giving: str | None, *, switch: bool) -> bool:
    """The specification, section 5, word for word: who may give a role to whom, or take their state (`giving` None)."""
    rank = ROLES.index
    if actor not in ("owner", "administrator") or target == "owner" or giving == "owner":
        return False
    if rank(target) > rank(actor) or (giving is not None and rank(giving) > rank(actor)):
        return False
    return not (actor == "administrator" and "administrator" in (target, giving) and not switch)


@pytest.mark.parametrize("switch", [True, False])
def test_who_may_give_which_role_to_whom_is_the_specifications_table(acme: Organization, switch: bool) -> None:
    with acme.acting("olga") as olga:
        for role, name in (("annotator", "anna"), ("reviewer", "rolf"), ("administrator", "alma")):
            olga.invite(name, role)
        olga.configure("organization", administrators_make_administrators=switch)
    done: Counter[bool] = Counter()

    for actor in ROLES:
        by = "olga" if actor == "owner" else WHO[actor][0]
        for target in ROLES:
            whom = "olga" if target == "owner" else WHO[target][1]
            if whom == by:
                continue
            for giving in (*ROLES, None):
                found = accepted(acme, by, partial(deactivated, whom) if giving is None else partial(granted, whom, giving))
                assert found is expected(actor, target, giving, switch=switch), (actor, target, giving)
                done[found] += 1

    assert (done[True] + done[False], done[True] >= 20) == (144, True), done
    assert acme.verify()


def test_authority_is_read_after_the_lock_and_not_before(acme: Organization) -> None:
    said: list[str] = []

    def promote() -> None:
        try:
            acme.acting("ada").grant("andy", "manager")
        except rbac.Refused as error:
            said.append(str(error))

    waiting = threading.Thread(target=promote)
    with acme.acting("olga") as olga:
        olga.deactivate("ada")
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()  # it waits for the lock, and ada is active in every table it can read
    waiting.join()

    assert said == ["ada is deactivated in acme"]
    assert acme.role_of("andy") == "annotator"


def test_an_open_handle_can_change_nothing_more_once_its_role_is_taken(acme: Organization) -> None:
    ada = acme.acting("ada")
    ada.grant("andy", "reviewer")
    acme.acting("olga").grant("ada", "manager")

    with pytest.raises(rbac.Refused, match="ada may not member_role:assign"):
        ada.grant("andy", "manager")
