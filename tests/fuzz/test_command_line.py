"""Any command line over any files: a documented exit code, no traceback, JSON where it was asked for, a store that verifies."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

import rbac
from rbac.cli import main
from rbac.vocabulary import State
from tests.fuzz import argv, campaign, mutations, test_models, test_policies, test_requests, test_review_files, test_states

ROOT = Path(__file__).parents[2]
DOCUMENTED = {0, 1, 2, 3, 4, 5, 6, 74, 130, 141}
"""The exit codes of docs/cli.md but one: 70 says that the program has a bug."""

PROCESSES = campaign.share("command lines", 0.008, least=2)
BATCH = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command line ended."""

    code: int
    stdout: str
    stderr: str


def furnish(here: Path) -> None:
    """The folder that command lines are about: a store, and files of every kind."""
    with rbac.connect(f"sqlite:///{here / 'rbac.db'}") as store:
        store.import_state(ROOT / "examples" / "acme.yaml")
        heads = f"{store.organization('acme').head()}\n"
    for path in ("policy.csv", "model.conf", "claims.yaml", "examples/acme.yaml"):
        shutil.copy(ROOT / path, here)
    (here / "folder").mkdir()
    (here / "empty.db").touch()
    (here / "heads.txt").write_text(heads)
    tests = (ROOT / "tests/policy/acme.rbac.yaml").read_text().replace("../../examples/", "")
    (here / "test.rbac.yaml").write_text(tests)
    (here / "folder" / "a.rbac.yaml").write_text(tests.replace("state: ", "state: ../"))
    (here / "requests.jsonl").write_text('{"user": "max", "permission": "data:export", "domain": "project:p1"}\n' * 2)
    (here / "caf\udce9.csv").write_text((ROOT / "policy.csv").read_text())


def spoil(here: Path, rng: random.Random) -> None:
    """Every broken file of the folder, broken in another way."""
    made: dict[str, Callable[[], bytes]] = {
        "broken.csv": lambda: test_policies.make(rng),
        "broken.conf": lambda: test_models.make(rng),
        "broken.jsonl": lambda: test_requests.make(rng) + test_requests.make(rng),
        "broken.yaml": lambda: test_states.make(rng)[0],
        "broken.json": lambda: test_states.make(rng)[0],
        "broken-claims.yaml": lambda: test_review_files.make(rng)[1],
        "broken.rbac.yaml": lambda: test_review_files.make(rng)[1],
        "broken.heads": lambda: mutations.bytes_of(rng, (here / "heads.txt").read_bytes(), 1),
    }
    for name, make in made.items():
        (here / name).write_bytes(make())


class Shell:
    """Runs command lines in a folder that is replaced from time to time; lives for a run."""

    def __init__(self, template: Path, here: Path) -> None:
        self.template, self.here = template, here
        self.left, self.number = 0, 0
        self.standing: object = None

    def judge(self, line: argv.Line, done: campaign.Run, rng: random.Random) -> bool:
        if not self.left:
            self.renew(done)
        self.left -= 1
        if self.left % 10 == 0:
            spoil(Path(), rng)
        words, environment = line
        apart = rng.random() < PROCESSES
        done.more["in a process"] += apart
        stdin = test_requests.make(rng)
        answer = _process(words, environment, stdin) if apart else _run(words, environment, stdin)
        done.more[f"exit {answer.code}"] += 1
        self.check(answer, words, environment)
        return answer.code <= 1

    def check(self, answer: Answer, words: list[str], environment: dict[str, str]) -> None:
        told = f"{answer.code} {answer.stderr[-600:]}"
        assert answer.code in DOCUMENTED, told
        assert "Traceback" not in answer.stdout + answer.stderr, told
        if "_RBAC_COMPLETE" in environment:
            return
        assert answer.code <= 1 or answer.stderr, f"nothing said of {answer.code}"
        before, self.standing = self.standing, _standing()
        if answer.code > 1:
            assert before == self.standing, f"exit {answer.code}, and the store has changed"
            return
        if words[:1] == ["--json"] and not {"--help", "--version", "demo"} & set(words):
            _parses(answer.stdout)

    def renew(self, done: campaign.Run) -> None:
        """Verify the store, and begin with a new folder."""
        if self.number:
            self.verify()
            done.more["stores verified"] += 1
        os.chdir(self.template)
        shutil.rmtree(self.here / str(self.number - 1), ignore_errors=True)
        shutil.copytree(self.template, self.here / str(self.number))
        os.chdir(self.here / str(self.number))
        self.number, self.left, self.standing = self.number + 1, BATCH, _standing()

    def verify(self) -> None:
        """Every chain replays to the tables, and every organization has one Owner, who is an active member."""
        with rbac.connect("sqlite:///rbac.db") as store:
            assert list(store.problems()) == []
            for name in store.organizations():
                organization = store.organization(name)
                owner = organization.member(organization.owner)
                assert owner is not None and owner.state is State.ACTIVE and organization.role_of(owner.user) == "owner"


def _standing() -> object:
    connection = sqlite3.connect("rbac.db")
    try:
        return connection.execute("SELECT id, owner, revision, head FROM rbac_organization ORDER BY id").fetchall()
    finally:
        connection.close()


def _run(words: list[str], environment: dict[str, str], stdin: bytes) -> Answer:
    result = CliRunner().invoke(main, words, env=dict(environment), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return Answer(result.exit_code, result.stdout, result.stderr)


def _process(words: list[str], environment: dict[str, str], stdin: bytes) -> Answer:
    variables = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "rbac.cli", *words], env=variables, input=stdin, capture_output=True, timeout=120, check=False
    )
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def _parses(text: str) -> None:
    """It is JSON values, one after the other, and nothing else."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        _, at = decoder.raw_decode(text, at)
        at += len(text[at:]) - len(text[at:].lstrip())


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder to run in, and an environment that names nothing."""
    for name in [name for name in os.environ if name.startswith(("RBAC_", "_RBAC_")) and "FUZZ" not in name]:
        monkeypatch.delenv(name)
    for name in ("template", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    furnish(tmp_path / "template")
    return Shell(tmp_path / "template", tmp_path / "here")


def test_any_command_line_ends_in_a_documented_way_and_leaves_the_store_whole(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = campaign.run("command lines", argv.make, shell.judge)
    shell.verify()

    campaign.conclude(done, capsys, accepted=0.1, refused=0.3)
    assert {f"exit {code}" for code in (range(5) if done.inputs >= 1000 else (0, 2, 3))} <= done.more.keys()
    assert done.more["in a process"] and done.more["stores verified"]


def test_every_command_is_asked_and_gets_its_global_options() -> None:
    lines = [argv.make(random.Random(f"asked {number}"))[0] for number in range(4000)]

    assert {tuple(words) for words, _ in argv.COMMANDS} <= {
        tuple(line[start:][: len(words)]) for line in lines for start in (0, 1) for words, _ in argv.COMMANDS
    }
