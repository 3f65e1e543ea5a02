"""Retired names and phrases stay out of code and pages; docs/words.md has the terms that replaced them."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbac import vocabulary

ROOT = Path(__file__).parents[2]
WORDS = ROOT / "docs" / "words.md"
HERE = Path(__file__)

RETIRED = {
    "LineCheck", "Shelf", "UniqueKeys", "WatchedAssertion", "WrittenOut", "_Ear", "_HANGING", "_STANDING", "_bites", "_bring_up",
    "_deaf", "_hang", "_look_at_member", "_look_at_strangers", "_note_stranger", "bring_up", "decision_of", "drop_place", "forsake",
    "look_and_decide", "owner_without", "parted", "show_matrix", "show_reach", "stand_at", "target_astray", "told_in",
    "work_condition_above",
}  # fmt: skip
"""Identifiers that are gone: each as a whole word, in any file."""

ORDINARY = {"Bus", "Directory", "Following", "Known", "Looked", "Moved", "Stand", "Step", "Verb", "Verbs", "Verdict", "settle"}
"""Identifiers that are gone and are words as well: as names of Python only."""

PHRASES = (
    "is no JSON", "is no YAML", "stands twice", "stand twice", "new life", "another life", "life of this store", "life of the store",
    "row of the page", "rows of the page", "of the page's", "the page's", "looked at from all sides", "knowledge ends",
    "gone astray", "hangs on it", "wrong on the page",
)  # fmt: skip
"""Phrases that are gone, whatever their case."""


def files() -> Iterator[Path]:
    """Everything a reader reads: code, tests, pages and data, the record of changes and this file aside."""
    for folder, kinds in {"rbac": "*.py", "cli": "*.py", "tests": "*.py", "benchmarks": "*.py", "docs": "*.md", ".": "*.*"}.items():
        found = (ROOT / folder).glob(kinds) if folder == "." else (ROOT / folder).rglob(kinds)
        yield from (path for path in found if path.is_file() and path.suffix in (".py", ".md", ".csv", ".conf", ".yaml", ".yml", ".toml"))


READ = sorted({path for path in files() if path not in (HERE, ROOT / "CHANGELOG.md")} - set((ROOT / "rbac" / "cli").glob("*")))


def found(path: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    """Each place of a file where a pattern matches."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if match := pattern.search(line):
            yield f"{path.relative_to(ROOT)}:{number}: {match[0]!r} in {line.strip()[:100]}"


def test_no_retired_identifier_is_used() -> None:
    pattern = re.compile(rf"\b(?:{'|'.join(sorted(RETIRED))})\b")

    assert [place for path in READ for place in found(path, pattern)] == []


def test_no_retired_identifier_that_is_a_word_is_a_name_of_python() -> None:
    used = []
    for path in (path for path in READ if path.suffix == ".py"):
        with path.open("rb") as file:
            names = {token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NAME}
        used += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(names & ORDINARY)]

    assert used == []


def test_no_retired_phrase_is_used() -> None:
    pattern = re.compile("|".join(map(re.escape, PHRASES)), re.IGNORECASE)

    assert [place for path in READ for place in found(path, pattern)] == []


def terms() -> dict[str, str]:
    """The terms of docs/words.md with their meanings."""
    rows = re.findall(r"^\| ([^|]+) \| (.+) \|$", WORDS.read_text(), re.MULTILINE)[1:]
    return {term.strip(): meaning for words, meaning in rows for term in words.split(",")}


@pytest.mark.parametrize("name", ["Domain", "Decision", "Request", "Role", "Permission", "ChangedFact", "Revision", "Row", "State"])
def test_the_types_of_the_vocabulary_are_terms(name: str) -> None:
    assert hasattr(vocabulary, name)
    assert re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() in terms()


def test_every_term_is_used_and_explained_in_a_line() -> None:
    text = " ".join(path.read_text().lower().replace("_", " ") for path in READ if path != WORDS)
    told = terms()

    assert 20 <= len(told) <= 60
    assert {term for term in told if term.lower() not in text} == set()
    assert max(map(len, told.values())) < 180
    assert len(READ) > 200
