"""Claims, policy tests and heads, broken in every way: understood whole, or refused with file and line."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rbac.database.audit.heads import read_heads
from rbac.documents import parse_located
from rbac.errors import PolicyError, RBACError, StateError
from rbac.policy.reader import read_policy
from rbac.review.claims import ClaimsFile, check_claims
from rbac.review.testing.expectations import read_expectations
from rbac.review.testing.file import TestFile
from rbac.review.testing.fixtures import Trials
from rbac.review.testing.run import run_tests
from tests.fuzz import campaign, mutations

ROOT = Path(__file__).parents[2]
POLICY = read_policy()


def _plain(path: str) -> Any:
    return json.loads(json.dumps(yaml.load((ROOT / path).read_text(), yaml.SafeLoader), default=str))


CLAIMS = _plain("claims.yaml")["claims"]
TESTS = [_plain("tests/policy/acme.rbac.yaml"), _plain("tests/policy/switches.rbac.yaml"), _plain("tests/policy/table.rbac.yaml")]
TEXTS = [(ROOT / path).read_bytes() for path in ("claims.yaml", "tests/policy/switches.rbac.yaml", "tests/policy/acme.rbac.yaml")]
POOLS: dict[str, list[Any]] = {}
for _tree in ({"claims": CLAIMS}, *TESTS):
    mutations.gather(POOLS, _tree)
POOLS["claim"] += [claim for claim in CLAIMS if isinstance(claim, str)]
WORDS = sorted({word for claim in POOLS["claim"] for word in claim.replace(",", " ,").split()})
HEADS = [f"acme {number} {number:064x}" for number in (1, 2, 17)]
RUN = campaign.share("review files", 0.06, least=20)


def make(rng: random.Random) -> tuple[str, bytes]:
    """What kind of file, and its bytes."""
    dice = rng.random()
    if dice < 0.45:
        return "claims", _mutated(rng, {"claims": [_claim(rng) for _ in range(rng.randint(1, 3))]})
    if dice < 0.85:
        tree = mutations.copied(rng.choice(TESTS))
        for name in ("checks", "cells", "who_can", "can"):
            if name in tree:
                tree[name] = rng.sample(tree[name], min(len(tree[name]), rng.randint(0, 3)))
        return "tests", _mutated(rng, tree)
    if dice < 0.93:
        return rng.choice(("claims", "tests")), mutations.bytes_of(rng, rng.choice(TEXTS))
    lines = [rng.choice((head, json.dumps(dict(zip(("organization", "revision", "hash"), head.split(), strict=True))))) for head in HEADS]
    return "heads", mutations.bytes_of(rng, "\n".join(lines).encode(), 1) if dice > 0.95 else "\n".join(lines).encode()


def _claim(rng: random.Random) -> Any:
    claim = rng.choice(CLAIMS)
    if isinstance(claim, dict):
        return mutations.copied(claim)
    words = claim.replace(",", " ,").split()
    for _ in range(rng.choice((0, 0, 1, 2))):
        words[rng.randrange(len(words)) :][:1] = []
        words[rng.randrange(len(words))] = rng.choice((*WORDS, "not", rng.choice(mutations.NASTY_TEXTS)))
    return " ".join(words).replace(" ,", ",")


def _mutated(rng: random.Random, tree: Any) -> bytes:
    if rng.random() < 0.02:
        return mutations.bomb(rng, ("claims", "checks", "state", "cells", "clock", "x"))
    for _ in range(rng.choice((0, 0, 1, 2))):
        tree = mutations.tree_of(rng, tree, POOLS, nasty=0.4)
    data = mutations.written(rng, tree, as_json=False)
    return mutations.bytes_of(rng, data, 2) if rng.random() < 0.2 else data


class Reviewing:
    """Reads such files; lives for a run."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "fuzz.rbac.yaml"
        (folder / "examples").mkdir()
        self.read: dict[str, Callable[[str, bool], object]] = {"claims": self.claims, "tests": self.tests, "heads": self.heads}

    def judge(self, given: tuple[str, bytes], done: campaign.Run, rng: random.Random) -> bool:
        kind, data = given
        further = rng.random() < RUN
        done.more[f"of {kind} to the end"] += further
        try:
            text = data.decode()
        except UnicodeDecodeError:
            further, text = True, ""
        self.file.write_bytes(data)
        try:
            self.read[kind](text, further)
        except PolicyError as error:
            assert all(each.file == str(self.file) and each.line > 0 and each.column > 0 for each in error.problems)
            assert str(error).count("\n") == len(error.problems) - 1, "one line a problem"
            return False
        except StateError as error:
            assert str(error) and "\n" not in str(error), "one sentence"
            return False
        return True

    def claims(self, text: str, further: bool) -> None:
        if further:
            check_claims(POLICY, self.file)
        else:
            parse_located(text, str(self.file), ClaimsFile)

    def tests(self, text: str, further: bool) -> None:
        if not further:
            parse_located(text, str(self.file), TestFile)
            return
        trials = Trials(POLICY)
        try:
            assert run_tests(POLICY, read_expectations(self.file, trials.open)).outcomes
        except RBACError as error:
            assert isinstance(error, PolicyError | StateError), "the file is what is wrong"
            raise
        finally:
            trials.close()

    def heads(self, text: str, further: bool) -> None:
        for head in read_heads(text, str(self.file)):
            assert head.revision > 0 and len(head.hash) == 64


def test_any_review_file_is_understood_or_refused_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = campaign.run("review files", make, Reviewing(tmp_path).judge)

    campaign.conclude(done, capsys, accepted=0.1, refused=0.3)
    assert done.more["of claims to the end"] and done.more["of tests to the end"]
