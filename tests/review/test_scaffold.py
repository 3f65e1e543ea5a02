"""`rbac policy init` puts a policy under review where there is none, and everything it writes passes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rbac.policy.reader import PACKAGED
from tests.review.conftest import ROOT
from tests.review.test_commands import rbac


def test_what_init_writes_passes_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = rbac("policy", "init").stdout.split()

    assert written == [
        "policy.csv",
        "claims.yaml",
        "tests/policy/table.rbac.yaml",
        ".github/workflows/policy.yml",
        ".pre-commit-config.yaml",
    ]
    for words in (("lint",), ("fmt", "--check"), ("test", "tests/policy"), ("claims",), ("coverage", "tests/policy")):
        assert rbac("policy", *words).exit_code == 0, words
    hooks = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for hook in yaml.safe_load(Path(".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]} == hooks
    inputs = yaml.safe_load(Path(".github/workflows/policy.yml").read_text())["jobs"]["review"]["steps"][1]["with"]
    assert set(inputs) <= set(yaml.safe_load((ROOT / "action.yml").read_text())["inputs"])


def test_init_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("claims.yaml").write_text("mine\n")
    done = rbac("policy", "init")

    assert (done.exit_code, done.stdout) == (3, "")
    assert "claims.yaml:1:1: is here already: nothing was written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["claims.yaml"]
    assert PACKAGED.is_file()
