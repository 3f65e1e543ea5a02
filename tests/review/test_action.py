"""action.yml: every `run` step is executed, in order, in the environment that a runner gives it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.review.conftest import ROOT, Repository

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"] if "run" in step}
DEFAULTS = {name: str(each["default"]) for name, each in ACTION["inputs"].items()}
READ_THE_LOG = "p, manager, organization, activity_log, view, always, allow\n"


class Runner:
    """What runs the steps: a checkout, a folder for temporary files, a `gh` that keeps what it is given; lives for one test."""

    def __init__(self, repository: Repository, folder: Path, installed: Path | None = None) -> None:
        self.repository, self.temp, self.folder = repository, folder / "runner", folder
        self.temp.mkdir()
        self.summary = folder / "summary.md"
        self._program("gh", GH)
        self._program("python", PYTHON.format(python=sys.executable, packages=sysconfig.get_path("purelib"), root=ROOT))
        self.wheel = _wheel(folder)
        self._left_out = set() if installed is None else {"Install"}
        if installed is not None:
            (self.temp / "rbac-venv").symlink_to(installed)

    def _program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, event: str = "pull_request", **values: str) -> dict[str, subprocess.CompletedProcess[str]]:
        """Every step that the inputs ask for, whatever became of those before it; in order, by name."""
        given_inputs = {name[3:]: value for name, value in values.items() if name.startswith("in_")}
        inputs = DEFAULTS | {"tests": "tests/policy", "claims": "claims.yaml"} | given_inputs
        known = {f"inputs.{name}": value for name, value in inputs.items()} | {
            "github.action_path": str(self.wheel),
            "github.event_name": event,
            "github.token": "token",
            "github.repository": "acme/policy",
            "github.event.pull_request.number": "7",
            "github.event.pull_request.base.sha": values.get("target", ""),
            "github.event.before": values.get("before", ""),
        }
        ends = {}
        for name, step in STEPS.items():
            condition = step.get("if", "")
            skipped = ("inputs.tests" in condition and not inputs["tests"]) or ("pull_request" in condition and event != "pull_request")
            if skipped or name in self._left_out:
                continue
            ends[name] = self.step(name, known)
        return ends

    def step(self, name: str, known: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """One step, with what a runner knows in the place of its expressions."""
        step = STEPS[name]
        given = {key: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: known[found[1]], text) for key, text in step["env"].items()}
        environment = {"RUNNER_TEMP": str(self.temp), "GITHUB_STEP_SUMMARY": str(self.summary), "PIP_NO_INDEX": "1", **given}
        return self.repository.run(f"set -eo pipefail\n{step['run']}", **environment)

    @property
    def comments(self) -> dict[str, str]:
        """The comments of the pull request, by id."""
        file = self.folder / "comments.json"
        return json.loads(file.read_text()) if file.exists() else {}


GH = """#!/usr/bin/env python3
import json, os, pathlib, sys
kept = pathlib.Path(__file__).parents[1] / "comments.json"
comments = json.loads(kept.read_text()) if kept.exists() else {"1": "a comment of somebody else"}
words = sys.argv[1:]
assert words[0] == "api" and os.environ["GH_TOKEN"] == "token", words
body = next((pathlib.Path(word[len("body=@"):]).read_text() for word in words if word.startswith("body=@")), None)
if "--jq" in words:
    assert words[words.index("--jq") + 1] == ".[] | select(.body | startswith(env.MARKER)) | .id"
    print("\\n".join(number for number, text in comments.items() if text.startswith(os.environ["MARKER"])))
elif words[words.index("--method") + 1] == "PATCH":
    comments[words[1].rpartition("/")[2]] = body
else:
    assert words[1] == "repos/acme/policy/issues/7/comments"
    comments[str(len(comments) + 1)] = body
