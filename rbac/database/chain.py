"""The hash chain of the audit: what is hashed, in which form. No I/O.

One rule: a hash depends on texts and whole numbers only, as canonical JSON in ASCII, so it is the same on every
database, platform and version; changing a form here breaks every chain there is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any

GENESIS = "0" * 64
"""What the first audit row of an organization has for its previous hash."""

FORMAT = 1
"""The form of what is hashed, named in each audit row."""


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: str,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
}
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII."""
    return _JSON.encode(value)


def optional(value: dict[str, Any] | None) -> str | None:
    """`canonical`, and None for None."""
    if value is None:
        return None
    try:  # the same text, six times as fast as the encoder, which is set up anew for each value
        return "{" + ",".join([f"{encode_basestring_ascii(key)}:{_SCALARS[type(value[key])](value[key])}" for key in sorted(value)]) + "}"
    except KeyError:
        return canonical(value)


class Digest:
    """The running digest of one revision's changes, fed in their order. Lives as long as the unit of work."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, kind: str, user: str | None, domain: str, before: str | None, after: str | None) -> None:
        """Take in the next change as the database holds it: `before` and `after` are JSON texts."""
        texts = ",".join(["null" if text is None else encode_basestring_ascii(text) for text in (kind, user, domain, before, after)])
        self._hash.update(f"[{self.count},{texts}]\n".encode("ascii"))  # as `canonical` writes a list, without its set-up
        self.count += 1

    def seal(
        self,
        *,
        organization: str,
        revision: int,
        at: int,
        actor: str,
        actor_kind: str,
        on_behalf_of: str | None,
        operation: str,
        ticket: str | None,
        policy: str | None,
        format: int,
        previous: str,
    ) -> str:
        """The hash of the audit row that closes these changes."""
        made = [organization, revision, at, actor, actor_kind, on_behalf_of, operation, ticket, policy]
        row = [format, *made, previous, self.count, self._hash.hexdigest()]
        return hashlib.sha256(canonical(row).encode("ascii")).hexdigest()
