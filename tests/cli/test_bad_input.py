"""Whatever is wrong with what comes in: one sentence, the right exit code, nothing changed, no traceback."""

from __future__ import annotations

import ctypes
import importlib
import os
import pkgutil
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import rbac as library
from rbac.cli.commands import Main
from rbac.cli.errors import CODES, code_of
from rbac.errors import Conflict, RBACError, StoreError
from rbac.policy.facts import MissingFact
from rbac.policy.reader import PACKAGED
from rbac.review.diff.functions import NotCompared
from tests.cli.conftest import Process, Rbac

LONG = "x" * 300

USAGE = [
    ("check 'm x' data:export project:p1", "'m x' cannot be the id of a user"),
    ("check 'mallory, owner, acme' data:export project:p1", "'mallory, owner, acme' cannot be the id of a user"),
    (f"check {LONG} data:export project:p1", f"'{'x' * 72}...{'x' * 73}' cannot be the id of a user"),
    ("check max data:exprt project:p1", "unknown permission 'data:exprt': did you mean 'data:export'?"),
    ("check max export project:p1", "unknown permission 'export'"),
    ("check max data:export organization", "data:export is asked in project, not in organization"),
    ("check max data:export projekt:p1", "'projekt:p1' is not a domain: write organization, workspace:ID or project:ID"),
    ("check max data:export 'project:p 1'", "'p 1' cannot be the id of a project"),
    ("check max data:export p1", "'p1' is not a domain"),
    ("check max workspace:create organization --task t1", "a task is named in a project only"),
    ("check max data:export project:p1 --via fax", "invalid value for '--via'"),
    ("check max data:export project:p1 --at-least soon", "invalid value for '--at-least'"),
    ("check max data:export", "name USER, PERMISSION and DOMAIN, or --from FILE"),
    ("check --from nowhere.jsonl", "nowhere.jsonl cannot be read: No such file or directory"),
    ("check --from .", ". cannot be read: Is a directory"),
    ("explain max data:exprt project:p1", "unknown permission 'data:exprt'"),
    ("what-can max projekt:p1", "'projekt:p1' is not a domain"),
    ("matrix --format pdf", "invalid value for '--format'"),
    ("matrix --user 'm x'", "'m x' cannot be the id of a user"),
    ("roles 'm x'", "'m x' cannot be the id of a user"),
    ("members p1", "'p1' is not a domain"),
    ("grant andy reviewr --as ada", "unknown role 'reviewr': did you mean 'reviewer'?"),
    ("grant andy reviewer", "name who makes the change: --as ACTOR, or RBAC_ACTOR"),
    ("grant andy reviewer --as 'a b'", "'a b' cannot be the id of a user"),
    ("grant andy reviewer --on workspace:w1 --as ada", "workspace:w1 is not a project"),
    ("grant andy reviewer --until 2099-01-31T12:00:00Z --as ada", "an organization role has no end"),
    ("grant andy reviewer --on project:p1 --until tomorrow --as max", "'tomorrow' is no instant: write it as 2027-01-31T12:00:00Z"),
    ("grant andy reviewer --on project:p1 --until 2099-01-31T12:00:00 --as max", "2099-01-31T12:00:00 has no time zone"),
    ("grant andy reviewer --on project:p1 --until 2001-01-31T12:00:00Z --as max", "2001-01-31T12:00:00Z is in the past"),
    ("grant andy reviewer --on project:p1 --until 9999-12-31T23:59:59-00:01 --as max", "9999-12-31T23:59:59-00:01 is outside the years"),
    ("audit --since 0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00+23:59 is outside the years 1 to 9999 of UTC"),
    ("check max data:export project:p1 --as-of 0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00+00:01 is outside the years"),
    (f"check max data:export project:p1 --as-of {'9' * 40}", f"acme has no revision {'9' * 40}"),
    (f"check max data:export project:p1 --as-of {'9' * 5000}", f"'{'9' * 72}...{'9' * 73}' is no instant"),
    (f"check max data:export project:p1 --at-least {'9' * 5000}", "invalid value for '--at-least'"),
    ("revoke andy --as max", "missing option '--on'"),
    ("assign andy t2 project:p2 --as max", "name what the task is for: --annotator or --reviewer"),
    ("assign andy t2 workspace:w1 --annotator --as max", "tasks are in projects: write project:ID, not workspace:w1"),
    ("assign andy 't 2' project:p2 --annotator --as max", "'t 2' cannot be the id of a task"),
    ("pause rita workspace:w1 --as max", "workspace:w1 is not a project"),
    ("workspace create project:p9 --as max", "'project:p9' cannot be the id of a workspace"),
    ("project create p9 --as max", "missing option '--workspace'"),
    ("configure project:p1 --as max", "missing argument 'KEY=VALUE...'"),
    ("configure project:p1 distribution --as max", "'distribution' is not a setting: write KEY=VALUE"),
    ("configure project:p1 =manual --as max", "'=manual' is not a setting: write KEY=VALUE"),
    ("configure project:p1 published=yes published=no --as max", "published is given twice"),
    ("configure project:p1 distribution=both --as max", "distribution is automatic or manual, not 'both'"),
    ("configure project:p1 publishd=yes --as max", "project has no setting 'publishd': did you mean 'published'?"),
    ("configure project:p1 domain=x self=y --as max", "project has no setting 'domain'"),
    ("configure project:p1 published=maybe --as max", "published is true or false, not 'maybe'"),
    ("configure project:p1 show_data_manager_to=manager --as max", "show_data_manager_to names annotator, reviewer or both"),
    ("restrict plugin:confgure administrator --as olga", "unknown permission 'plugin:confgure': did you mean 'plugin:configure'?"),
    ("restrict plugin:configure admin --as olga", "unknown role 'admin'"),
    ("transfer-ownership ada", "missing option '--ticket'"),
    ("transfer-ownership ada --ticket ''", "a ticket is 1 to 255 printable ASCII characters"),
    ("transfer-ownership ada --ticket SUP-1 --operator 'Bj\u00f6rn'", "'Bj\u00f6rn' cannot be the id of an operator"),
    ("init --organization 'a/b' --owner olga", "'a/b' cannot be the id of an organization"),
    ("init --organization beta", "missing option '--owner'"),
    ("audit --actor 'm x'", "'m x' cannot be the id of an actor"),
    ("audit --refused --actor \udcff", r"'\udcff' cannot be the id of an actor"),
    ("audit --user \udcff", r"'\udcff' cannot be the id of a user"),
    ("audit --since yesterday", "'yesterday' is no instant"),
    ("audit --kind marriage", "invalid value for '--kind'"),
    ("audit --first one", "invalid value for '--first'"),
    ("policy coverage tests --threshold nan", "invalid value for '--threshold': 'nan' is not a number"),
    ("policy coverage tests --threshold inf", "invalid value for '--threshold': inf is not in the range"),
    ("frobnicate", "no such command 'frobnicate'"),
    ("project frobnicate", "no such command 'frobnicate'"),
    ("check max data:export project:p1 --frob", "no such option '--frob'"),
    ("check max data:export project:p1 p2", "got unexpected extra argument (p2)"),
    ("--org", "option '--org' requires an argument"),
    ("grant andy reviewer --as ''", "'' cannot be the id of a user"),
    ("check max data:export project:p1 --org ''", "'' cannot be the id of an organization"),
    ("check max data:export project:p1 --org 'a b'", "'a b' cannot be the id of an organization"),
]


