"""State files: an organization as a file, read strictly, imported in one revision, exported without loss."""

from rbac.state.check import check_state
from rbac.state.facts import facts_from, state_from
from rbac.state.importing import Imported, import_organization, plan_organization
from rbac.state.reconcile import Step
from rbac.state.shape import StateFile, read_state, write_state

__all__ = [
    "Imported",
    "StateFile",
    "Step",
    "check_state",
    "facts_from",
    "import_organization",
    "plan_organization",
    "read_state",
    "state_from",
    "write_state",
]
