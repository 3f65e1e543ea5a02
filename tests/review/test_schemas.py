"""The JSON Schemas say what the readers read, and the shipped files are wired to them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from rbac.review.schemas import SHAPES, schema

ROOT = Path(__file__).parents[2]
SHIPPED = [ROOT / "examples" / "acme.yaml", ROOT / "claims.yaml", *sorted((ROOT / "tests" / "policy").glob("*.rbac.yaml"))]


@pytest.mark.parametrize("file", SHAPES)
def test_the_schema_in_the_docs_is_the_one_of_the_types(file: str) -> None:
    written = json.loads((ROOT / "docs" / "schemas" / file).read_text())

    assert written == json.loads(json.dumps(schema(file))), "run python -m rbac.review.schemas docs/schemas"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_names_its_schema_and_meets_it(path: Path) -> None:
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())

    assert named, "the modeline is the first line"
    rules = json.loads((path.parent / named[1]).read_text())
    jsonschema.Draft202012Validator(rules, format_checker=None).validate(_plain(path))


def _plain(path: Path) -> Any:
    """The file as JSON has it: instants are texts."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("policy-test.schema.json", {"cells": [{"role": "ownr", "permission": "data:export", "answer": "never"}]}),
        ("policy-test.schema.json", {"cels": []}),
        ("policy-test.schema.json", {"checks": [{"user": "andy", "in": "project:p1", "may": ["data:exprt"]}]}),
        ("state.schema.json", {"organizations": [{"id": "acme"}]}),
        ("state.schema.json", {"organizations": [{"id": "acme", "owner": "olga", "membrs": {}}]}),
        ("claims.schema.json", {"claims": [{"clam": "published table"}]}),
    ],
)
def test_an_editor_underlines_what_the_reader_would_refuse(file: str, value: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema(file))