@pytest.mark.parametrize(("line", "says"), USAGE, ids=[re.sub("x{300}|9{5000}", "long", line) for line, _ in USAGE])
def test_a_mistake_in_the_command_line_exits_2_and_changes_nothing(rbac: Rbac, here: Path, line: str, says: str) -> None:
    before = (here / "rbac.db").read_bytes()

    answer = rbac(line)

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.lower().startswith(f"rbac: {says}".lower())
    assert answer.stderr.count("\n") == 1
    assert (here / "rbac.db").read_bytes() == before


@pytest.mark.parametrize("name", ["max\u0000", "m\u0430x", "max\u200b", "max\n", "\ufeffmax", "max)", "", "-max", "\ud800"])
def test_names_that_only_look_like_names_are_refused_and_printed_so_that_one_sees_it(rbac: Rbac, here: Path, name: str) -> None:
    answer = rbac(["check", "--", name, "data:export", "project:p1"])

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "cannot be the id of a user" in answer.stderr
    assert answer.stderr.rstrip("\n").isprintable()


@pytest.mark.parametrize("line", [["matrix", "--policy", "\x1b[2J.csv"], ["check", "--from", "\x1b[2J.csv"], ["import", "\x1b[2J.csv"]])
def test_a_file_name_cannot_drive_the_terminal(rbac: Rbac, here: Path, line: list[str]) -> None:
    answer = rbac(line)

    assert answer.exit_code in (2, 3)
    assert r"\x1b[2J.csv" in answer.stderr and "\x1b" not in answer.stderr


