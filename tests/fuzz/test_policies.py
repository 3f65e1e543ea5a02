"""policy.csv, broken in every way: it is read or refused with file and line, and what is read stays as closed as its lines."""

from __future__ import annotations

import random
from itertools import product

import pytest

from rbac.decisions.decider import Decider
from rbac.decisions.trace import ensure_agreement
from rbac.errors import PolicyError
from rbac.policy.facts import GivenFacts
from rbac.policy.reader import PACKAGED, Policy, parse_policy
from rbac.policy.roles import Subject
from rbac.review.formatting import format_policy
from rbac.review.lint import lint
from rbac.vocabulary import Kind, Permission, Role
from tests.fuzz import campaign, mutations

TEXT = PACKAGED.read_text()
LINES = TEXT.split("\n")
RULES = [[field.strip() for field in line.split(",")] for line in LINES if line.startswith("p,")]
WORDS = [sorted({rule[column] for rule in RULES}) for column in range(7)]
PATHS = {Kind.ORGANIZATION: "o", Kind.WORKSPACE: "o/workspace/w", Kind.PROJECT: "o/project/p"}
FORMATTED = DECIDED = campaign.share("policies", 0.03)  # of the accepted ones: what costs a hundred times as much as reading


def make(rng: random.Random) -> bytes:
    """A policy of some lines of the packaged one, mutated in its words, in its bytes, or in both."""
    dice = rng.random()
    if dice < 0.02:
        text = TEXT
    else:
        rules = [list(rule) for rule in rng.sample(RULES, rng.randint(1, 9))]
        for _ in range(rng.choice((0, 1, 1, 2))):
            _edit(rng, rules)
        text = "\n".join(rng.choice((", ", ",", " , ")).join(rule) for rule in rules) + "\n"
        for _ in range(rng.choice((0, 0, 1, 3))):
            text = rng.choice(LINES[:14]).replace("p,", "#") + "\n" + text
    data = text.encode("utf-8", "surrogatepass")
    return data if 0.02 <= dice < 0.5 else mutations.bytes_of(rng, data)


def _edit(rng: random.Random, rules: list[list[str]]) -> None:
    """One change of a line that somebody might make."""
    rule = rng.choice(rules)
    at = rng.randrange(len(rule)) if rule else 0
    match rng.randrange(8):
        case 0 | 1 if rule:
            rule[at] = rng.choice(WORDS[at % 7])
        case 2 if rule:
            rule[at] = mutations.plain(rng, rule[at])
        case 3 if rule:
            rule[at] = rng.choice(mutations.NASTY_TEXTS)
        case 4 if len(rule) > 5:
            rule[5] = " & ".join((rule[5], rng.choice(WORDS[5])))
        case 5:
            rules.append(list(rule))
        case 6 if len(rule) > 6:
            rule[3:5] = rng.choice(RULES)[3:5]
        case _:
            rule[at : at + 1] = []


def judge(data: bytes, done: campaign.Run, rng: random.Random) -> bool:
    """Read it, and see what came of it."""
    try:
        policy = parse_policy(data, "mine.csv")
    except PolicyError as error:
        assert error.problems and all(each.file == "mine.csv" and each.line > 0 and each.column > 0 for each in error.problems)
        assert str(error).count("\n") == len(error.problems) - 1, "one line a problem"
        return False
    rules = [[field.strip() for field in line.split(",")] for line in data.decode().split("\n") if line.strip()[:1] not in ("", "#")]
    assert [["p", *line.tokens] for line in policy.lines] == [[*rule[:5], _tidy(rule[5]), rule[6]] for rule in rules], "what the file says"
    if rng.random() < DECIDED:
        done.more["decided"] += 1
        _stays_closed(policy, rules)
    if rng.random() < FORMATTED:
        done.more["formatted"] += 1
        _formats(policy, data.decode())
    return True


def _tidy(conditions: str) -> str:
    return " & ".join(part.strip() for part in conditions.split("&"))


def _stays_closed(policy: Policy, rules: list[list[str]]) -> None:
    """Where no fact is known, only a line without conditions allows, and no deny line that concerns the cell lets it."""
    decider = Decider(policy)
    for role, permission in product(Role, Permission):
        nothing = GivenFacts(role=role, kind=permission.kind)
        cell = [rule for rule in rules if rule[2] == permission.kind and rule[1] in ("*", role) and rule[3] in ("*", permission.object)]
        cell = [rule for rule in cell if rule[4] in ("*", permission.action)]
        plainly = any(rule[5:] == ["always", "allow"] for rule in cell) and not any(rule[5:] == ["always", "deny"] for rule in cell)
        asked = decider.allows(Subject("u", role), PATHS[permission.kind], permission, nothing)
        assert plainly or not asked, f"{role} {permission} with nothing known"
        assert not decider.allows(Subject("u", None), PATHS[permission.kind], permission, nothing), "nobody has no role"
        ensure_agreement(policy, asked, decider.trace_cell(role, permission, nothing))
        if any(rule[1:] == ["*", permission.kind, "*", "*", "unknown_target", "deny"] for rule in cell):
            strangers = GivenFacts(role=role, kind=permission.kind, target_named=True, target_known=False)
            assert not decider.allows(Subject("u", role), PATHS[permission.kind], permission, strangers), "an unknown target"


def _formats(policy: Policy, text: str) -> None:
    """Formatted it is the same policy, and formatted once more the same text."""
    formatted = format_policy(text, "mine.csv")
    again = parse_policy(formatted, "mine.csv")
    assert _meaning(again) == _meaning(policy), "formatting keeps every line"
    assert format_policy(formatted, "mine.csv") == formatted, "formatting settles at once"
    assert _comments(formatted) >= _comments(text) - _headings(text), "formatting keeps comments"
    lint(text, "mine.csv")


def _meaning(policy: Policy) -> list[tuple[object, ...]]:
    return sorted((str(line.role), line.kind, str(line.permission), sorted(line.conditions), line.effect) for line in policy.lines)


def _comments(text: str) -> set[str]:
    return {line.strip() for line in text.split("\n") if line.strip().startswith("#")}


def _headings(text: str) -> set[str]:
    return {line for line in _comments(text) if line.lstrip("# ")[:1].isdecimal() or "--" in line}


def test_any_policy_is_read_or_refused_with_file_and_line_and_never_opens_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    done = campaign.run("policies", make, judge)

    campaign.conclude(done, capsys, accepted=0.1, refused=0.3)
    assert done.more["decided"] and done.more["formatted"]
