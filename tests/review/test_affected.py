"""`diff --db`: the people a change touches are those whose answers change, and nobody else."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import rbac
from rbac.policy.reader import Policy
from rbac.review.diff.compare import diff
from rbac.review.diff.impact import affected
from rbac.review.testing.expectations import NOON
from rbac.review.testing.fixtures import Trials
from rbac.vocabulary import Permission, Request, Role
from tests.review.conftest import Edited, line
from tests.review.test_trials import USERS, a_state

ACME = Path(__file__).parents[2] / "examples" / "acme.yaml"
EXPORT = line("manager", "data:export", conditions="created_or_invited")
UPDATE = line("manager", "workspace:update", domain="workspace", conditions="created_or_invited")
INVITE = line("owner", "user:invite", domain="organization")
EDITS = (
    (EXPORT, line("manager", "data:export", conditions="not_personal")),
    (line("manager", "project:update", conditions="created_or_invited"), line("annotator", "project:update", conditions="may_enter")),
    (UPDATE, line("reviewer", "workspace:update", domain="workspace", conditions="not_personal")),
    (line("administrator", "project:delete", conditions="unless_restricted"), ""),
    (INVITE, INVITE + line("reviewer", "user:invite", domain="organization")),
    (line("*", "*:*", conditions="paused", effect="deny"), ""),
)


def test_it_names_those_who_gain_and_those_who_lose(shipped: Policy, edited: Edited) -> None:
    new = edited((EXPORT, line("reviewer", "data:export", conditions="may_enter")))
    with rbac.connect("sqlite://", clock=lambda: NOON) as store:
        store.import_state(ACME)
        found = {each.role: each for each in affected(store, shipped, new, diff(shipped, new).changes, ["acme"])}

    assert (found[Role.REVIEWER].gaining, found[Role.REVIEWER].domains, found[Role.REVIEWER].first) == (1, 2, ("rita",))
    assert (found[Role.MANAGER].losing, found[Role.MANAGER].domains, found[Role.MANAGER].first) == (2, 5, ("max", "mia"))


def test_strangers_to_a_domain_are_counted_too(shipped: Policy, edited: Edited) -> None:
    new = edited((line("annotator", "project:view", conditions="may_enter"), line("annotator", "project:view")))
    with rbac.connect("sqlite://", clock=lambda: NOON) as store:
        store.import_state(ACME)
        (found,) = affected(store, shipped, new, diff(shipped, new).changes, ["acme"])

    assert (found.gaining, found.domains, found.first) == (1, 2, ("andy",)), "p3 is not published, p4 not his; p5 is a sandbox"


def test_it_agrees_with_asking_everybody_everywhere_under_both_policies(shipped: Policy, edited: Edited) -> None:
    new, source, people = edited(*EDITS), random.Random(7), 0
    changes = diff(shipped, new).changes
    asked = {change.permission for change in changes if change.permission not in ABOUT_TASKS}
    for _ in range(20):
        state = a_state(source)
        old_trials, new_trials = Trials(shipped), Trials(new)
        before, after = (trials.open(state, Path("x"), None, NOON) for trials in (old_trials, new_trials))
        with rbac.connect("sqlite://", clock=lambda: NOON) as store:
            store.import_state(state)
            told = {(each.role, each.permission): each for each in affected(store, shipped, new, changes, ["acme"])}
            domains = store.organization("acme").domains()
            found: dict[tuple[Role, Permission], set[tuple[str, str]]] = defaultdict(set)
            for permission in asked:
                for request in (
                    Request(user, permission, str(domain)) for user in USERS for domain in domains if domain.kind is permission.kind
                ):
                    if before.decide(request).allowed != after.decide(request).allowed:
                        role = store.organization("acme").role_of(request.user, request.domain)
                        assert role is not None
                        found[role, permission].add((request.user, str(request.domain)))
        old_trials.close()
        new_trials.close()
        for cell, pairs in found.items():
            users = {user for user, _ in pairs}
            assert (told[cell].people, told[cell].domains) == (len(users), len({domain for _, domain in pairs})), cell
            people += len(users)
        assert {cell for cell in told if cell[1] in asked} == set(found)

    assert people >= 60


ABOUT_TASKS = {
    Permission.DATA_MANAGER_VIEW,
    Permission.LABELING_ACCESS,
    Permission.REVIEW_ACCESS,
    Permission.ANNOTATION_UPDATE,
    Permission.AGREEMENT_MONITOR,
    Permission.ANNOTATION_VERIFY,
    Permission.BULK_LABELING_PERFORM,
    Permission.PROMPT_PREDICTION_VIEW,
}
"""Whether somebody is touched there hangs on the task; without one named the answers need not show it."""
