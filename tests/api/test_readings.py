"""Where the published page leaves something open: one test a reading, numbered as in docs/readings.md."""

from __future__ import annotations

import pytest

import rbac
from rbac import Role
from rbac.organization import Organization
from rbac.policy.reader import read_policy
from rbac.vocabulary import Permission
from tests.conftest import Clock

OWNERS_SETTINGS = (
    "security_settings:configure",
    "feature_settings:configure",
    "permission_settings:configure",
    "email_notifications:configure",
    "support_reports:configure",
    "embedding:configure",
    "billing:configure",
)


def refused(change: object, says: str) -> None:
    with pytest.raises(rbac.Refused, match=says):
        change()  # type: ignore[operator]


def test_01_managers_cannot_invite(acme: Organization) -> None:
    assert not acme.can("max", "user:invite")
    refused(lambda: acme.acting("max").invite("zoe"), "max may not user:invite")


@pytest.mark.parametrize("permission", OWNERS_SETTINGS)
def test_02_the_other_half_of_partial_is_the_owners(acme: Organization, permission: str) -> None:
    assert acme.can("olga", permission)
    assert not acme.can("ada", permission)


def test_03_viewing_and_configuring_plugins_are_restricted_each_by_its_own_setting(acme: Organization) -> None:
    acme.acting("olga").restrict("plugin:configure", "administrator")

    assert not acme.can("max", "plugin:configure", "project:p1")
    assert acme.can("max", "plugin:view", "project:p1")
    assert acme.can("ada", "plugin:configure", "project:p1")


def test_04_a_reviewers_bulk_labeling_needs_the_data_manager_and_no_manual_distribution(acme: Organization) -> None:
    assert not acme.can("rita", "bulk_labeling:perform", "project:p1")

    acme.acting("max").configure("project:p1", show_data_manager_to={"reviewer", "annotator"})

    assert acme.can("rita", "bulk_labeling:perform", "project:p1")
    assert not acme.can("andy", "bulk_labeling:perform", "project:p1")


def test_05_a_manager_sees_the_dashboards_of_people_they_share_a_domain_with(acme: Organization) -> None:
    assert acme.can("max", "annotator_dashboard:view", target="andy")
    assert not acme.can("mia", "annotator_dashboard:view", target="andy")

    acme.acting("mia").add("andy", "workspace:w2")

    assert acme.can("mia", "annotator_dashboard:view", target="andy")


def test_05_a_personal_workspace_is_nothing_shared_and_a_deactivated_targets_memberships_count(acme: Organization) -> None:
    acme.acting("ada").activate("dan")
    acme.acting("max").add("dan", "project:p1")
    acme.acting("ada").deactivate("dan")

    assert acme.can("max", "annotator_dashboard:view", target="dan")
    assert not acme.can("mia", "annotator_dashboard:view", target="dan")


def test_06_membership_goes_down_from_workspace_to_project_and_never_up(acme: Organization) -> None:
    assert acme.can("max", "project:view", "project:p4")
    assert not acme.can("max", "workspace:view", "workspace:w2")

    acme.acting("ada").add("mia", "workspace:w1")

    assert acme.can("mia", "project:view", "project:p3")


def test_07_a_creator_counts_as_one_after_being_removed_from_the_workspace(acme: Organization) -> None:
    acme.acting("ada").add("max", "workspace:w1")
    acme.acting("ada").remove("max", "workspace:w1")

    assert acme.can("max", "workspace:update", "workspace:w1")


def test_08_a_projects_member_does_not_see_its_workspace(acme: Organization) -> None:
    acme.acting("mia").add("andy", "project:p4")

    assert acme.can("andy", "project:view", "project:p4")
    assert not acme.can("andy", "workspace:view", "workspace:w2")


def test_09_administrators_make_administrators_only_while_the_switch_is_on(acme: Organization) -> None:
    ada = acme.acting("ada")
    ada.grant("mia", "administrator")
    acme.acting("olga").configure("organization", administrators_make_administrators=False)

    for change in (
        lambda: ada.grant("max", "administrator"),
        lambda: ada.grant("mia", "manager"),
        lambda: ada.deactivate("mia"),
        lambda: ada.invite("zoe", "administrator"),
    ):
        refused(change, "administrators_make_administrators is off")
    acme.acting("olga").deactivate("mia")
    refused(lambda: ada.activate("mia"), "administrators_make_administrators is off")
    refused(lambda: ada.grant("mia", "manager"), "administrators_make_administrators is off")