kept.write_text(json.dumps(comments))
"""

PYTHON = """#!/bin/sh
"{python}" "$@" || exit
# the libraries that are installed here, which a runner would get from its index
for last; do :; done
case "$*" in *venv*) printf '%s\\n%s\\n' "{root}" "{packages}" > "$(echo "$last"/lib/python3*/site-packages)/here.pth";; esac
"""


def _wheel(folder: Path) -> Path:
    """What `pip install` installs: the program `rbac`, whose modules are those of this folder."""
    path = folder / "studio_rbac_here-1-py3-none-any.whl"
    about = "studio_rbac_here-1.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: studio-rbac-here\nVersion: 1\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/entry_points.txt", "[console_scripts]\nrbac = rbac.cli:main\n")
        wheel.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the step Install leaves."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "repository").mkdir()
    runner = Runner(Repository(folder / "repository"), folder)
    done = runner.step("Install", {"inputs.package": "", "github.action_path": str(runner.wheel)})
    assert done.returncode == 0, done.stderr
    return runner.temp / "rbac-venv"


@pytest.fixture
def runner(repository: Repository, tmp_path: Path, installed: Path) -> Runner:
    """A runner that has installed the program, on a branch that lets managers read the log."""
    repository.run("git switch -qc edit")
    _edit(repository, READ_THE_LOG)
    return Runner(repository, tmp_path, installed)


def _edit(repository: Repository, lines: str, message: str = "Let managers read the log") -> None:
    policy = repository.folder / "policy.csv"
    policy.write_text(policy.read_text() + lines)
    assert repository.run(f"(rbac policy fmt || true) && git commit -qam '{message}'").returncode == 0


def codes(ends: dict[str, subprocess.CompletedProcess[str]]) -> dict[str, int]:
    return {name: end.returncode for name, end in ends.items()}


def test_a_pull_request_that_widens_is_commented_and_fails_until_it_is_acknowledged(runner: Runner) -> None:
    target = runner.repository.run("git rev-parse main").stdout.strip()
    ends = runner.run(target=target)

    assert codes(ends) == {"Base": 0, "Report": 0, "Comment": 0, "Lint": 0, "Test": 1, "Claims": 1, "Compare": 1}
    assert "| manager: `activity_log:view` (4. View system-wide activity log) | never → always |" in runner.comments["2"]
    assert runner.comments["2"] == runner.summary.read_text()
    assert ends["Compare"].stdout.startswith("::warning file=policy.csv,line=34,col=1,title=wider::manager, activity_log:view")
    assert ends["Test"].stdout.startswith("::error file=tests/policy/table.rbac.yaml,line=")
    assert ends["Claims"].stdout.startswith("::error file=claims.yaml,line=")


def test_the_comment_is_its_own_and_is_updated(runner: Runner) -> None:
    target = runner.repository.run("git rev-parse main").stdout.strip()
    runner.run(target=target)
    _edit(runner.repository, READ_THE_LOG.replace("manager", "reviewer"), "Let reviewers read it too")
    runner.run(target=target)

    assert runner.comments["1"] == "a comment of somebody else"
    assert sorted(runner.comments) == ["1", "2"]
    assert "reviewer: `activity_log:view`" in runner.comments["2"]


def test_a_branch_behind_its_target_is_not_blamed_for_what_the_target_changed(runner: Runner) -> None:
    repository = runner.repository
    repository.run("git switch -q main")
    _edit(repository, "p, reviewer, organization, user, invite, always, allow\n", "Let reviewers invite")
    target = repository.run("git rev-parse main").stdout.strip()
    repository.run("git switch -q edit")
    runner.run(target=target)

    assert "activity_log:view" in runner.comments["2"]
    assert "user:invite" not in runner.comments["2"]


def test_a_policy_that_does_not_load_is_commented_too(runner: Runner) -> None:
    _edit(runner.repository, "p, managr, data, export\n")
    ends = runner.run(target=runner.repository.run("git rev-parse main").stdout.strip())

    assert "### Policy: not compared" in runner.comments["2"]
    assert "4 columns" not in runner.comments["2"] and "3 columns after p" in runner.comments["2"]
    assert (ends["Report"].returncode, ends["Lint"].returncode, ends["Compare"].returncode) == (0, 3, 3)


def test_a_push_is_compared_with_what_was_there_before(runner: Runner) -> None:
    before = runner.repository.run("git rev-parse HEAD~1").stdout.strip()
    ends = runner.run("push", before=before)

    assert "Comment" not in ends and runner.comments == {}
    assert "never → always" in runner.summary.read_text()
    assert ends["Compare"].returncode == 1


def test_the_first_push_of_a_branch_is_compared_with_the_commit_before_it(runner: Runner) -> None:
    runner.run("push", before="0" * 40)

    assert "never → always" in runner.summary.read_text()


def test_no_module_of_the_checkout_is_taken_for_one_of_the_program(repository: Repository, tmp_path: Path) -> None:
    runner = Runner(repository, tmp_path)
    for name in ("pip.py", "venv.py", "json.py", "rbac.py", "click.py"):
        (repository.folder / name).write_text(f'open({str(tmp_path / "ran")!r}, "w")\nraise SystemExit(7)\n')
    ends = runner.run("push", in_tests="")

    assert codes(ends) == {"Install": 0, "Base": 0, "Report": 0, "Lint": 0, "Claims": 0, "Compare": 0}
    assert not (tmp_path / "ran").exists()


def test_the_action_takes_no_text_of_a_pull_request_into_a_script() -> None:
    assert len(STEPS) >= 8
    assert all("${{" not in step["run"] for step in STEPS.values())


def test_only_the_step_that_comments_has_a_token_and_it_runs_no_program_of_ours() -> None:
    with_token = [name for name, step in STEPS.items() if "github.token" in str(step["env"])]

    assert with_token == ["Comment"]
    assert "bin/rbac" not in STEPS["Comment"]["run"]
    assert "--code" in STEPS["Compare"]["run"] and "--code" not in STEPS["Report"]["run"]


def test_what_the_action_uses_is_pinned_to_a_commit() -> None:
    used = [step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step]

    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) for name in used)