# -- files that do not load ------------------------------------------------------------------------------------------------

STATE = [
    ("organizations: [", "bad.yaml: 2:1: not valid YAML: "),
    ("organizations: 3", "bad.yaml: organizations: expected `array`, got `int`"),
    ("organisations: []", "bad.yaml: object contains unknown field `organisations`"),
    ("organizations:\n  - id: beta\n", "bad.yaml: organizations[0]: object missing required field `owner`"),
    ("organizations:\n  - {id: 'a b', owner: ben}\n", "bad.yaml: organizations[0].id: 'a b' cannot be the id of an organization"),
    ("organizations:\n  - {id: b, owner: ben, members: {x: king}}\n", "bad.yaml: organizations[0].members.x: unknown role 'king'"),
    ("organizations: [{id: b, owner: ben, workspaces: [{id: w, members: {ben: {until: soon}}}]}]", "bad.yaml: organizations[0].worksp"),
    ("organizations: [{id: b, owner: ben, workspaces: [{id: w, members: [zoe]}]}]", "bad.yaml: organizations[0].workspaces[0].members"),
    ("a: &x [*x]\n", "bad.yaml: "),
    ("\x00", "bad.yaml: not valid YAML"),
    ("", "bad.yaml: "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), STATE, ids=[repr(text) for text, _ in STATE])
def test_a_state_file_that_does_not_load_exits_3_and_nothing_comes_in(rbac: Rbac, here: Path, text: str, says: str) -> None:
    (here / "bad.yaml").write_text(text)
    before = (here / "rbac.db").read_bytes()

    answer = rbac("import bad.yaml")

    assert (answer.exit_code, answer.stdout) == (3, "")
    assert answer.stderr.startswith(f"rbac: {says}")
    assert answer.stderr.count("\n") == 1
    assert (here / "rbac.db").read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"organizations": [], "organizations": []}', "[" * 100_000, '"\ud800"'])
def test_a_json_state_file_that_does_not_load_exits_3(rbac: Rbac, here: Path, text: str) -> None:
    (here / "bad.json").write_text(text, errors="surrogatepass")

    answer = rbac("import bad.json")

    assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (3, "", 1)


def test_a_state_file_that_is_not_there_exits_3_and_makes_no_store(rbac: Rbac, empty: Path) -> None:
    answer = rbac("import nowhere.yaml")

    assert (answer.exit_code, answer.stderr) == (3, "rbac: nowhere.yaml: cannot be read: No such file or directory\n")
    assert list(empty.iterdir()) == []


def test_every_mistake_of_a_policy_is_named_on_a_line_of_its_own(rbac: Rbac, here: Path) -> None:
    (here / "mine.csv").write_text("p, owner, project, data, export, alwys, allow\nq\n")

    answer = rbac("check max data:export project:p1 --policy mine.csv")

    assert (answer.exit_code, answer.stdout) == (3, "")
    assert answer.stderr.splitlines() == [
        "rbac: mine.csv:1:34: unknown condition 'alwys': did you mean 'always'?",
        "mine.csv:2:1: unknown line type 'q', lines start with p",
    ]