def test_10_the_old_owner_becomes_administrator_in_the_same_revision(acme: Organization) -> None:
    before = acme.revision

    revision = acme.transfer_ownership(to="max", ticket="SUP-104", operator="root")

    assert (acme.owner, acme.role_of("max"), acme.role_of("olga")) == ("max", Role.OWNER, Role.ADMINISTRATOR)
    assert revision == before + 1


def test_11_deactivation_keeps_everything_until_activation(acme: Organization) -> None:
    ada = acme.acting("ada")
    acme.acting("max").grant("andy", "reviewer", on="project:p1")
    ada.deactivate("andy")
    assert not acme.can("andy", "project:view", "project:p1")

    ada.grant("andy", "annotator")

    assert acme.role_of("andy", "project:p1") is Role.REVIEWER
    assert acme.can("andy", "review:access", "project:p1")


def test_11_no_change_of_role_or_membership_lifts_a_pause(acme: Organization) -> None:
    acme.acting("max").pause("rita", "project:p1")
    acme.acting("max").remove("rita", "workspace:w1")
    acme.acting("max").add("rita", "workspace:w1")
    acme.acting("ada").deactivate("rita")
    acme.acting("ada").grant("rita", "annotator")

    assert not acme.can("rita", "project:view", "project:p1")


def test_12_a_demoted_creator_does_not_count_as_one_until_promoted(acme: Organization) -> None:
    acme.acting("ada").grant("max", "reviewer")
    assert not acme.can("max", "workspace:view", "workspace:w1")
    assert not acme.can("max", "project:view", "project:p1")

    acme.acting("ada").grant("max", "manager")

    assert acme.can("max", "project:update", "project:p1")


def test_12_annotators_create_nothing_not_even_in_their_own_sandbox(acme: Organization) -> None:
    acme.acting("ada").grant("max", "annotator")

    assert acme.can("max", "workspace:view", "workspace:max-sandbox")
    assert not acme.can("max", "project:create", "workspace:max-sandbox")


def test_13_managers_see_only_workspaces_they_created_or_were_added_to_and_all_projects_in_those(acme: Organization) -> None:
    assert not acme.can("mia", "workspace:view", "workspace:w1")

    acme.acting("ada").add("mia", "workspace:w1")

    assert all(acme.can("mia", "project:view", f"project:{name}") for name in ("p1", "p2", "p3"))


def test_14_a_personal_workspace_exists_for_its_user_alone(acme: Organization) -> None:
    for user in ("olga", "ada", "mia"):
        decision = acme.check(user, "project:view", "project:p5")
        assert not decision
        assert "foreign_sandbox" in decision.reason
    assert acme.can("max", "project:view", "project:p5")
    refused(lambda: acme.acting("max").add("andy", "project:p5"), "takes no members")
    refused(lambda: acme.acting("max").configure("project:p5", published=True), "cannot be published")


def test_15_unpublished_projects_do_not_exist_for_annotators_and_reviewers(acme: Organization) -> None:
    assert not acme.can("andy", "project:view", "project:p3")
    assert not acme.can("rita", "project:view", "project:p3")
    assert acme.can("max", "project:view", "project:p3")


def test_16_assigning_annotators_is_unavailable_under_automatic_distribution_to_everyone(acme: Organization) -> None:
    for user in ("max", "ada", "olga"):
        assert not acme.can(user, "task:assign_annotator", "project:p1", target="andy")
        assert acme.can(user, "task:assign_annotator", "project:p2", target="andy")


def test_17_a_reviewer_may_label_any_task_of_a_project_they_may_enter(acme: Organization) -> None:
    assert acme.can("rita", "labeling:access", "project:p2", task="t2")
    assert not acme.can("andy", "labeling:access", "project:p2", task="t2")


def test_18_reviewers_review_whatever_is_ready_unless_the_project_says_only_assigned(acme: Organization) -> None:
    assert acme.can("rita", "review:access", "project:p2", task="t2")

    acme.acting("max").configure("project:p2", review_only_assigned=True)

    assert acme.can("rita", "review:access", "project:p2", task="t1")
    assert not acme.can("rita", "review:access", "project:p2", task="t2")


def test_19_when_an_identity_provider_owns_roles_every_grant_is_refused_and_deactivation_is_not(acme: Organization) -> None:
    acme.acting("olga").configure("organization", manual_role_management=False)

    for actor in ("olga", "ada"):
        refused(lambda actor=actor: acme.acting(actor).grant("andy", "reviewer"), "roles_managed_here is false")
        refused(lambda actor=actor: acme.acting(actor).invite("zoe", "annotator"), "roles_managed_here is false")
    refused(lambda: acme.acting("max").grant("andy", "reviewer", on="project:p1"), "identity provider")
    acme.acting("ada").invite("zoe")
    acme.acting("ada").deactivate("andy")
    refused(lambda: acme.acting("ada").activate("andy"), "roles_managed_here is false")


