"""The specification restated a second time, independent of the program, to compare the program with."""

from .cells import answer, reads
from .decide import KIND, PERMISSIONS, ROLES, TABLE, NotAQuestion, conditions, decide

__all__ = ["KIND", "PERMISSIONS", "ROLES", "TABLE", "NotAQuestion", "answer", "conditions", "decide", "reads"]
