"""An edit of the conditions themselves is compared where their code may run, and said not to be elsewhere."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.review.conftest import ROOT, Repository

MANUAL = "    return facts.distribution == _MANUAL\n"


@pytest.fixture
def sources(repository: Repository) -> Repository:
    """The repository with the sources of the program in it."""
    left_out = shutil.ignore_patterns("__pycache__", "cli", "examples")
    shutil.copytree(ROOT / "rbac", repository.folder / "rbac", symlinks=True, ignore=left_out)
    assert repository.run("git add rbac && git commit -qm 'The program'").returncode == 0
    return repository


def _edit(repository: Repository, old: str, new: str, file: str = "rbac/policy/conditions.py") -> None:
    path = repository.folder / file
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    assert repository.run("git commit -qam 'Edit the conditions'").returncode == 0


def test_an_edit_of_a_condition_is_not_called_no_change(sources: Repository) -> None:
    _edit(sources, MANUAL, "    return True\n")
    done = sources.run("rbac policy diff HEAD~1 HEAD --fail-on any")

    assert done.returncode == 1
    assert "no decision changes" not in done.stdout
    assert "rbac/policy/conditions.py was edited and is not compared" in done.stdout


def test_with_code_it_says_which_cells_the_functions_change(sources: Repository) -> None:
    _edit(sources, MANUAL, "    return True\n")
    done = sources.run("rbac policy diff HEAD~1 HEAD --code --fail-on wider --json")
    told = json.loads(done.stdout)

    cells = {(each["role"], each["permission"], each["direction"]) for each in told["functions"]}
    assert cells == {
        ("annotator", "bulk_labeling:perform", "wider"),
        *((role, "task:assign_annotator", "wider") for role in ("manager", "administrator", "owner")),
    }
    assert all("distribution = automatic" in each["example"] for each in told["functions"])
    assert told["notes"] == []
    assert done.returncode == 1


def test_a_rewritten_condition_that_decides_alike_changes_nothing(sources: Repository) -> None:
    _edit(sources, MANUAL, "    return not facts.distribution != _MANUAL\n")
    done = sources.run("rbac policy diff HEAD~1 HEAD --code --fail-on any")

    assert (done.returncode, done.stdout.splitlines()[-1].endswith("no decision changes")) == (0, True)


def test_the_functions_run_without_a_token(sources: Repository) -> None:
    spy = '    import os\n    if os.environ.keys() & {"GH_TOKEN", "GITHUB_TOKEN", "RBAC_DB"}:\n        raise RuntimeError("a token")\n'
    _edit(sources, MANUAL, spy + "    return False\n")
    done = sources.run("rbac policy diff HEAD~1 HEAD --code", GH_TOKEN="secret", GITHUB_TOKEN="secret")

    assert "a token" not in done.stdout
    assert "bulk_labeling:perform: narrower by the functions" in done.stdout


def test_without_code_no_line_of_the_branch_runs(sources: Repository) -> None:
    _edit(sources, MANUAL, f'    open({str(sources.folder / "ran")!r}, "w")\n{MANUAL}')
    environment = {"PYTHONPATH": str(ROOT)}
    sources.run("rbac policy diff HEAD~1 HEAD", **environment)

    assert not os.path.exists(sources.folder / "ran")


def test_functions_that_do_not_run_are_not_compared_and_that_is_said(sources: Repository) -> None:
    _edit(sources, MANUAL, '    raise ValueError("broken")\n')
    done = sources.run("rbac policy diff HEAD~1 HEAD --code --fail-on any")

    assert done.returncode == 1
    assert "do not run: ValueError: broken: the functions are not compared" in done.stdout


def test_an_edit_of_the_model_is_said_not_to_be_compared(repository: Repository) -> None:
    shutil.copy(ROOT / "model.conf", repository.folder)
    repository.run("git add . && git commit -qm 'The model'")
    Path(repository.folder / "model.conf").write_text((ROOT / "model.conf").read_text() + "# edited\n")
    done = repository.run("git commit -qam 'Edit the model' && rbac policy diff HEAD~1 HEAD --format github")

    assert done.stdout == "::warning title=policy::model.conf was edited and is not compared\n"
