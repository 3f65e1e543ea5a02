"""Text from files and for output: the checks that policy.csv and model.conf share, and the escaping of what is printed.

In a file, a character that a reviewer cannot see, or could mistake for another, is an error that names it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from rbac.errors import PolicyError, Problem
from rbac.files import read_file

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


def read_bytes(path: Path) -> bytes:
    """The bytes of a file of the policy; raises PolicyError when it cannot be read."""
    try:
        return read_file(path)
    except OSError as error:
        raise PolicyError([Problem(str(path), 1, 1, f"cannot be read: {error.strerror}")]) from error
    except ValueError as error:  # of a null character, or of half a character
        raise PolicyError([Problem(visible(str(path)), 1, 1, "cannot be read: no file can have this name")]) from error


def decode(data: bytes, file: str) -> str:
    """UTF-8 without a byte order mark; raises PolicyError at the first byte that is not."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise PolicyError([Problem(file, 1, 1, "starts with a byte order mark: save it as UTF-8 without BOM")])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        message = f"byte {data[error.start]:#04x} is not UTF-8: save the file as UTF-8"
        raise PolicyError([Problem(file, before.count(b"\n") + 1, column, message)]) from error


def check_characters(line: str, file: str, number: int, *, comment: bool) -> Iterator[Problem]:
    """Every character of a line that is not allowed there; comments may hold visible characters beyond ASCII."""
    if line.startswith(_CONFLICT):
        yield Problem(file, number, 1, "a merge conflict marker: finish the merge first")
        return
    if line.isascii() and line.isprintable():
        return  # nearly every line of a policy; looking at each character of it takes longer than all the rest of reading
    for column, character in enumerate(line, 1):
        if character == "\r" and column == len(line):
            yield Problem(file, number, column, "the line ends with a carriage return: save the file with LF line ends")
        elif character == "\t":
            yield Problem(file, number, column, "a tab: use spaces")
        elif unicodedata.category(character) in _INVISIBLE:
            yield Problem(file, number, column, f"the invisible character {_name(character)}: delete it")
        elif not comment and ord(character) > 126:
            yield Problem(file, number, column, f"the character {character!r} ({_name(character)}): names are plain ASCII")


def plain(text: str, most: int | None = None) -> str:
    """The text as printable ASCII on one line, everything else escaped, cut at `most` characters: fit for any log."""
    return "".join(each if " " <= each <= "~" else ascii(each)[1:-1] for each in text)[:most]


def visible(text: str) -> str:
    """The text on one line, every character that is not printable escaped: fit for a terminal."""
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
