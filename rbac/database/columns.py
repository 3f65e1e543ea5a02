"""Columns, checks and foreign keys of the tables, alike on both databases. No I/O."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKeyConstraint, Text

from rbac.vocabulary import Word

PREFIX = "rbac_"
"""What the name of everything in the database begins with, which may hold an application's own tables."""

LAST_INSTANT = 253_402_300_799_999_999
"""The end of the year 9999: what a date can still say."""

# PostgreSQL orders text by the locale of the database unless told otherwise; ids are ordered by their bytes everywhere.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def key_column(name: str) -> Column[str]:
    return Column(name, _TEXT, primary_key=True)


def text_column(name: str) -> Column[str]:
    return Column(name, _TEXT, nullable=False)


def optional_text_column(name: str) -> Column[str | None]:
    return Column(name, _TEXT, nullable=True)


def number_column(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, autoincrement=False, nullable=False)


def instant_column(name: str) -> Column[int | None]:
    return Column(name, BigInteger, nullable=True)


def switch_column(name: str) -> Column[bool]:
    """True or false; SQLite, which has no booleans, checks for 0 or 1."""
    return Column(name, Boolean(create_constraint=True, name=f"{name}_switch"), nullable=False)


def check_on_sqlite(name: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=name).ddl_if(dialect="sqlite")


def _check_on_postgresql(name: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=name).ddl_if(dialect="postgresql")


def check_pattern(columns: tuple[str, ...], what: str, *, pattern: str, longest: int, sqlite: str) -> list[CheckConstraint]:
    """Both databases hold the same texts: a regular expression where there is one, GLOB and lengths where there is none.

    The length is compared apart from the pattern on PostgreSQL, where a bounded repetition takes ten times as long to match.

    SQLite ends a text at NUL in GLOB and length() but not in a blob, and takes blobs for text. NULL passes both.
    """
    whole = "typeof({0}) IN ('text', 'null') AND length(CAST({0} AS BLOB)) = length({0})"
    rules = []
    for column in columns:
        quoted, name = f'"{column}"', f"{column}_is_{what}"
        rule = f"{whole} AND {sqlite}".format(quoted)
        rules += [
            check_on_sqlite(name, rule),
            _check_on_postgresql(name, f"octet_length({quoted}) <= {longest} AND {quoted} ~ '^{pattern}$'"),
        ]
    return rules


def check_ids(*columns: str) -> list[CheckConstraint]:
    """What the id of an organization, workspace, project or task may be made of; a test compares it with names.ID."""
    return check_pattern(
        columns,
        "an_id",
        pattern="[A-Za-z0-9][A-Za-z0-9._@+-]*",
        longest=128,
        sqlite="length({0}) <= 128 AND {0} GLOB '[A-Za-z0-9]*' AND {0} NOT GLOB '*[^A-Za-z0-9._@+-]*'",
    )


def check_user_ids(*columns: str) -> list[CheckConstraint]:
    """What the id of a user may be made of: what identity providers issue; a test compares it with names.USER_ID."""
    return check_pattern(
        columns,
        "a_user_id",
        pattern="[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*",
        longest=255,
        sqlite="length({0}) <= 255 AND {0} GLOB '[A-Za-z0-9]*' AND {0} NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*'",
    )


def check_printable(*columns: str) -> list[CheckConstraint]:
    """Plain ASCII on one line, 1 to 255 characters: what may be printed into any log."""
    sqlite = "length({0}) BETWEEN 1 AND 255 AND {0} NOT GLOB '*[^ -~]*'"
    return check_pattern(columns, "printable", pattern="[ -~]+", longest=255, sqlite=sqlite)


def check_hex(column: str, length: int) -> list[CheckConstraint]:
    """`length` hexadecimal digits, in lower case."""
    sqlite = f"length({{0}}) = {length} AND {{0}} NOT GLOB '*[^0-9a-f]*'"
    rules = check_pattern((column,), "hex", pattern="[0-9a-f]*", longest=length, sqlite=sqlite)
    return [*rules, _check_on_postgresql(f"{column}_is_whole_hex", f'octet_length("{column}") = {length}')]


def check_instants(*columns: str) -> list[CheckConstraint]:
    """Whole numbers up to the year 9999; SQLite would take a text or a fraction."""
    bounds = [CheckConstraint(f"{column} BETWEEN 0 AND {LAST_INSTANT}", name=f"{column}_is_an_instant") for column in columns]
    return bounds + [check_on_sqlite(f"{column}_is_whole", f"typeof({column}) IN ('integer', 'null')") for column in columns]


def check_one_of(column: str, names: type[Word] | tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(name)) for name in names)})", name=f"{column}_is_known")


def reference(columns: str, table: str, to: str | None = None, *, deferred: bool = False) -> ForeignKeyConstraint:
    """A foreign key over the organization and `columns`; `deferred` checks at commit."""
    ours, theirs = ["organization", *columns.split()], ["organization", *(to or columns).split()]
    references = [f"{PREFIX}{table}.{name}" for name in theirs]
    return ForeignKeyConstraint(ours, references, deferrable=deferred or None, initially="DEFERRED" if deferred else None)


def organization_reference() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organization"], [f"{PREFIX}organization.id"])


WITHOUT_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}  # one tree instead of two: half the file and one look-up a row


def comparable(number: int) -> int:
    """The nearest number that a column of numbers can be compared with, whatever was asked for."""
    return max(-(2**63), min(number, 2**63 - 1))
