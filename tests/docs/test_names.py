"""What the docs and docstrings name is there: modules, classes, functions, files."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import casbin
import pytest

ROOT = Path(__file__).parents[2]
CASBIN = Path(str(casbin.__file__)).parent
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")) if path.name != "CHANGELOG.md")  # which names the past
SOURCES = sorted(path for folder in ("rbac", "cli") for path in (ROOT / folder).rglob("*.py") if "/rbac/cli/" not in str(path))

_DOTTED = re.compile(r"(?<![\w./:*@-])rbac(?:\.[A-Za-z_]\w*)+")
_FILE = re.compile(r"(?<![\w./:*@{}-])(?:[ab]/(?=[a-z]+/))?((?:[\w.-]+/)*[\w-]+\.py)\b")  # a/ and b/ are a diff's
_MADE_UP = {"rbac.db"}
"""What looks like the name of a module and is the name of a file."""


def names(text: str) -> Iterator[str]:
    """The dotted names and the Python files that a text mentions."""
    yield from (name for name in _DOTTED.findall(text) if name not in _MADE_UP)
    yield from _FILE.findall(text)


def is_there(name: str, beside: Path) -> bool:
    """Whether a file exists, from the root, from the package or beside what mentions it; or whether a dotted name resolves."""
    if name.endswith(".py"):
        inside = any((folder / name).is_file() for folder in (ROOT, ROOT / "rbac", *beside.parents))
        return inside or ("/" not in name and any(any(folder.rglob(name)) for folder in (ROOT / "rbac", CASBIN)))
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def docstrings(path: Path) -> str:
    """Every docstring in a file, those below a value included."""
    strings = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Expr))
    return "\n".join(value.value for value in strings if isinstance(value, ast.Constant) and isinstance(value.value, str))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_on_a_page_is_there(path: Path) -> None:
    missing = sorted({name for name in names(path.read_text()) if not is_there(name, path)})

    assert not missing, f"{path.name} names what is not there"


def test_every_name_in_a_docstring_is_there() -> None:
    missing = {f"{path.relative_to(ROOT)}: {name}" for path in SOURCES for name in names(docstrings(path)) if not is_there(name, path)}

    assert not missing, "docstrings name what is not there"


def test_the_check_finds_a_name_that_is_gone_and_reads_enough_to_mean_something() -> None:
    assert list(names("see `rbac.database.entries`, [x](rbac/places.py), `acme.rbac.yaml` and sqlite:///rbac.db")) == [
        "rbac.database.entries",
        "rbac/places.py",
    ]
    assert not is_there("rbac.database.entries", ROOT / "README.md")
    assert not is_there("rbac/places.py", ROOT / "README.md")
    assert is_there("rbac.policy.conditions.CONDITIONS", ROOT / "README.md")
    assert len(PAGES) > 10 and len(SOURCES) > 100
    assert sum(len(set(names(path.read_text()))) for path in PAGES) > 50
