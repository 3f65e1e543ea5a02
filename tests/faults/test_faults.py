"""A store that is full, read-only, locked, damaged, gone or somebody else's: an error that says what to do, and no answer.

Each fault is made for real, under an open store that has answered before and for one that is opened in the middle of
it, and lifted again: nothing was written by half, the audit verifies, and the store works as before.
"""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import make_url

import rbac
from rbac.cli import main
from rbac.database import postgresql, sqlite
from rbac.database.watch.data_version import FILES_CHECKED
from tests.cluster.conftest import psycopg_url
from tests.conftest import ACME, database, execute
from tests.invariants.everything import rows

FLIPS = int(os.environ.get("RBAC_FAULT_FLIPS", "15"))
"""Copies of a store with a few bytes changed at random, each asked, changed and verified."""

YES, NO = ("max", "data:export", "project:p1"), ("andy", "data:export", "project:p1")
ROOM = 200
"""Workspaces in a change that needs room on the disk."""


def big(store: rbac.Store) -> object:
    with store.organization("acme").acting("max") as max_:
        for number in range(ROOM):
            revision = max_.create_workspace(f"n{number}")
    return revision


def small(store: rbac.Store) -> object:
    return store.organization("acme").acting("ada").grant("andy", "reviewer")


def refused_one(store: rbac.Store) -> object:
    """Refused for a rule while the store works: with a fault it must not look like that."""
    return store.organization("acme").acting("max").grant("andy", "administrator")


def said(ask: Callable[[], object]) -> object:
    """An answer, or the sentence of a StoreError; any other exception goes on."""
    try:
        return ask()
    except rbac.StoreError as error:
        return str(error)


def command(url: str, line: str) -> tuple[int, str]:
    """Exit code and stderr of a command, which prints an answer or one sentence."""
    result = CliRunner().invoke(main, line.split(), env={"RBAC_DB": url, "RBAC_ORG": "acme"})
    assert "Traceback" not in result.output
    assert result.exit_code in (0, 1) or (result.stdout, result.stderr.count("\n")) == ("", 1), result.output
    return result.exit_code, result.stderr


class Fault(NamedTuple):
    """One thing that goes wrong. `answers`: questions are still answered. `says`: what a change says, and what to do."""

    make: Callable[[Path], AbstractContextManager[object]]
    says: str
    answers: bool


