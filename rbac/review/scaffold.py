"""The files that put a policy under review in a repository: the policy, its claims and tests, and what runs them on every change."""

from __future__ import annotations

from pathlib import Path

from rbac.errors import PolicyError, Problem
from rbac.policy.reader import PACKAGED, read_policy
from rbac.review.claims import PACKAGED as CLAIMS
from rbac.review.testing.coverage import cell_to_paste
from rbac.vocabulary import Permission, Role

_WORKFLOW = """\
name: policy
on:
  pull_request:
    paths: [policy.csv, claims.yaml, "**/*.rbac.yaml"]
  push:
    branches: [main]
    paths: [policy.csv, claims.yaml, "**/*.rbac.yaml"]
permissions:
  contents: read
  pull-requests: write
jobs:
  review:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
        with:
          fetch-depth: 0
          persist-credentials: false
          ref: ${{ github.event.pull_request.head.sha }}
      - uses: OWNER/studio-rbac@v0.2.0 # put the owner of the action here
        with:
          tests: tests/policy
          claims: claims.yaml
"""
_HOOKS = """\
repos:
  - repo: https://github.com/OWNER/studio-rbac # put the owner here
    rev: v0.2.0
    hooks:
      - id: rbac-policy-fmt
      - id: rbac-policy-lint
      - id: rbac-policy-test
      - id: rbac-policy-claims
"""


def scaffold(folder: Path) -> tuple[str, ...]:
    """Write the files into a folder and give their names; writes none and raises PolicyError when one of them is there."""
    files = {
        "policy.csv": PACKAGED.read_text(encoding="utf-8"),
        "claims.yaml": CLAIMS.read_text(encoding="utf-8"),
        "tests/policy/table.rbac.yaml": _tests(),
        ".github/workflows/policy.yml": _WORKFLOW,
        ".pre-commit-config.yaml": _HOOKS,
    }
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise PolicyError([Problem(name, 1, 1, "is here already: nothing was written") for name in there])
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(files)


def _tests() -> str:
    """Every cell of the packaged policy in a whole answer."""
    policy = read_policy()
    cells = (cell_to_paste(policy, role, permission) for permission in Permission for role in Role)
    return "\n".join(["# Every cell of the table in a whole answer.", "cells:", *cells, ""])
