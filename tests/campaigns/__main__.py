"""Run every campaign at its full size, one after the other; exits 1 when any of them failed.

Sizes are environment variables, so that the same tests run small in `make test`; docs/campaigns.md lists them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

FULL = {
    "RBAC_HISTORIES": "1300",  # x 40 changes
    "RBAC_QUESTIONS": "20",  # after each
    "RBAC_MACHINE_EXAMPLES": "300",  # x 30 steps, and a tenth of it on PostgreSQL
    "RBAC_FAULT_FLIPS": "1000",
    "RBAC_FUZZ_REQUESTS": "100000",
    "RBAC_FUZZ_INPUTS": "1000000",
    "RBAC_LISTEN_KILLS": "50",
    "RBAC_EDITS": "600",
    "RBAC_RACE_OPERATIONS": "640",  # x 8 processes, on each database
    "RBAC_RACE_WRITES": "10",  # x 32 writers
    "RBAC_KILLS": "200",
    "RBAC_STOCK_CASES": "20000",
}
CAMPAIGNS = {
    "histories against the oracle": ["-m", "pytest", "-q", "-s", "tests/oracle/test_program.py"],
    "any changes in any order against the oracle": ["-m", "pytest", "-q", "-s", "tests/stateful"],
    "faults of disk, file and server": ["-m", "pytest", "-q", "-s", "-rs", "tests/faults/test_faults.py"],
    "every cell against the oracle and stock Casbin": ["-m", "pytest", "-q", "-s", "tests/oracle/test_cells.py"],
    "the compiled enforcer against stock Casbin": ["-m", "pytest", "-q", "-s", "tests/enforcer/test_differential.py"],
    "changes under fire: races and kills": ["-m", "pytest", "-q", "-s", "tests/faults/test_races.py", "tests/faults/test_kills.py"],
    "nodes": ["-m", "pytest", "-q", "-s", "tests/cluster", "tests/api/test_freshness.py"],
    "broken files, request lines and command lines": ["-m", "pytest", "-q", "-s", "tests/fuzz"],
    "every review tool over random edits of the policy": ["-m", "pytest", "-q", "-s", "tests/review/test_edits.py"],
    "seeded bugs": ["-m", "tests.campaigns.seeds"],
    "pycasbin's own tests with our enforcer": ["tests/campaigns/pycasbin_suite.py"],
}


def main() -> int:
    failed = []
    for name, arguments in CAMPAIGNS.items():
        print(f"\n=== {name}", flush=True)
        started = time.monotonic()
        status = subprocess.run([sys.executable, *arguments], env={**FULL, **os.environ}).returncode
        print(f"=== {name}: {'ok' if status == 0 else f'FAILED ({status})'} after {time.monotonic() - started:.0f} s", flush=True)
        failed += [name] if status else []
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
