"""Where a member stands, domain by domain, and which domains there are; on both databases, at instants of our choosing."""

from __future__ import annotations

from rbac.clock import parse_instant
from rbac.organization import Organization
from rbac.vocabulary import Role
from tests.conftest import Clock

END = "2030-01-31T12:00:00Z"


def _ways(acme: Organization, user: str) -> dict[str, tuple[str, ...]]:
    return {str(each.domain): each.how for each in acme.standings(user)}


def test_the_domains_are_the_organization_its_workspaces_and_its_projects_in_id_order(acme: Organization) -> None:
    names = ["organization", "workspace:max-sandbox", "workspace:w1", "workspace:w2", *(f"project:p{number}" for number in range(1, 6))]

    assert [str(each) for each in acme.domains()] == names


def test_a_membership_reaches_down_to_projects_and_a_creation_too(acme: Organization) -> None:
    assert _ways(acme, "andy") == {
        "organization": (),
        "workspace:w1": ("member",),
        **{f"project:p{number}": ("through workspace:w1",) for number in (1, 2, 3)},
    }
    assert _ways(acme, "max")["project:p1"] == ("created", "through workspace:w1")
    assert _ways(acme, "max")["project:p4"] == ("member",)


def test_nobody_has_no_standing_and_somebody_new_only_in_the_organization(acme: Organization) -> None:
    assert acme.standings("zoe") == []
    assert _ways(acme, "nina") == {"organization": ()}


def test_a_demoted_creator_has_only_what_they_were_invited_to(acme: Organization) -> None:
    acme.acting("ada").grant("max", "reviewer")

    assert _ways(acme, "max") == {"organization": (), "project:p4": ("member",)}


def test_what_has_ended_is_not_there_from_that_very_instant_on(acme: Organization, clock: Clock) -> None:
    with acme.acting("max") as max_:
        max_.add("mia", "workspace:w1", until=END)
        max_.grant("andy", "reviewer", on="project:p1", until=END)
        max_.pause("rita", "project:p1", until=END)
    before = {user: acme.standings(user) for user in ("mia", "andy", "rita")}

    clock.now = parse_instant(END)

    after = {user: acme.standings(user) for user in ("mia", "andy", "rita")}
    assert [(each.until, each.how) for each in before["mia"] if str(each.domain) == "project:p1"] == [
        (clock.now, ("through workspace:w1",))
    ]
    assert not any(str(each.domain) == "project:p1" for each in after["mia"])
    assert [each.role for each in before["andy"] if each.project_role] == [Role.REVIEWER]
    assert not any(each.project_role for each in after["andy"])
    assert [each.paused_until for each in before["rita"] if each.paused] == [clock.now]
    assert not any(each.paused for each in after["rita"])


def test_the_role_in_force_is_the_one_that_decides(acme: Organization) -> None:
    acme.acting("max").grant("andy", "reviewer", on="project:p1")

    for user in ("ada", "andy", "max", "olga", "rita", "dan"):
        assert {str(each.domain): each.role for each in acme.standings(user)} == {
            str(each.domain): acme.role_of(user, each.domain) for each in acme.standings(user)
        }
