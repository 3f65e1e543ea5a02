"""What the footnotes may read: the facts of one question, each with a name, a type and a finite set of values.

Conditions read nothing else. A fact that is not known is a `Missing` value: reading it raises `MissingFact`,
so no condition can mistake "not known" for "no", not even behind a negation. A fact is about one
question only, and has few enough values to enumerate.
"""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from rbac.errors import RBACError
from rbac.vocabulary import Distribution, Kind, Role


class MissingFact(RBACError):
    """A condition read a fact that is not known; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the fact {name} is not known")
        self.name = name


class Missing:
    """The value of a fact that is not known. Every use of it raises MissingFact."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def _look(self, *_: object) -> NoReturn:
        raise MissingFact(self._name)

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __iter__ = __len__ = __hash__ = __getattr__ = _look

    def __repr__(self) -> str:
        return f"Missing({self._name!r})"


class Facts(Protocol):
    """The facts of one question. "The user" asks; "the target" is the member the question is about.

    *created* is raw (who created it), whatever the role is today; memberships, pauses and project roles that have
    expired are not there. Facts about the workspace are, in a project, about the project's workspace.
    """

    @property
    def kind(self) -> Kind: ...
    @property
    def role(self) -> Role: ...

    # the organization
    @property
    def plugins_enabled(self) -> bool: ...
    @property
    def manual_role_management(self) -> bool: ...
    @property
    def tokens_for_annotators_and_reviewers(self) -> bool: ...
    @property
    def restricted_to(self) -> Role | None: ...

    # the workspace
    @property
    def created_workspace(self) -> bool: ...
    @property
    def workspace_member(self) -> bool: ...
    @property
    def personal(self) -> bool: ...
    @property
    def workspace_empty(self) -> bool: ...

    # the project
    @property
    def created_project(self) -> bool: ...
    @property
    def project_member(self) -> bool: ...
    @property
    def published(self) -> bool: ...
    @property
    def distribution(self) -> Distribution: ...
    @property
    def show_data_manager_to(self) -> frozenset[Role]: ...
    @property
    def review_only_assigned(self) -> bool: ...
    @property
    def assigned_as_annotator(self) -> bool: ...
    @property
    def assigned_as_reviewer(self) -> bool: ...
    @property
    def paused(self) -> bool: ...

    # the task named
    @property
    def task_named(self) -> bool: ...
    @property
    def task_exists(self) -> bool: ...
    @property
    def task_annotator(self) -> bool: ...
    @property
    def task_reviewer(self) -> bool: ...
    @property
    def task_worked_on(self) -> bool: ...

    # the target named
    @property
    def target_named(self) -> bool: ...
    @property
    def target_known(self) -> bool: ...
    @property
    def target_is_user(self) -> bool: ...
    @property
    def target_active(self) -> bool: ...
    @property
    def target_role(self) -> Role: ...
    @property
    def target_created_workspace(self) -> bool: ...
    @property
    def target_workspace_member(self) -> bool: ...
    @property
    def target_created_project(self) -> bool: ...
    @property
    def target_project_member(self) -> bool: ...
    @property
    def shares_domain_with_target(self) -> bool: ...


_YES_OR_NO = (False, True)

VALUES: dict[str, tuple[Any, ...]] = {
    "kind": tuple(Kind),
    "role": tuple(Role),
    "restricted_to": (None, *Role),
    "distribution": tuple(Distribution),
    "show_data_manager_to": tuple(frozenset(roles) for roles in ((), (Role.ANNOTATOR,), (Role.REVIEWER,), (Role.ANNOTATOR, Role.REVIEWER))),
    "target_role": tuple(Role),
}
"""Every value a fact can take, by name; facts that are not listed in the literal are yes or no."""

for _name in vars(Facts):
    if isinstance(vars(Facts)[_name], property):
        VALUES.setdefault(_name, _YES_OR_NO)


class GivenFacts:
    """Facts given one by one, for tests, for reviews of a policy and for callers of Casbin's own API; the rest is missing."""

    def __init__(self, **facts: Any) -> None:
        unknown = facts.keys() - VALUES.keys()
        if unknown:
            raise TypeError(f"no such fact: {', '.join(sorted(unknown))}")
        self.__dict__.update(facts)

    def __getattr__(self, name: str) -> Any:
        if name not in VALUES:
            raise AttributeError(name)
        return Missing("target" if name.startswith("target_") or name == "shares_domain_with_target" else name)
