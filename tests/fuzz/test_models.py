"""model.conf, broken in every way: refused with file and line, or it decides every cell as the policy says."""

from __future__ import annotations

import random
import re

import pytest

from rbac.decisions.decider import Decider
from rbac.errors import PolicyError
from rbac.policy.facts import GivenFacts
from rbac.policy.model import PACKAGED, parse_model
from rbac.policy.reader import read_policy
from rbac.policy.roles import Subject
from rbac.vocabulary import Permission
from tests.fuzz import campaign, mutations

TEXT = PACKAGED.read_text()
TERMS = re.compile(r"\w+(?:\.\w+)*|&&|\|\||[!=]=|\"[^\"]*\"|\S")
EXTRA = ("&&", "||", "!", "not", "==", "!=", "in", "(", ")", "g", "kind", "holds", "r.sub", "p.sub", "r.dom", "p.dom", "p.act",
    "r.facts", "p.cond",
         "p.eft", "r.sub.role", "r.facts.role", "True", "1", '""', '"*"', "[]", "{}", "lambda:", "if", "else", "eval", "regexMatch",
         "keyMatch",
         "p.x", "r.x", "x", ",", ".", "**", "9" * 50, "9" * 5000, "1 <", "~", "-", "+", "@", ":=", "f\"{r}\"", "await", "*r", "'\\d'",
         "is", "\\")  # fmt: skip
TRIED = campaign.share("models", 0.002, least=20)
POLICY = read_policy()


def make(rng: random.Random) -> bytes:
    """The packaged model with its matcher rewritten, its entries moved, or its bytes mutated."""
    head, _, matcher = TEXT.partition("m = ")
    dice = rng.random()
    if dice < 0.6:
        matcher = _rewritten(rng, matcher)
    if dice > 0.5:
        entries = head.split("\n\n")
        for _ in range(rng.choice((0, 0, 1, 2))):
            at = rng.randrange(len(entries))
            entries[at] = rng.choice((entries[at], "", entries[at].replace("=", rng.choice(("", "==", " = "))), rng.choice(entries)))
        if rng.random() < 0.3:
            rng.shuffle(entries)
        head = "\n\n".join(entries) if rng.random() < 0.9 else f"{entries[-1]}\n" + "\n\n".join(entries[:-1])
    data = f"{head}m = {matcher}".encode()
    return mutations.bytes_of(rng, data, 2) if rng.random() < 0.35 else data


def _rewritten(rng: random.Random, matcher: str) -> str:
    """The matcher said otherwise, or with some of its terms changed, or very long."""
    parts = matcher.strip().split(" && ")
    if rng.random() < 0.7:
        rng.shuffle(parts)
        parts = [rng.choice((part, part, f"({part})", f"!(!({part}))", part.replace(" ", ""), f"{part} && {part}")) for part in parts]
        return " && ".join(parts) + "\n"
    if rng.random() < 0.1:
        deep = rng.choice((10, 90, 250, 3000, 3000 if rng.random() < 0.8 else 20_000))
        grown = rng.choice(
            ("!" * 2 * deep + parts[0], "(" * deep + parts[0] + ")" * deep, " && ".join(parts[:1] * deep), "r.sub" + ".a" * deep)
        )
        return " && ".join([grown, *parts[1:]]) + "\n"
    terms = TERMS.findall(matcher)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(terms))
        terms[at : at + rng.choice((0, 1, 1, 2))] = rng.choice(([], [rng.choice(EXTRA)], [rng.choice(terms)]))
        terms = terms or ["r"]
    return " ".join(terms) + "\n"


def judge(data: bytes, done: campaign.Run, rng: random.Random) -> bool:
    """Read it; one that is read is refused by the Decider, or decides as the lines say."""
    try:
        model = parse_model(data, "mine.conf")
        if rng.random() < TRIED:
            done.more["tried on every cell"] += 1
            decider = Decider(POLICY, model)
            done.more["of those in use"] += 1
            nothing = GivenFacts(role=None, kind=Permission.DATA_EXPORT.kind)
            assert not decider.allows(Subject("nobody", None), "o/project/p", Permission.DATA_EXPORT, nothing)
    except PolicyError as error:
        assert error.problems and all(each.file == "mine.conf" and each.line > 0 and each.column > 0 for each in error.problems)
        assert "\n" not in error.problems[0].message, "one line a problem"
        return False
    return True


def test_any_model_is_read_or_refused_with_file_and_line_and_decides_as_the_policy_says(capsys: pytest.CaptureFixture[str]) -> None:
    done = campaign.run("models", make, judge)

    campaign.conclude(done, capsys, accepted=0.1, refused=0.3)
    assert 0 < done.more["of those in use"] < done.more["tried on every cell"]
