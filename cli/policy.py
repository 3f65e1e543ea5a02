"""The commands `rbac policy ...`: each runs one tool of rbac.review and prints its report.

Exit 1 is for findings; a file that does not load is never one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rbac.cli import complete, output
from rbac.cli.commands import command, group
from rbac.cli.errors import NO
from rbac.cli.session import PACKAGED, Session, current
from rbac.errors import PolicyError
from rbac.policy.reader import Policy, read_policy

if TYPE_CHECKING:
    from rbac.review.diff.compare import PolicyDiff
    from rbac.review.diff.functions import FunctionChange
    from rbac.review.diff.report import Affected
    from rbac.review.findings import Report
    from rbac.review.git import Source
    from rbac.review.testing.expectations import Expectation


class _Percent(click.FloatRange):
    """A percentage; NaN, which is neither below 0 nor above 100, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


_FORMATS = ("text", "json", "markdown", "github")
_format = click.option("--format", "form", type=click.Choice(_FORMATS), default="text", help="Text by default.")
_files = click.argument("files", nargs=-1, type=click.Path(path_type=Path), shell_complete=complete.files)
_tests = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), shell_complete=complete.files)


@group("rbac policy diff main policy.csv", "rbac policy lint", "rbac policy test tests/policy", name="policy")
def policy() -> None:
    """Review a policy: what is in it, what an edit changes.

    The policy is --policy, else ./policy.csv; which one it was is printed on stderr.
    """


@command("rbac policy diff main policy.csv", "rbac policy diff HEAD~1 HEAD --fail-on wider --db sqlite:///rbac.db", under=policy)
@click.argument("old", shell_complete=complete.files)
@click.argument("new", shell_complete=complete.files)
@click.option("--fail-on", type=click.Choice(["wider", "any"]), help="Exit 1 when somebody gains unacknowledged, or at any change.")
@click.option("--code", is_flag=True, help="Also run the conditions of both revisions and compare them; only where this code may run.")
@_format
@current
def diff(session: Session, old: str, new: str, fail_on: str | None, code: bool, form: str) -> None:
    """Which decisions change from OLD to NEW.

    OLD and NEW are files, git revisions, or REVISION:PATH. A widening is acknowledged by a trailer
    `Policy-Widens: ROLE PERMISSION` of a commit between the two. With --db it says whom of the store each change affects today.
    """
    from rbac.review.diff.acknowledged import acknowledge
    from rbac.review.diff.compare import diff as compare
    from rbac.review.diff.report import DiffReport, render_diff
    from rbac.review.findings import Format
    from rbac.review.git import find_source, trailers

    file = session.policy or "policy.csv"
    one, other = find_source(old, file=file), find_source(new, file=file)
    try:
        before = one.policy()
    except PolicyError:
        _lint_alone(other.data, other.name)
        raise
    after = other.policy()
    changes = compare(before, after)
    said = acknowledge(before, after, changes, trailers(one, other))
    people = _affected(session, before, after, changes) if session.db else None
    cells = frozenset(map(" ".join, said.cells))
    functions, notes = _functions(one, other, before, after, run=code)
    report = DiffReport(changes, cells, people, (one.title, other.title), (*said.wrong, *notes), functions)
    output.text(render_diff(report, Format("json" if session.json else form)))
    unknown = bool(report.diff.changes or report.functions or notes)
    _exit(unknown if fail_on == "any" else fail_on == "wider" and bool(report.unacknowledged))


def _functions(one: Source, other: Source, before: Policy, after: Policy, *, run: bool) -> tuple[tuple[FunctionChange, ...], list[str]]:
    """What the functions change where they are run, and a sentence where they were edited and are not compared."""
    from rbac.review.diff.functions import NotCompared, compare_functions, edited_code

    files = edited_code(one, other)
    notes = [f"{file} was edited and is not compared" for file in files if not run or file.endswith("model.conf")]
    if not run or not any(file.endswith(".py") for file in files):
        return (), notes
    try:
        return compare_functions(one, other, before, after), notes
    except NotCompared as error:
        return (), [*notes, f"{error}: the functions are not compared"]


def _affected(session: Session, old: Policy, new: Policy, changes: PolicyDiff) -> tuple[Affected, ...]:
    """The people of the store whom the changes affect: of the organization named, else of all."""
    from rbac.review.diff.impact import affected

    store = session.store()
    named = session.existing().id if session.named() else None
    return affected(store, old, new, changes.changes, [named] if named else store.organizations())


def _lint_alone(data: bytes, name: str) -> None:
    """OLD does not load, so nothing can be compared; what is wrong with NEW is reported."""
    from rbac.review.findings import Format, render
    from rbac.review.lint import lint as look

    click.echo("OLD does not load, so nothing can be compared. NEW by itself:", err=True)
    try:
        output.text(render(look(data, name), Format.TEXT, title="Policy lint"), err=True)
    except PolicyError as other:
        output.text(f"{other}\n", err=True)


@command("rbac policy init", under=policy)
@current
def init(session: Session) -> None:
    """Put a policy under review in the present folder.

    Writes policy.csv, claims.yaml, tests/policy, a workflow and hooks; nothing when one of them is there.
    """
    from rbac.review.scaffold import scaffold

    files = scaffold(Path())
    if session.json:
        output.as_json({"written": files})
    else:
        output.text("".join(f"{name}\n" for name in files))


