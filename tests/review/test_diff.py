"""A diff shows the decisions that change, all of them and nothing else."""

from __future__ import annotations

import json
import random
from itertools import product

import pytest

from rbac.errors import UnknownName
from rbac.fact_space.diagrams import NO
from rbac.fact_space.formulas import node_of, parse_formula
from rbac.fact_space.space import space
from rbac.policy.reader import PACKAGED, Policy, parse_policy
from rbac.review.diff.compare import Direction, diff
from rbac.review.diff.report import LONGEST, Affected, DiffReport, render_diff
from rbac.review.findings import Format
from rbac.vocabulary import Permission, Role
from tests.review.conftest import Edited, line

EXPORT = line("manager", "data:export", conditions="created_or_invited")
PAUSED = line("*", "*:*", conditions="paused", effect="deny")


def test_the_line_helper_writes_lines_as_the_file_has_them() -> None:
    assert EXPORT in PACKAGED.read_text()
    assert PAUSED in PACKAGED.read_text()


def test_a_new_cell_is_wider_with_its_exact_condition(shipped: Policy, edited: Edited) -> None:
    new = edited((EXPORT, line("annotator", "data:export", conditions="created_or_invited") + EXPORT))

    assert [str(change) for change in diff(shipped, new).changes] == ["annotator, data:export: never -> when created_or_invited"]
    assert diff(shipped, new).changes[0].direction is Direction.WIDER
    assert [change.permission for change in diff(shipped, new).widened] == [Permission.DATA_EXPORT]


def test_the_way_back_is_narrower(shipped: Policy, edited: Edited) -> None:
    old = edited((EXPORT, line("annotator", "data:export", conditions="created_or_invited") + EXPORT))

    assert [(change.direction, str(change)) for change in diff(old, shipped).changes] == [
        (Direction.NARROWER, "annotator, data:export: when created_or_invited -> never")
    ]
    assert diff(old, shipped).widened == ()


def test_a_swapped_condition_says_who_gains_and_who_loses(shipped: Policy, edited: Edited) -> None:
    new = edited((EXPORT, line("manager", "data:export", conditions="not_personal")))
    (change,) = diff(shipped, new).changes

    assert change.direction is Direction.CHANGED
    assert str(change.gained) == "when not created_or_invited"
    assert str(change.lost) == "when not not_personal"


def test_a_deny_line_that_goes_shows_every_cell_it_closed(shipped: Policy, edited: Edited) -> None:
    changes = diff(shipped, edited((PAUSED, ""))).changes

    assert {change.role for change in changes} == {Role.ANNOTATOR, Role.REVIEWER}
    assert len(changes) == 14
    assert str(changes[0]) == "annotator, project:view: when may_enter & not paused -> when may_enter"
    assert str(changes[0].gained) == "when may_enter & paused"


def test_reordering_reformatting_and_comments_show_nothing(shipped: Policy) -> None:
    lines = [text for text in PACKAGED.read_text().split("\n") if text.startswith("p,")]
    random.Random(1).shuffle(lines)
    plain = "\n".join(["# another comment", *(", ".join(part.strip() for part in text.split(",")) for text in lines)])

    assert diff(shipped, parse_policy(plain)).changes == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("may_enter & task_to_label,           ", "may_enter & task_to_label & not_personal,"),
        (
            "may_enter & data_manager_shown & task_in_data_manager,                ",
            "may_enter & data_manager_shown & task_in_data_manager & task_to_label,",
        ),
    ],
)
def test_a_condition_that_cannot_matter_shows_nothing(shipped: Policy, old: str, new: str) -> None:
    text = PACKAGED.read_text()

    assert old in text
    assert diff(shipped, parse_policy(text.replace(old, new))).changes == ()


def test_what_is_gained_and_lost_is_exact_for_every_cell_of_random_edits(shipped: Policy) -> None:
    here, source, changed = space(), random.Random(6), 0
    for _ in range(25):
        new = _shuffled_conditions(source)
        for change in diff(shipped, new).changes:
            cell = (change.role, change.permission)
            before, after = here.allowed(shipped, *cell), here.allowed(new, *cell)
            open_ = here.diagrams.but_not(here.open(shipped, *cell), here.denied(new, *cell))
            gained = here.diagrams.both(node_of(change.gained, here), open_)
            lost = here.diagrams.both(node_of(change.lost, here), open_)
            assert (gained, lost) == (here.diagrams.but_not(after, before), here.diagrams.but_not(before, after)), change
            assert (change.direction is Direction.WIDER) == (lost == NO)
            changed += 1
        same = set(product(Role, Permission)) - {(change.role, change.permission) for change in diff(shipped, new).changes}
        assert all(here.allowed(shipped, *cell) == here.allowed(new, *cell) for cell in same)

    assert changed >= 100


