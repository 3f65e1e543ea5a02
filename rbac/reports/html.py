"""The table as one HTML file: no network, readable on a phone, on paper, in the dark, with a keyboard and with a screen reader.

Hovering or focusing a cell shows, for every permission of the row, the condition, the lines of the policy and the guards.
Everything it shows is in the file, and comes from the Policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from rbac.fact_space.diagrams import NO
from rbac.fact_space.formulas import NEVER, node_of
from rbac.fact_space.space import space
from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Policy
from rbac.reports.matrix import PARTIAL, YES, Cell, Matrix, MatrixRow, headed, is_guard, matrix
from rbac.vocabulary import Permission, Role

_HERE = Path(__file__).parent
_ALLOWS = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def html(policy: Policy) -> str:
    """The whole page."""
    return "\n".join(_page(policy, matrix(policy))) + "\n"


def _page(policy: Policy, table: Matrix) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWS}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield "<title>User roles and permissions</title>"
    yield f"<style>\n{(_HERE / 'page.css').read_text()}</style></head>"
    yield "<body><main><h1>User roles and permissions</h1>"
    source = f"<code>{escape(policy.file)}</code>, SHA-256 <code>{policy.digest[:12]}</code>"
    yield f'<p>From {source}.<span class="hint"> Focus or point at a cell for its condition and line.</span></p>'
    yield from _filters(table)
    yield from _table(policy, table)
    yield "<h2>Footnotes</h2><ol>"
    yield from (f"<li><sup>{escape(mark)}</sup> {escape(text)}</li>" for mark, text in table.footnotes.items())
    if table.guards:
        yield "</ol><h2>Denied to everybody, whatever the table says</h2><ul>"
        yield from (f"<li>{escape(guard.sentence)}</li>" for guard in table.guards)
    yield f"</{'ul' if table.guards else 'ol'}></main><script>\n{(_HERE / 'page.js').read_text()}</script></body></html>"


def _filters(table: Matrix) -> Iterator[str]:
    yield "<form><fieldset><legend>Roles</legend>"
    yield from (f'<label><input type="checkbox" name="role" value="{role}" checked>{role}</label>' for role in Role)
    yield '</fieldset><div><label for="section">Section</label><select id="section"><option value="">All sections</option>'
    sections = dict.fromkeys(row.row.heading for row in table.rows)
    yield from (f"<option>{escape(section)}</option>" for section in sections)
    yield '</select></div></form><p id="status" role="status"></p>'


def _table(policy: Policy, table: Matrix) -> Iterator[str]:
    yield '<table role="table"><caption>What each role may do</caption><thead role="rowgroup"><tr role="row">'
    yield '<th role="columnheader" scope="col">Action</th>'
    yield from (f'<th role="columnheader" scope="col" data-role="{role}">{role}</th>' for role in Role)
    yield '</tr></thead><tbody role="rowgroup">'
    for row, first in headed(table):
        section = escape(row.row.heading)
        if first:
            head = f'<th role="rowheader" scope="colgroup" colspan="{len(Role) + 1}">{section}</th>'
            yield f'<tr role="row" class="section" data-section="{section}">{head}</tr>'
        yield f'<tr role="row" data-section="{section}"><th role="rowheader" scope="row">{escape(row.row.wording)}</th>'
        yield from (_cell(policy, table, row, role) for role in row.cells)
        yield "</tr>"
    yield "</tbody></table>"


def _cell(policy: Policy, table: Matrix, row: MatrixRow, role: Role) -> str:
    cell = row.cells[role]
    name = f"tip-{row.row.number}-{role}"
    told, look = _spoken(cell)
    notes = f"<sup>{','.join(map(escape, cell.footnotes))}</sup>" if cell.footnotes else ""
    label = f"{escape(row.row.wording)}, {role}: {told}"
    shown = "&ndash;" if not cell else "&check;" if cell.mark == YES else escape(cell.mark)  # a tick of the text's own font
    button = f'<button type="button" class="cell {look}" aria-label="{label}" aria-describedby="{name}">{shown}{notes}</button>'
    lines = "".join(f"<li>{_permission(policy, table, cell, role, permission)}</li>" for permission in row.row.permissions)
    return f'<td role="cell" data-role="{role}">{button}<div class="tip" role="tooltip" id="{name}"><ul>{lines}</ul></div></td>'


def _spoken(cell: Cell) -> tuple[str, str]:
    """A cell for a screen reader, and how it looks."""
    if not cell:
        return "no", "no"
    notes = f", footnotes {' '.join(cell.footnotes)}" if cell.footnotes else ""
    partly = cell.mark == PARTIAL or bool(cell.footnotes)
    return f"{'yes' if cell.mark == YES else cell.mark}{notes}", "some" if partly else "yes"


def _permission(policy: Policy, table: Matrix, cell: Cell, role: Role, permission: Permission) -> str:
    """One permission of a cell: the answer, the lines it comes from, what its conditions mean, and the guards that can stop the role."""
    lines = policy.cell(role, permission)
    own = [line for line in policy.denials(role, permission) if not is_guard(line)]
    numbers = ", ".join(f"{escape(policy.file)}:{line.number}" for line in (*lines, *own))
    answer = cell.answers[permission]
    where = f"<code>{permission}</code>: "
    if answer == NEVER:
        return where + (f"no, it is always denied (<code>{numbers}</code>)" if lines else "no, there is no line for it")
    told = "always" if str(answer) == "always" else f"when <code>{escape(answer.condition)}</code>"
    meanings = "; ".join(escape(CONDITIONS[name].summary) for name in answer.names)
    return f"{where}{told}{_unless(table, role, permission)} (<code>{numbers}</code>){f'<small>{meanings}</small>' if meanings else ''}"


def _unless(table: Matrix, role: Role, permission: Permission) -> str:
    here = space()
    asked = here.question(role, permission.kind)
    stopping = (guard for guard in table.guards if permission.kind in guard.kinds)
    named = [f"<code>{guard}</code>" for guard in stopping if here.diagrams.both(asked, node_of(guard.formula, here)) != NO]
    return f" unless {' or '.join(named)}" if named else ""
