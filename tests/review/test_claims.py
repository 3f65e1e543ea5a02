"""Claims are proven over every combination of facts, or refuted with the facts that do it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rbac.documents import read_located
from rbac.errors import PolicyError, UnknownName
from rbac.policy.reader import Policy
from rbac.review.claims import PACKAGED, Claim, ClaimsFile, check_claims, refute
from rbac.review.hierarchy import EXCEPTIONS
from tests.review.conftest import Edited, line

PUBLISHED = Claim("published table")
EXPORT = line("manager", "data:export", conditions="created_or_invited")


def test_the_claims_that_ship_hold_for_the_policy_that_ships(shipped: Policy) -> None:
    report = check_claims(shipped, PACKAGED)

    assert report.findings == ()
    assert report.proven >= 20


@pytest.mark.parametrize(
    ("claim", "against"),
    [
        ("only owner may user:invite", "administrator may user:invite too, always"),
        ("only owner, reviewer may billing:configure", "reviewer never may billing:configure"),
        ("never manager data:export", "manager may data:export, for example with"),
        ("annotator may project:view only when manual_distribution", "also otherwise, for example with .*distribution = automatic"),
        ("nobody may anything in a workspace when not_personal", "annotator may workspace:view, for example with not personal"),
        ("reviewer covers annotator", "annotator may project:view where reviewer may not, for example with .*review_only_assigned"),
        ("every project line of administrator carries not_personal", r"policy.csv:\d+ has project:view without it"),
    ],
)
def test_a_false_claim_is_refuted_with_facts(shipped: Policy, claim: str, against: str) -> None:
    assert re.search(against, refute(shipped, Claim(claim)) or "proven")


def test_a_ladder_that_goes_down_is_not_understood(shipped: Policy) -> None:
    with pytest.raises(UnknownName, match="administrator does not stand above owner"):
        refute(shipped, Claim("administrator covers owner"))


def test_an_edit_that_opens_a_cell_refutes_the_published_table(edited: Edited) -> None:
    against = refute(edited((EXPORT, line("reviewer", "data:export", conditions="may_enter") + EXPORT)), PUBLISHED) or "proven"

    assert against.startswith("it says reviewer data:export never; the policy allows more, for example with")


def test_an_edit_that_closes_a_cell_refutes_the_published_table(edited: Edited) -> None:
    against = (
        refute(edited((EXPORT, line("manager", "data:export", conditions="created_or_invited & not_personal"))), PUBLISHED) or "proven"
    )

    assert "the policy allows less, for example with personal, created_workspace" in against


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
        ("claims:\n  - managers are nice\n", r"c.yaml:2:1: 'managers are nice' is no claim: write 'only owner may"),
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
