"""One layout for a policy file: idempotent, without a change of decision, with every comment before its line."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rbac.errors import PolicyError
from rbac.policy.reader import PACKAGED, parse_policy
from rbac.review.diff.compare import diff, same_decisions
from rbac.review.formatting import format_policy, read_document

SHIPPED = PACKAGED.read_text()


def test_the_shipped_policy_is_laid_out() -> None:
    assert format_policy(SHIPPED) == SHIPPED


@st.composite
def disarranged(draw: st.DrawFn) -> str:
    """The shipped policy with lines dropped and moved, conditions swapped, blanks and comments thrown in."""
    source = random.Random(draw(st.integers(0, 2**32)))
    lines = SHIPPED.split("\n")
    for _ in range(draw(st.integers(0, 12))):
        lines.insert(source.randrange(len(lines)), lines.pop(source.randrange(len(lines))))
    for number in range(draw(st.integers(0, 6))):
        lines.insert(source.randrange(len(lines)), source.choice(("", "  ", f"# note {number}", f"   # 7. a numbered note {number}")))
    for _ in range(draw(st.integers(0, 6))):
        place = source.choice([place for place, line in enumerate(lines) if line.startswith("p,")])
        *start, conditions, effect = lines[place].split(",")
        parts = [part.strip() for part in conditions.split("&")]
        source.shuffle(parts)
        lines[place] = ",".join([*start, source.choice(("", " ", "   ")) + " & ".join(parts), effect.strip()])
    for _ in range(draw(st.integers(0, 3))):
        lines.pop(source.choice([place for place, line in enumerate(lines) if line.startswith("p,")]))
    return "\n".join(lines)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(disarranged())
def test_formatting_is_idempotent_and_changes_no_decision_and_loses_no_comment(text: str) -> None:
    formatted = format_policy(text)
    before, after = parse_policy(text), parse_policy(formatted)

    assert format_policy(formatted) == formatted
    assert not diff(before, after).changes
    assert _comments(text) == _comments(formatted)
    assert sorted(line.tokens[:4] for line in before.lines) == sorted(line.tokens[:4] for line in after.lines)


def _comments(text: str) -> list[str]:
    document = read_document(parse_policy(text), text)
    inside = [comment for entry in document.entries for comment in entry.comments]
    return sorted(comment for comment in (*document.header, *inside, *document.footer) if comment)


def test_a_comment_stays_before_its_line_when_the_line_moves() -> None:
    note = "# Finance asked for this\n"
    line = next(text for text in SHIPPED.split("\n") if "billing," in text) + "\n"
    moved = SHIPPED.replace(line, "") + note + line

    assert note + line in format_policy(moved)


def test_conditions_about_membership_come_first_and_the_rest_stays() -> None:
    text = SHIPPED.replace(
        "created_or_invited & plugins_enabled & unless_restricted", "unless_restricted & created_or_invited & plugins_enabled"
    )

    assert "created_or_invited & unless_restricted & plugins_enabled" in format_policy(text)


def test_a_policy_that_does_not_load_is_not_formatted() -> None:
    with pytest.raises(PolicyError, match="unknown role 'ownr'"):
        format_policy("p, ownr, organization, billing, configure, always, allow\n")


def test_same_decisions_is_what_an_empty_diff_is() -> None:
    dropped = SHIPPED.replace("may_enter & task_to_label", "may_enter", 1)

    assert same_decisions(parse_policy(SHIPPED), parse_policy(SHIPPED))
    assert not same_decisions(parse_policy(SHIPPED), parse_policy(dropped))


REMARKS = (
    "# 14. Export data: ask finance first",
    "# 14. Export data!",
    "# 14. Export of data is what finance asks for",
    "# 7. a numbered note",
    "# 3. Import data",
    "# --- Data Access: see the wiki ---",
    "# --- Data Acces ---",
)


@pytest.mark.parametrize("remark", REMARKS)
@pytest.mark.parametrize("place", ["data,                   export,", "user,                   invite,"])
def test_a_remark_that_begins_like_a_heading_is_kept(remark: str, place: str) -> None:
    line = next(text for text in SHIPPED.split("\n") if place in text and text.startswith("p, owner"))
    formatted = format_policy(SHIPPED.replace(line, f"{remark}\n{line}"))

    assert f"{remark}\n{line}" in formatted or (remark in ("# --- Data Acces ---",) and "export" in place)
    assert format_policy(formatted) == formatted


def test_windows_line_ends_are_one_problem_and_repaired() -> None:
    windows = SHIPPED.replace("\n", "\r\n")

    assert format_policy(windows) == SHIPPED
    with pytest.raises(PolicyError) as refused:
        parse_policy(windows)
    (problem,) = refused.value.problems
    assert str(problem).startswith(f"policy.csv:1:{SHIPPED.index(chr(10)) + 1}: {SHIPPED.count(chr(10))} lines end with a carriage return")
    assert "or run rbac policy fmt" in str(problem)
