"""Random edits, reviewed by every tool and held against the matcher functions themselves.

Each edit has deny lines of its own, several conditions or swapped roles. The facts come from random stores, and a policy is
decided line by line, so that no diagram and no constraint takes part. RBAC_EDITS edits are tried, 25 by default.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from rbac.fact_space.formulas import node_of, parse_formula
from rbac.fact_space.space import space
from rbac.policy.facts import Facts
from rbac.policy.reader import Line, Policy, parse_policy
from rbac.reports.matrix import Guard, Matrix, matrix
from rbac.review.diff.compare import CellChange, Direction, diff, same_decisions
from rbac.review.lint import lint
from rbac.review.testing.coverage import cell_to_paste
from rbac.review.testing.run import run_tests
from rbac.vocabulary import Effect, Permission, Role
from tests.review.conftest import Read
from tests.review.edits import DELETING, DROPPING, Pool, allows, an_edit, applies, facts_of_random_stores, followed, says

EDITS = int(os.environ.get("RBAC_EDITS", "25"))
SEED = int(os.environ.get("RBAC_EDITS_SEED", "20261124"))
POINTS = 12
"""Facts that each cell is decided with, a different sample for each edit."""


@pytest.fixture(scope="module")
def pool() -> Pool:
    """Facts of questions to random stores."""
    return facts_of_random_stores(random.Random(SEED), 60)


def test_every_tool_says_of_a_random_edit_what_the_matcher_functions_decide(
    shipped: Policy, pool: Pool, read: Read, tmp_path: Path
) -> None:
    done: Counter[str] = Counter()
    for number in range(EDITS):
        source = random.Random(f"{SEED} {number}")
        old_text, new_text = source.choice((None, an_edit(source))), an_edit(source)
        old = shipped if old_text is None else parse_policy(old_text)
        new = parse_policy(new_text, "edit.csv")
        where = f"edit {number} of seed {SEED}"
        points = {key: source.sample(facts, min(POINTS, len(facts))) for key, facts in pool.items()}
        _diff(old, new, points, done, where)
        _matrix(new, points, done, where)
        _lint(new, new_text, points, done, where)
        _pasted(new, read, tmp_path / "pasted.rbac.yaml", done, where)

    print(f"{EDITS} edits: {dict(done)}")  # noqa: T201  # a campaign shows the work it did
    assert done["points"] >= 1000 * EDITS
    assert done["changed cells"] >= 4 * EDITS
    assert done["points that changed"] >= EDITS
    assert done["redundant"] >= EDITS // 2
    assert done["possibly"] >= EDITS // 10
    assert done["deny lines of one's own in a cell"] >= EDITS


def _diff(old: Policy, new: Policy, points: Pool, done: Counter[str], where: str) -> None:
    """Every changed cell is listed, with the direction and the conditions of what changes; no other cell is."""
    changes = {(change.role, change.permission): change for change in diff(old, new).changes}
    done["changed cells"] += len(changes)
    for each in changes.values():
        _exact(old, new, each, where)
        done["possibly"] += "possibly" in f"{each.before} {each.after} {each.gained} {each.lost}"
    for role in Role:
        for permission in Permission:
            change = changes.get((role, permission))
            shared = [line for line in old.denials(role, permission) if any(_alike(line, each) for each in new.denials(role, permission))]
            for facts in points[role, permission.kind]:
                before, after = allows(old, role, permission, facts), allows(new, role, permission, facts)
                done["points"] += 1
                done["points that changed"] += before != after
                here = f"{where}: {role} {permission}"
                assert change is not None or before == after, here
                if change and not any(applies(line, facts) for line in shared):
                    assert says(str(change.before), facts) == before, (here, str(change.before))
                    assert says(str(change.after), facts) == after, (here, str(change.after))
                    assert says(str(change.gained), facts) == (after and not before), (here, str(change.gained))
                    assert says(str(change.lost), facts) == (before and not after), (here, str(change.lost))
                assert not (after and not before and change and change.direction is Direction.NARROWER), here
                assert not (before and not after and change and change.direction is Direction.WIDER), here


def _alike(one: Line, other: Line) -> bool:
    return sorted(one.conditions) == sorted(other.conditions)


def _exact(old: Policy, new: Policy, change: CellChange, where: str) -> None:
    """What is printed, read again, is what changes: over the whole space."""
    here, cell = space(), (change.role, change.permission)
    open_ = here.diagrams.but_not(here.question(change.role, change.permission.kind), _both_deny(old, new, cell))
    for formula, node in (
        (change.before, here.allowed(old, *cell)),
        (change.after, here.allowed(new, *cell)),
        (change.gained, here.diagrams.but_not(here.allowed(new, *cell), here.allowed(old, *cell))),
        (change.lost, here.diagrams.but_not(here.allowed(old, *cell), here.allowed(new, *cell))),
    ):
        assert here.diagrams.both(node_of(parse_formula(str(formula)), here), open_) == node, (where, str(change), str(formula))


def _both_deny(old: Policy, new: Policy, cell: tuple[Role, Permission]) -> int:
    here = space()
    return here.diagrams.any({here.line(line) for line in old.denials(*cell)} & {here.line(line) for line in new.denials(*cell)})


def _matrix(policy: Policy, points: Pool, done: Counter[str], where: str) -> None:
    """A cell is empty exactly where the role never may, and its answer is the decision where no guard applies."""
    table: Matrix = matrix(policy)
    for row in table.rows:
        for role, cell in row.cells.items():
            assert bool(cell) == any(space().allowed(policy, role, permission) for permission in row.row.permissions), (where, role)
            for permission, answer in cell.answers.items():
                own = [line for line in policy.denials(role, permission) if line.role or line.permission]
                done["deny lines of one's own in a cell"] += len(own)
                for facts in points[role, permission.kind]:
                    stopped = any(_stops(guard, permission, facts) for guard in table.guards)
                    allowed = allows(policy, role, permission, facts)
                    assert allowed == (not stopped and says(str(answer), facts)), (where, role, permission, str(answer))
                    assert not allowed or cell.mark, (where, role, permission)


def _stops(guard: Guard, permission: Permission, facts: Facts) -> bool:
    return permission.kind in guard.kinds and says(str(guard), facts)


def _lint(policy: Policy, text: str, points: Pool, done: Counter[str], where: str) -> None:
    """Whoever follows all findings about what is redundant, or one of them, changes no decision."""
    findings = lint(text, only=[*DELETING, *DROPPING]).findings
    done["redundant"] += len(findings)
    for chosen in (findings, *((each,) for each in findings[:8])):
        rest = followed(text, chosen)
        assert same_decisions(policy, parse_policy(rest)), (where, [str(each) for each in chosen])
    rest_policy = parse_policy(followed(text, findings))
    for role in Role:
        for permission in Permission:
            for facts in points[role, permission.kind][:3]:
                same = allows(policy, role, permission, facts) == allows(rest_policy, role, permission, facts)
                assert same, (where, role, permission, [str(each) for each in findings])


def _pasted(policy: Policy, read: Read, path: Path, done: Counter[str], where: str) -> None:
    """Every cell to paste is met by the policy it was made from."""
    cells = [cell_to_paste(policy, role, permission) for role in Role for permission in Permission]
    path.write_text("cells:\n" + "\n".join(cells) + "\n")
    report = run_tests(policy, read(path))
    done["pasted"] += len(report.outcomes)
    assert len(report.outcomes) == len(Role) * len(Permission)
    assert report.findings == (), (where, str(report.findings[0]) if report.findings else "")


def test_the_edits_have_what_they_promise() -> None:
    texts = [an_edit(random.Random(number)) for number in range(60)]
    lines = [line for text in texts for line in parse_policy(text).lines]

    own = [line for line in lines if line.effect is Effect.DENY and (line.role or line.permission)]
    assert len(own) >= 30
    assert sum(len(line.conditions) >= 2 for line in own) >= 10
    assert sum(any(name.startswith(("own_", "target_")) for name in line.conditions) for line in own) >= 5
