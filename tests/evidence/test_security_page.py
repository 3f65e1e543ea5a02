"""docs/security.md is true as far as a test can say: every test it names is there, and every invariant file is named."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"(tests/[\w/]+\.py)::(\w+)", PAGE)


def test_every_test_that_the_page_names_is_there() -> None:
    missing = [f"{file}::{name}" for file, name in NAMED if f"\ndef {name}(" not in (ROOT / file).read_text()]

    assert len(NAMED) >= 30
    assert missing == []


def test_every_threat_names_a_test() -> None:
    threats = [line for line in PAGE.partition("## Threats")[2].partition("\n## ")[0].splitlines() if line.startswith("| ")][2:]

    assert len(threats) >= 20
    assert [line for line in threats if "::test_" not in line] == []


def test_every_file_of_invariants_holds_some_threat() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "invariants").glob("test_*.py")}

    assert files - {file for file, _ in NAMED} == set()