@command("rbac policy lint", "rbac policy lint policy.csv --fix", under=policy)
@_files
@click.option("--fix", is_flag=True, help="First correct what layout can correct: headings, order, columns.")
@_format
@current
def lint(session: Session, files: Sequence[Path], fix: bool, form: str) -> None:
    """What a policy that loads should still not contain.

    docs/lint.md has a section for every rule.
    """
    from rbac.review.findings import is_clean
    from rbac.review.formatting import format_policy
    from rbac.review.git import read_text, write_text
    from rbac.review.lint import lint as look

    clean = True
    for path in files or [session.reviewed()]:
        text = read_text(path)
        if fix:
            text = write_text(path, format_policy(text, str(path)))
        report = look(text, str(path))
        _print(session, report, form, title="Policy lint")
        clean = clean and is_clean(report)
    _exit(not clean)


@command("rbac policy fmt", "rbac policy fmt --check policy.csv", under=policy)
@_files
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file would change.")
@current
def fmt(session: Session, files: Sequence[Path], check: bool) -> None:
    """Format a policy; no decision changes.

    Deny lines first, then the rows of the published table in its order, columns aligned.
    """
    from rbac.review.formatting import format_policy
    from rbac.review.git import read_text, write_text

    changed = False
    for path in files or [session.reviewed()]:
        text = read_text(path)
        formatted = format_policy(text, str(path))
        if formatted != text and not check:
            write_text(path, formatted)
        if session.json:
            output.as_json({"file": str(path), "laid_out": formatted == text, "written": formatted != text and not check})
        else:
            done = "would be reformatted" if check else "reformatted"
            output.line(f"{path}: {done if formatted != text else 'already laid out'}")
        changed = changed or formatted != text
    _exit(check and changed)


@command("rbac policy test tests/policy", "rbac policy test tests/policy --junit outcomes.xml", under=policy)
@_tests
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write the outcomes as JUnit XML.")
@_format
@current
def test(session: Session, files: Sequence[Path], junit: Path | None, form: str) -> None:
    """Run policy tests, files *.rbac.yaml or folders."""
    from rbac.review.testing.run import junit as as_junit
    from rbac.review.testing.run import run_tests

    with _expected(session, files) as (table, expectations):
        report = run_tests(table, expectations)
    if junit is not None:
        _write(junit, as_junit(report))
    _report(session, report, form, title="Policy tests")


@command("rbac policy claims", "rbac policy claims claims.yaml --policy policy.csv", under=policy)
@click.argument("claims_file", metavar="[FILE]", required=False, type=click.Path(path_type=Path), shell_complete=complete.files)
@_format
@current
def claims(session: Session, claims_file: Path | None, form: str) -> None:
    """Prove the sentences of a claims file, or refute them.

    Over every combination of facts; what refutes one is shown. Without a file: ./claims.yaml.
    """
    from rbac.review.claims import PACKAGED as SHIPPED
    from rbac.review.claims import check_claims

    where = claims_file or (SHIPPED if session.policy == PACKAGED else Path("claims.yaml"))
    _report(session, check_claims(read_policy(session.reviewed()), where), form, title="Policy claims")


@command("rbac policy coverage tests/policy", "rbac policy coverage tests/policy --threshold 90", under=policy)
@_tests
@click.option("--threshold", metavar="PERCENT", type=_Percent(0, 100), default=100.0, help="Exit 1 below it; 100 by default.")
@_format
@current
def coverage(session: Session, files: Sequence[Path], threshold: float, form: str) -> None:
    """Which cells and conditions policy tests exercise.

    Every condition must be tested both ways; gaps come as lines to paste.
    """
    from rbac.review.testing.coverage import coverage as measure

    with _expected(session, files) as (table, expectations):
        report = measure(table, expectations, threshold=threshold)
    _report(session, report, form, title="Policy test coverage")


@command("rbac policy mutate tests/policy", under=policy)
@_tests
@_format
@current
def mutate(session: Session, files: Sequence[Path], form: str) -> None:
    """Which small mistakes no policy test would notice.

    Every single-step mutation of the policy that changes a decision; each survivor comes with a test that kills it.
    """
    from rbac.review.testing.mutation import mutate as try_mutants

    with _expected(session, files) as (table, expectations):
        report = try_mutants(table, expectations)
    _report(session, report, form, title="Policy mutation")


@contextmanager
def _expected(session: Session, files: Sequence[Path]) -> Iterator[tuple[Policy, list[Expectation]]]:
    """The policy, and everything the test files expect of it; their states are open inside."""
    from rbac.review.testing.expectations import read_expectations, test_files
    from rbac.review.testing.fixtures import Trials

    table = read_policy(session.reviewed())
    trials = Trials(table)
    try:
        yield table, [each for file in test_files(files) for each in read_expectations(file, trials.open)]
    finally:
        trials.close()


def _report(session: Session, report: Report, form: str, *, title: str) -> None:
    """Print a report, and exit 1 when it found something."""
    from rbac.review.findings import is_clean

    _print(session, report, form, title=title)
    _exit(not is_clean(report))


def _print(session: Session, report: Report, form: str, *, title: str) -> None:
    from rbac.review.findings import Format, render

    output.text(render(report, Format("json" if session.json else form), title=title))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error


def _exit(found: bool) -> None:
    if found:
        click.get_current_context().exit(NO)


COMMANDS: tuple[click.Command, ...] = (policy,)
