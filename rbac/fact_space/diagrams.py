"""Decision diagrams: a yes-or-no function over finite facts as a graph in which equal functions are the same number.

This is how a review considers every combination without enumerating them: a cell of the table reads up to 16 facts,
200,000 combinations, and its diagram has some dozens of nodes. Nothing is rounded or sampled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from rbac.policy.facts import Facts, Missing, MissingFact

Node: TypeAlias = int
"""A function over the facts, as a number that means something to the Diagrams it came from only."""

NO: Node = 0
YES: Node = 1
_AND, _AND_NOT, _OR = range(3)


class _Unread(Exception):  # not an error: it carries the name of the fact to branch on
    def __init__(self, name: str) -> None:
        self.name = name


class _Known:
    """The facts settled so far; reading any other one raises _Unread with its name."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.__dict__.update(facts)

    def __getattr__(self, name: str) -> Any:
        raise _Unread(name)


class Diagrams:
    """A set of diagrams over the same facts. `domains` gives each fact's values, in the order of the diagrams.

    A value may be a `Missing`; values are told apart by their position, never compared. Safe to share between threads: a node gets
    its number under a lock, so two threads that make the same function get the same number.
    """

    def __init__(self, domains: Mapping[str, tuple[Any, ...]]) -> None:
        self.names = tuple(domains)
        self.domains = dict(domains)
        self._level = {name: level for level, name in enumerate(self.names)}
        self._nodes: list[tuple[int, tuple[Node, ...]]] = [(len(self.names), ()), (len(self.names), ())]
        self._ids: dict[tuple[int, tuple[Node, ...]], Node] = {}
        self._memo: dict[tuple[int, Node, Node], Node] = {}
        self._numbering = threading.Lock()

    def replace_lock(self) -> None:
        """Go on in a forked process, whose parent may have held the lock. A node without a number is no node yet."""
        self._numbering = threading.Lock()

    def of(self, function: Callable[[Facts], bool], *, if_missing: bool = False) -> Node:
        """The diagram of a function, found by calling it; `if_missing` is its value where it reads a missing fact."""
        return self._ask(function, {}, if_missing)

    def literal(self, name: str, wanted: Callable[[Any], bool]) -> Node:
        """Where the fact `name` has a value that `wanted` accepts."""
        return self._node(self._level[name], tuple(YES if wanted(value) else NO for value in self.domains[name]))

    def literal_at(self, name: str, place: int) -> Node:
        """Where the fact `name` has the value at `place` of its domain."""
        return self._node(self._level[name], tuple(YES if each == place else NO for each in range(len(self.domains[name]))))

    def can_hold(self, node: Node, places: Mapping[str, int]) -> bool:
        """Whether `node` holds for some combination in which the facts of `places` have the values at these places."""
        seen: dict[Node, bool] = {NO: False, YES: True}

        def walk(at: Node) -> bool:
            if at not in seen:
                level, children = self._nodes[at]
                name = self.names[level]
                seen[at] = walk(children[places[name]]) if name in places else any(map(walk, children))
            return seen[at]

        return walk(node)

    def both(self, one: Node, other: Node) -> Node:
        """Where both hold."""
        return self._combine(_AND, one, other)

    def either(self, one: Node, other: Node) -> Node:
        """Where one of them holds, or both."""
        return self._combine(_OR, one, other)

    def but_not(self, one: Node, other: Node) -> Node:
        """Where `one` holds and `other` does not."""
        return self._combine(_AND_NOT, one, other)

    def all(self, nodes: Iterable[Node]) -> Node:
        """Where every one of them holds."""
        result = YES
        for node in nodes:
            result = self.both(result, node)
        return result

    def any(self, nodes: Iterable[Node]) -> Node:
        """Where at least one of them holds."""
        result = NO
        for node in nodes:
            result = self.either(result, node)
        return result

    def forget(self, node: Node, names: Iterable[str]) -> Node:
        """Where `node` holds for some value of the facts `names`."""
        gone = frozenset(self._level[name] for name in names)
        memo: dict[Node, Node] = {}

        def walk(at: Node) -> Node:
            level, children = self._nodes[at]
            if not children:
                return at
            if at not in memo:
                kept = tuple(map(walk, children))
                memo[at] = self.any(kept) if level in gone else self._node(level, kept)
            return memo[at]

        return walk(node)

    def count(self, node: Node, names: Iterable[str]) -> int:
        """How many combinations of the facts `names` there are for which `node` can hold."""
        kept = set(names)
        node = self.forget(node, [name for name in self.names if name not in kept])
        sizes = [len(self.domains[name]) if name in kept else 1 for name in self.names]
        memo: dict[Node, int] = {}

        def below(at: Node, level: int) -> int:
            here, children = self._nodes[at]
            if at not in memo:
                memo[at] = sum(below(child, here + 1) for child in children) if children else at
            skipped = 1
            for each in range(level, here):
                skipped *= sizes[each]
            return skipped * memo[at]

        return below(node, 0)

    def pick(self, node: Node) -> dict[str, Any]:
        """One combination for which `node` holds, the facts it hangs on only; there must be one."""
        facts: dict[str, Any] = {}
        while node != YES:
            level, children = self._nodes[node]
            place = next(place for place, child in enumerate(children) if child != NO)
            name = self.names[level]
            facts[name] = self.domains[name][place]
            node = children[place]
        return facts

    def holds(self, node: Node, places: Mapping[str, int]) -> bool:
        """Whether `node` holds for one combination, each fact given as the place of its value in its domain."""
        while self._nodes[node][1]:
            level, children = self._nodes[node]
            node = children[places[self.names[level]]]
        return node == YES

    def _ask(self, function: Callable[[Facts], bool], known: dict[str, Any], if_missing: bool) -> Node:
        try:
            return YES if function(cast(Facts, _Known(known))) else NO
        except MissingFact:
            return YES if if_missing else NO
        except _Unread as unread:
            name = unread.name
        branches = (self._ask(function, {**known, name: value}, if_missing) for value in self.domains[name])
        return self.any(self.both(self.literal_at(name, place), branch) for place, branch in enumerate(branches))

    def _node(self, level: int, children: tuple[Node, ...]) -> Node:
        if children.count(children[0]) == len(children):
            return children[0]
        key = (level, children)
        found = self._ids.get(key)
        return self._numbered(key) if found is None else found

    def _numbered(self, key: tuple[int, tuple[Node, ...]]) -> Node:
        """The number of a node, a new one unless another thread has just given it one."""
        with self._numbering:
            found = self._ids.get(key)
            if found is None:
                self._nodes.append(key)  # before the number is handed out: whoever finds it reads the node
                found = self._ids[key] = len(self._nodes) - 1
            return found

    def _combine(self, how: int, one: Node, other: Node) -> Node:
        settled = _settled(how, one, other)
        if settled is not None:
            return settled
        key = (how, one, other) if how == _AND_NOT or one < other else (how, other, one)
        found = self._memo.get(key)
        if found is None:
            (level, children), (other_level, other_children) = self._nodes[one], self._nodes[other]
            if level == other_level:
                parts = [self._combine(how, *pair) for pair in zip(children, other_children, strict=True)]
            elif level < other_level:
                parts = [self._combine(how, child, other) for child in children]
            else:
                parts = [self._combine(how, one, child) for child in other_children]
            found = self._memo[key] = self._node(min(level, other_level), tuple(parts))
        return found


def _settled(how: int, one: Node, other: Node) -> Node | None:
    """The answer that does not depend on the nodes, where there is one."""
    if one == other:
        return NO if how == _AND_NOT else one
    if how == _AND:
        return NO if NO in (one, other) else max(one, other) if YES in (one, other) else None
    if how == _OR:
        return YES if YES in (one, other) else max(one, other) if NO in (one, other) else None
    return NO if one == NO or other == YES else one if other == NO else None


def is_missing(value: object) -> bool:
    """Whether a fact is not known; the one way to examine a Missing that does not raise."""
    return isinstance(value, Missing)
