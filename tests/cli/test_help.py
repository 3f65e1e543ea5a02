"""Help, documentation and completion: each command has an example that runs, and a place in docs/cli.md."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rbac.cli import main
from rbac.cli.commands import Command, Group
from rbac.cli.errors import BUG, CODES, INTERRUPTED, OUTPUT, READER_GONE
from tests.cli.conftest import ROOT, Process, Rbac, words


def _commands(group: click.Group, *before: str) -> Iterator[tuple[str, Command | Group]]:
    for name, command in group.commands.items():
        assert isinstance(command, (Command, Group))
        yield " ".join((*before, name)), command
        if isinstance(command, Group):
            yield from _commands(command, *before, name)


COMMANDS = dict(_commands(main))
EXAMPLES = [(path, example) for path, command in COMMANDS.items() for example in command.examples]
BY_THEMSELVES = [each for each in EXAMPLES if not each[0].startswith("policy")]
"""The examples of `policy` need a git repository; tests/review runs them in one."""
DOCUMENT = ROOT / "docs" / "cli.md"
NO_YET = {
    "rbac check max annotator_dashboard:view organization --target andy": 0,
    "rbac explain andy bulk_labeling:perform project:p1": 1,
    "rbac check andy data:export project:p1": 1,
    "rbac workspace delete w9 --as max": 4,
    "rbac workspace delete w2 --as ada": 4,
    "rbac project move p9 --workspace w2 --as ada": 4,
}
"""The examples that do not exit 0 where nothing but the example store is there."""


def test_there_are_commands_for_everything_that_can_be_changed() -> None:
    from rbac.acting import Acting

    changes = {name for name, value in vars(Acting).items() if not name.startswith("_") and callable(value)}
    named = {"_".join(reversed(path.split())) for path in COMMANDS}

    assert changes - named == {"assign_annotator", "assign_reviewer"}  # `assign --annotator`, `assign --reviewer`


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help_with_an_example_of_itself(rbac: Rbac, empty: Path, path: str) -> None:
    answer = rbac(f"{path} --help")

    assert (answer.exit_code, answer.stderr) == (0, "")
    examples = answer.stdout.partition("\nExamples:\n")[2].splitlines()
    assert examples and all(line.startswith(f"  rbac {path} ") or line == f"  rbac {path}" for line in examples)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does_in_a_line_that_the_list_can_show_whole(path: str) -> None:
    assert not COMMANDS[path].get_short_help_str(54).endswith("...")


@pytest.mark.parametrize(("path", "example"), BY_THEMSELVES, ids=[example for _, example in BY_THEMSELVES])
def test_every_example_runs_against_the_example_store(rbac: Rbac, here: Path, path: str, example: str) -> None:
    if path == "db restore":
        rbac("db backup acme-monday.db")
    answer = rbac(example.partition(" > ")[0])

    assert answer.exit_code == NO_YET.get(example, 0), answer.output


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_takes_the_global_options(path: str) -> None:
    names = {name for parameter in COMMANDS[path].params for name in parameter.opts}

    assert {"--db", "--org", "--policy", "--model", "--json"} <= names


@pytest.mark.parametrize("path", [path for path, command in COMMANDS.items() if isinstance(command, Command)])
def test_every_command_is_in_the_reference(path: str) -> None:
    assert f"`rbac {path}" in DOCUMENT.read_text()


def test_every_option_is_in_the_reference() -> None:
    text = DOCUMENT.read_text()
    options = {name for command in COMMANDS.values() for parameter in command.params for name in parameter.opts if name.startswith("--")}

    assert {option for option in options if option not in text} == set()


def test_every_exit_code_is_in_the_reference() -> None:
    text = DOCUMENT.read_text()

    assert all(f"| {code} | " in text for code in (0, *CODES.values(), BUG, OUTPUT, INTERRUPTED, READER_GONE))


def test_the_objects_of_the_reference_are_what_the_program_prints_and_reads(rbac: Rbac, here: Path) -> None:
    text = DOCUMENT.read_text()
    shown = json.loads(text.partition("```json\n")[2].partition("\n```")[0])
    line = text.partition("A request line is `")[2].partition("`")[0]

    assert json.loads(rbac("check max data:export project:p1 --json").stdout) == shown
    assert rbac("check --from -", input=line + "\n").exit_code == 0


def test_no_words_at_all_get_the_help_and_exit_2(rbac: Rbac, empty: Path) -> None:
    answer = rbac("")

    assert answer.exit_code == 2
    assert "Usage: rbac " in answer.stderr and "check " in answer.stderr


def test_the_version_is_the_librarys(rbac: Rbac, empty: Path) -> None:
    import rbac as library

    assert rbac("--version").stdout == f"rbac, version {library.__version__}\n"


# -- completion ------------------------------------------------------------------------------------------------------------


def _complete(process: Process, typed: str) -> list[str]:
    environment = {"_RBAC_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words(typed)) + typed.endswith(" "))}
    answer = process("", environment=environment)
    assert (answer.returncode, answer.stderr) == (0, b"")
    return [line.partition(",")[2] for line in answer.stdout.decode().splitlines() if line]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("rbac chec", ["check"]),
        ("rbac check an", ["andy"]),
        ("rbac check andy data:", ["data:import", "data:export"]),
        ("rbac check andy data:export project:", ["project:p1", "project:p2", "project:p3", "project:p4", "project:p5"]),
        ("rbac check andy data:export project:p1 --org ", ["acme"]),
        ("rbac --db sqlite:///rbac.db check andy workspace:view workspace:w", ["workspace:w1", "workspace:w2"]),
        ("rbac grant andy re", ["reviewer"]),
        ("rbac grant andy reviewer --on project:p2", ["project:p2"]),
        ("rbac project create p9 --workspace w", ["w1", "w2"]),
        ("rbac restrict plugin:", ["plugin:view", "plugin:configure"]),
        ("rbac roles m", ["max", "mia"]),
    ],
)
def test_a_shell_completes_names_from_closed_sets_and_from_the_store(process: Process, here: Path, typed: str, offered: list[str]) -> None:
    assert _complete(process, typed) == offered


@pytest.mark.parametrize("typed", ["rbac check an", "rbac check andy data:export project:", "rbac --org ", "rbac roles --org nowhere m"])
def test_completion_says_nothing_where_there_is_no_store(process: Process, empty: Path, typed: str) -> None:
    assert _complete(process, typed) == []
    assert list(empty.iterdir()) == []


def test_completion_says_nothing_where_the_store_is_not_ours(process: Process, empty: Path) -> None:
    (empty / "rbac.db").write_text("hello" * 1000)

    assert _complete(process, "rbac check ") == []


def test_bash_itself_completes_a_name_with_a_colon(process: Process, here: Path) -> None:
    script = process("", environment={"_RBAC_COMPLETE": "bash_source"}).stdout.decode()
    (here / "rbac").write_text(f"#!/bin/sh\nPYTHONPATH={ROOT} exec {_python()} -m rbac.cli\n")
    (here / "rbac").chmod(0o755)
    ask = 'COMP_WORDS=(rbac check andy data:e); COMP_CWORD=3; _rbac_completion rbac; echo "${COMPREPLY[@]} [$COMP_WORDBREAKS]"'

    answer = subprocess.run(["bash", "-c", f"PATH=.:$PATH\n{script}\n{ask}"], capture_output=True, text=True, check=True, timeout=60)

    assert answer.stdout.startswith("data:export [")
    assert ":" not in answer.stdout.partition("[")[2]


def _python() -> str:
    import sys

    return sys.executable
