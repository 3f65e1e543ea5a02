"""Many questions at once: what is decided in groups is what is decided one by one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import rbac
from rbac.decisions.batch import READ
from rbac.organization import Organization
from rbac.policy.conditions import CONDITIONS
from rbac.vocabulary import Kind, Permission, Via

USERS = ("olga", "ada", "max", "mia", "rita", "andy", "dan", "nina", "nobody")
PLACES = ("organization", *(f"workspace:{each}" for each in ("w1", "w2", "none")), *(f"project:p{each}" for each in range(7)))


def _every_question() -> list[rbac.Request]:
    return [
        rbac.Request(user, permission, place, target, None, via)
        for user in USERS
        for permission in Permission
        for via in Via
        for place in PLACES
        if place.partition(":")[0] == permission.kind
        for target in (None, "andy")
    ]


def test_many_questions_get_the_decisions_they_get_one_by_one(acme: Organization) -> None:
    asked = _every_question()

    many = acme.check_many(asked)

    assert len(many) > 7_000
    alone = [acme.check(each.user, each.permission, each.domain, target=each.target, via=each.via) for each in asked]
    assert many == alone


def test_what_is_set_and_given_on_one_project_tells_it_from_others(acme: Organization) -> None:
    ada = acme.acting("ada")
    ada.add("andy", "project:p4")
    ada.grant("andy", "reviewer", on="project:p2")
    ada.pause("rita", "project:p1")
    ada.configure("project:p4", distribution="manual")
    ada.configure("project:p1", show_data_manager_to=["annotator"])
    ada.configure("project:p2", review_only_assigned=True, show_data_manager_to=["reviewer"])
    asked = _every_question()

    many = acme.check_many(asked)

    assert many == [acme.check(each.user, each.permission, each.domain, target=each.target, via=each.via) for each in asked]
    assert len({decision.allowed for decision in many}) == 2


def test_projects_that_agree_share_one_decision(acme: Organization) -> None:
    first, second = acme.check_many(
        [rbac.Request("ada", "project:update", "project:p1"), rbac.Request("ada", "project:update", "project:p1")]
    )

    assert first is second


def test_with_another_model_every_question_is_asked_by_itself(url: str, acme: Organization, tmp_path: Path) -> None:
    named = Path(str(rbac.__path__[0]) + "/model.conf").read_text().rstrip() + ' && r.dom != "acme/project/p1"\n'
    model = tmp_path / "model.conf"
    model.write_text(named)

    with rbac.connect(url, model=model) as store:
        asked = [rbac.Request("ada", "project:update", f"project:{name}") for name in ("p2", "p3")]
        assert [bool(each) for each in store.organization("acme").check_many(asked)] == [True, True]


def test_a_fact_that_no_signature_looks_at_is_the_same_in_every_project(acme: Organization) -> None:
    ada = acme.acting("ada")
    ada.grant("andy", "reviewer", on="project:p2")
    ada.pause("rita", "project:p1")
    ada.configure("project:p4", distribution="manual", show_data_manager_to=["annotator"], review_only_assigned=True)
    readable = {name for each in CONDITIONS.values() if Kind.PROJECT in each.asked_in for name in each.reads}
    told_apart = set()

    for user in ("olga", "max", "mia", "rita", "andy"):
        facts = [acme.trace(user, "labeling:access", f"project:p{number}").question.facts for number in range(1, 6)]
        for name in readable:
            told_apart |= {name} if len({repr(getattr(each, name)) for each in facts}) > 1 else set()

    assert {"created_project", "workspace_member", "paused", "role", "published", "distribution"} < told_apart
    assert told_apart <= READ.keys()


def test_a_domain_in_a_request_is_asked_like_its_address_and_is_gone_when_it_is_deleted(acme: Organization) -> None:
    requests = [rbac.Request("max", "data:export", rbac.Domain(rbac.Kind.PROJECT, "p1")) for _ in range(2)]  # type: ignore[arg-type]
    settings = [rbac.Request("olga", "billing:configure", rbac.Domain(rbac.Kind.ORGANIZATION))]  # type: ignore[arg-type]
    assert all(acme.check_many(requests)) and all(acme.check_many(settings))

    acme.acting("olga").delete_project("p1")

    assert [each.reason for each in acme.check_many(requests)] == ["there is no project:p1 in acme"] * 2
    assert acme.check_many(settings)[0].revision == acme.revision


@pytest.mark.parametrize("wrong", [None, 7, [], {}, b"max", object(), ("project", "p1")])
@pytest.mark.parametrize("field", ["user", "permission", "domain", "via", "task", "target"])
def test_a_name_that_is_no_text_is_a_named_error_wherever_it_stands(acme: Organization, field: str, wrong: object) -> None:
    good = rbac.Request("max", "data:export", "project:p1")
    assert acme.check_many([good])
    if wrong is None and field in ("task", "target"):
        return

    with pytest.raises(rbac.UnknownName):
        acme.check_many([good, msgspec.structs.replace(good, **{field: wrong})])