# -- the disk --------------------------------------------------------------------------------------------------------------


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Something mounted on a folder; says why when this machine does not let us."""
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT RUN: mounting needs root: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def no_room(path: Path) -> Iterator[None]:
    """The file system that the store is on is filled to its last byte."""
    filler = path.parent / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def size_limit(path: Path) -> Iterator[None]:
    """The system lets this process make no file longer than the write-ahead log is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = Path(f"{path}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(wal.stat().st_size if wal.exists() else 0, 1), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Nobody may write the file or its log, root neither."""
    files = [str(each) for each in (path, Path(f"{path}-wal")) if each.exists()]
    done = subprocess.run(["chattr", "+i", *files], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT RUN: an immutable file needs root and a file system with attributes: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program is in the middle of a change and does not finish."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


# -- the file --------------------------------------------------------------------------------------------------------------


@contextmanager
def vanished(path: Path) -> Iterator[None]:
    path.rename(f"{path}.away")
    time.sleep(FILES_CHECKED * 1.2)
    yield
    os.replace(f"{path}.away", path)
    time.sleep(FILES_CHECKED * 1.2)


@contextmanager
def replaced(path: Path, make: Callable[[Path], object]) -> Iterator[None]:
    """Another file moved over it, as a hasty administrator does."""
    kept = Path(f"{path}.kept")
    os.link(path, kept)
    make(Path(f"{path}.other"))
    os.replace(f"{path}.other", path)
    time.sleep(FILES_CHECKED * 1.2)
    yield
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    os.replace(kept, path)
    time.sleep(FILES_CHECKED * 1.2)


def somebody_elses(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (id)")
        other.commit()


FAULTS = {
    "a disk without room": Fault(no_room, r"the disk of .* is full: nothing was written", True),
    "a limit of the system": Fault(size_limit, r"(cannot read or write .*: .*see that|the disk of .* is full)", True),
    "an immutable file": Fault(immutable, r"(is read-only: let this user write|cannot (open|read or write) .*: )", True),
    "a lock that is not let go": Fault(locked, r"is locked by another program: try again", True),
    "a file that vanished": Fault(vanished, r"there is no store at .* (yet|any more)", False),
    "a text moved over it": Fault(
        lambda path: replaced(path, lambda new: new.write_text("This is no database. " * 400)),
        r"is not a database: name another file",
        False,
    ),
    "an empty file moved over it": Fault(
        lambda path: replaced(path, lambda new: new.touch()), r"(there is no store at|is not a store of this program)", False
    ),
    "another program's database moved over it": Fault(
        lambda path: replaced(path, somebody_elses), r"(is not a store of this program|holds other tables)", False
    ),
}


@pytest.fixture
def path(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """acme's store, its log written back into the file; on a disk of its own where that may be had."""
    monkeypatch.setattr(sqlite, "BUSY", 0.05)
    file = tmp_path / "disk" / "rbac.db"
    file.parent.mkdir()
    yield file


def filled(file: Path, migrated: Path) -> None:
    shutil.copy(migrated, file)
    with rbac.connect(f"sqlite:///{file}") as store:
        store.import_state(ACME)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_an_error_that_says_what_to_do_and_leaves_nothing_by_half(path: Path, migrated_file: Path, kind: str) -> None:
    fault = FAULTS[kind]
    with mounted(path.parent, "-t", "tmpfs", "-o", "size=3m", "rbac-full") if fault.make is no_room else nullcontext():
        filled(path, migrated_file)
        hold(fault, path)


def hold(fault: Fault, path: Path) -> None:
    """Make a fault under a store that has answered, ask and change there and in a new one, lift it, and look."""
    url = f"sqlite:///{path}"
    with rbac.connect(url) as store:
        acme = store.organization("acme")
        assert acme.can(*YES) and not acme.can(*NO)
        before = rows(store)

        with fault.make(path), rbac.connect(url) as late:
            for each in (store, late):
                answers(each, fault)
                for change in (big, small):
                    assert matches(fault.says, said(lambda each=each, change=change: change(each))), change  # type: ignore[misc]
                refusal(each, fault)
            commands(url, fault)

        assert rows(store, "refusal") == {name: each for name, each in before.items() if name != "rbac_refusal"}
        works_again(store)
    with rbac.connect(url) as fresh:
        assert fresh.organization("acme").role_of("andy") == "reviewer"
        works_again(fresh)


def matches(pattern: str, outcome: object) -> bool:
    assert isinstance(outcome, str), f"it went through: {outcome!r}"
    assert re.search(pattern, outcome), outcome
    return True


def answers(store: rbac.Store, fault: Fault) -> None:
    """A question has its true answer or none."""
    acme = store.organization("acme")
    for question, truth in ((YES, True), (NO, False)):
        for ask in (acme.can, acme.check):
            outcome = said(lambda ask=ask, question=question: bool(ask(*question)))  # type: ignore[misc]
            assert isinstance(outcome, str) or outcome is truth, outcome
            assert fault.answers or isinstance(outcome, str), "it answered from a store that is not there"


def refusal(store: rbac.Store, fault: Fault) -> None:
    """What a rule would refuse is refused or an error, and never done."""
    try:
        refused_one(store)
    except rbac.Refused:
        assert fault.answers
    except rbac.StoreError:
        return
    else:
        raise AssertionError("it went through")


def commands(url: str, fault: Fault) -> None:
    code, stderr = command(url, "check max data:export project:p1")
    assert code == 6 or (fault.answers and code == 0), stderr
    code, stderr = command(url, "grant andy reviewer --as ada")
    assert code == 6, stderr
    assert matches(fault.says, stderr)


def works_again(store: rbac.Store) -> None:
    acme = store.organization("acme")
    assert acme.can(*YES) and not acme.can(*NO)
    assert acme.verify()
    small(store)
    revision = acme.acting("ada").grant("andy", "annotator")
    assert acme.role_of("andy") == "annotator"
    assert acme.acting("ada").grant("andy", "reviewer") == revision + 1
    assert list(store.problems()) == []


def test_a_read_only_address_answers_and_refuses_to_change(path: Path, migrated_file: Path) -> None:
    filled(path, migrated_file)
    url, says = f"sqlite:///file:{path}?mode=ro&uri=true", "is read-only: let this user write"
    with rbac.connect(url) as store:
        acme = store.organization("acme")

        assert acme.can(*YES) and not acme.check(*NO)
        for change in (big, small):
            assert matches(says, said(lambda change=change: change(store)))  # type: ignore[misc]
    assert command(url, "check max data:export project:p1")[0] == 0
    code, stderr = command(url, "grant andy reviewer --as ada")
    assert code == 6 and matches(says, stderr)
    with rbac.connect(f"sqlite:///{path}") as store:
        works_again(store)


def test_a_link_that_is_pointed_elsewhere_is_followed_by_the_next_change(path: Path, migrated_file: Path) -> None:
    link, other = path.with_name("link.db"), path.with_name("other.db")
    for each in (path, other):
        filled(each, migrated_file)
    link.symlink_to(path)
    with rbac.connect(f"sqlite:///{link}") as store:
        small(store)
        path.with_name("new").symlink_to(other)
        os.replace(path.with_name("new"), link)

        store.organization("acme").acting("ada").grant("rita", "annotator")

    roles = []
    for each in (path, other):
        with rbac.connect(f"sqlite:///{each}") as store:
            roles.append([store.organization("acme").role_of(user) for user in ("andy", "rita")])
    assert roles == [["reviewer", "reviewer"], ["annotator", "annotator"]]


# -- damage ----------------------------------------------------------------------------------------------------------------


def _cut(content: bytes, length: int) -> bytes:
    return content[:length]


def _over(content: bytes, start: int, new: bytes) -> bytes:
    return content[:start] + new + content[start + len(new) :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "the first bytes": lambda content: _over(content, 0, b"\0" * 16),
    "the size of a page": lambda content: _over(content, 16, b"\x03\x07"),
    "the first page": lambda content: _over(content, 100, b"\xff" * 3000),
    "every page but the first": lambda content: _over(content, 4096, b"\xff" * (len(content) - 4096)),
    "cut in the middle": lambda content: _cut(content, len(content) // 2 // 4096 * 4096),
    "cut within a page": lambda content: _cut(content, 5000),
    "cut within the header": lambda content: _cut(content, 60),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_an_error_and_its_backup_works(path: Path, migrated_file: Path, damage: str) -> None:
    filled(path, migrated_file)
    backup = path.read_bytes()
    damaged = DAMAGE[damage](backup)
    path.write_bytes(damaged)

    with rbac.connect(url := f"sqlite:///{path}") as store:
        acme = store.organization("acme")
        asked: list[Callable[[], object]] = [
            *(lambda ask=ask, question=question: ask(*question) for ask in (acme.can, acme.check) for question in (YES, NO)),
            *(lambda change=change: change(store) for change in (small, big)),
            lambda: refused_one(store),
            lambda: list(store.problems()),
        ]
        for ask in asked:
            outcome = said(ask)
            assert isinstance(outcome, str) and re.search("restore a backup|name another file|is not a store|no store at", outcome), outcome
    for line in ("check max data:export project:p1", "grant andy reviewer --as ada", "audit --verify", "doctor"):
        assert command(url, line)[0] == 6, line
    assert path.read_bytes() == damaged

    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    path.write_bytes(backup)
    with rbac.connect(url) as store:
        works_again(store)


IMPOSSIBLE = {
    "a role": "UPDATE rbac_member SET role = 'annotatos'",
    "a state": "UPDATE rbac_member SET state = 'actjve'",
    "a distribution": "UPDATE rbac_project SET distribution = 'manuam'",
    "a level": "INSERT INTO rbac_restriction VALUES ('acme', 'data:export', 'root')",
    "a project role": "INSERT INTO rbac_project_role VALUES ('acme', 'andy', 'p1', 'reviewes', NULL)",
    "an end that is no number": "UPDATE rbac_workspace_member SET until = 'never'",
    "an end beyond all time": "UPDATE rbac_workspace_member SET until = 9000000000000000000",
    "text that is none": "UPDATE rbac_workspace SET created_by = CAST(x'ff' AS TEXT)",
}


@pytest.mark.parametrize("value", IMPOSSIBLE)
def test_a_value_that_cannot_be_is_an_error_or_found_and_never_a_traceback(path: Path, migrated_file: Path, value: str) -> None:
    filled(path, migrated_file)
    with closing(sqlite3.connect(path)) as editor:
        editor.execute("PRAGMA ignore_check_constraints = ON")
        editor.execute(IMPOSSIBLE[value])
        editor.commit()

    with rbac.connect(f"sqlite:///{path}") as store:
        acme = store.organization("acme")
        outcomes = [
            said(lambda user=user, domain=domain: acme.check(user, "project:view", domain))  # type: ignore[misc]
            for user in ("olga", "max", "andy", "rita")
            for domain in ("project:p1", "project:p2")
        ]
        outcomes += [said(lambda actor=actor: tried(store, actor)) for actor in ("ada", "max")]  # type: ignore[misc]
        for more in (lambda: store.export_state(), lambda: list(acme.audit()), lambda: list(acme.members("project:p1"))):
            outcomes.append(said(more))
        problems = said(lambda: list(store.problems()))

        assert problems and (isinstance(problems, str) or any(isinstance(each, str) for each in outcomes) or value.startswith("an end"))
    for line in (
        "check andy project:view project:p1",
        "grant andy reviewer --on project:p1 --as max",
        "export",
        "members project:p1",
        "doctor",
    ):
        assert command(f"sqlite:///{path}", line)[0] in (0, 1, 4, 6), line


def test_a_few_bytes_changed_anywhere_give_no_answer_that_verify_does_not_find(path: Path, migrated_file: Path) -> None:
    """The database keeps no sums of its pages: what changes an answer must show in `problems`, and nothing is a traceback."""
    filled(path, migrated_file)
    with rbac.connect(f"sqlite:///{path}") as store:
        for number in range(4):
            store.organization("acme").acting("ada").grant("andy", ("reviewer", "annotator")[number % 2])
    whole, seen = path.read_bytes(), Counter[str]()

    for seed in range(FLIPS):
        dice, content = random.Random(seed), bytearray(whole)
        for _ in range(dice.randint(1, 3)):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(content)
        seen[flipped(path, seed)] += 1

    print(f"\n{dict(sorted(seen.items()))}")
    assert sum(seen.values()) == FLIPS
    assert seen["harmless"] and (seen["found"] or seen["an error"])


def tried(store: rbac.Store, actor: str = "ada") -> object:
    """A change; False when it is refused."""
    try:
        return store.organization("acme").acting(actor).grant("andy", "reviewer", on="project:p1")
    except rbac.Refused:
        return False


def flipped(path: Path, seed: int) -> str:
    """What a few changed bytes came to: harmless, found by `problems`, or an error."""
    with rbac.connect(f"sqlite:///{path}") as store:
        acme = store.organization("acme")
        outcomes = [
            said(lambda ask=ask, question=question: bool(ask(*question)))  # type: ignore[misc]
            for question in (YES, NO, ("rita", "project:view", "project:p1"))
            for ask in (acme.can, acme.check)
        ]
        problems = said(lambda: list(store.problems()))
        changed = said(lambda: tried(store, "max"))
        for more in (lambda: store.export_state(), lambda: list(acme.audit()), lambda: list(acme.members()), lambda: store.health()):
            said(more)
        right = [outcome is truth for outcome, truth in zip(outcomes, (True, True, False, False, True, True), strict=True)]
        wrong = [outcome for outcome, so in zip(outcomes, right, strict=True) if not so and isinstance(outcome, bool)]

        assert problems or (not wrong and changed is not False), (seed, outcomes, changed)
        if any(isinstance(each, str) for each in (*outcomes, problems, changed)):
            return "an error"
        return "found" if problems else "harmless"


# -- PostgreSQL ------------------------------------------------------------------------------------------------------------


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """The server takes no changes, as a standby."""
    name = make_url(url).database
    execute(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    yield
    execute(url, "SET default_transaction_read_only = off", f"ALTER DATABASE {name} RESET default_transaction_read_only")


@contextmanager
def row_locked(url: str) -> Iterator[None]:
    """Somebody is in the middle of a change of the organization and does not finish."""
    with psycopg.connect(psycopg_url(url)) as other:
        other.execute("SELECT * FROM rbac_organization FOR UPDATE")
        yield


SERVER_FAULTS: dict[str, tuple[Callable[[str], AbstractContextManager[object]], str]] = {
    "read-only": (read_only, "is read-only: name the primary server"),
    "locked": (row_locked, "is busy with another change: try again"),
}


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("kind", SERVER_FAULTS)
def test_a_fault_of_the_server_is_an_error_that_says_what_to_do(url: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "SETTINGS", postgresql.SETTINGS.replace("'10s'", "'50ms'"))
    make, says = SERVER_FAULTS[kind]
    with rbac.connect(url) as store:
        store.import_state(ACME)
        hold_on_a_server(store, url, make, says)


def hold_on_a_server(store: rbac.Store, url: str, make: Callable[[str], AbstractContextManager[object]], says: str) -> None:
    """Make a fault of a server under a store that has answered, ask and change in a new one, lift it, and look."""
    acme = store.organization("acme")
    assert acme.can(*YES) and not acme.can(*NO)
    before = rows(store, "refusal")

    with make(url), rbac.connect(url) as late:
        for ask in (late.organization("acme").can, late.organization("acme").check):
            assert ask(*YES) and not ask(*NO)
        for change in (big, small):
            assert matches(says, said(lambda change=change: change(late)))  # type: ignore[misc]
        assert command(url, "check max data:export project:p1")[0] == 0
        code, stderr = command(url, "grant andy reviewer --as ada")
        assert code == 6 and matches(says, stderr)

    assert rows(store, "refusal") == before
    with rbac.connect(url) as fresh:
        works_again(fresh)


def test_a_full_disk_of_the_server_is_an_error_and_nothing_was_written(postgresql: str) -> None:
    folder = Path(mkdtemp(prefix="rbacts", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    name = f"full{os.getpid()}"
    with mounted(folder, "-t", "tmpfs", "-o", "size=64m", "rbac-server-full"):
        tables = folder / "tables"
        tables.mkdir()
        with psycopg.connect(postgresql, autocommit=True) as connection:
            (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        owner = os.stat(data)
        os.chown(tables, owner.st_uid, owner.st_gid)
        folder.chmod(0o755)
        execute(
            postgresql,
            f"CREATE TABLESPACE {name} LOCATION '{tables}'",
            f"CREATE DATABASE {name} TEMPLATE migrated TABLESPACE {name} STRATEGY FILE_COPY",
        )
        try:
            with rbac.connect(database(postgresql, name)) as store:
                store.import_state(ACME)
                hold_on_a_full_server(store, folder)
        finally:
            execute(postgresql, f"DROP DATABASE {name} WITH (FORCE)", f"DROP TABLESPACE {name}")
    folder.rmdir()


def hold_on_a_full_server(store: rbac.Store, folder: Path) -> None:
    """Fill the disk under a store that is open, change, ask, make room, and look."""
    acme = store.organization("acme")
    before = rows(store)
    with no_room(folder / "rbac.db"):
        outcome = said(lambda: store.record("acme", project="p1", tasks=[f"n{number}" for number in range(3000)]))
        assert matches("the disk of .* is full: nothing was written", outcome)
        assert acme.can(*YES) and not acme.can(*NO)
    assert rows(store) == before
    works_again(store)
