"""docs/tests.md, made from the first lines of the test modules: `python -m tests.docs.tests_page` writes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tests.md"

FOLDERS = {
    "api": "the modules of `rbac/` itself, `snapshot/`, `decisions/`, `administration/`, `listing/`, `statefile/`",
    "browser": "the page of `rbac matrix --format html`, in Chromium; `make browser`",
    "campaigns": "the long tests and what they run; docs/campaigns.md",
    "cli": "`cli/`",
    "cluster": "`database/watch/`: several processes and a server that fails",
    "database": "`database/`",
    "docs": "the pages of docs/, README.md and CONTRIBUTING.md",
    "documents": "`rbac/documents.py` and every reader on it",
    "enforcer": "`enforcer/`",
    "evidence": "`database/audit/`, `rbac/past.py`",
    "explain": "`explain/`",
    "fact_space": "`fact_space/`",
    "faults": "disks, files, locks, processes that are killed, races",
    "fuzz": "every reader, with broken input",
    "invariants": "the promises of docs/security.md, one module each",
    "oracle": "every decision and change, against an oracle that imports nothing of `rbac`",
    "policy_file": "`policy/`: policy.csv, model.conf, the conditions",
    "reports": "`reports/`",
    "review": "`review/`, the GitHub action, the hooks",
    "stateful": "a Hypothesis state machine over two handles of one store",
}
"""What each folder of tests is about."""


def page() -> str:
    """The text of the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Which test tests what"
    yield ""
    yield "One folder a part of the program, one line a module; `python -m tests.docs.tests_page` writes this page from the modules."
    yield "Helpers without tests are not listed. `tests/policy` holds policy tests as data, for `rbac policy test`."
    for folder in sorted(path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")):
        modules = sorted((ROOT / "tests" / folder).glob("test_*.py"))
        if modules:
            yield from ("", f"## tests/{folder}", "", f"{FOLDERS[folder]}.", "", "| module | says |", "|---|---|")
            yield from map(_row, modules)


def _row(module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text())) or ""
    return f"| `{module.relative_to(ROOT)}` | {docstring.partition(chr(10))[0].replace('|', '/')} |"


if __name__ == "__main__":
    PAGE.write_text(page())
