"""Policies come from files and git revisions; what is neither is a mistake in the question."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rbac.errors import PolicyError, UnknownName
from rbac.policy.reader import PACKAGED
from rbac.review.diff.acknowledged import acknowledge
from rbac.review.diff.compare import diff
from rbac.review.git import find_source, trailers

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


# -- trailers ----------------------------------------------------------------------------------------------------------------

EXPORT = "p, reviewer, project, data, export, may_enter, allow\n"
WIDER = "p, reviewer, project, data, export, always, allow\n"


def _widen(git: Git, line: str, message: str) -> None:
    Path("policy.csv").write_text(PACKAGED.read_text() + line)
    git("commit", "-qam", message)


def _acknowledged(old: str, new: str) -> tuple[set[str], tuple[str, ...]]:
    one, other = find_source(old), find_source(new)
    said = acknowledge(one.policy(), other.policy(), diff(one.policy(), other.policy()), trailers(one, other))
    return set(map(" ".join, said.cells)), said.wrong


def test_a_trailer_acknowledges_one_role_and_one_permission(git: Git) -> None:
    _widen(git, EXPORT + EXPORT.replace("export", "import"), "Let reviewers export\n\nPolicy-Widens: reviewer data:export")

    assert _acknowledged("HEAD~1", "HEAD") == ({"reviewer data:export"}, ())
    assert _acknowledged("HEAD~1", "policy.csv") == ({"reviewer data:export"}, ())
    assert _acknowledged("HEAD", "policy.csv") == (set(), ())


def test_several_trailers_acknowledge_several(git: Git) -> None:
    message = "Let them\n\nPolicy-Widens: reviewer data:export\npolicy-widens: reviewer data:import\nSigned-off-by: Rita <r@x.org>"
    _widen(git, EXPORT + EXPORT.replace("export", "import"), message)

    assert _acknowledged("HEAD~1", "HEAD") == ({"reviewer data:export", "reviewer data:import"}, ())


def test_a_later_commit_may_acknowledge_what_an_earlier_one_did(git: Git) -> None:
    _widen(git, EXPORT, "Let reviewers export")
    git("commit", "-q", "--allow-empty", "-m", "Mean it\n\nPolicy-Widens: reviewer data:export")

    assert _acknowledged("HEAD~2", "HEAD") == ({"reviewer data:export"}, ())


def test_a_trailer_acknowledges_nothing_that_a_later_commit_adds(git: Git) -> None:
    _widen(git, EXPORT, "Let reviewers export\n\nPolicy-Widens: reviewer data:export")
    _widen(git, WIDER, "Let them export everywhere")

    assert _acknowledged("HEAD~2", "HEAD") == (set(), ("reviewer data:export has gained more since the commit that says so",))


def test_a_line_in_the_middle_of_a_message_is_no_trailer(git: Git) -> None:
    _widen(git, EXPORT, "Let reviewers export\n\nPolicy-Widens: reviewer data:export\n\nNot so: that was a quotation.")

    assert _acknowledged("HEAD~1", "HEAD") == (set(), ())


@pytest.mark.parametrize(
    ("trailer", "says"),
    [
        ("data:export", "write one role and one permission"),
        ("reviewer data:export, data:import", "write one role and one permission"),
        ("reviewr data:export", "unknown role 'reviewr': did you mean 'reviewer'?"),
        ("reviewer data:exprt", "unknown permission 'data:exprt': did you mean 'data:export'?"),
        ("manager data:export", "nothing is gained there"),
    ],
)
def test_a_trailer_that_acknowledges_nothing_is_said_to(git: Git, trailer: str, says: str) -> None:
    _widen(git, EXPORT, f"Let reviewers export\n\nPolicy-Widens: {trailer}")
    cells, wrong = _acknowledged("HEAD~1", "HEAD")

    assert cells == set()
    assert len(wrong) == 1 and f"Policy-Widens: {trailer}: " in wrong[0] and says in wrong[0]


def test_a_source_is_named_with_its_commit(git: Git) -> None:
    commit = git("rev-parse", "--short=9", "HEAD").strip()

    assert find_source("main").title == f"main:policy.csv ({commit})"
    assert find_source("policy.csv").title == "policy.csv"
