"""The SQL that today's tables and triggers are, one statement a paragraph: how the frozen SQL of a first revision is written.

Run as a program it rewrites revision 0002: only until the first release, after that a revision of its own is due.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import create_mock_engine

import rbac.database
from rbac.database.tables import metadata
from rbac.database.triggers import STATEMENTS

VERSIONS = Path(rbac.database.__file__).parent / "migrations" / "versions"
DIALECTS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}


def statements(dialect: str) -> list[str]:
    """Every statement that makes the tables on one of the two databases, in order."""
    found: list[str] = []

    def keep(statement: Any, *_: object) -> None:
        lines = str(statement.compile(dialect=engine.dialect)).strip().splitlines()
        found.append("\n".join(line.rstrip().replace("\t", "    ") for line in lines if line.strip()))

    engine = create_mock_engine(DIALECTS[dialect], keep)
    metadata.create_all(engine, checkfirst=False)
    return [*found, *STATEMENTS[dialect]]


def frozen(dialect: str) -> str:
    """The text of the file."""
    return "\n\n".join(statements(dialect)) + "\n"


if __name__ == "__main__":
    for name in DIALECTS:
        (VERSIONS / f"0002_{name}.sql").write_text(frozen(name), encoding="utf-8")
