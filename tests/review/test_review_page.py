"""docs/review.md is true: its walk runs in a throw-away repository, its files are read by the tools, its action works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rbac.cli.policy import policy
from tests.review.conftest import ROOT, Repository

PAGE = (ROOT / "docs" / "review.md").read_text()


def steps(section: str) -> Iterator[tuple[str, str]]:
    """The console and diff blocks of a section, in their order."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    yield from re.findall(r"```(console|diff)\n(.*?)```", text, flags=re.DOTALL)


def test_the_walk_from_edit_to_merge_prints_what_the_page_shows(repository: Repository) -> None:
    commands = 0
    for kind, block in steps("One edit, from branch to merge"):
        if kind == "diff":
            repository.apply(block)
            continue
        for part in block.split("$ ")[1:]:
            command, _, shown = part.partition("\n")
            done = repository.run(command)
            assert _without_commits(done.stdout) == _without_commits(shown), command
            assert done.stderr in ("", "policy: policy.csv\n"), command
            assert done.returncode == (" error " in shown or " warning " in shown or "::warning" in shown), command
            commands += 1

    assert commands >= 15


def _without_commits(text: str) -> str:
    return re.sub(r"\([0-9a-f]{9}\)", "(COMMIT)", text)


EXAMPLES = [example for command in (policy, *policy.commands.values()) for example in command.examples]  # type: ignore[attr-defined]


@pytest.mark.parametrize("example", sorted(set(EXAMPLES) - {"rbac policy init"}))  # that one is for a folder without these files
def test_every_example_of_the_help_runs_in_a_repository(repository: Repository, example: str) -> None:
    repository.run("git commit -q --allow-empty -m 'Nothing'")
    done = repository.run(example)

    assert done.returncode == 0
    assert done.stderr in ("", "policy: policy.csv\n")


def test_the_hooks_of_pre_commit_run_and_fail_as_hooks_do(repository: Repository) -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    repository.apply(next(block for kind, block in steps("One edit, from branch to merge") if kind == "diff"))
    ends = {}
    for name, hook in hooks.items():
        files = "policy.csv" if hook.get("pass_filenames", True) else ""
        assert re.search(hook["files"], "policy.csv")
        ends[name] = repository.run(f"{hook['entry']} {' '.join(hook.get('args', []))} {files}").returncode
    changed = repository.run("git diff --stat").stdout

    assert ends == {"rbac-policy-fmt": 0, "rbac-policy-lint": 0, "rbac-policy-test": 1, "rbac-policy-claims": 1}
    assert "policy.csv" in changed, "a hook that reformats leaves a change, which makes pre-commit fail"


def test_a_hook_that_takes_no_file_names_runs_for_no_file_but_those_it_judges() -> None:
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        for file in ("policy.csv", "sub/policy.csv"):
            judged = hook.get("pass_filenames", True) or file == "policy.csv"
            assert bool(re.search(hook["files"], file)) == judged, (hook["id"], file)


def test_the_example_of_a_policy_test_on_the_page_holds(tmp_path: Path) -> None:
    from rbac.policy.reader import read_policy
    from rbac.review.testing.expectations import read_expectations
    from rbac.review.testing.fixtures import Trials
    from rbac.review.testing.run import run_tests

    block = next(block for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL) if block.startswith("clock:"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "a" / "b" / "page.rbac.yaml").write_text(block)
    trials = Trials(read_policy())
    report = run_tests(read_policy(), read_expectations(tmp_path / "a" / "b" / "page.rbac.yaml", trials.open))
    trials.close()

    assert report.findings == ()
    assert len(report.outcomes) >= 40
