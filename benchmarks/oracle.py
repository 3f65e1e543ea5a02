"""The right answer to every question of the workload, from the table of the specification; knows no engine.

Its one rule: as plain as can be, whatever it costs.
"""

from __future__ import annotations

from benchmarks.workload import RESTRICTED, ROLES, Project, Question, Size, User, creator, project, user

TABLE = """
organization_page:view   -            -            -                  yes   yes
user:invite              -            -            -                  yes   yes
workspace:create         -            -            yes                yes   yes
workspace:view           member       member       invited            yes   yes
workspace:update         -            -            invited            yes   yes
project:view             enters       enters       invited            yes   yes
data:export              -            -            invited            yes   yes
data_manager:view        enters,shown enters,shown invited            yes   yes
project:update           -            -            invited            yes   yes
storage:configure        -            -            invited,unlifted   unlifted yes
labeling:access          enters       enters       invited            yes   yes
review:access            -            enters       invited            yes   yes
plugin:configure         -            -            invited,unlifted   yes   yes
"""

CELLS = {(line.split()[0], role): cell for line in TABLE.strip().splitlines() for role, cell in zip(ROLES, line.split()[1:], strict=True)}
"""What stands in the table for a permission and a role; plugins are on."""


def answer(size: Size, question: Question) -> bool:
    """Whether the question is answered yes."""
    who = user(size, int(question.user[1:]))
    kind, _, name = question.domain.partition(":")
    where = project(size, int(name[1:])) if kind == "project" else None
    role = "reviewer" if where and where.id in who.reviewer_in and who.role in ("annotator", "reviewer") else who.role
    cell = CELLS[question.permission, role]
    if not who.active or cell == "-" or (where and where.id in who.paused_in and role in ("annotator", "reviewer")):
        return False
    return all(_true(size, word, question, who, role, where, name) for word in cell.split(","))


def _true(size: Size, word: str, question: Question, who: User, role: str, where: Project | None, name: str) -> bool:
    there = name in who.workspaces if where is None else where.id in who.projects or where.workspace in who.workspaces
    if word == "member":
        return there
    if word == "enters":
        return where is not None and there and where.published
    if word == "shown":
        return where is not None and role in where.shown_to
    if word == "unlifted":
        return question.permission not in RESTRICTED or ROLES.index(role) >= ROLES.index(RESTRICTED[question.permission])
    if word == "invited":
        made = (creator(size, int(name[1:])),) if where is None else (where.created_by, where.workspace_created_by)
        return there or (who.id in made and ROLES.index(role) >= ROLES.index("manager"))
    return word == "yes"
