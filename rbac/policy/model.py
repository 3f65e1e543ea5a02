"""The strict reader of model.conf: Casbin's model, checked when it is loaded and not at the first request.

Casbin accepts any matcher and fails, or allows, later. Here sections, tokens, functions, role definition and
effect are checked against what the policy and the store can answer for. Its one rule: a model that could let
somebody in by dropping a check that policy.csv relies on is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeGuard

from rbac.errors import PolicyError, Problem
from rbac.names import nearest
from rbac.text import check_characters, decode, read_bytes

PACKAGED = Path(__file__).parents[1] / "model.conf"
"""The model inside the package, used when no path is given."""

REQUEST = ("sub", "dom", "obj", "act", "facts")
LINE = ("sub", "dom", "obj", "act", "cond", "eft")
FUNCTIONS = {"g": 3, "kind": 1, "holds": 3}
"""What a matcher may call, and with how many arguments."""

EFFECT = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"

_SECTIONS = {"request_definition": "r", "policy_definition": "p", "role_definition": "g", "policy_effect": "e", "matchers": "m"}


@dataclass(frozen=True, slots=True)
class Model:
    """The text of a model that has been checked, for Casbin to load.

    `meaning` is equal for two models that decide alike by construction: layout, comments and the spelling of operators aside.
    """

    file: str
    text: str
    meaning: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """`key = value` in a section, and where the value starts, 1 based."""

    value: str
    line: int
    column: int


def read_model(path: str | Path | None = None) -> Model:
    """The model in a file, or the packaged one; raises PolicyError with every mistake in it."""
    return packaged_model() if path is None else parse_model(read_bytes(Path(path)), str(path))


@cache
def packaged_model() -> Model:
    """The model inside the package, read once."""
    return parse_model(read_bytes(PACKAGED), "model.conf")


def parse_model(data: bytes | str, file: str = "model.conf") -> Model:
    """The model in `data`; `file` is what errors call it."""
    text = decode(data.encode() if isinstance(data, str) else data, file)
    problems: list[Problem] = []
    entries = _entries(text, file, problems)
    if not problems:
        problems = list(_check(entries, file))
    if problems:
        raise PolicyError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return Model(file, text, _meaning(entries))


def _entries(text: str, file: str, problems: list[Problem]) -> dict[str, _Entry]:
    """Each section's one entry, by the section's letter; what is wrong goes into `problems`."""
    entries: dict[str, _Entry] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        bad = list(check_characters(line, file, number, comment=stripped.startswith("#")))
        problems += bad
        if bad or not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("["):
            section = stripped.strip("[]")
            if section not in _SECTIONS or stripped != f"[{section}]":
                problems.append(Problem(file, number, 1, f"unknown section {stripped}{nearest(section, _SECTIONS)}"))
            continue
        problems += _entry(line, section, entries, file, number)
    for name, letter in _SECTIONS.items():
        if letter not in entries and not problems:
            problems.append(Problem(file, 1, 1, f"section [{name}] with {letter} = ... is missing"))
    return entries


def _entry(line: str, section: str, entries: dict[str, _Entry], file: str, number: int) -> Iterator[Problem]:
    key, equals, value = line.partition("=")
    letter = _SECTIONS.get(section, "")
    if "#" in line:
        yield Problem(file, number, line.index("#") + 1, "a comment behind a line: give it a line of its own")
    elif not equals or not letter:
        yield Problem(file, number, 1, "not an entry of a section: [section], then KEY = VALUE on one line")
    elif key.strip() != letter:
        yield Problem(file, number, 1, f"unknown key {key.strip()!r}: [{section}] has one entry, {letter}")
    elif letter in entries:
        yield Problem(file, number, 1, f"{letter} stands here and in line {entries[letter].line}")
    else:
        entries[letter] = _Entry(value.strip(), number, len(key) + 2 + len(value) - len(value.lstrip()))


def _check(entries: dict[str, _Entry], file: str) -> Iterator[Problem]:
    exact = {
        "r": (", ".join(REQUEST), "requests have these five values"),
        "p": (", ".join(LINE), "policy.csv has these six columns"),
        "g": ("_, _, _", "user, role, domain"),
        "e": (EFFECT, "one allow line and no deny line"),
    }
    for letter, (wanted, why) in exact.items():
        entry = entries[letter]
        if _columns(entry.value) != _columns(wanted):
            yield Problem(file, entry.line, entry.column, f"{letter} must be {wanted}: {why}")
    yield from _check_matcher(entries["m"], file)


def _columns(value: str) -> list[str]:
    """The values of an entry, as Casbin parts them; it knows an effect only when it is written exactly like this."""
    return [part.strip() for part in value.split(",")]


def _meaning(entries: dict[str, _Entry]) -> tuple[str, ...]:
    """Each entry without its layout: columns one by one, and the matcher as an expression tree."""
    plain = [", ".join(_columns(entries[letter].value)) for letter in ("r", "p", "g", "e")]
    return *plain, ast.dump(ast.parse(_as_python(entries["m"].value), mode="eval"))


def _as_python(matcher: str) -> str:
    return re.sub(r"!(?!=)", " not ", matcher.replace("&&", " and ").replace("||", " or ")).strip()


def _check_matcher(entry: _Entry, file: str) -> Iterator[Problem]:
    """A matcher is an expression over r.* and p.* that uses every column of the policy and calls only known functions."""
    try:
        tree = ast.parse(_as_python(entry.value), mode="eval")
    except (SyntaxError, ValueError) as error:
        yield Problem(file, entry.line, entry.column, f"the matcher is no expression: {getattr(error, 'msg', error)}")
        return
    except (RecursionError, MemoryError):  # how Python's parser says so, depending on what is nested
        yield Problem(file, entry.line, entry.column, "the matcher is no expression: it is nested too deeply")
        return
    used: set[str] = set()
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    messages = dict.fromkeys(_wrong(node, used) for node in ast.walk(tree) if id(node) not in called)
    for message in filter(None, messages):
        yield Problem(file, entry.line, entry.column, message)
    in_g = {id(argument) for node in ast.walk(tree) if _calls_g(node) for argument in node.args[:1]}
    if any(_is_subject(node) and id(node) not in in_g for node in ast.walk(tree)):
        yield Problem(file, entry.line, entry.column, "r.sub stands as the first value of g(...) only: nobody is let in by name")
    for missing in [f"p.{token}" for token in LINE if f"p.{token}" not in used]:
        yield Problem(file, entry.line, entry.column, f"the matcher never looks at {missing}: that column of policy.csv would be ignored")


def _calls_g(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "g"


def _is_subject(node: ast.AST) -> bool:
    """Whether a node of a matcher is `r.sub`."""
    return isinstance(node, ast.Attribute) and node.attr == "sub" and isinstance(node.value, ast.Name) and node.value.id == "r"


def _wrong(node: ast.AST, used: set[str]) -> str:
    """What is wrong with one node of a matcher, or nothing; the names it uses go into `used`."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=args) if name in FUNCTIONS:
            return "" if len(args) == FUNCTIONS[name] else f"{name} takes {FUNCTIONS[name]} values, not {len(args)}"
        case ast.Call(func=ast.Name(id=name)):
            return f"unknown function {name!r}{nearest(name, FUNCTIONS) or ': one of ' + ', '.join(FUNCTIONS)}"
        case ast.Call():
            return f"a call of something other than {', '.join(FUNCTIONS)}"
        case ast.Attribute(value=ast.Name(id="r" | "p" as letter), attr=token):
            used.add(f"{letter}.{token}")
            tokens = REQUEST if letter == "r" else LINE
            return "" if token in tokens else f"unknown value {letter}.{token}{nearest(token, tokens)}"
        case ast.Name(id=name) if name not in FUNCTIONS and name not in ("r", "p"):
            return f"unknown name {name!r}: values are r.{', r.'.join(REQUEST)} and p.{', p.'.join(LINE)}"
        case _:
            return ""
