"""The one reader of YAML and JSON: what it takes, what it refuses and where, and that its work is linear in the text."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from rbac.documents import DEEPEST, DocumentError, Strict, convert, parse_json, parse_located, parse_yaml, unique_keys, write_yaml
from rbac.errors import PolicyError
from tests.work import growth


def refused(parse: Callable[[str], object], text: str) -> DocumentError:
    """The error that a text is refused with."""
    with pytest.raises(DocumentError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: [x, 'y', \"z\\n\"]\nc: {d: null, e: ~, f: , g: yes}\n",
        "- 2027-01-31T12:00:00Z\n- 2027-01-31\n- 1.5\n- -3\n- 0x1f\n- 017\n- 1_000\n- 0b11\n",
        "text: |\n  two\n  lines\nfolded: >\n  one\n  line\n",
        "%YAML 1.1\n---\n? a\n: b\n2: c\ntrue: d\n...\n",
        "- &a anchored\n- !!str 5\n- !!int '7'\n- !!seq []\n- !!map {}\n- ! 7\n",
        "caf\u00e9: \u4e16\n",
        "",
        "# nothing\n",
    ],
)
def test_yaml_is_read_as_its_own_safe_loader_reads_it(text: str) -> None:
    assert parse_yaml(text) == yaml.safe_load(text)


def test_every_part_of_a_document_has_its_line() -> None:
    lines: dict[Any, int] = {}
    parse_yaml("a:\n  - x\n  - {b: 1,\n     c: 2}\n'1': z\n", lines=lines)

    assert lines == {(): 1, ("a",): 1, ("a", 0): 2, ("a", 1): 3, ("a", 1, "b"): 3, ("a", 1, "c"): 4, ("1",): 5}


YAML = [
    ("a: 1\na: 2\n", "2:1: duplicate key 'a'"),
    ("{a: 1, 'a': 2}", "1:8: duplicate key 'a'"),
    ("1: a\n1.0: b\n", "2:1: duplicate key '1.0'"),
    ("yes: a\non: b\n", "2:1: duplicate key 'on'"),
    ("- &a x\n- *a\n", "2:3: an alias: write out what it repeats"),
    ("&a x: 1\n*a : 2\n", "2:1: an alias: write out what it repeats"),
    ("a: &a {b: 1}\nc:\n  <<: *a\n", "3:3: a merge with <<: write out its keys"),
    ("[a, b]: c\n", "1:1: a key that is a list or a mapping"),
    ("{a: b}: c\n", "1:1: a key that is a list or a mapping"),
    ("a: 1\n---\nb: 2\n", "2:1: a second document: a file has one"),
    ("a: .nan\n", "1:4: NaN and infinity are not numbers"),
    ("a: -.inf\n", "1:4: NaN and infinity are not numbers"),
    ("a: 1.0e+999\n", "1:4: NaN and infinity are not numbers"),
    ("a: 12:30:00\n", "1:4: a number in base 60: quote it, if it is a text"),
    ("a: 1:2.5\n", "1:4: a number in base 60: quote it, if it is a text"),
    (f"a: {'9' * 41}\n", "1:4: a number has too many digits"),
    (f"a: 0x{'f' * 41}\n", "1:4: a number has too many digits"),
    (f"a: {'1:1' * 60_000}\n", "1:4: a number has too many digits"),
    ("a: 2027-02-30\n", "1:4: '2027-02-30' is not a valid timestamp"),
    ("a: 2027-01-31T12:00:00+99:00\n", "1:4: '2027-01-31T12:00:00+99:00' is not a valid timestamp"),
    ("a: !!bool maybe\n", "1:4: 'maybe' is not a valid bool"),
    ("a: !!float ''\n", "1:4: '' is not a valid float"),
    ("a: !!binary aGk=\n", "1:4: the tag tag:yaml.org,2002:binary is not supported: write plain values"),
    ("a: !mine x\n", "1:4: the tag !mine is not supported: write plain values"),
    ("a: !!omap [b: 1]\n", "1:4: the tag tag:yaml.org,2002:omap is not supported: write plain values"),
    ("a: !!set {b}\n", "1:4: the tag tag:yaml.org,2002:set is not supported: write plain values"),
    ("!!python/object/apply:os.getcwd []\n", "1:1: the tag tag:yaml.org,2002:python/object/apply:os.getcwd is not supported"),
    ("# x\n%TAG ! tag:x,2000:\n--- a\n", "2:1: %TAG is not supported: write plain values"),
    ("[" * 101, f"1:101: nested more than {DEEPEST} deep"),
    ("- " * 101 + "a\n", f"1:201: nested more than {DEEPEST} deep"),
    ("a: [\n", "2:1: not valid YAML: "),
    ("a: \x00\n", "not valid YAML: unacceptable character #x0000"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), YAML, ids=[repr(text[:30]) for text, _ in YAML])
def test_yaml_that_does_not_say_what_it_shows_is_refused_with_its_place(text: str, says: str) -> None:
    assert str(refused(parse_yaml, text)).startswith(says)


JSON = [
    ('{"a": 1, "b": {"c": 1, "c": 2}}', "duplicate key 'c'"),
    ("[NaN]", "NaN is not a number"),
    ("[-Infinity]", "-Infinity is not a number"),
    ("[1e999]", "NaN and infinity are not numbers"),
    (f"[{'9' * 5000}]", "a number has too many digits"),
    (f"[0.{'9' * 5000}]", "a number has too many digits"),
    ('["\\ud800"]', r"half a character in \ud800"),
    ('{"x\\uDFFF": 1}', r"half a character in x\udfff"),
    ("[" * 100_000, "nested too deeply"),
    ('{"a" 1}', "1:6: not valid JSON: expecting ':' delimiter"),
    ("\ufeff{}", "1:1: not valid JSON: unexpected UTF-8 BOM"),
    ("{}\x0b", "1:3: not valid JSON: extra data"),
    ("", "1:1: not valid JSON: expecting value"),
]


@pytest.mark.parametrize(("text", "says"), JSON, ids=[repr(text[:30]) for text, _ in JSON])
def test_json_that_does_not_say_what_it_shows_is_refused(text: str, says: str) -> None:
    assert str(refused(parse_json, text)).startswith(says)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse_json('["\\ud83d\\ude00", 12345678901234567890, 1.5, true, null]') == ["\U0001f600", 12345678901234567890, 1.5, True, None]


def test_an_error_repeats_no_more_than_a_line_of_what_it_refuses() -> None:
    long = "x" * 10_000 + "\x1b\n"

    for error in (refused(parse_json, f'{{"{long[:-2]}": 1, "{long[:-2]}": 2}}'), refused(parse_yaml, f'"{long[:-2]}\\e\\n": 1\n' * 2)):
        assert len(str(error)) < 150
        assert str(error).isprintable()


def test_what_is_written_is_read_again_and_has_no_alias() -> None:
    end = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    data = {"a": [end, end], "no": "yes", "x": {"y": []}}

    assert parse_yaml(write_yaml(data)) == data
    assert "&" not in write_yaml(data)


class Part(Strict, frozen=True):
    """A part of a file."""

    names: list[str]


def test_a_value_of_the_wrong_type_is_refused_with_its_path_and_its_line() -> None:
    with pytest.raises(DocumentError) as caught:
        convert({"names": ["a", 1]}, Part)
    with pytest.raises(PolicyError) as located:
        parse_located("names:\n  - a\n  - 1\n", "x.yaml", Part)

    assert (caught.value.message, caught.value.path) == ("expected `str`, got `int`", "names[1]")
    assert str(located.value) == "x.yaml:3:1: expected `str`, got `int` in names[1]"


# -- the work is linear ----------------------------------------------------------------------------------------------------

MANY: dict[str, tuple[Callable[[str], object], Callable[[int], str], bool]] = {
    "JSON, keys": (parse_json, lambda n: "{" + ", ".join(f'"k{number}": {number}' for number in range(n)) + "}", False),
    "JSON, the last key twice": (parse_json, lambda n: "{" + ", ".join(f'"k{min(number, n)}": 1' for number in range(n + 2)) + "}", True),
    "JSON, every key twice": (parse_json, lambda n: "{" + ", ".join(f'"k{number % n}": 1' for number in range(2 * n)) + "}", True),
    "JSON, escapes": (parse_json, lambda n: "[" + ", ".join(['"\\u00e9"'] * n) + "]", False),
    "JSON, one long escape": (parse_json, lambda n: '["' + "\\u00e9" * n + '"]', False),
    "JSON, nested": (parse_json, lambda n: "[" * 100 * n, True),
    "JSON, a long number": (parse_json, lambda n: "9" * 100 * n, True),
    "YAML, keys": (parse_yaml, lambda n: "".join(f"k{number}: {number}\n" for number in range(n)), False),
    "YAML, the last key twice": (parse_yaml, lambda n: "".join(f"k{min(number, n)}: 1\n" for number in range(n + 2)), True),
    "YAML, a flow": (parse_yaml, lambda n: "[" + ", ".join(f"{{k: {number}}}" for number in range(n)) + "]", False),
    "YAML, anchors": (parse_yaml, lambda n: "".join(f"- &a{number} x\n" for number in range(n)), False),
    "YAML, times": (parse_yaml, lambda n: "- 2027-01-31T12:00:00Z\n" * n, False),
    "YAML, a long text": (parse_yaml, lambda n: f"a: {'x y ' * n}\n", False),
    "YAML, lines of a text": (parse_yaml, lambda n: "a: |\n" + "  x\n" * n, False),
    "YAML, nested": (parse_yaml, lambda n: "[" * n, True),
    "YAML, an alias of much": (parse_yaml, lambda n: f"a: &a [{', '.join(['x'] * n)}]\nb: *a\n", True),
    "YAML, base 60": (parse_yaml, lambda n: f"a: {'1:1' * n}\n", True),
    "YAML, tags": (parse_yaml, lambda n: "".join(f"%TAG !a{number}! x\n" for number in range(n)) + "--- a\n", True),
}  # fmt: skip


@pytest.mark.parametrize("name", MANY)
def test_four_times_as_much_text_takes_four_times_as_many_steps(name: str) -> None:
    parse, make, is_refused = MANY[name]

    assert growth(make, parse, size=240, refused=DocumentError if is_refused else None) < 4.5


def test_the_lines_of_a_document_are_noted_in_linear_work() -> None:
    assert growth(lambda n: "- {a: [x, y], b: z}\n" * n, lambda text: parse_yaml(text, lines={})) < 4.5


class Compared(str):
    """A key that counts how often it is compared or hashed."""

    done = 0

    def __eq__(self, other: object) -> bool:
        Compared.done += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        Compared.done += 1
        return str.__hash__(self)


def test_a_duplicate_key_is_found_without_comparing_every_key_with_every_other() -> None:
    def comparisons(n: int) -> int:
        Compared.done = 0
        with pytest.raises(DocumentError, match="duplicate key 'last'"):
            unique_keys([(Compared(each), 1) for each in (*map(str, range(n)), "last", "last")])
        return Compared.done

    assert comparisons(4000) < 4.5 * comparisons(1000)
