"""CONTRIBUTING.md is true: its steps are performed in a copy of this folder, and touch the files they name and no other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
NOT_COPIED = shutil.ignore_patterns(".git", ".*", "*.egg-info", "__pycache__", "build", "dist", "*.db", "benchmarks")


class Copy:
    """A copy of this folder, with `rbac` and `python` on the path; lives for one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "copy"
        shutil.copytree(ROOT, self.folder, symlinks=True, ignore=NOT_COPIED)
        programs = folder / "bin"
        programs.mkdir()
        for name, module in (("rbac", "-m rbac.cli "), ("python", "")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
            (programs / name).chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self._before = self._texts()

    def run(self, command: str) -> None:
        """One line of a shell, which must succeed."""
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, capture_output=True, text=True, env=self._environment)
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"

    def perform(self, section: str) -> list[str]:
        """Every diff and every command of a section, in order; gives the files that changed since the last section."""
        for kind, block in re.findall(r"```(diff|console)\n(.*?)```", SECTIONS[section], flags=re.DOTALL):
            if kind == "diff":
                done = subprocess.run(["git", "apply", "-"], cwd=self.folder, input=block, capture_output=True, text=True)
                assert done.returncode == 0, f"{block}\n{done.stderr}"
            for command in re.findall(r"^\$ (.+)$", block, flags=re.MULTILINE):
                self.run(command)
        after = self._texts()
        changed = sorted(name for name in self._before.keys() | after.keys() if self._before.get(name) != after.get(name))
        self._before = after
        return changed

    def _texts(self) -> dict[str, bytes]:
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}


def steps(section: str) -> list[str]:
    """The files that the numbered steps of a section name before they say what for, in their order."""
    return [
        name for step in re.findall(r"^\d+\. ([^:\n]+)", SECTIONS[section], flags=re.MULTILINE) for name in re.findall(r"`([^`]+)`", step)
    ]


CHECKS = (
    "tests/policy_file/test_conditions.py",
    "tests/policy_file/test_reader.py::test_the_packaged_policy_has_a_line_for_every_filled_cell",
    "tests/oracle/test_oracle.py::test_the_typed_matrix_says_what_the_table_says",
    "tests/oracle/test_cells.py::test_the_policy_has_a_line_exactly_where_the_table_has_a_mark",
    "tests/oracle/test_cells.py::test_the_lines_read_the_facts_that_the_oracle_says_a_cell_can_depend_on",
    "tests/oracle/test_program.py::test_the_matrix_derived_from_the_policy_is_the_table_typed_from_the_specification",
    "tests/review/test_schemas.py",
    "tests/review/test_claims.py::test_the_claims_that_ship_hold_for_the_policy_that_ships",
    "tests/review/test_review_page.py::test_the_walk_from_edit_to_merge_prints_what_the_page_shows",
)
"""Tests that fail when a step is left out."""


def test_a_permission_and_a_condition_are_added_by_the_steps_of_the_page(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    for section in ("Add a permission", "Add a condition"):
        assert sorted(steps(section)) == copy.perform(section), section

    copy.run(f"python -m pytest -q -x -p no:cacheprovider {' '.join(CHECKS)}")


@pytest.mark.parametrize("section", [name for name in SECTIONS if name.startswith("Add ")])
def test_every_file_that_a_step_names_is_there(section: str) -> None:
    assert len(steps(section)) >= 2
    assert [path for path in steps(section) if not (ROOT / path).is_file() and "/" in path] == []