def _shuffled_conditions(source: random.Random) -> Policy:
    """The shipped policy with the conditions of 60 pairs of lines of one kind of domain swapped."""
    lines = [text.split(",") for text in PACKAGED.read_text().split("\n") if text.startswith("p,")]
    for _ in range(60):
        one, other = source.sample([each for each in lines if each[6].strip() == "allow"], 2)
        if one[2] == other[2]:
            one[5], other[5] = other[5], one[5]
    return parse_policy("\n".join(",".join(each) for each in lines))


@pytest.mark.parametrize(
    "text", ["never", "always", "when created_or_invited & not unless_restricted", "when own_history or tokens_allowed"]
)
def test_a_formula_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_formula(text)) == text


# -- in words ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def report(shipped: Policy, edited: Edited) -> DiffReport:
    """Reviewers may export, managers may not."""
    return DiffReport(diff(shipped, edited((EXPORT, line("reviewer", "data:export", conditions="may_enter")))))


def test_the_text_has_a_line_a_cell_and_says_what_is_not_acknowledged(report: DiffReport) -> None:
    assert render_diff(report, Format.TEXT) == (
        "wider     reviewer, data:export: never -> when may_enter\n"
        "narrower  manager, data:export: when created_or_invited -> never\n"
        "\n"
        "policy.csv -> edited.csv: 2 cells decide differently: 1 wider, 1 narrower\n"
        "not acknowledged by a trailer `Policy-Widens: ROLE PERMISSION` of a commit: reviewer data:export\n"
    )


def test_the_comment_uses_the_wording_of_the_page(report: DiffReport) -> None:
    comment = render_diff(report, Format.MARKDOWN)

    assert (
        "| **wider** | added `p, reviewer, project, data, export, may_enter, allow` "
        "| reviewer: `data:export` (14. Export data) | never → when may_enter |"
    ) in comment
    assert "From `policy.csv` to `edited.csv`." in comment
    assert "- wider: reviewer, `data:export` (14. Export data): never → when may_enter\n" in comment
    assert "- `may_enter`: Only projects that include tasks assigned to them" in comment
    assert "```\nPolicy-Widens: reviewer data:export\n```" in comment


def test_a_widening_that_is_acknowledged_is_a_notice(report: DiffReport) -> None:
    told = DiffReport(report.diff, frozenset({"reviewer data:export"}))

    assert told.unacknowledged == ()
    assert "Acknowledged: `reviewer data:export`." in render_diff(told, Format.MARKDOWN)
    assert "::warning" not in render_diff(told, Format.GITHUB)
    assert "::warning file=edited.csv,line=140" in render_diff(report, Format.GITHUB)


def test_json_holds_every_change(report: DiffReport) -> None:
    found = json.loads(render_diff(report, Format.JSON))

    assert found["diff"]["changes"][0] == {
        "role": "reviewer",
        "permission": "data:export",
        "direction": "wider",
        "before": "never",
        "after": "when may_enter",
        "gained": "when may_enter",
        "lost": "never",
        "old_lines": [],
        "new_lines": [140],
        "removed": [],
        "added": ["p, reviewer, project, data, export, may_enter, allow"],
    }


def test_the_people_a_change_touches_are_counted_and_the_first_named(report: DiffReport) -> None:
    names = tuple(f"user{number:02}" for number in range(10))
    told = DiffReport(report.diff, affected=(Affected(Role.REVIEWER, Permission.DATA_EXPORT, 12, 12, 0, 3, names),))

    assert f"today 12 gain in 3 domains: {', '.join(names)} and 2 more" in render_diff(told, Format.TEXT)
    assert "affects nobody today" in render_diff(told, Format.TEXT)


def test_many_cells_with_one_cause_are_one_row_and_each_is_listed(shipped: Policy, edited: Edited) -> None:
    foreign = line("*", "*:*", conditions="foreign_sandbox", effect="deny")
    report = DiffReport(diff(shipped, edited((foreign, ""))))
    comment = render_diff(report, Format.MARKDOWN)

    assert len(report.diff.changes) > 20
    assert comment.count("\n| **wider** |") == 1
    assert "| **wider** | removed `p, *, project, *, *, foreign_sandbox, deny` | " in comment
    assert comment.count("\n- wider: ") == len(report.diff.changes)
    assert f"<summary>{len(report.diff.changes)} changed cells</summary>" in comment


