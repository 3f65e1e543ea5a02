"""Policies come from files and git revisions; what is neither is a mistake in the question."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rbac.errors import PolicyError, UnknownName
from rbac.policy.reader import PACKAGED
from rbac.review.git import acknowledged, find_source

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A throw-away repository with the shipped policy in its first commit; the tests run inside it."""
    for name, value in {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        who = ("-c", "user.name=Rita", "-c", "user.email=rita@example.com")
        return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout

    run("init", "-q", "-b", "main")
    Path("policy.csv").write_text(PACKAGED.read_text())
    run("add", ".")
    run("commit", "-qm", "First policy")
    return run


def test_a_revision_gives_the_policy_it_had(git: Git) -> None:
    Path("policy.csv").write_text(PACKAGED.read_text() + "# changed\n")

    assert find_source("HEAD").data == find_source("main:policy.csv").data == PACKAGED.read_bytes()
    assert find_source("policy.csv").data.endswith(b"# changed\n")
    assert find_source("HEAD").name == "HEAD:policy.csv"


def test_a_revision_is_read_from_the_present_folder(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("sub").mkdir()
    Path("sub/policy.csv").write_text("# another\n" + PACKAGED.read_text())
    git("add", ".")
    git("commit", "-qm", "Another policy")
    monkeypatch.chdir("sub")

    assert find_source("HEAD").data.startswith(b"# another\n")
    assert find_source("HEAD:policy.csv").data == PACKAGED.read_bytes()


@pytest.mark.parametrize("name", ["nothing", "HEAD~9", "--version", "nothing:policy.csv", "no/such.csv", ""])
def test_a_name_that_is_neither_file_nor_revision_is_an_error(git: Git, name: str) -> None:
    with pytest.raises(UnknownName, match="is neither a file nor a git revision"):
        find_source(name)


def test_a_file_that_the_revision_does_not_have_is_an_error(git: Git) -> None:
    with pytest.raises(UnknownName, match=r"there is no other.csv in the git revision HEAD"):
        find_source("HEAD:other.csv")


def test_a_folder_is_no_policy(git: Git) -> None:
    with pytest.raises(PolicyError, match="is a folder"):
        find_source(".")


def test_commits_between_acknowledge_what_they_name(git: Git) -> None:
    git("commit", "-q", "--allow-empty", "-m", "Let reviewers export\n\nPolicy-Widens: data:export, data:import")
    git("commit", "-q", "--allow-empty", "-m", "More\n\npolicy-widens: plugin:view")
    old, new = find_source("HEAD~2"), find_source("policy.csv")

    assert acknowledged(old, new) == {"data:export", "data:import", "plugin:view"}
    assert acknowledged(old, find_source("HEAD~1")) == {"data:export", "data:import"}
    assert acknowledged(find_source("HEAD"), new) == set()
    assert acknowledged(new, old) == set()
