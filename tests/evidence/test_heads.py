"""A head kept outside shows what a chain alone does not: that its end was cut off, or the whole of it written anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rbac
from rbac.database.audit.heads import Head, read_heads
from rbac.errors import StateError
from rbac.organization import Organization
from tests.evidence.conftest import Run, edit

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def test_a_head_that_was_kept_is_found_later_on(acme: Organization) -> None:
    heads = [acme.head()]
    acme.acting("ada").grant("andy", "reviewer")
    heads.append(acme.head())
    acme.acting("ada").grant("andy", "annotator")

    found = acme.verify(head=heads)

    assert found
    assert found.pinned == 2
    assert acme.verify(head=heads[0]).pinned == 1


def cut(path: Path, revision: int, head: str, *undone: str) -> None:
    """Cut the end of the audit off and set everything back, so that nothing inside the store shows it."""
    edit(
        path,
        f"DELETE FROM rbac_audit_change WHERE revision > {revision}",
        f"DELETE FROM rbac_audit WHERE revision > {revision}",
        f"UPDATE rbac_organization SET revision = {revision}, head = '{head}'",
        *undone,
    )


@SQLITE
def test_a_truncated_end_is_found_by_a_kept_head_and_by_nothing_else(acme: Organization, tmp_path: Path) -> None:
    first = acme.head()
    acme.acting("ada").grant("andy", "reviewer")
    kept = acme.head()

    cut(tmp_path / "rbac.db", 1, first.hash, "UPDATE rbac_member SET role = 'annotator' WHERE user = 'andy'")

    assert acme.verify()
    assert acme.verify(head=first)
    assert acme.verify(head=kept).problems == ("revision 2, whose head was kept, is not there: the audit ends at 1 and was cut off",)


@SQLITE
def test_an_end_that_was_cut_off_and_written_anew_is_found(acme: Organization, tmp_path: Path) -> None:
    first = acme.head()
    acme.acting("ada").grant("andy", "reviewer")
    kept = acme.head()
    cut(tmp_path / "rbac.db", 1, first.hash, "UPDATE rbac_member SET role = 'annotator' WHERE user = 'andy'")

    acme.acting("ada").grant("andy", "manager")

    assert acme.verify()
    assert acme.verify(head=kept).problems == ("revision 2 is not the one whose head was kept: it, or something before it, was rewritten",)


def test_heads_of_other_organizations_say_nothing_of_this_one(acme: Organization, store: rbac.Store) -> None:
    store.create("beta", owner="ben")

    assert acme.verify(head=store.organization("beta").head()).pinned == 0


def test_there_is_no_head_of_an_organization_that_is_not_there(store: rbac.Store) -> None:
    with pytest.raises(rbac.UnknownName, match="there is no organization nowhere"):
        store.organization("nowhere").head()


def test_the_command_prints_heads_that_verify_finds_in_a_file(acme: Organization, run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "heads.txt"
    lines = [run("audit", "--head").stdout]
    acme.acting("ada").grant("andy", "reviewer")
    lines.append(run("audit", "--head", "--json").stdout)
    kept.write_text("".join(lines))

    assert lines[0].startswith("acme 1 ")
    assert json.loads(lines[1]) == {"organization": "acme", "revision": 2, "hash": acme.head().hash}
    result = run("audit", "--verify", "--head", str(kept))
    assert (result.exit_code, "kept heads found: 2" in result.stdout) == (0, True)
    assert json.loads(run("audit", "--verify", "--head", str(kept), "--json").stdout)["pinned"] == 2


@SQLITE
def test_the_command_exits_with_1_when_the_end_was_cut_off(acme: Organization, run: Run, tmp_path: Path) -> None:
    first = acme.head()
    acme.acting("ada").grant("andy", "reviewer")
    (tmp_path / "heads.txt").write_text(run("audit", "--head").stdout)
    cut(tmp_path / "rbac.db", 1, first.hash, "UPDATE rbac_member SET role = 'annotator' WHERE user = 'andy'")

    result = run("audit", "--verify", "--head", str(tmp_path / "heads.txt"))

    assert (result.exit_code, "was cut off" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--verify", "--head"), 2),
        (("--head", "somewhere"), 2),
        (("--verify", "--head", "/nowhere/at/all"), 2),
        (("--verify", "--actor", "ada"), 2),
        (("--head", "--newest-first"), 2),
        (("--verify", "--refused"), 2),
        (("--refused", "--kind", "member"), 2),
        (("--refused", "--first", "1"), 2),
    ],
)
def test_what_makes_no_sense_together_is_a_usage_error(run: Run, words: tuple[str, ...], code: int) -> None:
    assert run("audit", *words).exit_code == code


def test_a_file_without_a_head_of_the_organization_proves_nothing_and_does_not_load(run: Run, tmp_path: Path) -> None:
    (tmp_path / "heads.txt").write_text(f"beta 3 {'0' * 64}\n")

    assert run("audit", "--verify", "--head", str(tmp_path / "heads.txt")).exit_code == 3


@pytest.mark.parametrize(
    "line",
    [
        "acme",
        "acme 0 " + "0" * 64,
        "acme -1 " + "0" * 64,
        "acme 1 " + "0" * 63,
        "acme 1 " + "0" * 64 + " more",
        "ac/me 1 " + "0" * 64,
        "acme 1e3 " + "0" * 64,
        "acme 99999999999999999999 " + "0" * 64,
        '{"organization": "acme", "revision": 1}',
        '{"organization": "acme", "revision": 1, "hash": "' + "0" * 64 + '", "more": 1}',
        '{"organization": "acme", "revision": true, "hash": "' + "0" * 64 + '"}',
        "{",
        "{" * 100_000,
    ],
)
def test_a_line_that_is_no_head_refuses_the_whole_file(line: str) -> None:
    good = str(Head("acme", 1, "0" * 64))
    with pytest.raises(StateError, match=r"heads\.txt: line 2: is no head"):
        list(read_heads(f"{good}\n{line}\n", "heads.txt"))

    assert list(read_heads(f"{good}\n\n")) == [Head("acme", 1, "0" * 64)]
