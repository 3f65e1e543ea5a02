"""The specification restated a second time, independent of the program, to compare the program with."""

from .acme import EXAMPLES, Example, acme
from .cells import answer, reads
from .change import OPERATIONS, RefusedByTheSpec, canonical, change
from .decide import KIND, PERMISSIONS, ROLES, TABLE, NotAQuestion, conditions, decide

__all__ = [
    "EXAMPLES",
    "KIND",
    "OPERATIONS",
    "PERMISSIONS",
    "ROLES",
    "TABLE",
    "Example",
    "NotAQuestion",
    "RefusedByTheSpec",
    "acme",
    "answer",
    "canonical",
    "change",
    "conditions",
    "decide",
    "reads",
]