@pytest.mark.parametrize("option", ["--policy nowhere.csv", "--model nowhere.conf", "--policy .", "--model rbac.db"])
def test_a_policy_or_model_that_does_not_load_exits_3(rbac: Rbac, here: Path, option: str) -> None:
    for line in (
        "check max data:export project:p1",
        "doctor",
        "grant andy reviewer --as ada",
        "matrix" if "policy" in option else "export",
    ):
        answer = rbac(f"{line} {option}")

        assert (answer.exit_code, answer.stdout) == (3, ""), line
        assert "Traceback" not in answer.stderr


# -- stores that are not there, or not ours --------------------------------------------------------------------------------

ANY = (
    "check max data:export project:p1",
    "grant andy reviewer --as ada",
    "doctor",
    "export",
    "db upgrade",
    "members organization",
    "audit",
)


def _database(statement: str) -> None:
    connection = sqlite3.connect("rbac.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def _gone() -> None:
    Path("rbac.db").unlink()


def _directory() -> None:
    _gone()
    Path("rbac.db").mkdir()


def _others() -> None:
    _gone()
    _database("CREATE TABLE recipes (id)")


STORES: dict[str, tuple[Callable[[], object], str]] = {
    "nothing there": (_gone, "there is no store at rbac.db yet: `rbac init` or `rbac import` makes one"),
    "no database": (lambda: Path("rbac.db").write_text("this is no database at all" * 40), "rbac.db is not a database: name another file"),
    "a directory": (_directory, "rbac.db is a directory: name a file in it"),
    "an empty file": (lambda: Path("rbac.db").write_bytes(b""), "there is no store at rbac.db yet"),
    "somebody else's": (_others, "rbac.db holds other tables and is no store of this program"),
    "a newer one": (lambda: _database("UPDATE rbac_version SET version_num = '9999'"), "the store at rbac.db has schema 9999"),
}


@pytest.mark.parametrize("line", ANY)
@pytest.mark.parametrize("kind", STORES)
def test_a_store_that_cannot_be_used_exits_6_and_is_left_as_it_was(rbac: Rbac, here: Path, kind: str, line: str) -> None:
    make, says = STORES[kind]
    make()
    before = {path.name: path.is_file() and path.read_bytes() for path in here.iterdir()}

    answer = rbac(line)

    assert (answer.exit_code, answer.stdout) == (6, "")
    assert answer.stderr.startswith(f"rbac: {says}")
    assert answer.stderr.count("\n") == 1
    after = {path.name: path.is_file() and path.read_bytes() for path in here.iterdir() if not path.name.endswith(("-wal", "-shm"))}
    assert after == before


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///nowhere/rbac.db", "there is no directory nowhere: make it first"),
        ("''", "the address of the store is no URL: write sqlite:///FILE or postgresql+psycopg://..."),
        ("rbac.db", "the address of the store is no URL: write sqlite:///FILE or postgresql+psycopg://..."),
        ("sqlite:///rbac.db?mode=ro", "sqlite:///FILE takes no options"),
        ("'sqlite:///file:rbac.db?uri=true&timeout=x'", "the options in the address of the store are none that its driver understands"),
        ("'sqlite:///file:x?mode=memory&uri=true'", "a file: address in memory is another memory for every connection: write sqlite://"),
        ("'sqlite:///file:x?mode=memory&cache=shared&uri=true'", "a file: address in memory"),
        ("'sqlite:///file::memory:?uri=true'", "a file: address in memory"),
        ("'sqlite:///file:/x?vfs=memdb&uri=true'", "a file: address in memory"),
        ("'sqlite:///file:?uri=true'", "a file: address in memory"),
        ("'sqlite:///file:x%00?uri=true'", "the name of a file has no null character"),
        ("mysql://localhost/x", "a store in 'mysql' is not supported"),
        ("postgresql+psycopg://olga:secret@127.0.0.1:1/x", "cannot reach postgresql+psycopg://olga:***@127.0.0.1:1/x"),
    ],
)
def test_an_address_that_leads_nowhere_exits_6_and_shows_no_password(rbac: Rbac, here: Path, url: str, says: str) -> None:
    for line in ("check max data:export project:p1", "init --organization beta --owner ben", "import acme.yaml"):
        answer = rbac(f"{line} --db {url}")

        assert (answer.exit_code, answer.stdout) == (6, ""), line
        assert answer.stderr.startswith(f"rbac: {says}")
        assert "secret" not in answer.output


