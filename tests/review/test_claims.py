"""Claims are proven over every combination of facts, or refuted with the facts that do it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rbac.documents import read_located
from rbac.errors import PolicyError, UnknownName
from rbac.policy.facts import GivenFacts
from rbac.policy.reader import PACKAGED as POLICY
from rbac.policy.reader import Policy, parse_policy
from rbac.review.claims import PACKAGED, Claim, ClaimsFile, check_claims, refute
from rbac.review.hierarchy import EXCEPTIONS
from rbac.vocabulary import Distribution, Kind, Permission, Role
from tests.review.conftest import Edited, line
from tests.review.edits import allows

PUBLISHED = Claim("published table")
EXPORT = line("manager", "data:export", conditions="created_or_invited")


def test_the_claims_that_ship_hold_for_the_policy_that_ships(shipped: Policy) -> None:
    report = check_claims(shipped, PACKAGED)

    assert report.findings == ()
    assert report.proven >= 20


@pytest.mark.parametrize(
    ("claim", "against"),
    [
        ("only owner may user:invite", "administrator may user:invite too, for example with not target_named"),
        ("only owner, reviewer may billing:configure", "reviewer never may billing:configure"),
        ("never manager data:export", "manager may data:export, for example with"),
        ("annotator may project:view only when manual_distribution", "also otherwise, for example with .*distribution = automatic"),
        ("nobody may anything in a workspace when not_personal", "annotator may workspace:view, for example with .*not personal"),
        ("reviewer covers annotator", "annotator may project:view where reviewer may not, for example with .*review_only_assigned"),
        ("every project line of administrator carries not_personal", r"policy.csv:\d+ has project:view without it"),
    ],
)
def test_a_false_claim_is_refuted_with_facts(shipped: Policy, claim: str, against: str) -> None:
    assert re.search(against, refute(shipped, Claim(claim)) or "proven")


def test_a_ladder_that_goes_down_is_not_understood(shipped: Policy) -> None:
    with pytest.raises(UnknownName, match="administrator is not above owner"):
        refute(shipped, Claim("administrator covers owner"))


def test_an_edit_that_opens_a_cell_refutes_the_published_table(edited: Edited) -> None:
    against = refute(edited((EXPORT, line("reviewer", "data:export", conditions="may_enter") + EXPORT)), PUBLISHED) or "proven"

    assert against.startswith("it says reviewer data:export never; the policy allows more, for example with")


def test_an_edit_that_closes_a_cell_refutes_the_published_table(edited: Edited) -> None:
    against = (
        refute(edited((EXPORT, line("manager", "data:export", conditions="created_or_invited & not_personal"))), PUBLISHED) or "proven"
    )

    assert re.search("the policy allows less, for example with .*personal, created_workspace", against)


def test_a_deny_line_that_goes_refutes_the_published_table(edited: Edited) -> None:
    against = refute(edited((line("*", "*:*", conditions="paused", effect="deny"), "")), PUBLISHED) or "proven"

    assert re.search("the policy allows more, for example with .*paused", against)


def test_an_exception_that_is_not_needed_is_refuted(shipped: Policy) -> None:
    claim = Claim("owner covers administrator", excepts={"data:export": "because"})

    assert refute(shipped, claim) == "data:export needs no exception: delete it"


def test_the_exceptions_of_the_claims_are_those_of_the_linter() -> None:
    shape, _ = read_located(PACKAGED, ClaimsFile)
    written = {name for each in shape.claims if isinstance(each, Claim) for name in each.excepts}

    assert written == {str(permission) for _, _, permission in EXCEPTIONS}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "claims:\n  - published table\n  - only owner may data:exprt\n",
            r"c.yaml:3:1: unknown permission 'data:exprt': did you mean 'data:export'\?",
        ),
        ("claims:\n  - only ownr may data:export\n", r"c.yaml:2:1: unknown role 'ownr': did you mean 'owner'\?"),
        ("claims:\n  - managers are nice\n", r"c.yaml:2:1: 'managers are nice' is no claim: write 'published table'"),
        ("claims:\n  - {claim: published table, becuase: why}\n", r"c.yaml:2:1: object contains unknown field `becuase`"),
        ("claims:\n  - {claim: published table, excepts: {data:export: why}}\n", r"c.yaml:2:1: 'published table' takes no excepts"),
        ("claims:\n  - manager may data:export only when creatd\n", r"c.yaml:2:1: unknown condition 'creatd'"),
        ("claims: []\n", r"c.yaml:1:1: has no claims"),
        ("", r"c.yaml:1:1: is empty"),
        ("# nothing\n", r"c.yaml:1:1: is empty"),
        ("claims: [\n", r"c.yaml:2:1: not valid YAML"),
        ("claims: [published table]\nclaims: []\n", r"c.yaml:2:1: duplicate key 'claims'"),
    ],
)
def test_a_claims_file_that_is_not_understood_is_refused_with_its_line(
    shipped: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(text)

    with pytest.raises(PolicyError, match=message):
        check_claims(shipped, Path("c.yaml"))


def test_a_claims_file_that_is_not_there_is_refused(shipped: Policy) -> None:
    with pytest.raises(PolicyError, match=r"nowhere.yaml:1:1: cannot be read"):
        check_claims(shipped, Path("nowhere.yaml"))


# -- lower bounds, pairs, wildcards, the API, revisions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        "manager may data:export whenever created_or_invited",
        "annotator may labeling:access whenever may_enter & task_to_label",
        "owner may *:configure whenever plugins_enabled",
        "whoever may data:export may project:view",
        "whoever may project_member:manage may project:update",
        "never annotator, reviewer *:configure",
        "never annotator data:* via api",
        "annotator, reviewer may labeling:access via api only when tokens_allowed",
        "owner may billing:configure via api whenever roles_managed_here",
        "only manager, administrator, owner may data:export via api",
    ],
)
def test_a_true_claim_is_proven(shipped: Policy, claim: str) -> None:
    assert refute(shipped, Claim(claim)) is None


@pytest.mark.parametrize(
    ("claim", "against"),
    [
        ("manager may project:delete whenever created_or_invited", "manager may not project:delete, for example with .*restricted_to"),
        ("annotator may labeling:access via api whenever may_enter & task_to_label", "not tokens_for_annotators_and_reviewers"),
        ("whoever may project:view may data:export", "annotator may project:view and not data:export, for example with"),
        ("whoever may data:export may project:delete", "manager may data:export and not project:delete, .*restricted_to"),
        ("never data:import and data:export together", "manager may both, for example with"),
        ("never data:import and billing:configure together", "owner may both, for example with"),
        ("only owner may *:configure", "administrator may model_provider:configure too"),
        ("never reviewer labeling:* via api", "reviewer may labeling:access, .* tokens_for_annotators_and_reviewers"),
    ],
)
def test_a_false_claim_of_the_newer_forms_is_refuted(shipped: Policy, claim: str, against: str) -> None:
    assert re.search(against, refute(shipped, Claim(claim)) or "proven")


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("nobody may anything in an organization when foreign_sandbox", "foreign_sandbox cannot be asked in organization"),
        ("owner may billing:configure only when paused", "paused cannot be asked in organization"),
        ("owner may billing:configure whenever member", "member cannot be asked in organization"),
        ("owner may *:configure only when may_enter", "may_enter cannot be asked in organization"),
        ("every organization line of manager carries created_or_invited", "created_or_invited cannot be asked in organization"),
        ("never annotator nothing:*", r"'nothing:\*' stands for no permission"),
        ("whoever may user:invite may data:export", "user:invite is asked in organization, data:export in project"),
        ("allows nothing that the policy at nowhere denied", "'nowhere' is neither a file nor a git revision"),
    ],
)
def test_a_claim_that_could_not_be_refuted_is_an_error(shipped: Policy, claim: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        refute(shipped, Claim(claim))


def test_two_permissions_that_nobody_has_together() -> None:
    policy = parse_policy(
        "p, manager, project, data, export, manual_distribution, allow\n"
        "p, manager, project, data, import, always, allow\n"
        "p, manager, project, data, import, manual_distribution, deny\n"
    )

    assert refute(policy, Claim("never data:export and data:import together")) is None
    assert refute(policy, Claim("never data:import and project:view together")) is None
    assert refute(policy, Claim("never data:import and data:import together")) is not None


def test_nothing_more_than_another_policy_allows(shipped: Policy, edited: Edited, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text(POLICY.read_text())
    claim = Claim(f"allows nothing that the policy at {tmp_path / 'old.csv'} denied")
    wider = edited((EXPORT, line("reviewer", "data:export", conditions="may_enter") + EXPORT))

    assert refute(shipped, claim) is None
    assert re.search(r"reviewer may data:export, for example with .*; \S+old.csv denies it", refute(wider, claim) or "proven")


def facts_of(text: str, role: Role, kind: Kind) -> GivenFacts:
    """A counterexample, read by its words alone."""
    facts: dict[str, Any] = {"role": role, "kind": kind}
    for word in text.partition("for example with ")[2].partition(";")[0].split(", "):
        name, _, value = word.partition(" = ")
        if not value:
            facts[name.removeprefix("not ")] = not name.startswith("not ")
        elif name == "show_data_manager_to":
            facts[name] = frozenset(map(Role, value.split("/"))) if value != "nobody" else frozenset()
        else:
            facts[name] = None if value == "nobody" else Distribution(value) if name == "distribution" else Role(value)
    return GivenFacts(**facts)


def test_a_counterexample_asked_again_is_one(shipped: Policy) -> None:
    replayed = 0
    for permission in Permission:
        for role in Role:
            for claim, allowed in (
                (f"never {role} {permission}", True),
                (f"{role} may {permission} whenever {CHANCE[permission.kind]}", False),
            ):
                against = refute(shipped, Claim(claim))
                if against:
                    assert allows(shipped, role, permission, facts_of(against, role, permission.kind)) == allowed, against
                    replayed += 1

    assert replayed >= 250


CHANCE = {Kind.ORGANIZATION: "plugins_enabled", Kind.WORKSPACE: "not_personal", Kind.PROJECT: "not_personal or task_to_review"}
"""A condition for each kind of domain that says little about who may what."""
