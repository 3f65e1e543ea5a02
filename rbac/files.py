"""Files that a caller names, opened for reading; but none that this process has open as a store.

Closing a descriptor of such a file drops the locks that SQLite has on it, and with them what other programs must not do.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

opened_elsewhere: list[Callable[[Path | str], bool]] = []
"""Asked before a file is opened: whether it is open in a way that ends when anybody closes it."""


def open_to_read(path: Path | str) -> BinaryIO:
    """The file, to be read and closed; raises OSError where it cannot be."""
    if any(asked(path) for asked in opened_elsewhere):
        raise OSError(errno.EBUSY, "it is open as a store", str(path))
    return open(path, "rb")


def read_file(path: Path | str) -> bytes:
    """The bytes of the file; raises OSError where it cannot be read."""
    with open_to_read(os.fspath(path)) as opened:
        return opened.read()
