"""YAML files that reviewers write (claims, policy tests), read strictly, with the line of every part.

A file becomes typed values or is refused with one sentence that names file and line. Its one rule: an unknown key, a
key that stands twice and an empty file are errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec
import yaml

from rbac.documents import UniqueKeys
from rbac.errors import PolicyError, Problem
from rbac.text import decode, parted, plain, read_bytes

_Shape = TypeVar("_Shape")
_Path = tuple[str | int, ...]


class Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A part of such a file: unknown keys are errors."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Where each part of a file stands."""

    file: str
    places: dict[_Path, int]

    def at(self, *path: str | int) -> int:
        """The line of a part, or of the nearest part around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, 1)

    def wrong(self, message: str, *path: str | int) -> NoReturn:
        """Raise PolicyError about a part."""
        raise PolicyError([Problem(self.file, self.at(*path), 1, message)])


def read_located(path: Path, shape: type[_Shape]) -> tuple[_Shape, Lines]:
    """The values in a file, and where they stand; raises PolicyError."""
    return parse_located(decode(read_bytes(path), str(path)), str(path), shape)


def parse_located(text: str, file: str, shape: type[_Shape]) -> tuple[_Shape, Lines]:
    """The same for a text that has been read."""
    data, lines = _load(text, file)
    if data is None:
        lines.wrong("is empty: nothing would be checked")
    try:
        return msgspec.convert(data, shape), lines
    except msgspec.ValidationError as error:
        message, where = parted(str(error))
        path = tuple(int(part) if part.isascii() and part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", where))
        lines.wrong(f"{message}{' in ' + where if where else ''}", *path)
    except UnicodeEncodeError as error:  # where there is no libyaml, which refuses it
        lines.wrong(f"{plain(error.object)} is no name: it has half a character")


def _load(text: str, file: str) -> tuple[Any, Lines]:
    try:
        loader = UniqueKeys(text)
        node = loader.get_single_node()
        data = None if node is None else loader.construct_document(node)
        places: dict[_Path, int] = {}
        if node is not None:
            _note(node, (), places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PolicyError([Problem(file, *place, f"is no YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        told = str(error).splitlines()
        raise PolicyError([Problem(file, 1, 1, f"is no YAML: {told[0] if told else 'nested too deeply'}")]) from None
    return data, Lines(file, places)


def _note(node: yaml.Node, path: _Path, places: dict[_Path, int]) -> None:
    places[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value)
            _note(value, (*path, name), places)
            places[(*path, name)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _note(value, (*path, number), places)
