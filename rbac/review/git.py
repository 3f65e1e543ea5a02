"""Where a policy under review comes from: a file, or a git revision of one.

Reads git through its own command and changes nothing. A name that is neither is an UnknownName; a file that is
there and does not load is a PolicyError.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rbac.errors import PolicyError, Problem, UnknownName
from rbac.policy.reader import Policy, parse_policy
from rbac.text import decode, read_bytes

_FORMAT = "%H%x1f%(trailers:key=Policy-Widens,valueonly,separator=%x1e,unfold)%x1d"


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of a policy, what messages call it, and the git revision and path it is from; None for a file."""

    name: str
    data: bytes
    revision: str | None = None
    path: str | None = None

    @property
    def title(self) -> str:
        """The name, with the commit where there is one."""
        commit = None if self.revision is None else git("rev-parse", "--short=9", f"{self.revision}^{{commit}}")
        if self.revision is None or not commit:
            return self.name
        short = commit.strip()
        return f"{short}{self.name.removeprefix(self.revision)}" if self.revision.startswith(short) else f"{self.name} ({short})"

    def policy(self) -> Policy:
        """The policy; raises PolicyError with every mistake in it."""
        return parse_policy(self.data, self.name)


def find_source(name: str, *, file: str = "policy.csv") -> Source:
    """The policy called `name`: a path, git's own `REVISION:PATH`, or a revision, of which `file` is taken from the present folder.

    A path wins over a revision of the same name. Raises UnknownName when it is none of them.
    """
    path = Path(name)
    if os.path.isfile(path):  # and not path.is_file(), which raises for a name that is too long
        return Source(name, read_bytes(path))
    if name and os.path.isdir(path):
        raise PolicyError([Problem(name, 1, 1, "is a folder: name the file")])
    revision, colon, inside = name.partition(":")
    wanted = inside if colon else f"./{file}"
    if not revision or name.startswith("-") or not git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"):
        raise UnknownName(f"{name!r} is neither a file nor a git revision")
    shown = subprocess.run(["git", "show", f"{revision}:{wanted}"], capture_output=True, check=False)
    if shown.returncode:
        raise UnknownName(f"there is no {wanted.removeprefix('./')} in the git revision {revision}")
    return Source(f"{revision}:{wanted.removeprefix('./')}", shown.stdout, revision, wanted)


@dataclass(frozen=True, slots=True)
class Trailer:
    """`Policy-Widens: ROLE PERMISSION` at the end of a commit message, and the policy as of that commit; None where there is none."""

    commit: str
    text: str
    data: bytes | None


def trailers(old: Source, new: Source) -> tuple[Trailer, ...]:
    """The trailers of the commits from `old` to `new`, the newest first; none where `old` is no revision.

    When `new` is a file, the commits up to the present one count.
    """
    if old.revision is None:
        return ()
    path = new.path or old.path
    listed = git("log", f"--format={_FORMAT}", f"{old.revision}..{new.revision or 'HEAD'}") or ""
    found = []
    for entry in filter(None, map(str.strip, listed.split("\x1d"))):
        commit, _, values = entry.partition("\x1f")
        data = subprocess.run(["git", "show", f"{commit}:{path}"], capture_output=True, check=False) if values else None
        told = data.stdout if data and data.returncode == 0 else None
        found += [Trailer(commit, value.strip(), told) for value in values.split("\x1e") if value.strip()]
    return tuple(found)


def git(*arguments: str) -> str | None:
    """What a git command prints, or None when it refuses or is not there."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def read_text(path: Path) -> str:
    """The text of a policy file; raises PolicyError when it cannot be read."""
    return decode(read_bytes(path), str(path))


def write_text(path: Path, text: str) -> str:
    """Write a policy file, and give the text back; raises PolicyError when it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise PolicyError([Problem(str(path), 1, 1, f"cannot be written: {error.strerror}")]) from error
    return text
