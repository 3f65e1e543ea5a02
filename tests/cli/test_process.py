"""The program as a process: exit codes, pipes, terminals, NO_COLOR, a reader that leaves."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Process, words

pytestmark = pytest.mark.usefixtures("here")

ENVIRONMENT = {"PYTHONPATH": str(ROOT)}
JUDGED = b"policy: policy.csv\n"
"""What `matrix` says on stderr."""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("check max data:export project:p1", 0),
        ("check andy data:export project:p1", 1),
        ("check andy data:exprt project:p1", 2),
        ("matrix --policy nowhere.csv", 3),
        ("grant max owner --as ada", 4),
        ("check max data:export project:p1 --db sqlite:///nowhere.db", 6),
    ],
)
def test_a_process_exits_with_the_code_of_the_contract(process: Process, line: str, code: int) -> None:
    answer = process(line)

    assert answer.returncode == code
    assert b"Traceback" not in answer.stderr
    assert bool(answer.stderr) == (code > 1)


def _in_terminal(line: str, **variables: str) -> str:
    """What a command prints on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "rbac.cli", *words(line)]
    environment = {**os.environ, **ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "200", **variables}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        told = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # Linux says that the other end is gone
                block = b""
            if not block:
                break
            told += block
    os.close(ours)
    return told.decode()


def test_a_terminal_gets_a_drawn_table(process: Process) -> None:
    assert "┃" in _in_terminal("members project:p1")
    assert "\x1b[1m" in _in_terminal("matrix")


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colour_gets_what_a_pipe_gets(process: Process, variables: dict[str, str]) -> None:
    for line in ("members project:p1", "matrix", "explain max data:export project:p1"):
        plain = _in_terminal(line, **variables)

        assert plain.replace("\r\n", "\n").removeprefix(JUDGED.decode()) == process(line).stdout.decode()
        assert "\x1b" not in plain


def test_progress_is_on_stderr_and_only_where_somebody_looks(process: Process, here: Path) -> None:
    assert "facts" in _in_terminal("import acme.yaml --db sqlite:///one.db").replace("acme: new, 22 facts", "")
    assert process("import acme.yaml --db sqlite:///two.db").stderr == b""


def _answering() -> subprocess.Popen[bytes]:
    """A process that answers request lines as they come."""
    command = [sys.executable, "-m", "rbac.cli", "check", "--from", "-"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **ENVIRONMENT}, preexec_fn=_interruptible
    )


def _interruptible() -> None:
    """Tests that run in a shell's background would hand down an ignored SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_reader_that_leaves_ends_the_program_quietly(process: Process) -> None:
    line = b'{"user": "max", "permission": "data:export", "domain": "project:p1"}\n'
    with _answering() as run:
        assert run.stdin and run.stdout and run.stderr
        run.stdin.write(line)
        assert json.loads(run.stdout.readline())["allowed"] is True  # answered before the next line is there
        run.stdout.close()
        with pytest.raises(BrokenPipeError):
            for _ in range(10_000):
                run.stdin.write(line)
        told = run.stderr.read()
        run.wait(60)

    assert (run.returncode, told) == (141, b"")


@pytest.mark.parametrize("line", ["--help", "matrix", "export"])
def test_output_that_nobody_reads_is_no_no(line: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "rbac.cli", *words(line)]

    answer = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env={**os.environ, **ENVIRONMENT}, timeout=60, check=False)

    os.close(writing)
    assert (answer.returncode, answer.stderr.removeprefix(JUDGED)) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("line", ["matrix", "check max data:export project:p1"])
def test_output_without_room_is_said(process: Process, line: str) -> None:
    with open("/dev/full", "wb") as full:
        answer = process(line, stdout=full, stderr=subprocess.PIPE)

    assert (answer.returncode, answer.stderr.removeprefix(JUDGED)) == (74, b"rbac: cannot write the output: No space left on device\n")


def test_an_interrupt_ends_the_program_with_130_and_without_a_traceback() -> None:
    with _answering() as run:
        assert run.stdin and run.stdout and run.stderr
        run.stdin.write(b'{"user": "max", "permission": "data:export", "domain": "project:p1"}\n')
        run.stdout.readline()
        run.send_signal(signal.SIGINT)
        told = run.stderr.read()
        run.wait(60)

    assert (run.returncode, told) == (130, b"")


def test_a_terminal_that_knows_no_tick_gets_another_character(process: Process) -> None:
    answer = process("matrix --format markdown", environment={"PYTHONIOENCODING": "latin-1"})

    assert (answer.returncode, answer.stderr) == (0, JUDGED)
    assert answer.stdout.decode("latin-1").count("| Export data |") == 1


def test_a_check_imports_nothing_that_only_other_commands_need() -> None:
    code = "import sys; from rbac.cli import main\ntry: main()\nexcept SystemExit: print(sorted(sys.modules))"

    answer = subprocess.run(
        [sys.executable, "-c", code, "check", "max", "data:export", "project:p1"],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    loaded = set(eval(answer.stdout.splitlines()[-1]))
    assert "rbac.decisions.batch" in loaded
    assert loaded.isdisjoint({"rich", "yaml", "alembic", "casbin_sqlalchemy_adapter", "psycopg", "sqlalchemy.orm"})
    assert loaded.isdisjoint(
        {
            "rbac.acting",
            "rbac.administration",
            "rbac.statefile",
            "rbac.database.unit_of_work",
            "rbac.past",
            "rbac.database.health",
            "rbac.review",
        }
    )