def test_rows_that_let_somebody_in_come_first(shipped: Policy, edited: Edited) -> None:
    narrower = line("manager", "data:import", conditions="created_or_invited")
    new = edited((narrower, ""), (EXPORT, line("reviewer", "data:export", conditions="may_enter") + EXPORT))
    comment = render_diff(DiffReport(diff(shipped, new)), Format.MARKDOWN)

    assert comment.index("| **wider** |") < comment.index("| narrower |")
    assert comment.index("- wider: reviewer") < comment.index("- narrower: manager")


def test_a_comment_is_never_longer_than_github_takes_and_says_what_is_left_out(shipped: Policy) -> None:
    lines = [text for text in PACKAGED.read_text().split("\n") if text.startswith("p,")]
    conditions = "unless_restricted & plugins_enabled & roles_managed_here & tokens_allowed"
    more = [", ".join([*map(str.strip, text.split(",")[:5]), conditions, "allow"]) for text in lines if "always," in text]
    kept = [text for text in lines if "always," not in text]
    long = "".join(f"p, {role}, {each.kind}, {each.object}, {each.action}, {conditions}, deny\n" for role in Role for each in Permission)
    report = DiffReport(diff(shipped, parse_policy("\n".join([*kept, *more]) + "\n" + long)))
    comment = render_diff(report, Format.MARKDOWN)

    assert len(report.diff.changes) > 150
    assert len(comment) <= LONGEST
    assert comment.startswith(f"### Policy: {report.summary}\n")
    assert "which do not fit here" in comment or "do not fit here." in comment
    assert "Shortened: `rbac policy diff" in comment


def test_a_change_about_a_target_counts_whom_it_affects_with_some_target(report: DiffReport) -> None:
    people = Affected(Role.REVIEWER, Permission.DATA_EXPORT, 1, 1, 0, 3, ("rita",), possible=True)

    assert "today 1 gain in 3 domains, with some target or task: rita" in render_diff(
        DiffReport(report.diff, affected=(people,)), Format.TEXT
    )


def test_no_change_says_so(shipped: Policy) -> None:
    report = DiffReport(diff(shipped, shipped))

    assert render_diff(report, Format.TEXT) == "policy.csv -> policy.csv: no decision changes\n"
    assert "decide every role, permission and combination of facts alike" in render_diff(report, Format.MARKDOWN)


# -- deny lines of one's own -------------------------------------------------------------------------------------------------


def test_a_target_condition_in_a_deny_line_is_printed_as_it_is_evaluated_there(shipped: Policy, edited: Edited) -> None:
    new = edited((EXPORT, line("*", "data:export", conditions="own_history", effect="deny") + EXPORT))
    changes = {change.role: change for change in diff(shipped, new).changes}

    assert str(changes[Role.OWNER]) == "owner, data:export: always -> when not possibly own_history"
    assert str(changes[Role.OWNER].lost) == "when possibly own_history", "nobody is named, so nobody can export any more"
    assert node_of(parse_formula("possibly own_history"), space()) != node_of(parse_formula("own_history"), space())


def test_a_condition_in_a_deny_line_that_is_always_known_is_printed_plainly(shipped: Policy, edited: Edited) -> None:
    new = edited((EXPORT, line("*", "data:export", conditions="unless_restricted", effect="deny") + EXPORT))
    changes = {change.role: change for change in diff(shipped, new).changes}

    assert str(changes[Role.ADMINISTRATOR]) == "administrator, data:export: always -> when not unless_restricted"


@pytest.mark.parametrize("text", ["when possibly own_history", "when created_or_invited & not possibly own_history"])
def test_possibly_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_formula(text)) == text


@pytest.mark.parametrize("text", ["possibly", "not not paused", "possibly not own_history", "possibly possibly own_history"])
def test_what_is_no_formula_is_an_error(text: str) -> None:
    with pytest.raises(UnknownName, match="unknown condition"):
        parse_formula(text)


def test_a_line_that_cannot_apply_to_a_role_is_no_cause_of_its_changes(shipped: Policy, edited: Edited) -> None:
    new = edited((PAUSED, ""), (line("manager", "data:import", conditions="created_or_invited"), ""))
    (change,) = (each for each in diff(shipped, new).changes if each.role is Role.MANAGER)

    assert change.removed == ("p, manager, project, data, import, created_or_invited, allow",)
    assert change.added == ()
