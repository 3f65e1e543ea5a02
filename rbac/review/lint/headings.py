"""Rules about layout: headings, order, columns. `--fix` repairs all of them.

They do not depend on what a line decides; `rbac policy fmt` writes what they ask for.
"""

from __future__ import annotations

from difflib import get_close_matches
from itertools import pairwise

from rbac.names import nearest
from rbac.review.findings import Severity
from rbac.review.formatting import MEMBERSHIP, SECTIONS, conditions_width, order, row_of, section_heading, section_of, write_line
from rbac.review.lint.rules import RULES, Found, Linted, rule
from rbac.vocabulary import ROWS, Effect


@rule(Severity.WARNING)
def unused_allowance(linted: Linted) -> Found:
    """A comment `# lint: allow RULE because REASON` above a line about which that rule finds nothing, or one written otherwise."""
    for each in linted.allowances:
        if each.rule is None:
            yield each.at, "is not understood: write # lint: allow RULE because REASON"
        elif each.rule not in RULES:
            yield each.at, f"there is no rule {each.rule}{nearest(each.rule, RULES)}"
        elif each.rule == "unused-allowance" or each.line not in {line for line, _ in linted.found(each.rule)}:
            yield each.at, f"{each.rule} finds nothing in the line below: delete the comment"


@rule(Severity.WARNING, fixable=True)
def unaligned_columns(linted: Linted) -> Found:
    """A line whose columns do not stand below each other."""
    width, raw = conditions_width(linted.policy.lines), linted.document.raw
    for line in linted.policy.lines:
        written = raw[line.number - 1]
        if written != write_line(line, width=width) and _words(written) == _words(write_line(line, width=width)):
            yield line.number, "the columns are not aligned"


def _words(text: str) -> list[str]:
    return [word.strip() for part in text.split(",") for word in part.split("&")]


@rule(Severity.WARNING, fixable=True)
def membership_not_first(linted: Linted) -> Found:
    """A line that names another condition before the one about membership."""
    for line in linted.policy.lines:
        places = [line.conditions.index(name) for name in MEMBERSHIP if name in line.conditions]
        if places and max(places) >= len(places):
            yield line.number, f"{line.conditions[max(places)]} stands first: who is there at all, then the rest"


@rule(Severity.WARNING, fixable=True)
def deny_not_first(linted: Linted) -> Found:
    """A deny line behind an allow line."""
    allowed = False
    for line in linted.policy.lines:
        allowed = allowed or line.effect is Effect.ALLOW
        if allowed and line.effect is Effect.DENY:
            yield line.number, "deny lines stand at the head of the file, before every allow line"


@rule(Severity.WARNING, fixable=True)
def line_out_of_order(linted: Linted) -> Found:
    """A line out of order: by permission as in the published table, by role from the lowest up."""
    for one, other in pairwise(line for line in linted.policy.lines if line.effect is Effect.ALLOW):
        if order(one) > order(other):
            yield other.number, f"{other.role} {other.permission} stands before {one.role} {one.permission} (line {one.number})"


@rule(Severity.WARNING, fixable=True)
def line_under_wrong_heading(linted: Linted) -> Found:
    """A line under the heading of another row or section."""
    for entry in linted.document.entries:
        row, under = row_of(entry.line), entry.row
        if row and under and under.number != row.number:
            yield entry.line.number, f"{entry.line.permission} belongs under '# {row.number}. {row.wording}'"
        elif entry.section and entry.section.canonical != section_heading(section_of(entry.line)) and _is_known(entry.section.text):
            yield entry.line.number, f"belongs under the section {section_of(entry.line)}, not {entry.section.text}"


def _is_known(section: str) -> bool:
    return section in {row.heading for row in ROWS}


@rule(Severity.WARNING, fixable=True)
def missing_heading(linted: Linted) -> Found:
    """A line without its section and row above it."""
    for place, entry in enumerate(linted.document.entries):
        before = linted.document.entries[place - 1] if place else None
        row = row_of(entry.line)
        if row and entry.row is None and (before is None or row_of(before.line) != row):
            yield entry.line.number, f"'# {row.number}. {row.wording}' is missing above it"
        if entry.section is None and (before is None or section_of(before.line) != section_of(entry.line)):
            yield entry.line.number, f"the section heading {section_of(entry.line)} is missing above it"


@rule(Severity.WARNING, fixable=True)
def heading_drift(linted: Linted) -> Found:
    """A heading that is not worded as in the published table, or not drawn like the others."""
    raw = linted.document.raw
    for heading in linted.document.headings:
        wording = ROWS[heading.number - 1].wording if heading.number else heading.text
        wanted = f"# {heading.number}. {wording}" if heading.number else section_heading(_nearest_section(heading.text))
        if raw[heading.at - 1] != wanted:
            yield heading.at, f"the published table says: {wanted.strip('# -')}"


def _nearest_section(text: str) -> str:
    return get_close_matches(text, SECTIONS, n=1)[0]


@rule(Severity.WARNING, fixable=True)
def empty_heading(linted: Linted) -> Found:
    """A heading with no line under it."""
    used = {heading.at for entry in linted.document.entries for heading in (entry.section, entry.row) if heading}
    for heading in linted.document.headings:
        if heading.at not in used:
            yield heading.at, "no line stands under this heading"


@rule(Severity.WARNING, fixable=True)
def stray_blanks(linted: Linted) -> Found:
    """Blank lines in a row, blanks at the end of a line, or no line break at the end of the file."""
    raw = linted.document.raw
    for number, text in enumerate(raw, 1):
        if text != text.rstrip():
            yield number, "blanks at the end of the line"
        elif not text and number > 1 and not raw[number - 2] and number < len(raw):
            yield number, "a second blank line"
    if raw[-1]:
        yield len(raw), "no line break at the end of the file"
