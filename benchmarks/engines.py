"""The engines by name, and up to which size each is asked: where loading or one answer takes minutes it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import handwritten, ours, peers
from benchmarks.workload import SIZES, Size

Decide = Callable[[str, str, str], bool]


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine: how it is made, and the largest size it is asked at, with the reason for the limit."""

    name: str
    make: Callable[[Size], Decide]
    largest: str = "XL"
    why: str = ""

    def takes(self, size: Size) -> bool:
        return size.users <= SIZES[self.largest].users


def engines(folder: Path) -> list[Engine]:
    """Every engine there is; those whose package is missing fail when they are made."""
    return [
        Engine("if/else", handwritten.if_else),
        Engine("dict of functions", handwritten.dictionary),
        Engine("ours: enforcer", ours.enforcer),
        Engine("ours: can on SQLite", lambda size: ours.organization(size, folder)),
        Engine("rules", peers.django_rules, "L", "predicates over the same facts as if/else"),
        Engine("cedarpy", peers.cedar, "L", "loading five million memberships takes a minute and 5 GB"),
        Engine("oso", peers.oso, "L", "the same facts as if/else"),
        Engine("FastEnforcer", peers.fast, "L", "a million links: more than a GB"),
        Engine("stock with workaround", peers.stock_workaround, "L", "a million links: more than a GB"),
        Engine("stock casbin", peers.stock, "S", "the first decision among 10,000 users takes 48 s"),
    ]
