"""Rows as lines: whatever is in a cell stays in its cell, and does nothing there."""

from __future__ import annotations

import csv

import pytest

from rbac.reports.tables import Markdown, aligned, as_csv, escaped, markdown

HOSTILE = ("\x1b[2J", "a\nb", "a\rb", "\u202eoff", "a\u2028b", "\x00", "\udcff", "\t", "\x9b1m")


@pytest.mark.parametrize("cell", HOSTILE)
def test_a_cell_cannot_end_its_line_or_drive_a_terminal_in_any_form(cell: str) -> None:
    rows = [("x", cell)]

    for lines in (list(aligned(rows)), list(markdown(("a", "b"), rows))[2:], list(as_csv(("a", "b"), rows))[1:]):
        assert len(lines) == 1
        assert lines[0].isprintable()


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1dA1", "\t=1", '=HYPERLINK("http://x")'])
def test_a_csv_cell_cannot_start_a_formula(cell: str) -> None:
    _, line = as_csv(("a", "b"), [("x", cell)])

    (found,) = csv.reader([line])
    assert not found[1].startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))
    assert found[1].lstrip("'").startswith((cell, r"\t"))


def test_numbers_and_ordinary_text_are_the_same_in_csv() -> None:
    assert list(as_csv(("n", "text"), [(-5, 'a, "b"'), (2, "caf\u00e9")])) == ["n,text", '-5,"a, ""b"""', "2,caf\u00e9"]


def test_a_markdown_cell_has_no_markup_unless_it_is_markdown_already() -> None:
    rows = [("a|b", "<script>"), ("![x](http://x)", "a\\"), (Markdown("**b**"), "")]

    assert list(markdown(("h|1", "h2"), rows)) == [
        "| h\\|1 | h2 |",
        "|---|---|",
        "| a\\|b | &lt;script> |",
        "| !\\[x](http://x) | a\\\\ |",
        "| **b** | |",
    ]
    assert escaped("one\ntwo") == "one two"


def test_columns_are_as_wide_as_their_widest_cell_counting_wide_characters_twice() -> None:
    assert list(aligned([("a", "b"), ("\u2705", "c"), ("long", "")])) == ["a     b", "\u2705    c", "long"]
