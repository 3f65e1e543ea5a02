"""The specification's examples: the organization acme, and every line about it as single cases."""

from typing import Any, NamedTuple

from .decide import KIND, PERMISSIONS, State

Change = tuple[str, str, dict[str, Any]]  # actor, operation, arguments
Question = tuple[str, str, str, dict[str, str]]  # user, permission, domain, dict of target, task, via


class Example(NamedTuple):
    """Make the changes, which all succeed; then ask the question, or try the change."""

    name: str
    changes: tuple[Change, ...]
    question: Question | None
    change: Change | None
    expected: bool  # yes, or done; False: no, or refused


def acme() -> State:
    """A fresh state."""
    return {
        "organizations": [
            {
                "id": "acme",
                "owner": "olga",
                "members": {
                    "ada": "administrator",
                    "max": "manager",
                    "mia": "manager",
                    "rita": "reviewer",
                    "andy": "annotator",
                    "dan": {"role": "annotator", "state": "deactivated"},
                    "nina": {"state": "invited"},
                },
                "settings": {"plugins_enabled": True},
                "workspaces": [
                    {
                        "id": "w1",
                        "created_by": "max",
                        "members": ["rita", "andy"],
                        "projects": [
                            {"id": "p1", "created_by": "max", "published": True, "distribution": "automatic"},
                            {
                                "id": "p2",
                                "created_by": "max",
                                "published": True,
                                "distribution": "manual",
                                "tasks": {"t1": {"annotators": ["andy"], "reviewers": ["rita"]}, "t2": None},
                            },
                            {"id": "p3", "created_by": "max", "published": False},
                        ],
                    },
                    {
                        "id": "w2",
                        "created_by": "mia",
                        "projects": [
                            {
                                "id": "p4",
                                "created_by": "mia",
                                "published": True,
                                "distribution": "automatic",
                                "members": ["max"],
                            },
                        ],
                    },
                    {
                        "id": "max-sandbox",
                        "created_by": "max",
                        "personal": True,
                        "projects": [{"id": "p5", "created_by": "max"}],
                    },
                ],
            },
        ],
    }


P1, P2, P3, P4, P5 = (f"project:p{number}" for number in range(1, 6))
PLACE = {"organization": "organization", "workspace": "workspace:w1", "project": P1}


def _asks(
    name: str,
    user: str,
    permission: str,
    domain: str,
    expected: bool,
    *changes: Change,
    **named: str,
) -> Example:
    return Example(name, changes, (user, permission, domain, named), None, expected)


def _tries(name: str, actor: str, operation: str, arguments: dict[str, Any], expected: bool, *changes: Change) -> Example:
    return Example(name, changes, None, (actor, operation, arguments), expected)


def _shown(project: str, *roles: str) -> Change:
    return "max", "configure", {"domain": project, "settings": {"show_data_manager_to": list(roles)}}


T1_TAKEN = ("max", "unassign", {"user": "andy", "project": "p2", "task": "t1"})
ANDY_REVIEWS_P2 = ("ada", "grant", {"user": "andy", "role": "reviewer", "on": P2})
RITA_ANNOTATES_P1 = ("ada", "grant", {"user": "rita", "role": "annotator", "on": P1})
RITA_PAUSED = ("max", "pause", {"user": "rita", "domain": P1})
PLUGINS_RESTRICTED = ("olga", "restrict", {"permission": "plugin:configure", "level": "administrator"})
PLUGINS_OFF = ("olga", "configure", {"domain": "organization", "settings": {"plugins_enabled": False}})
TOKENS_OFF = ("ada", "configure", {"domain": "organization", "settings": {"tokens_for_annotators_and_reviewers": False}})

