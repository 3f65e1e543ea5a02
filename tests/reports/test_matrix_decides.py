"""The matrix contradicts no decision: every cell of it is asked, also under deny lines of one's own."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

import rbac
from rbac.fact_space.formulas import node_of
from rbac.fact_space.space import space
from rbac.policy.reader import PACKAGED, Policy, parse_policy
from rbac.reports.html import html
from rbac.reports.matrix import Matrix, as_csv, as_data, markdown, matrix, text
from rbac.vocabulary import Domain, Kind, Permission, Role

ACME = Path(__file__).parents[2] / "examples" / "acme.yaml"
SHIPPED = PACKAGED.read_text()
OWN = """
p, *,        project,      data,    export,    own_history,  deny
p, manager,  project,      data,    import,    not_personal, deny
p, owner,    organization, billing, configure, always,       deny
p, reviewer, project,      *,       *,         manual_distribution & paused, deny
p, *,        workspace,    *,       *,         unless_restricted, deny
"""
PAUSED = next(line for line in SHIPPED.splitlines() if " paused," in line)
POLICIES = {
    "shipped": SHIPPED,
    "deny lines of one's own": SHIPPED + OWN,
    "a guard for one role": SHIPPED.replace(PAUSED, PAUSED.replace("p, *,        ", "p, annotator,")),
    "nothing in a project": SHIPPED + "p, *, project, *, *, always, deny\n",
}


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest) -> Policy:
    """One of the policies above."""
    return parse_policy(POLICIES[request.param])


def test_every_answer_is_where_the_policy_allows_for_whoever_no_guard_stops(policy: Policy) -> None:
    here, table = space(), matrix(policy)
    guards = {kind: here.diagrams.any(node_of(guard.formula, here) for guard in table.guards if kind in guard.kinds) for kind in Kind}
    asked = 0
    for row in table.rows:
        for role, cell in row.cells.items():
            for permission, answer in cell.answers.items():
                open_ = here.diagrams.but_not(here.question(role, permission.kind), guards[permission.kind])
                assert here.diagrams.both(open_, node_of(answer, here)) == here.allowed(policy, role, permission), (role, permission)
                asked += 1
            assert bool(cell) == any(here.allowed(policy, role, permission) > 0 for permission in row.row.permissions)

    assert asked == len(Role) * len(Permission)


def test_no_check_in_a_store_contradicts_its_cell(policy: Policy) -> None:
    table, asked = matrix(policy), Counter[str]()
    stopping = {line for guard in table.guards for line in guard.lines}
    cells = {(role, permission): cell for row in table.rows for role, cell in row.cells.items() for permission in row.row.permissions}
    with rbac.connect("sqlite://", policy=policy) as store:
        store.import_state(ACME)
        acme = store.organization("acme")
        users = ["olga", "ada", "max", "mia", "rita", "andy"]
        for user, permission, target in product(users, Permission, (None, "andy", "rita", "nobody")):
            for domain in (each for each in acme.domains() if each.kind is permission.kind):
                decision = acme.check(user, permission, domain, target=target)
                cell = cells[_role(acme, user, domain), permission]
                if decision:
                    assert cell.mark, (user, permission, domain, target)
                elif str(cell.answers[permission]) == "always":
                    assert decision.line in stopping, (
                        user,
                        permission,
                        domain,
                        target,
                        decision.reason,
                    )
                asked["yes" if decision else "no"] += 1

    assert asked["no"] >= 2000
    assert asked["yes"] >= 100


def _role(acme: rbac.Organization, user: str, domain: Domain) -> Role:
    role = acme.role_of(user, domain)
    assert isinstance(role, Role)
    return role


def test_the_owner_is_told_about_somebody_elses_sandbox_in_every_form() -> None:
    table = matrix(parse_policy(SHIPPED))
    sandbox = "A personal workspace and its projects exist for their user alone"

    assert sandbox in text(table)
    assert sandbox in markdown(table)
    assert "foreign_sandbox" in as_csv(table)
    assert sandbox in json.dumps(as_data(table))
    assert sandbox in html(parse_policy(SHIPPED))
    tip = html(parse_policy(SHIPPED)).partition('id="tip-7-owner"')[2].partition("</div>")[0]
    assert "always unless <code>unknown_target</code> or <code>foreign_sandbox</code>" in tip


def test_a_deny_line_for_one_cell_is_a_footnote_of_that_cell() -> None:
    table = matrix(parse_policy(SHIPPED + OWN))

    assert "| Export data | | | ✅[^1][^not-4] | ✅[^not-4] | ✅[^not-4] |" in markdown(table)
    assert "[^not-4]: Not where this holds or is not known: For their own work/history" in markdown(table)
    assert "| Import data | | | ✅[^not-k] | ✅ | ✅ |" in markdown(table)
    assert "[^not-k]: Not where this holds: Not in a personal workspace" in markdown(table)


def test_a_cell_that_a_deny_line_takes_back_is_empty() -> None:
    table: Matrix = matrix(parse_policy(SHIPPED + OWN))
    (settings,) = (row for row in table.rows if row.row.number == 6)

    assert settings.cells[Role.OWNER].mark == "Partial"
    assert (
        "policy.csv:22" not in html(parse_policy(POLICIES["nothing in a project"])).partition('id="tip-14-owner"')[2].partition("</div>")[0]
    )
