"""Columns, checks and foreign keys of the tables, alike on both databases. No I/O."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKeyConstraint, Text

from rbac.vocabulary import Word

LAST_INSTANT = 253_402_300_799_999_999
"""The end of the year 9999: what a date can still say."""

# PostgreSQL orders text by the locale of the database unless told otherwise; ids are ordered by their bytes everywhere.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def key_column() -> Column[str]:
    return Column(_TEXT, primary_key=True)


def text_column() -> Column[str]:
    return Column(_TEXT, nullable=False)


def optional_text_column() -> Column[str | None]:
    return Column(_TEXT, nullable=True)


def number_column(*, key: bool = False) -> Column[int]:
    return Column(BigInteger, primary_key=key, autoincrement=False, nullable=False)


def instant_column() -> Column[int | None]:
    return Column(BigInteger, nullable=True)


def switch_column(name: str) -> Column[bool]:
    """True or false; SQLite, which has no booleans, checks for 0 or 1."""
    return Column(Boolean(create_constraint=True, name=f"{name}_is_a_switch"), nullable=False)


def check_on_sqlite(name: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=name).ddl_if(dialect="sqlite")


def _check_on_postgresql(name: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=name).ddl_if(dialect="postgresql")


def check_pattern(columns: tuple[str, ...], what: str, *, pattern: str, sqlite: str) -> list[CheckConstraint]:
    """Both databases hold the same texts: a regular expression where there is one, GLOB and lengths where there is none.

    SQLite ends a text at NUL in GLOB and length() but not in a blob, and takes blobs for text. NULL passes both.
    """
    whole = "typeof({0}) IN ('text', 'null') AND length(CAST({0} AS BLOB)) = length({0})"
    rules = []
    for column in columns:
        quoted, name = f'"{column}"', f"{column}_is_{what}"
        rule = f"{whole} AND {sqlite}".format(quoted)
        rules += [check_on_sqlite(name, rule), _check_on_postgresql(name, f"{quoted} ~ '^{pattern}$'")]
    return rules


def check_ids(*columns: str) -> list[CheckConstraint]:
    """What an id may be made of; a test compares it with names.ID."""
    return check_pattern(
        columns,
        "an_id",
        pattern="[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}",
        sqlite="length({0}) <= 128 AND {0} GLOB '[A-Za-z0-9]*' AND {0} NOT GLOB '*[^A-Za-z0-9._@+-]*'",
    )


def check_printable(*columns: str) -> list[CheckConstraint]:
    """Plain ASCII on one line, 1 to 255 characters: what may be printed into any log."""
    return check_pattern(columns, "printable", pattern="[ -~]{1,255}", sqlite="length({0}) BETWEEN 1 AND 255 AND {0} NOT GLOB '*[^ -~]*'")


def check_hex(column: str, length: int) -> list[CheckConstraint]:
    return check_pattern(
        (column,), "hex", pattern=f"[0-9a-f]{{{length}}}", sqlite=f"length({{0}}) = {length} AND {{0}} NOT GLOB '*[^0-9a-f]*'"
    )


def check_instants(*columns: str) -> list[CheckConstraint]:
    """Whole numbers up to the year 9999; SQLite would take a text or a fraction."""
    bounds = [CheckConstraint(f"{column} BETWEEN 0 AND {LAST_INSTANT}", name=f"{column}_is_an_instant") for column in columns]
    return bounds + [check_on_sqlite(f"{column}_is_whole", f"typeof({column}) IN ('integer', 'null')") for column in columns]


def check_one_of(column: str, names: type[Word] | tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(name)) for name in names)})", name=f"{column}_is_known")


def reference(columns: str, table: str, to: str | None = None, *, deferred: bool = False) -> ForeignKeyConstraint:
    """A foreign key over the organization and `columns`; `deferred` checks at commit."""
    ours, theirs = ["organization", *columns.split()], ["organization", *(to or columns).split()]
    references = [f"{table}.{name}" for name in theirs]
    return ForeignKeyConstraint(ours, references, deferrable=deferred or None, initially="DEFERRED" if deferred else None)


def organization_reference() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organization"], ["organization.id"])


WITHOUT_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}  # one tree instead of two: half the file and one look-up a row


def comparable(number: int) -> int:
    """The nearest number that a column of numbers can be compared with, whatever was asked for."""
    return max(-(2**63), min(number, 2**63 - 1))
