"""The one reader of YAML and JSON: strict, in time linear in the text, and with the line of every part where it is asked for.

A document says what its text shows. Refused are duplicate keys, of which other readers keep the last; aliases and merges, which
make a small file an enormous tree; numbers that are none (NaN, infinity), have too many digits or are in base 60; half characters;
deep nesting. YAML is read from the parser's events, so that nothing is built before it is accepted.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import msgspec

from rbac.errors import PolicyError, Problem
from rbac.text import decode, plain, read_bytes

if TYPE_CHECKING:
    pass

_Shape = TypeVar("_Shape")
_Path = tuple[str | int, ...]

DEEPEST = 100
"""How many lists and mappings may be inside one another."""

DIGITS = 40
"""How many characters a number may have."""

_SHOWN = 100  # characters of a text that an error repeats
_TAG = "tag:yaml.org,2002:"
_HALF = re.compile("[\ud800-\udfff]")


class DocumentError(ValueError):
    """A text that is refused: why, the line and column (1 based, 0 where unknown), and the path of the part for a wrong type."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0, path: str = "") -> None:
        super().__init__(f"{line}:{column}: {message}" if line else message)
        self.message, self.line, self.column, self.path = message, line, column, path


class Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A part of a file that people review: unknown keys are errors."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The line of every part of a file."""

    file: str
    numbers: dict[_Path, int]

    def at(self, *path: str | int) -> int:
        """The line of a part, or of the nearest part around it."""
        while path and path not in self.numbers:
            path = path[:-1]
        return self.numbers.get(path, 1)

    def wrong(self, message: str, *path: str | int) -> NoReturn:
        """Raise PolicyError about a part."""
        raise PolicyError([Problem(self.file, self.at(*path), 1, message)])


def read_located(path: Path, shape: type[_Shape]) -> tuple[_Shape, Lines]:
    """The values in a YAML file, and their lines; raises PolicyError."""
    return parse_located(decode(read_bytes(path), str(path)), str(path), shape)


