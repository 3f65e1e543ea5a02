"""Whom a change of the policy touches today: people and domains of a store, cell by cell.

A person counts when, with their own facts in some domain, the change gives or takes something, for themselves or for
some target or task. Everybody is evaluated; those with nothing to do with a domain, whose facts there are all alike,
at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import TypeVar

from sqlalchemy import Connection

from rbac.fact_space.diagrams import Node
from rbac.fact_space.space import Space, places_of, space
from rbac.listing.members import members
from rbac.listing.standings import Standing, domains, standings
from rbac.open_store import open_store_of
from rbac.policy.conditions import CONDITIONS
from rbac.policy.facts import VALUES, Facts
from rbac.policy.reader import Policy
from rbac.policy.roles import Subject
from rbac.review.diff.compare import CellChange
from rbac.review.diff.report import NAMED, Affected
from rbac.snapshot.facts_of_records import RecordedFacts
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.records import NO_REQUEST_RECORDS, DomainRecord, Instant, MemberRecord, OrganizationRecord
from rbac.snapshot.wanted import CellNeeds
from rbac.store import Store
from rbac.vocabulary import Domain, Kind, Permission, Request, Role, State

_EVERY_FACT = CellNeeds(dict.fromkeys(product(Role, Permission), frozenset(VALUES)))
_OPEN = frozenset(name for name in VALUES if name.startswith(("target_", "task_")) or name == "shares_domain_with_target")
"""Facts about whatever target or task a question may name."""

_BATCH = 1000
_Named = TypeVar("_Named")

_ASSIGNED = ("assigned_as_annotator", "assigned_as_reviewer")
_UNASSIGNED = len(VALUES[_ASSIGNED[0]])
"""The place of an assignment that was not loaded, because no answer can turn on it: left open."""

Cell = tuple[Role, Permission]


@dataclass(slots=True)
class _Touched:
    """Who gains and loses one cell, and where; filled while the store is read."""

    gained: Node
    lost: Node
    gaining: set[str] = field(default_factory=set)
    losing: set[str] = field(default_factory=set)
    domains: set[tuple[str, Domain]] = field(default_factory=set)


def affected(store: Store, old: Policy, new: Policy, changes: Sequence[CellChange], organizations: Sequence[str]) -> tuple[Affected, ...]:
    """For each changed cell that touches somebody: how many people of the organizations, in how many domains, the first of them."""
    here, opened = space(), open_store_of(store)
    touched = {(change.role, change.permission): _touched(here, old, new, change.role, change.permission) for change in changes}
    for name in organizations:
        with opened.reading() as connection:
            _Reader(connection, name, opened.clock(), touched, f"{name}/" if len(organizations) > 1 else "").read()
    names = {(change.role, change.permission): (*change.gained.names, *change.lost.names) for change in changes}
    possible = {cell for cell in names if any(CONDITIONS[name].reads & _OPEN for name in names[cell])}
    return tuple(_affected(cell, each, cell in possible) for cell, each in touched.items() if each.gaining or each.losing)


def _touched(here: Space, old: Policy, new: Policy, role: Role, permission: Permission) -> _Touched:
    before, after = here.allowed(old, role, permission), here.allowed(new, role, permission)
    return _Touched(here.diagrams.but_not(after, before), here.diagrams.but_not(before, after))


def _affected(cell: Cell, each: _Touched, possible: bool) -> Affected:
    people = sorted(each.gaining | each.losing)
    return Affected(*cell, len(people), len(each.gaining), len(each.losing), len(each.domains), tuple(people[:NAMED]), possible)


class _Reader:
    """Reads one organization in one transaction; used for that only."""

    def __init__(self, connection: Connection, organization: str, now: Instant, touched: dict[Cell, _Touched], prefix: str) -> None:
        self._connection, self._organization, self._now, self._prefix = connection, organization, now, prefix
        self._touched = touched
        self._source = Snapshot(connection, organization, _EVERY_FACT)
        self._kinds = {permission.kind for _, permission in touched}
        self._places: dict[Domain, DomainRecord] = {}
        self._outsiders: dict[Cell, dict[Domain, tuple[bool, bool]]] = defaultdict(dict)
        self._standing: Counter[tuple[Domain, Role]] = Counter()

    def read(self) -> None:
        """Evaluate every domain and every active member."""
        record = self._source.organization()
        if record is None:
            return
        for domain in self._read_together(domains(self._connection, self._organization), lambda each: Request("", "", str(each))):
            place = self._source.domain(str(domain)) if domain.kind in self._kinds else None
            if place is not None:
                self._places[domain] = place
                self._evaluate_outsiders(record, domain, place)
        active: Counter[Role] = Counter()
        for member in self._active():
            assert member.role is not None, "an active member has a role"
            active[member.role] += 1
            self._evaluate_member(record, member)
        for (role, permission), where in self._outsiders.items():
            for domain in where:
                if active[role] > self._standing[domain, role]:
                    self._touched[role, permission].domains.add((self._organization, domain))

    def _active(self) -> Iterator[MemberRecord]:
        everybody = list(members(self._connection, self._organization, Domain(Kind.ORGANIZATION), self._now))
        for membership in self._read_together(everybody, lambda each: Request(each.user, "")):
            member = self._source.member(membership.user) if membership.state is State.ACTIVE else None
            if member is not None:
                yield member

    def _read_together(self, named: Iterable[_Named], request: Callable[[_Named], Request]) -> Iterator[_Named]:
        """Each in turn, its record read with those of a thousand others, which are not kept longer."""
        each = iter(named)
        while ahead := list(islice(each, _BATCH)):
            self._source.made_for([request(name) for name in ahead])
            yield from ahead

    def _evaluate_outsiders(self, record: OrganizationRecord, domain: Domain, place: DomainRecord) -> None:
        """Somebody of each role with nothing to do with the domain. In the organization nobody is an outsider."""
        for role, permission in self._cells(domain) if domain.kind is not Kind.ORGANIZATION else ():
            nobody = MemberRecord("", role, State.ACTIVE, (), (), {}, {}, Subject("", role))
            facts = RecordedFacts(place.kind, role, record, nobody, place, permission, self._now, False, False, NO_REQUEST_RECORDS)
            found = self._ways(facts, (role, permission))
            if any(found):
                self._outsiders[role, permission][domain] = found

    def _evaluate_member(self, record: OrganizationRecord, member: MemberRecord) -> None:
        own = {standing.domain: standing.role for standing in self._standings(member) if standing.domain in self._places}
        for domain, role in own.items():
            assert role is not None and member.role is not None, "an active member has a role everywhere"
            self._standing[domain, member.role] += domain.kind is not Kind.ORGANIZATION
            for cell in self._cells(domain):
                if cell[0] is role:
                    place = self._places[domain]
                    records = self._source.request_records(
                        Request(member.user, cell[1], str(domain)), cell[1], member, place, role, self._now
                    )
                    facts = RecordedFacts(place.kind, role, record, member, place, cell[1], self._now, False, False, records)
                    self._note(member.user, cell, domain, self._ways(facts, cell))
        for (role, permission), where in self._outsiders.items():
            if role is member.role:
                elsewhere = [found for domain, found in where.items() if domain not in own]
                self._note_outsider(member.user, (role, permission), elsewhere)

    def _standings(self, member: MemberRecord) -> Iterable[Standing]:
        return standings(self._connection, self._organization, member, self._now)

    def _cells(self, domain: Domain) -> list[Cell]:
        return [cell for cell in self._touched if cell[1].kind is domain.kind]

    def _ways(self, facts: Facts, cell: Cell) -> tuple[bool, bool]:
        """Whether the cell is gained, and lost, with these facts and some target and task."""
        here, each = space(), self._touched[cell]
        known = {name: place for name, place in places_of(facts, here).items() if name not in _OPEN}
        for name in _ASSIGNED:
            if facts.kind is Kind.PROJECT and known[name] == _UNASSIGNED:
                del known[name]
        return here.diagrams.can_hold(each.gained, known), here.diagrams.can_hold(each.lost, known)

    def _note(self, user: str, cell: Cell, domain: Domain, ways: tuple[bool, bool]) -> None:
        if any(ways):
            self._touched[cell].domains.add((self._organization, domain))
            self._note_outsider(user, cell, [ways])

    def _note_outsider(self, user: str, cell: Cell, found: Iterable[tuple[bool, bool]]) -> None:
        for gains, loses in found:
            if gains:
                self._touched[cell].gaining.add(self._prefix + user)
            if loses:
                self._touched[cell].losing.add(self._prefix + user)
