"""What a review found, in the four forms people and machines read: text, json, markdown, and GitHub's annotations.

Every tool returns a report with `findings` and a `summary`; this module prints any of them. A finding
has a file, a line, what is wrong there and what would be right.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol

from rbac.fact_space.formulas import Formula
from rbac.reports.tables import Markdown, escaped, markdown
from rbac.text import visible
from rbac.vocabulary import Word


class Severity(Word):
    """How bad a finding is. Every one but `notice` makes the run fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Format(Word):
    """How a report is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: the rule that found it, where, and what; `paste` is what would settle it, ready to paste."""

    file: str
    line: int
    rule: str
    message: str
    severity: Severity = Severity.ERROR
    column: int = 1
    paste: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity} {self.rule}: {self.message}"


class Report(Protocol):
    """What every tool returns."""

    @property
    def findings(self) -> tuple[Finding, ...]: ...
    @property
    def summary(self) -> str: ...


def is_clean(report: Report) -> bool:
    """Whether nothing was found that must be dealt with."""
    return all(finding.severity is Severity.NOTICE for finding in report.findings)


def render(report: Report, form: Format, *, title: str) -> str:
    """The whole report, ending in a line break unless it is empty."""
    return _FORMS[form](report, title)


def _text(report: Report, title: str) -> str:
    lines = [part for finding in report.findings for part in (visible(str(finding)), *finding.paste.splitlines())]
    return "\n".join([*lines, visible(report.summary), ""])


def _json(report: Report, title: str) -> str:
    found = {"title": title, "clean": is_clean(report), "summary": report.summary, **_plain(report)}
    found["findings"] = _plain(report.findings)
    return json.dumps(found, indent=2) + "\n"


def _plain(value: Any) -> Any:
    """A report as JSON has it: formulas and names are texts, sets are sorted."""
    if isinstance(value, Formula):
        return str(value)
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, frozenset):
        return sorted(map(_plain, value))
    return list(map(_plain, value)) if isinstance(value, tuple) else value


def _markdown(report: Report, title: str) -> str:
    lines = [f"### {title}", "", escaped(report.summary), ""]
    if report.findings:
        rows = ((f"{each.file}:{each.line}", Markdown(f"`{each.rule}`"), each.message) for each in report.findings)
        lines += [*markdown(("Where", "Rule", "What"), rows), ""]
    pasted = [finding.paste for finding in report.findings if finding.paste]
    return "\n".join([*lines, *(["```yaml", *pasted, "```", ""] if pasted else [])])


def _github(report: Report, title: str) -> str:
    return "".join(f"{annotation(finding)}\n" for finding in report.findings)


def annotation(finding: Finding) -> str:
    """A finding as a GitHub workflow command, which GitHub shows beside the line."""
    where = f"file={_property(finding.file)},line={finding.line},col={finding.column},title={_property(finding.rule)}"
    return f"::{finding.severity} {where}::{data(finding.message)}"


def data(text: str) -> str:
    """Text as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return data(text).replace(":", "%3A").replace(",", "%2C")


_FORMS: dict[Format, Callable[[Report, str], str]] = {
    Format.TEXT: _text,
    Format.JSON: _json,
    Format.MARKDOWN: _markdown,
    Format.GITHUB: _github,
}
