"""`rbac policy ...`: what a change of policy.csv changes, what is wrong with it, what its tests leave open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from rbac.errors import PolicyError, RBACError, UnknownName
from rbac.policy import PACKAGED
from rbac.review.report import Format, Report, is_clean, render

CLEAN, FINDINGS, USAGE, DOES_NOT_LOAD = range(4)


@click.group()
def policy() -> None:
    """Review a policy: lint, fmt, test, claims, coverage, mutate, diff."""


def _format(command: Callable[..., Any]) -> Callable[..., Any]:
    choice = click.Choice([str(form) for form in Format])
    return click.option("--format", "form", type=choice, default="text", help="How to print it.", show_default=True)(command)


def _file(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))(command)


def _policy_file(file: Path | None) -> Path:
    """The file named, else --policy, else ./policy.csv, else the packaged one."""
    named = file or click.get_current_context().find_root().params.get("policy")
    return Path(named) if named else _here("policy.csv") or PACKAGED


def _here(name: str) -> Path | None:
    """A file of the present folder, where there is one."""
    return Path(name) if Path(name).is_file() else None


@contextmanager
def _errors() -> Iterator[None]:
    """Errors of the library as one sentence on stderr and an exit code."""
    try:
        yield
    except UnknownName as error:
        _fail(str(error), USAGE)
    except PolicyError as error:
        _fail(str(error), DOES_NOT_LOAD)
    except RBACError as error:
        _fail(str(error), DOES_NOT_LOAD)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    raise click.exceptions.Exit(code)


def _print(report: Report, form: str, *, title: str) -> NoReturn:
    click.echo(render(report, Format(form), title=title), nl=False)
    raise click.exceptions.Exit(CLEAN if is_clean(report) else FINDINGS)


@policy.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--fail-on", type=click.Choice(["wider", "any"]), help="Exit 1 when somebody gains unacknowledged, or when any decision changes."
)
@_format
def diff(old: str, new: str, fail_on: str | None, form: str) -> None:
    """What decisions change from OLD to NEW: each a file, a git revision, or REVISION:PATH.

    A widening is acknowledged by a line `Policy-Widens: PERMISSION` in a commit message between the two.

    Example: rbac policy diff main policy.csv --fail-on wider
    """
    from rbac.review.comment import DiffReport, render_diff
    from rbac.review.diff import diff as compare
    from rbac.review.sources import acknowledged, find_source

    with _errors():
        file = str(click.get_current_context().find_root().params.get("policy") or "policy.csv")
        one, other = find_source(old, file=file), find_source(new, file=file)
        try:
            before = one.policy()
        except PolicyError as error:
            _lint_alone(error, other.data, other.name)
        report = DiffReport(compare(before, other.policy()), acknowledged(one, other))
    click.echo(render_diff(report, Format(form)), nl=False)
    failed = bool(report.diff.changes) if fail_on == "any" else fail_on == "wider" and bool(report.unacknowledged)
    raise click.exceptions.Exit(FINDINGS if failed else CLEAN)


def _lint_alone(error: PolicyError, data: bytes, name: str) -> NoReturn:
    """OLD does not load: say so, and still say what is wrong with NEW."""
    from rbac.review.lint import lint as look

    click.echo(str(error), err=True)
    click.echo("OLD does not load, so nothing can be compared; NEW by itself:", err=True)
    click.echo(render(look(data.decode(errors="replace"), name), Format.TEXT, title="Policy lint"), nl=False, err=True)
    raise click.exceptions.Exit(DOES_NOT_LOAD)


@policy.command()
@_file
@click.option("--fix", is_flag=True, help="Write the layout first: headings, order, columns.")
@_format
def lint(file: Path | None, fix: bool, form: str) -> None:
    """What a policy that loads still should not say; docs/lint.md has a section for every rule.

    Example: rbac policy lint policy.csv --fix
    """
    from rbac.review.layout import format_policy
    from rbac.review.lint import lint as look
    from rbac.review.sources import read_text, write_text

    with _errors():
        path = _policy_file(file)
        text = read_text(path)
        if fix:
            text = write_text(path, format_policy(text, str(path)))
        report = look(text, str(path))
    _print(report, form, title="Policy lint")


@policy.command()
@_file
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the file would change.")
def fmt(file: Path | None, check: bool) -> None:
    """Lay a policy out the one way: deny lines, then the page's rows in its order, columns aligned. No decision changes.

    Example: rbac policy fmt --check policy.csv
    """
    from rbac.review.layout import format_policy
    from rbac.review.sources import read_text, write_text

    with _errors():
        path = _policy_file(file)
        text = read_text(path)
        formatted = format_policy(text, str(path))
        if formatted != text and not check:
            write_text(path, formatted)
    changed = formatted != text
    click.echo(f"{path}: {('would be reformatted' if check else 'reformatted') if changed else 'already laid out'}")
    raise click.exceptions.Exit(FINDINGS if changed and check else CLEAN)


@policy.command()
@click.argument("claims_file", required=False, type=click.Path(path_type=Path))
@_format
def claims(claims_file: Path | None, form: str) -> None:
    """Prove the sentences of a claims file over every combination of facts, or show what refutes them.

    Without a file: ./claims.yaml, else the claims that ship.

    Example: rbac policy claims claims.yaml
    """
    from rbac.policy import read_policy
    from rbac.review.claims import PACKAGED as SHIPPED
    from rbac.review.claims import check_claims

    with _errors():
        report = check_claims(read_policy(_policy_file(None)), claims_file or _here("claims.yaml") or SHIPPED)
    _print(report, form, title="Policy claims")


@policy.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write the outcomes as JUnit XML.")
@_format
def test(files: tuple[Path, ...], junit: Path | None, form: str) -> None:
    """Run policy tests: files `*.rbac.yaml`, or folders of them.

    Example: rbac policy test tests/policy
    """
    from rbac.review.testing import junit as as_junit
    from rbac.review.testing import run_tests

    with _errors():
        with _expectations(files) as (table, expectations):
            report = run_tests(table, expectations)
        if junit is not None:
            junit.write_text(as_junit(report), encoding="utf-8")
    _print(report, form, title="Policy tests")


@contextmanager
def _expectations(files: tuple[Path, ...]) -> Iterator[tuple[Any, list[Any]]]:
    """The policy, and everything the test files expect of it."""
    from rbac.policy import read_policy
    from rbac.review.expectations import read_expectations, test_files
    from rbac.trials import Trials

    table = read_policy(_policy_file(None))
    trials = Trials(table)
    try:
        yield table, [each for file in test_files(files) for each in read_expectations(file, trials.open)]
    finally:
        trials.close()


@policy.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--threshold", type=click.FloatRange(0, 100), default=100.0, show_default=True, help="Exit 1 below this percentage.")
@_format
def coverage(files: tuple[Path, ...], threshold: float, form: str) -> None:
    """Which cells, and which truths of their conditions, policy tests exercise; gaps as lines to paste.

    Example: rbac policy coverage tests/policy --threshold 100
    """
    from rbac.review.coverage import coverage as measure

    with _errors(), _expectations(files) as (table, expectations):
        report = measure(table, expectations, threshold=threshold)
    _print(report, form, title="Policy test coverage")


@policy.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_format
def mutate(files: tuple[Path, ...], form: str) -> None:
    """Make every small mistake in the policy, and show those that no policy test notices, each with a test that does.

    Example: rbac policy mutate tests/policy
    """
    from rbac.review.mutation import mutate as try_mutants

    with _errors(), _expectations(files) as (table, expectations):
        report = try_mutants(table, expectations)
    _print(report, form, title="Policy mutation")
