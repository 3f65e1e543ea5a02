"""From the lines of a policy to the one function that answers a request.

The function looks up its keys in a table of functions, one for each set of lines that a request can match, generated
when it is first needed. Inside such a function the lines are in the order of the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rbac.enforcer.emit import Emitter, Names, guard_plain
from rbac.enforcer.expression import Const, Expression, Field, walk
from rbac.enforcer.index import OTHER, Index, Key, Line, plain_fields
from rbac.enforcer.values import plain, safe

Answer: TypeAlias = tuple[bool, Any]
"""Whether the request is allowed, and the rule that `enforce_ex` names, or None."""

Decide: TypeAlias = Callable[[tuple[Any, ...]], Answer]
"""Answers a request, given as the tuple of its values; raises whatever it raises when stock Casbin must answer."""

_Lines: TypeAlias = Callable[..., Answer]

_MOST_TABLE_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Effect:
    """What matched lines amount to. `stops` ends the walk at the first line of that effect.

    `names_last`: `enforce_ex` names the last line that matched (pycasbin 2.6 and later), or only one that ended the walk.
    """

    stops: str
    needs_allow: bool
    names_last: bool


class Program:
    """The compiled policy; lives until something changes that it was compiled from."""

    def __init__(self, lines: Sequence[Line], *, effect: Effect, fields: Sequence[str], names: Names) -> None:
        self._lines, self._effect, self._fields, self._names = lines, effect, fields, names
        self._emitter = Emitter(names)
        self._index = Index(lines, self._emitter.text)
        self._variables = {key.text: key.variable(number) for number, key in enumerate(self._index.keys)}
        terms = {id(term): term for terms in self._index.rest for term in terms}.values()
        rest = [part for term in terms for part in walk(term)]
        self._inputs = self._inputs_of(rest)
        self._table: dict[tuple[Any, ...], _Lines] = {}
        self._normal: dict[tuple[Any, ...], _Lines] = {}
        self._written: dict[tuple[int, ...], _Lines] = {}
        self._answers: dict[tuple[bool, int], Answer] = {}
        names.globals |= {"_table": self._table, "_miss": self._miss, "_is_plain": plain, "_is_safe": safe}
        self.source = "\n".join(self._entry())
        self.decide: Decide = self._compiled(self.source)

    def _inputs_of(self, rest: Sequence[Expression]) -> str:
        """The variables that functions in the table take."""
        texts = {self._emitter.text(part) for part in rest}
        fields = [name for name in self._fields if name in texts]
        return ", ".join([*fields, *(name for text, name in self._variables.items() if text in texts and name not in fields)])

    # -- the entry ---------------------------------------------------------------------------------------------------------

    def _entry(self) -> Iterator[str]:
        yield "def decide(values):"
        yield f"    {', '.join(self._fields)}, = values"
        yield from (f"    {line}" for line in self._guards())
        emitter = Emitter(self._names)
        for key in self._index.keys:
            if not isinstance(key.expression, Field):
                yield from (f"    {line}" for line in emitter.assignment(self._variables[key.text], key.expression))
        if not self._index.keys:
            self._names.globals["_only"] = self._function(self._index.select(()))
            yield f"    return _only({self._inputs})"
            return
        key_variables = "".join(f"{name}, " for name in self._variables.values())
        yield "    try:"
        yield f"        lines = _table[{key_variables}]"
        yield "    except KeyError:"
        yield f"        lines = _miss({key_variables})"
        yield f"    return lines({self._inputs})"

    def _guards(self) -> Iterator[str]:
        """Send a request to stock Casbin that carries values the compiled code must not touch."""
        terms = {id(term): term for line in self._lines for term in line.terms}.values()
        compared = plain_fields(terms)
        used = {part.name for term in terms for part in walk(term) if isinstance(part, Field)} | set(self._fields[:1])
        for name in self._fields:
            if name in compared:
                yield guard_plain(name)
            elif name in used:
                yield f"if _type({name}) not in _is_safe: _safe({name})"

    # -- the table ---------------------------------------------------------------------------------------------------------

    def _miss(self, *values: Any) -> _Lines:
        """The function for these key values; kept under them only if the policy names them all, so that unknown names leave nothing."""
        normal = tuple(map(Key.normal, self._index.keys, values))
        function = self._normal.get(normal)
        if function is None:
            function = self._function(self._index.select(normal))
            _keep(self._normal, normal, function)
        if OTHER not in normal and normal == values:
            _keep(self._table, tuple(map(_exact, values, normal)), function)
        return function

    def _function(self, numbers: tuple[int, ...]) -> _Lines:
        function = self._written.get(numbers)
        if function is None:
            function = self._write(numbers)
            _keep(self._written, numbers, function)
        return function

    def _write(self, numbers: tuple[int, ...]) -> _Lines:
        body = list(self._body(numbers))
        if len(body) == 1 and body[0].startswith("return _a"):
            answer = self._names.globals[body[0].removeprefix("return ")]
            return lambda *_: answer
        return self._compiled("\n".join([f"def decide({self._inputs}):", *(f"    {line}" for line in body)]))

    def _body(self, numbers: tuple[int, ...]) -> Iterator[str]:
        emitter = Emitter(self._names, self._variables)
        emitter.count(term for number in numbers for term in self._index.rest[number])
        body: list[str] = []
        used: set[str] = set()
        for number in numbers:
            tests = [emitter.test(term) for term in self._index.rest[number] if not _is_true(term)]
            matched = self._matched(self._lines[number])
            used.update(each.partition(" = ")[0] for each in matched)
            if not tests:
                body.extend(matched)
                if matched and matched[-1].startswith("return"):
                    break
            else:
                body.append(f"if {' and '.join(tests)}: {'; '.join(matched) or 'pass'}")
        else:
            body.append(self._end(used))
        initial = {"allowed": "allowed = False", "rule": "rule = None"}
        yield from (text for name, text in initial.items() if name in used)
        yield from (f"{name} = _unset" for name in emitter.temporaries.values())
        yield from body

    def _matched(self, line: Line) -> list[str]:
        """What a line does once it matches."""
        if line.effect == self._effect.stops:
            return [f"return {self._answer(self._effect.stops == 'allow', line.rule)}"]
        done = ["allowed = True"] if line.effect == "allow" and self._effect.needs_allow else []
        if self._effect.names_last and line.rule is not None:
            done.append(f"rule = {self._names.of('r', line.rule)}")
        return done

    def _end(self, used: set[str]) -> str:
        """The answer when no line ended the walk."""
        allowed = self._effect.stops == "deny" and not self._effect.needs_allow
        if "rule" in used:
            return f"return {'allowed' if 'allowed' in used else allowed}, rule"
        if "allowed" in used:
            return f"return {self._answer(True, None)} if allowed else {self._answer(False, None)}"
        return f"return {self._answer(allowed, None)}"

    def _answer(self, allowed: bool, rule: Any) -> str:
        answer = self._answers.setdefault((allowed, id(rule)), (allowed, rule))
        return self._names.of("a", answer)

    def _compiled(self, source: str) -> Callable[..., Answer]:
        namespace: dict[str, Any] = {}
        exec(compile(source, "<compiled matcher>", "exec"), self._names.globals, namespace)
        decide: Callable[..., Answer] = namespace["decide"]
        return decide


def _is_true(term: Expression) -> bool:
    return isinstance(term, Const) and term.value is True


def _exact(value: Any, normal: Any) -> Any:
    """The value as requests bring it: found by identity, where an equal one has to be compared."""
    return value if type(value) in (str, frozenset) else normal


def _keep(table: dict[Any, _Lines], key: Any, function: _Lines) -> None:
    """Remember within bounds: what falls out is written again when needed."""
    if len(table) >= _MOST_TABLE_ENTRIES:
        table.clear()
    table[key] = function
