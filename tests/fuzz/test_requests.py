"""Request lines, broken in every way: answered or refused with the line, and never a yes for what is unknown or ill-formed."""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import rbac
from rbac.cli.requests import read_requests
from rbac.errors import StoreError, UnknownName
from rbac.organization import Organization
from rbac.vocabulary import Permission
from tests.conftest import ACME
from tests.fuzz import campaign, mutations

NAMED = ("user", "permission", "domain")
TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys((*NAMED, "via"), (str,)),
    **dict.fromkeys(("target", "task"), (str, type(None))),
    "at_least": (int,),
}
MEMBERS = ("olga", "ada", "max", "mia", "rita", "andy", "dan", "nina")
DOMAINS = (
    "organization",
    *(f"workspace:{name}" for name in ("w1", "w2", "max-sandbox")),
    *(f"project:p{number}" for number in range(1, 6)),
)
POOLS: dict[str, list[Any]] = {
    "user": [*MEMBERS, "zoe"], "permission": [str(each) for each in Permission], "domain": [*DOMAINS, "project:p9", "workspace:w9"],
    "target": [*MEMBERS, "zoe", None], "task": ["t1", "t2", "t9", None], "via": ["ui", "api"], "at_least": [0, 1, 2],
    "key of ": ["user", "permission", "domain", "target", "task", "via", "at_least"],
}  # fmt: skip
BY_KIND = {kind: [str(each) for each in Permission if each.kind == kind] for kind in ("organization", "workspace", "project")}


def make(rng: random.Random) -> bytes:
    """One line: a question that could be asked, mutated as a tree, as text, or as bytes."""
    domain = rng.choice(DOMAINS)
    permission = rng.choice(BY_KIND[domain.partition(":")[0]] if rng.random() < 0.9 else POOLS["permission"])
    line: Any = {"user": rng.choice(MEMBERS), "permission": permission, "domain": domain}
    for name in ("target", "task", "via", "at_least"):
        if rng.random() < 0.15:
            line[name] = rng.choice(POOLS[name])
    dice = rng.random()
    for _ in range(0 if dice < 0.4 else rng.choice((1, 1, 2))):
        line = mutations.tree_of(rng, line, POOLS, nasty=0.5)
    text = json.dumps(line, ensure_ascii=dice < 0.7)
    if rng.random() < 0.1:
        text = f"{text[:-1]}, {json.dumps(rng.choice(POOLS['key of ']))}: {json.dumps(rng.choice(mutations.NASTY_VALUES))}}}"
    data = text.encode("utf-8", "surrogatepass") + b"\n"
    return mutations.bytes_of(rng, data, 2) if dice > 0.75 else data


def asked_well(line: bytes) -> bool:
    """Whether a line asks by the book, and only about what there is; read without the program."""
    try:
        pairs = json.loads(line.decode(), object_pairs_hook=list)
    except ValueError:
        return False
    found = dict(pairs) if isinstance(pairs, list) and all(isinstance(each, tuple) for each in pairs) else {}
    if len(found) != len(pairs) or not set(NAMED) <= found.keys() <= TYPES.keys():
        return False
    if not all(type(value) in TYPES[name] for name, value in found.items()):
        return False
    there = found["user"] in MEMBERS[:-2] and found["permission"] in POOLS["permission"] and found["domain"] in DOMAINS
    about = found.get("target") in (*MEMBERS, None) and found.get("task") in ("t1", "t2", None) and found.get("via", "ui") in ("ui", "api")
    return there and about and found.get("at_least", 0) <= 1


class Asking:
    """What `check --from -` does with what comes in; lives for a run."""

    def __init__(self, acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acme, self.monkeypatch = acme, monkeypatch

    def judge(self, data: bytes, done: campaign.Run, rng: random.Random) -> bool:
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
            try:
                for number, (place, line) in enumerate(read_requests("-")):
                    assert place == f"stdin:{number + 1}"
                    details = {"target": line.target, "task": line.task, "via": line.via, "at_least": line.at_least}
                    decision = self.acme.check(line.user, line.permission, line.domain, **details)  # type: ignore[arg-type]
                    assert decision.revision == 1 and decision.reason
                    done.more["yes" if decision else "no"] += 1
                    assert asked_well(data.split(b"\n")[number]) or not decision, "a yes for what is no question"
            except (UnknownName, StoreError) as error:
                assert "\n" not in str(error), "one sentence"
                return False
        return True


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    """Acme, in memory."""
    with rbac.connect("sqlite://") as store:
        store.import_state(ACME)
        yield Asking(store.organization("acme"), monkeypatch)


def test_any_request_line_is_answered_or_refused_and_what_is_unknown_is_never_a_yes(
    asking: Asking, capsys: pytest.CaptureFixture[str]
) -> None:
    done = campaign.run("request lines", make, asking.judge)

    campaign.conclude(done, capsys, accepted=0.2, refused=0.2)
    assert done.more["yes"] > done.inputs * 0.05 and done.more["no"] > done.inputs * 0.05
