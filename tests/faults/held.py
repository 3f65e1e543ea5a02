"""What the system says of a file that processes have open: locks and descriptors; on Linux, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

Lock = tuple[str, str, str, str]


def locks(path: Path, process: int | None = None) -> set[Lock]:
    """The locks that a process, or this one, holds on a store's file and its index: which, how, from byte, to byte."""
    names = {_identity(each): suffix for suffix in ("", "-shm") if (each := Path(f"{path}{suffix}")).exists()}
    found = set()
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "POSIX" and int(words[4]) == (process or os.getpid()) and words[5] in names:
            found.add((names[words[5]], words[3], words[6], words[7]))
    return found


def descriptors(path: Path, process: int | str = "self") -> list[str]:
    """Which of a store's files a process has open, once a descriptor."""
    found = []
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue  # the one that lists the others
        if target.removesuffix(" (deleted)") in {f"{path}{suffix}" for suffix in ("", "-wal", "-shm")}:
            found.append(target)
    return sorted(found)


def _identity(path: Path) -> str:
    found = path.stat()
    return f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
