"""Random edits of the shipped policy, and what they decide, computed without any of the tools that review them."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from rbac.errors import PolicyError
from rbac.policy.conditions import CONDITIONS, holds
from rbac.policy.facts import Facts
from rbac.policy.reader import PACKAGED, Line, Policy, parse_policy
from rbac.review.findings import Finding
from rbac.review.testing.expectations import NOON
from rbac.review.testing.fixtures import Trials
from rbac.vocabulary import Effect, Kind, Permission, Role
from tests.review.test_trials import a_state, requests

DELETING = {"line-never-holds", "line-always-denied", "shadowed-line", "needless-deny", "deny-without-allow"}
DROPPING = {"implied-condition", "redundant-condition", "needless-condition"}
"""The rules that call a line or a condition redundant."""

_NAMED = re.compile(r"^(\w+) is true|^without (\w+) the cell|leave (\w+) out$")


def followed(text: str, findings: Iterable[Finding]) -> str:
    """The policy with every line deleted, and every condition left out, that a finding calls redundant."""
    lines = text.split("\n")
    deleted: set[int] = set()
    for finding in findings:
        if finding.rule in DELETING:
            deleted.add(finding.line)
        elif finding.rule in DROPPING and (found := _NAMED.search(finding.message)):
            *start, conditions, effect = lines[finding.line - 1].split(",")
            kept = [each.strip() for each in conditions.split("&") if each.strip() not in found.groups()]
            lines[finding.line - 1] = ",".join([*start, " " + (" & ".join(kept) or "always"), effect])
    return "\n".join(text for number, text in enumerate(lines, 1) if number not in deleted)


# -- edits -------------------------------------------------------------------------------------------------------------------


def an_edit(source: random.Random) -> str:
    """The text of the shipped policy after one to five changes of all kinds; it loads."""
    while True:
        lines = [text for text in PACKAGED.read_text().split("\n") if text.startswith("p,")]
        for _ in range(source.randint(1, 5)):
            source.choice((_drop, _add, _deny, _deny, _condition, _condition, _less, _swap_roles, _swap_conditions, _again))(lines, source)
        try:
            parse_policy("\n".join(lines))
        except PolicyError:
            continue  # a condition that is repeated, two equal lines
        return "\n".join(lines) + "\n"


def _columns(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _some(source: random.Random, kind: str, effect: str, most: int) -> str:
    fitting = [name for name, each in CONDITIONS.items() if kind in each.asked_in and (effect == "deny" or each.effect is Effect.ALLOW)]
    return " & ".join(source.sample(fitting, source.randint(0, most))) or "always"


def _a_line(source: random.Random, effect: str, *, any_cell: bool) -> str:
    permission = source.choice(list(Permission))
    role: str = "*" if any_cell and source.random() < 0.4 else source.choice(list(Role))
    object_, action = ("*", "*") if any_cell and source.random() < 0.3 else (permission.object, permission.action)
    conditions = _some(source, permission.kind, effect, 3)
    return f"p, {role}, {permission.kind}, {object_}, {action}, {conditions}, {effect}"


def _drop(lines: list[str], source: random.Random) -> None:
    del lines[source.randrange(len(lines))]


def _add(lines: list[str], source: random.Random) -> None:
    lines.append(_a_line(source, "allow", any_cell=False))


def _deny(lines: list[str], source: random.Random) -> None:
    lines.insert(source.randrange(len(lines)), _a_line(source, "deny", any_cell=True))


def _condition(lines: list[str], source: random.Random) -> None:
    """One condition more."""
    place = source.randrange(len(lines))
    columns = _columns(lines[place])
    more = _some(source, columns[2], columns[6], 1)
    columns[5] = more if columns[5] == "always" else columns[5] if more == "always" else f"{columns[5]} & {more}"
    lines[place] = ", ".join(columns)


def _less(lines: list[str], source: random.Random) -> None:
    """One condition less."""
    place = source.randrange(len(lines))
    columns = _columns(lines[place])
    parts = columns[5].split(" & ")
    parts.pop(source.randrange(len(parts)))
    columns[5] = " & ".join(parts) or "always"
    lines[place] = ", ".join(columns)


def _swap(lines: list[str], source: random.Random, column: int) -> None:
    for _ in range(50):
        one, other = source.sample(range(len(lines)), 2)
        first, second = _columns(lines[one]), _columns(lines[other])
        if (first[2], first[6]) == (second[2], second[6]) and first[column] != second[column]:
            first[column], second[column] = second[column], first[column]
            lines[one], lines[other] = ", ".join(first), ", ".join(second)
            return


def _swap_roles(lines: list[str], source: random.Random) -> None:
    _swap(lines, source, 1)


def _swap_conditions(lines: list[str], source: random.Random) -> None:
    _swap(lines, source, 5)


def _again(lines: list[str], source: random.Random) -> None:
    """A line once more with other conditions: two lines for one cell."""
    columns = _columns(source.choice(lines))
    columns[5] = _some(source, columns[2], columns[6], 3)
    lines.append(", ".join(columns))


# -- what a policy decides -----------------------------------------------------------------------------------------------------

Pool = dict[tuple[Role, Kind], list[Facts]]


def facts_of_random_stores(source: random.Random, states: int) -> Pool:
    """The facts of questions to random stores, by role in force and kind of domain."""
    pool: Pool = defaultdict(list)
    trials = Trials(parse_policy(PACKAGED.read_text()))
    for _ in range(states):
        state = a_state(source)
        trial = trials.open(state, Path("x"), None, NOON)
        for request in requests(state, source):
            facts = trial.facts(request)
            if facts is not None:
                pool[facts.role, facts.kind].append(facts)
    trials.close()
    return pool


def applies(line: Line, facts: Facts) -> bool:
    """Whether a line holds: the matcher function of the product."""
    return holds(line.tokens[4], line.effect, facts)


def allows(policy: Policy, role: Role, permission: Permission, facts: Facts) -> bool:
    """One allow line and no deny line."""
    mine = [line for line in policy.lines if line.concerns(role, permission)]
    given = any(line.effect is Effect.ALLOW and applies(line, facts) for line in mine)
    return given and not any(line.effect is Effect.DENY and applies(line, facts) for line in mine)


def says(formula: str, facts: Facts) -> bool:
    """Whether a printed formula holds, read by its words alone."""
    text = formula.removeprefix("when ")
    if text in ("always", "never"):
        return text == "always"
    return any(all(_literal(each.split(), facts) for each in part.split("&")) for part in text.split(" or "))


def _literal(words: list[str], facts: Facts) -> bool:
    name = words[-1]
    effect = Effect.DENY if "possibly" in words else CONDITIONS[name].effect
    return holds(name, effect, facts) != ("not" in words)
