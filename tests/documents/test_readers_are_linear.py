"""Everything that reads what people or programs write: four times as much takes four times as many steps, accepted or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rbac.cli.requests import read_requests
from rbac.database.audit.heads import read_heads
from rbac.errors import PolicyError, RBACError, StateError, UnknownName
from rbac.policy.model import PACKAGED as MODEL
from rbac.policy.model import parse_model
from rbac.policy.reader import PACKAGED, parse_policy, read_policy
from rbac.review.claims import Claim, refute
from rbac.review.formatting import format_policy
from rbac.review.testing.expectations import read_expectations
from rbac.review.testing.fixtures import Trials
from rbac.statefile.check import check_state
from rbac.statefile.shape import read_state
from tests.work import growth

POLICY, MATCHER = PACKAGED.read_text(), MODEL.read_text().rstrip("\n")
SHIPPED = read_policy()
LINE = '{"user": "max", "permission": "data:export", "domain": "project:p1"}\n'

Made = tuple[Callable[[int], Any], type[Exception] | None]


def _organization(members: int, **more: Any) -> dict[str, Any]:
    named = {f"u{number}": "annotator" for number in range(members)}
    return {"organizations": [{"id": "a", "owner": "o", "members": named, **more}]}


def _without(users: int, wrong: Any) -> dict[str, Any]:
    made = _organization(users)
    made["organizations"][0]["members"]["x"] = wrong
    return made


STATES: dict[str, Made] = {
    "members": (_organization, None),
    "a member of the wrong type": (lambda n: _without(n, 5), StateError),
    "a role with a mistake": (lambda n: _without(n, "annotatr"), StateError),
    "somebody whose name is near": (lambda n: _organization(n, workspaces=[{"id": "w", "members": ["u00"]}]), StateError),
    "somebody with a long name": (lambda n: _organization(2, workspaces=[{"id": "w", "members": ["u" * 100 * n]}]), StateError),
    "a member twice": (lambda n: _organization(n, workspaces=[{"id": "w", "members": [*map("u{}".format, range(n)), "u1"]}]), StateError),
    "projects": (
        lambda n: _organization(2, workspaces=[{"id": f"w{number}", "projects": [{"id": f"p{number}"}]} for number in range(n)]),
        None,
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_is_checked_in_linear_work(name: str) -> None:
    make, refused = STATES[name]

    assert growth(make, lambda state: check_state(read_state(state)), refused=refused) < 4.5


POLICIES: dict[str, Made] = {
    "lines with a mistake": (lambda n: "p, owner, project, data, export, alwys, allow\n" * n, PolicyError),
    "a line many times": (lambda n: "p, owner, project, data, export, always, allow\n" * 4 * n, PolicyError),
    "comments": (lambda n: POLICY + "# x\n" * 10 * n, None),
    "a condition many times": (lambda n: f"p, owner, project, data, export, {' & '.join(['paused'] * n)}, allow\n", PolicyError),
    "conditions with a mistake": (lambda n: f"p, owner, project, data, export, {' & '.join(['pausd'] * n)}, allow\n", PolicyError),
    "columns": (lambda n: "p" + ", x" * n + "\n", PolicyError),
    "a long name": (lambda n: f"p, owner, project, data, export, {'x' * 20 * n}, allow\n", PolicyError),
    "invisible characters": (lambda n: "\u200b" * n, PolicyError),
    "a byte that is not UTF-8 at the end": (lambda n: b"p\n" * n + b"\xff", PolicyError),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_read_in_linear_work(name: str) -> None:
    make, refused = POLICIES[name]

    assert growth(make, parse_policy, refused=refused) < 4.5


def test_a_policy_is_laid_out_in_linear_work() -> None:
    assert growth(lambda n: POLICY + "# --- x ---\n# 1. x\n# x\n" * n, format_policy) < 4.5


MODELS: dict[str, Made] = {
    "a long matcher": (lambda n: MATCHER + " && r.obj == p.obj" * n + "\n", None),
    "unknown functions": (lambda n: MATCHER + "".join(f" && f{number}()" for number in range(n)) + "\n", PolicyError),
    "calls of what is called": (lambda n: MATCHER + " && f" + "()" * n + "\n", PolicyError),
    "unknown names": (lambda n: MATCHER + "".join(f" && f{number}" for number in range(n)) + "\n", PolicyError),
    "sections": (lambda n: MATCHER + "\n[x]\n" * n, PolicyError),
    "lines that belong nowhere": (lambda n: MATCHER + "\nx = y" * n + "\n", PolicyError),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_read_in_linear_work(name: str) -> None:
    make, refused = MODELS[name]

    assert growth(make, parse_model, size=200, refused=refused) < 4.5


CLAIMS: dict[str, Made] = {
    "roles": (lambda n: f"never {', '.join(['annotator'] * n)} data:export", None),
    "covers": (lambda n: " covers ".join(["owner"] * n), UnknownName),
    "conditions": (lambda n: f"nobody may anything in a project when {' & '.join(['not_personal'] * n)}", None),
    "words": (lambda n: "x " * n, UnknownName),
    "one long word": (lambda n: "x" * 20 * n, UnknownName),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_understood_in_linear_work(name: str) -> None:
    make, refused = CLAIMS[name]

    assert growth(make, lambda claim: refute(SHIPPED, Claim(claim)), size=100, refused=refused) < 4.5


def _state(users: int) -> str:
    members = "".join(f"      u{number}: annotator\n" for number in range(users))
    return f"state:\n  organizations:\n  - id: a\n    owner: o\n    members:\n{members}"


TESTS: dict[str, Callable[[int], str]] = {
    "checks": lambda n: _state(2) + "checks:\n" + "- {user: u1, in: organization, may: workspace:create}\n" * n,
    "cells": lambda n: "cells:\n" + "- {role: owner, permission: data:export, answer: always}\n" * n,
    "who can": lambda n: _state(n) + f"who_can: [{{permission: workspace:create, in: organization, users: [{', '.join(['u1'] * n)}]}}]\n",
}


@pytest.mark.parametrize("name", TESTS)
def test_a_policy_test_is_read_in_linear_work(tmp_path: Path, name: str) -> None:
    def read(text: str) -> None:
        (tmp_path / "x.rbac.yaml").write_text(text)
        trials = Trials(SHIPPED)
        try:
            read_expectations(tmp_path / "x.rbac.yaml", trials.open)
        finally:
            trials.close()

    assert growth(TESTS[name], read, size=50) < 4.5


def test_request_lines_and_heads_are_read_in_linear_work(tmp_path: Path) -> None:
    def requests(text: str) -> None:
        (tmp_path / "requests.jsonl").write_text(text)
        for _ in read_requests(str(tmp_path / "requests.jsonl")):
            pass

    assert growth(lambda n: LINE * n, requests) < 4.5
    assert growth(lambda n: LINE[:-2] + ', "x": 1' * n + "}\n", requests, refused=UnknownName) < 4.5
    assert growth(lambda n: f"a 1 {'0' * 64}\n" * n, lambda text: list(read_heads(text))) < 4.5
    assert growth(lambda n: f"a 1 {'0' * 10 * n}\n", lambda text: list(read_heads(text)), refused=RBACError) < 4.5