def parse_located(text: str, file: str, shape: type[_Shape]) -> tuple[_Shape, Lines]:
    """The same for a text that has been read."""
    lines = Lines(file, {})
    try:
        data = parse_yaml(text, lines=lines.numbers)
        if data is None:
            lines.wrong("is empty: nothing would be checked")
        return convert(data, shape), lines
    except DocumentError as error:
        if error.line:
            raise PolicyError([Problem(file, error.line, error.column, error.message)]) from None
        path = (int(part) if part.isascii() and part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", error.path))
        lines.wrong(f"{error.message}{' in ' + error.path if error.path else ''}", *path)


def convert(data: Any, shape: type[_Shape]) -> _Shape:
    """Data as a type of msgspec; raises DocumentError with the path of the part that does not fit."""
    try:
        return msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        message, _, path = str(error).rpartition(" - at ") if " - at " in str(error) else (str(error), "", "")
        path = path.removeprefix("`key` in ").strip("`").removeprefix("$").removeprefix(".")
        raise DocumentError(plain(message[:1].lower() + message[1:]), path=plain(path)) from None
    except UnicodeEncodeError as error:
        raise _half(error.object) from None
    except RecursionError:
        raise DocumentError("nested too deeply") from None


# -- JSON ------------------------------------------------------------------------------------------------------------------


def parse_json(text: str) -> Any:
    """What a JSON text says; raises DocumentError."""
    try:
        found = json.loads(text, object_pairs_hook=unique_keys, parse_int=_integer, parse_float=_float, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise DocumentError(message, line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise DocumentError("nested too deeply") from None
    return _of_whole_characters(found, text)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of a JSON object; raises DocumentError for a key that is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise DocumentError(_duplicate(name))
            seen.add(name)
    return found


def _no_number(text: str) -> NoReturn:
    raise DocumentError(f"{text} is not a number")


# -- YAML ------------------------------------------------------------------------------------------------------------------


def parse_yaml(text: str, *, lines: dict[_Path, int] | None = None) -> Any:
    """What a YAML text says, None when it is empty; raises DocumentError. `lines` is filled with the line of every part."""
    import yaml

    directive = re.search(r"^%TAG", text, re.MULTILINE)
    if directive:  # of each, libyaml compares all before it
        raise DocumentError("%TAG is not supported: write plain values", line=text.count("\n", 0, directive.start()) + 1, column=1)
    try:
        return _of_whole_characters(_Document(text, lines).read(), text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise DocumentError(f"not valid YAML: {error.problem or error.context}", line=line, column=column) from None
    except yaml.YAMLError as error:  # a character that YAML does not have, of which it tells no line
        raise DocumentError(f"not valid YAML: {plain(str(error).splitlines()[0], _SHOWN)}") from None


def write_yaml(data: Any) -> str:
    """Data as YAML that `parse_yaml` reads: without aliases, also for one instant in two places."""
    import yaml

    class WithoutAliases(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(data, Dumper=WithoutAliases, sort_keys=False, width=140)


class _Document:
    """One YAML text while its events become values."""

    def __init__(self, text: str, lines: dict[_Path, int] | None) -> None:
        import yaml

        self._yaml = yaml
        self._parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        self._constructor = yaml.constructor.SafeConstructor()
        self._lines = lines

    def read(self) -> Any:
        """The value of the only document."""
        try:
            self._next()  # the start of the stream
            if isinstance(self._next(), self._yaml.StreamEndEvent):
                return None
            found = self._value(self._next(), (), 0)
            self._next()  # the end of the document
            after = self._next()
            if not isinstance(after, self._yaml.StreamEndEvent):
                _refuse(after, "a second document: a file has one")
            return found
        finally:
            self._parser.dispose()

    def _next(self) -> Any:
        event = self._parser.get_event()
        if isinstance(event, self._yaml.AliasEvent):
            _refuse(event, "an alias: write out what it repeats")
        return event

    def _value(self, event: Any, path: _Path, depth: int) -> Any:
        if self._lines is not None:
            self._lines.setdefault(path, event.start_mark.line + 1)
        if isinstance(event, self._yaml.ScalarEvent):
            return self._scalar(event, self._tag(event))
        if depth == DEEPEST:
            _refuse(event, f"nested more than {DEEPEST} deep")
        read = self._sequence if isinstance(event, self._yaml.SequenceStartEvent) else self._mapping
        return read(event, path, depth)

    def _sequence(self, start: Any, path: _Path, depth: int) -> list[Any]:
        self._is_plain(start, "seq")
        found: list[Any] = []
        while not isinstance(event := self._next(), self._yaml.SequenceEndEvent):
            found.append(self._value(event, (*path, len(found)), depth + 1))
        return found

    def _mapping(self, start: Any, path: _Path, depth: int) -> dict[Any, Any]:
        self._is_plain(start, "map")
        found: dict[Any, Any] = {}
        names: set[str] = set()
        while not isinstance(event := self._next(), self._yaml.MappingEndEvent):
            key = self._key(event)
            if key in found or event.value in names:
                _refuse(event, _duplicate(event.value))
            names.add(event.value)
            inside = (*path, event.value)
            if self._lines is not None:
                self._lines[inside] = event.start_mark.line + 1
            found[key] = self._value(self._next(), inside, depth + 1)
        return found

    def _key(self, event: Any) -> Any:
        if not isinstance(event, self._yaml.ScalarEvent):
            _refuse(event, "a key that is a list or a mapping")
        tag = self._tag(event)
        if tag == "merge":
            _refuse(event, "a merge with <<: write out its keys")
        return self._scalar(event, tag)

    def _tag(self, event: Any) -> str:
        tag: str = event.tag
        if tag is None or tag == "!":
            tag = self._parser.resolve(self._yaml.ScalarNode, event.value, event.implicit)
        return tag.removeprefix(_TAG)

    def _scalar(self, event: Any, tag: str) -> Any:
        text: str = event.value
        if tag in ("str", "value"):
            return text
        if tag not in ("null", "bool", "int", "float", "timestamp"):
            _refuse(event, f"the tag {plain(event.tag or tag, _SHOWN)} is not supported: write plain values")
        try:
            if tag in ("int", "float"):
                return self._number(_short(text), tag)
            return getattr(self._constructor, f"construct_yaml_{tag}")(self._yaml.ScalarNode(_TAG + tag, text))
        except DocumentError as error:
            _refuse(event, error.message)
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError):  # SafeLoader's own, of `!!bool maybe`, `!!int ''`
            _refuse(event, f"{plain(repr(text), _SHOWN)} is not a valid {tag}")

    def _number(self, text: str, tag: str) -> int | float:
        if ":" in text:
            raise DocumentError("a number in base 60: quote it, if it is a text")
        node = self._yaml.ScalarNode(_TAG + tag, text)
        return self._constructor.construct_yaml_int(node) if tag == "int" else _finite(self._constructor.construct_yaml_float(node))

    def _is_plain(self, start: Any, kind: str) -> None:
        if start.tag not in (None, "!", _TAG + kind):
            _refuse(start, f"the tag {plain(start.tag, _SHOWN)} is not supported: write plain values")


def _refuse(event: Any, message: str) -> NoReturn:
    mark = event.start_mark
    raise DocumentError(message, line=mark.line + 1, column=mark.column + 1)


# -- what both refuse ------------------------------------------------------------------------------------------------------


def _of_whole_characters(value: Any, text: str) -> Any:
    """The value; raises DocumentError for half a character, which only an escape can bring into a text that was UTF-8."""
    left = [value] if "\\" in text else []
    while left:
        part = left.pop()
        if isinstance(part, str) and _HALF.search(part):
            raise _half(part)
        if isinstance(part, dict | list):
            left += (*part, *part.values()) if isinstance(part, dict) else part
    return value


def _short(text: str) -> str:
    if len(text) > DIGITS:
        raise DocumentError("a number has too many digits")
    return text


def _integer(text: str) -> int:
    return int(_short(text))


def _float(text: str) -> float:
    return _finite(float(_short(text)))


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise DocumentError("NaN and infinity are not numbers")
    return number


def _duplicate(name: str) -> str:
    return f"duplicate key {plain(repr(name), _SHOWN)}"


def _half(text: str) -> DocumentError:
    return DocumentError(f"half a character in {plain(text, _SHOWN)}")