EXAMPLES: tuple[Example, ...] = (
    _asks("max may not view the organization page", "max", "organization_page:view", "organization", False),
    _tries("ada gives andy manager", "ada", "grant", {"user": "andy", "role": "manager"}, True),
    _tries("ada may not give max owner", "ada", "grant", {"user": "max", "role": "owner"}, False),
    _tries("ada may not change olga's role", "ada", "grant", {"user": "olga", "role": "administrator"}, False),
    _tries("ada may not deactivate olga", "ada", "deactivate", {"user": "olga"}, False),
    _asks("ada configures access tokens", "ada", "access_tokens:configure", "organization", True),
    _asks("ada may not configure security settings", "ada", "security_settings:configure", "organization", False),
    _asks("ada views usage and license", "ada", "usage_and_license:view", "organization", True),
    _asks("max creates workspaces", "max", "workspace:create", "organization", True),
    _asks("rita may not create workspaces", "rita", "workspace:create", "organization", False),
    _asks("mia may not view w1", "mia", "workspace:view", "workspace:w1", False),
    _asks("ada views w1", "ada", "workspace:view", "workspace:w1", True),
    _asks("andy views w1", "andy", "workspace:view", "workspace:w1", True),
    _asks("olga may not delete w1, it holds projects", "olga", "workspace:delete", "workspace:w1", False),
    _tries("olga is refused the deletion of w1", "olga", "delete_workspace", {"workspace": "w1"}, False),
    _asks("max deletes p4, invited", "max", "project:delete", P4, True),
    _asks("max may not create projects in w2", "max", "project:create", "workspace:w2", False),
    _tries("max may not move p1 to w2", "max", "move_project", {"project": "p1", "workspace": "w2"}, False),
    _asks("olga may not view p5", "olga", "project:view", P5, False),
    _asks("max views p5", "max", "project:view", P5, True),
    _asks("andy views p1", "andy", "project:view", P1, True),
    _asks("andy views p2", "andy", "project:view", P2, True),
    _asks("andy may not view p3", "andy", "project:view", P3, False),
    _asks("andy may not view p4", "andy", "project:view", P4, False),
    _asks("andy may not view p2 once t1 is taken from him", "andy", "project:view", P2, False, T1_TAKEN),
    _asks("andy may not view the Data Manager of p1, switch off", "andy", "data_manager:view", P1, False),
    _asks("andy views the Data Manager of p1, switch on", "andy", "data_manager:view", P1, True, _shown(P1, "annotator")),
    _asks(
        "rita may not view the Data Manager of p1, only the annotators' switch on",
        "rita",
        "data_manager:view",
        P1,
        False,
        _shown(P1, "annotator"),
    ),
    _asks("andy labels in bulk in p2, switch on", "andy", "bulk_labeling:perform", P2, True, _shown(P2, "annotator")),
    _asks("andy may not label in bulk in p2, switch off", "andy", "bulk_labeling:perform", P2, False),
    _asks("andy may not label in bulk in p1, switch on", "andy", "bulk_labeling:perform", P1, False, _shown(P1, "annotator")),
    _asks("andy, reviewer in p2, reviews p2", "andy", "review:access", P2, True, ANDY_REVIEWS_P2),
    _asks("andy, reviewer in p2, may not review p1", "andy", "review:access", P1, False, ANDY_REVIEWS_P2),
    _asks("rita, annotator in p1, may not review p1", "rita", "review:access", P1, False, RITA_ANNOTATES_P1),
    _tries("ada may not make max reviewer in p1", "ada", "grant", {"user": "max", "role": "reviewer", "on": P1}, False),
    _tries("max pauses rita in p1", *RITA_PAUSED, True),
    _asks("rita, paused in p1, may not view p1", "rita", "project:view", P1, False, RITA_PAUSED),
    _asks("rita, paused in p1, views p2", "rita", "project:view", P2, True, RITA_PAUSED),
    _asks("max configures plugins of p1", "max", "plugin:configure", P1, True),
    _asks("max may not configure plugins of p1, restricted", "max", "plugin:configure", P1, False, PLUGINS_RESTRICTED),
    _asks("max may not configure plugins of p1, feature off", "max", "plugin:configure", P1, False, PLUGINS_OFF),
    _asks("rita may not export p1", "rita", "data:export", P1, False),
    _asks("max exports p1", "max", "data:export", P1, True),
    _asks("mia may not export p1", "mia", "data:export", P1, False),
    _asks("andy views his own dashboard", "andy", "annotator_dashboard:view", "organization", True, target="andy"),
    _asks("andy may not view rita's dashboard", "andy", "annotator_dashboard:view", "organization", False, target="rita"),
    *(
        _asks(f"{user} has nothing: {permission}", user, permission, PLACE[KIND[permission]], False)
        for user in ("dan", "nina")
        for permission in PERMISSIONS
    ),
    _asks(
        "andy may not label p1 via the API, tokens disabled for annotators and reviewers",
        "andy",
        "labeling:access",
        P1,
        False,
        TOKENS_OFF,
        via="api",
    ),
    _asks("andy labels p1 in the UI, tokens disabled all the same", "andy", "labeling:access", P1, True, TOKENS_OFF),
)
