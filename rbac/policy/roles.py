"""Which role is in force where, as a Casbin RoleManager.

`g(r.sub, p.sub, r.dom)` is true for exactly the one role in force in that domain. Users are typed tokens
(`user:olga`), so nobody is a role by being called like one, and there is no role graph: a user has one role in an
organization, and at most one that replaces it in a project. Never the union of both.
"""

from __future__ import annotations

from casbin.rbac.role_manager import RoleManager

from rbac.vocabulary import WORKERS, Kind, Role

USER = "user:"
MEMBER = "member"
"""What `g` rows say of a user who belongs to a workspace or project: no role, and never an answer of has_link."""

_NOBODY: frozenset[str] = frozenset()
_LINKS: dict[Role | None, frozenset[str]] = {None: _NOBODY, **{role: frozenset({str(role)}) for role in Role}}


class Subject(str):
    """A user as Casbin's `sub`, who brings along the role in force in the domain of this question."""

    __slots__ = ("links",)
    links: frozenset[str]

    def __new__(cls, user: str, role: Role | None) -> Subject:
        subject = super().__new__(cls, USER + user)
        subject.links = _LINKS[role]
        return subject


_KINDS: dict[str, str] = {str(each): str(each) for each in Kind}
_ORGANIZATION = _KINDS["organization"]


class DomainPath(str):
    """A domain as Casbin's `dom`, who has been asked already what kind of domain it is."""

    __slots__ = ("kind",)
    kind: str

    def __new__(cls, path: str) -> DomainPath:
        made = super().__new__(cls, path)
        made.kind = kind(path)
        return made


def kind(path: str) -> str:
    """The matcher function `kind(r.dom)`: `acme` is an organization, `acme/project/p1` a project."""
    if type(path) is DomainPath:
        return path.kind
    parts = path.split("/")
    if len(parts) == 1:
        return _ORGANIZATION
    return _KINDS.get(parts[1], parts[1]) if len(parts) == 3 else ""


def role_in_force(organization_role: Role, project_role: Role | None) -> Role:
    """The project role where there is one and the organization role is annotator or reviewer, else the organization role."""
    return project_role if project_role is not None and organization_role in WORKERS else organization_role


class DomainRoles(RoleManager):  # type: ignore[misc]  # casbin has no types
    """The links of `g`, for any number of organizations; lives as long as the enforcer it is set in.

    A `Subject` carries its role. A plain `user:NAME` is looked up among the links that were added: an organization
    role (`user:andy, annotator, acme`), a project role (`user:andy, reviewer, acme/project/p2`), and the domains
    that exist (`acme/project/p2, project, acme`). Nothing is kept for names that are asked about.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget every link."""
        self._roles: dict[tuple[str, str], Role] = {}
        self._domains: set[str] = set()

    def add_link(self, name1: str, name2: str, *domain: str) -> None:
        """Take one `g` row; memberships are facts, not roles, and change nothing here."""
        if not name1.startswith(USER):
            self._domains.add(name1)
        elif name2 != MEMBER:
            self._roles[name1, domain[0]] = Role(name2)

    def delete_link(self, name1: str, name2: str, *domain: str) -> None:
        """Drop one `g` row; one that is not there is left alone."""
        self._domains.discard(name1)
        if self._roles.get((name1, domain[0])) == name2:
            del self._roles[name1, domain[0]]

    def links(self, name: str, domain: str) -> frozenset[str]:
        """Exactly the roles for which `has_link(name, role, domain)` is true: one, or none."""
        return name.links if type(name) is Subject else _LINKS[self._role(name, domain)]

    def has_link(self, name1: str, name2: str, *domain: str) -> bool:
        """Whether `name2` is the role in force of `name1` in the domain."""
        return name2 in self.links(name1, domain[0])

    def get_roles(self, name: str, *domain: str) -> list[str]:
        """The role in force, in a list of one; empty where there is none."""
        return list(self.links(name, domain[0]))

    def get_users(self, name: str, *domain: str) -> list[str]:
        """The users whose role in force in the domain is `name`, in order."""
        everybody = {user for user, _ in self._roles}
        return sorted(user for user in everybody if self.has_link(user, name, *domain))

    def print_roles(self) -> None:
        """Nothing: links are not for the log."""

    def _role(self, name: str, path: str) -> Role | None:
        role = self._roles.get((name, path.partition("/")[0]))
        if role is None or path not in self._domains:
            return None
        return role_in_force(role, self._roles.get((name, path)))
