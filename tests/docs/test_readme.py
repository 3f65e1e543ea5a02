"""The README is true: its Python runs, its commands answer what it says, its links exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rbac

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_python_example_does_what_its_comments_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    *lines, last = block.strip().split("\n")
    scope: dict[str, object] = {}

    exec("\n".join(lines), scope)
    with pytest.raises(rbac.Refused, match="olga is the Owner of acme"):
        exec(last, scope)

    acme = scope["acme"]
    assert isinstance(acme, rbac.organization.Organization)
    assert acme.can("max", "data:export", "project:p1")
    assert acme.check("andy", "data:export", "project:p1").reason == "no line of policy.csv gives reviewer data:export"
    assert acme.revision == 2
    scope["store"].close()  # type: ignore[attr-defined]


def test_the_commands_run_in_their_order_and_say_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (block,) = re.findall(r"( {4}\$ rbac import.*?)\n\n", README, flags=re.DOTALL)
    lines = [line.strip() for line in block.split("\n")]
    commands = [line for line in lines if line.startswith("$ ")]
    expected = {commands[1]: [line for line in lines if not line.startswith("$ ")]}

    for command in commands:
        words = command.split()[2:]
        run = subprocess.run([sys.executable, "-m", "rbac.cli", *words], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
        assert run.returncode in (0, 1), (command, run.stderr)
        assert "Traceback" not in run.stderr
        for line in expected.get(command, []):
            assert line in run.stdout


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_every_page_and_every_folder_of_the_package_is_listed() -> None:
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} | {"CONTRIBUTING.md"}
    folders = {path.name for path in (ROOT / "rbac").iterdir() if (path / "__init__.py").is_file()}

    assert {page for page in pages if f"({page})" not in README} == set()
    assert {folder for folder in folders if f"`{folder}`" not in README} == set()
