"""The audit's texts are written past the JSON encoder: they are the same texts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rbac.database.chain import Digest, canonical, optional

TEXT = st.text(max_size=20)
VALUE: Any = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT, max_size=3), max_size=6)


def _plain(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@given(VALUE)
def test_a_value_is_written_as_the_encoder_writes_it(value: dict[str, Any]) -> None:
    assert optional(value) == canonical(value) == _plain(value)


@given(st.lists(st.tuples(TEXT, st.none() | TEXT, TEXT, st.none() | VALUE, st.none() | VALUE), max_size=5))
def test_a_digest_is_of_the_encoders_lines(changes: list[Any]) -> None:
    digest, lines = Digest(), b""
    for number, (kind, user, domain, before, after) in enumerate(changes):
        texts = optional(before), optional(after)
        digest.add(kind, user, domain, *texts)
        lines += _plain([number, kind, user, domain, *texts]).encode() + b"\n"

    sealed = digest.seal(
        organization="o",
        revision=1,
        at=2,
        actor="a",
        actor_kind="application",
        on_behalf_of="b",
        operation="import",
        ticket=None,
        policy="c",
        format=1,
        previous="p",
    )
    row = [1, "o", 1, 2, "a", "application", "b", "import", None, "c", "p", len(changes), hashlib.sha256(lines).hexdigest()]
    assert sealed == hashlib.sha256(_plain(row).encode()).hexdigest()