def test_20_into_a_sandbox_moves_only_its_user_their_own_project_and_it_loses_publication_and_members(acme: Organization) -> None:
    max_ = acme.acting("max")
    max_.add("mia", "project:p1")
    refused(lambda: max_.move_project("p4", workspace="max-sandbox"), "was not created by max")
    refused(lambda: acme.acting("ada").move_project("p1", workspace="max-sandbox"), "foreign_sandbox")
    acme.acting("olga").restrict("project:delete", "administrator")
    refused(lambda: max_.move_project("p1", workspace="max-sandbox"), "max may not project:delete")
    acme.acting("olga").unrestrict("project:delete")

    max_.move_project("p1", workspace="max-sandbox")

    assert not acme.can("mia", "project:view", "project:p1")
    max_.move_project("p1", workspace="w1")
    assert not acme.can("andy", "project:view", "project:p1")
    assert not acme.can("mia", "project:view", "project:p1")


def test_21_prompts_are_asked_in_a_project_and_never_in_a_personal_one(acme: Organization) -> None:
    for permission in ("prompt:create", "prompt:evaluate", "prompt:run", "prompt:apply"):
        assert acme.can("max", permission, "project:p1")
        assert not acme.can("max", permission, "project:p5")


def test_22_the_finer_names_belong_to_their_rows_and_four_of_them_can_be_restricted(acme: Organization) -> None:
    olga, policy = acme.acting("olga"), read_policy()

    for name in ("task:delete", "storage:configure", "webhook:configure", "api_token:create"):
        olga.restrict(name, "owner")
        assert policy.restrictable(Permission(name), Role.OWNER)
    refused(lambda: olga.restrict("annotation:update", "manager"), "cannot be restricted")
    assert not acme.can("ada", "task:delete", "project:p1")
    assert acme.can("olga", "task:delete", "project:p1")


def test_a_role_in_force_is_the_project_role_or_the_organization_role_and_never_both(acme: Organization) -> None:
    acme.acting("max").grant("rita", "annotator", on="project:p1")

    assert acme.role_of("rita", "project:p1") is Role.ANNOTATOR
    assert not acme.can("rita", "review:access", "project:p1")
    assert acme.role_of("rita", "project:p2") is Role.REVIEWER


def test_a_project_role_is_without_effect_for_a_manager_and_in_force_again_after_a_demotion(acme: Organization) -> None:
    acme.acting("max").grant("rita", "annotator", on="project:p1")
    acme.acting("ada").grant("rita", "manager")
    assert acme.role_of("rita", "project:p1") is Role.MANAGER

    acme.acting("ada").grant("rita", "reviewer")

    assert acme.role_of("rita", "project:p1") is Role.ANNOTATOR


def test_what_has_an_end_has_no_effect_from_that_instant_on(acme: Organization, clock: Clock) -> None:
    acme.acting("max").add("mia", "workspace:w1", until="2027-01-15T09:00:00Z")
    acme.acting("max").grant("andy", "reviewer", on="project:p1", until="2027-01-15T09:00:00Z")
    acme.acting("max").pause("rita", "project:p1", until="2027-01-15T09:00:00Z")
    end = 1_800_003_600_000_000

    clock.now = end - 1
    assert acme.can("mia", "data:export", "project:p1")
    assert acme.can("andy", "review:access", "project:p1")
    assert not acme.can("rita", "project:view", "project:p1")

    clock.now = end
    assert not acme.can("mia", "data:export", "project:p1")
    assert not acme.can("andy", "review:access", "project:p1")
    assert acme.can("rita", "project:view", "project:p1")


def test_the_api_needs_its_own_permission_and_the_one_asked_for(acme: Organization) -> None:
    assert acme.can("andy", "labeling:access", "project:p1", via="api")

    acme.acting("olga").configure("organization", tokens_for_annotators_and_reviewers=False)

    decision = acme.check("andy", "labeling:access", "project:p1", via="api")
    assert not decision
    assert decision.reason.startswith("through the API: ")
    assert acme.can("andy", "labeling:access", "project:p1")
    assert acme.can("max", "data:export", "project:p1", via="api")
    assert not acme.can("max", "billing:configure", via="api")


def test_a_user_called_owner_or_administrator_has_no_special_rights(acme: Organization) -> None:
    for name in ("owner", "administrator", "manager"):
        acme.acting("ada").invite(name, "annotator")

        assert acme.role_of(name) is Role.ANNOTATOR
        assert not acme.can(name, "organization_page:view")
        assert acme.enforcer(stock=True).enforce(*acme.request(name, "organization_page:view")) is False
