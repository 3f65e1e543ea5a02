"""A model of one's own is held against the policy at every answer, authority included: a probe at connect cannot ask every user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import rbac
from rbac.organization import Organization
from rbac.policy.model import PACKAGED
from tests.conftest import ACME

BACK_DOORS = (
    'r.dom == "acme/project/p1" && p.eft == "allow" || ',  # which lets everybody into one project
    '(r.dom != "acme/project/p1") && ',  # which keeps everybody out of it
)


@pytest.fixture(params=BACK_DOORS, ids=["lets everybody in", "keeps everybody out"])
def acme(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Organization]:
    model = tmp_path / "model.conf"
    model.write_text(PACKAGED.read_text().replace("m = (p.act", f"m = {request.param}(p.act"))
    with rbac.connect(f"sqlite:///{tmp_path / 'rbac.db'}", model=model) as store:
        store.import_state(ACME)
        yield store.organization("acme")


def test_an_answer_that_the_lines_do_not_give_is_an_error_and_no_answer(acme: Organization) -> None:
    user = "andy" if acme._store.decider.model.text.count("p.eft ==") > 2 else "max"
    question = (user, "data:export", "project:p1")

    for ask in (acme.can, acme.check, acme.require, acme.trace, lambda *each: acme.check_many([rbac.Request(*each)])):
        with pytest.raises(rbac.RBACError, match=r"^Casbin says (True|False) and policy\.csv says (True|False)"):
            ask(*question)

    assert acme.can("max", "data:export", "project:p2")
    assert not acme.can("andy", "data:export", "project:p2")


def test_authority_is_held_against_the_lines_too(acme: Organization) -> None:
    user = "andy" if acme._store.decider.model.text.count("p.eft ==") > 2 else "max"
    before = acme.revision

    with pytest.raises(rbac.RBACError, match=r"^Casbin says"):
        acme.acting(user).configure("project:p1", published=False)

    assert acme.revision == before