def _bound_by_permissions() -> None:
    """Root may write a read-only file: take that from the child before it begins (CAP_DAC_OVERRIDE, on Linux)."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1)


@pytest.mark.parametrize("read_only", ["file", "directory"])
def test_a_read_only_store_refuses_to_change(process: Process, here: Path, read_only: str) -> None:
    ((here / "rbac.db") if read_only == "file" else here).chmod(0o444 if read_only == "file" else 0o555)
    before = (here / "rbac.db").read_bytes()

    asked = process("check max data:export project:p1", preexec_fn=_bound_by_permissions)
    changed = process("grant andy reviewer --as ada", preexec_fn=_bound_by_permissions)

    here.chmod(0o755)
    assert asked.returncode in (0, 6), asked.stderr
    assert (changed.returncode, changed.stdout) == (6, b"")
    assert b"rbac.db" in changed.stderr and changed.stderr.count(b"\n") == 1
    assert (here / "rbac.db").read_bytes() == before


def test_a_store_in_a_directory_nobody_may_write_is_not_made(process: Process, empty: Path) -> None:
    empty.chmod(0o555)

    answer = process("init --organization beta --owner ben", preexec_fn=_bound_by_permissions)

    empty.chmod(0o755)
    assert (answer.returncode, answer.stderr) == (
        6,
        b"rbac: cannot open rbac.db: see that the file and its directory are there and may be read and written\n",
    )
    assert list(empty.iterdir()) == []


# -- what nobody foresaw ---------------------------------------------------------------------------------------------------


def test_every_error_of_the_library_has_an_exit_code_of_its_own_kind() -> None:
    for module in pkgutil.walk_packages(library.__path__, "rbac."):
        if ".cli" not in module.name and ".migrations" not in module.name:
            importlib.import_module(module.name)

    assert _below(RBACError) - {MissingFact, NotCompared} <= CODES.keys()  # neither leaves the function that catches it
    assert code_of(Conflict("somebody else was first")) == 5
    assert code_of(StoreError("it is gone")) == 6


def _below(kind: type[Exception]) -> set[type[Exception]]:
    return {each for direct in kind.__subclasses__() for each in (direct, *_below(direct))}


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyError("x"), 70, "rbac: this is a bug in the program, please report it: KeyError: 'x' (test_bad_input.py:"),
        (RBACError("Casbin says True and policy.csv says False"), 70, "rbac: this is a bug in the program, please report it: Casbin says"),
        (MemoryError(), 70, "rbac: this is a bug in the program, please report it: MemoryError: "),
        (Conflict("somebody else changed acme at the same moment: try again"), 5, "rbac: somebody else changed acme"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_whatever_happens_inside_a_command_ends_in_a_sentence_and_a_code(
    rbac: Rbac, here: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, says: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Main, "invoke", fail)

    answer = rbac("check max data:export project:p1")

    assert (answer.exit_code, answer.stdout) == (code, "")
    assert answer.stderr.startswith(says)
    assert answer.stderr.count("\n") == bool(says)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("policy diff policy.csv {}", 2),
        ("policy test {}", 3),
        ("policy lint {}", 3),
        ("doctor --db sqlite:///{}", 6),
        ("init --organization b --owner c --db sqlite:///{}", 6),
        ("import {}", 3),
    ],
)
def test_a_name_that_is_too_long_for_a_file_is_one_that_is_not_there(rbac: Rbac, here: Path, line: str, code: int) -> None:
    (here / "policy.csv").write_bytes(PACKAGED.read_bytes())

    answer = rbac(line.format("x" * 5000))

    assert (answer.exit_code, answer.stdout) == (code, "")
