"""Bugs put in on purpose, one after the other, into a copy of the project: a test must find each of them.

`python -m tests.campaigns.seeds [NAME ...]` prints "found", "NOT FOUND" or "no longer applies" for each, and exits 1 unless
all are found. A test that passes with the bug in it proves nothing; one that cannot be collected has found nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LONGEST = 300
"""Seconds a test may take with a bug in it; one that hangs has not found it."""

_LEFT_OUT = (".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "build", "dist", ".cache")


class Seed(NamedTuple):
    """One bug: `old` stands in the file exactly once and becomes `new`; `test` is what must fail then."""

    name: str
    file: str
    old: str
    new: str
    test: str


SEEDS = (
    Seed(
        "SQLite takes its write lock late",
        "rbac/database/engine.py",
        'execution_options(begin="BEGIN IMMEDIATE")',
        'execution_options(begin="BEGIN")',
        "tests/invariants/test_no_escalation.py::test_authority_is_read_after_the_lock_and_not_before[sqlite]",
    ),
    Seed(
        "PostgreSQL locks no organization",
        "rbac/database/unit_of_work.py",
        ".where(table.c.id == organization).with_for_update(key_share=True)",
        ".where(table.c.id == organization)",
        "tests/invariants/test_no_escalation.py::test_authority_is_read_after_the_lock_and_not_before[postgresql]",
    ),
    Seed(
        "a change keeps the member it names in memory",
        "rbac/snapshot/cache.py",
        "        if user is not None:\n            kept.drop_member(user)\n",
        "",
        "tests/api/test_memory.py::test_every_kind_of_change_is_followed[sqlite]",
    ),
    Seed(
        "a change keeps the workspace that a project left in memory",
        "rbac/snapshot/cache.py",
        '                    kept.drop_domain(f"workspace:{home}")',
        "                    pass",
        "tests/api/test_memory.py::test_every_kind_of_change_is_followed[sqlite]",
    ),
    Seed(
        "memberships are read of every organization",
        "rbac/snapshot/statements.py",
        "FROM {table} AS l WHERE {words.here('l')} AND {named}",
        "FROM {table} AS l WHERE {named}",
        "tests/invariants/test_isolation.py::test_memberships_of_equal_ids_in_two_organizations_are_never_confused[sqlite]",
    ),
    Seed(
        "a decision does not look at the end of a membership",
        "rbac/snapshot/facts_of_records.py",
        "among(mine, self.domain.workspace, self.now)",
        "self.domain.workspace in mine",
        "tests/api/test_readings.py::test_what_has_an_end_has_no_effect_from_that_instant_on[sqlite]",
    ),
    Seed(
        "authority does not look at the end of a membership",
        "rbac/administration/authority.py",
        "resolve(self._view, request, self.now)",
        "resolve(self._view, request, 0)",
        "tests/evidence/test_until.py",
    ),
    Seed(
        "a new epoch of the store is not noticed",
        "rbac/snapshot/cache.py",
        "version is not None and self.version is not None and version.epoch == self.version.epoch",
        "version is not None and self.version is not None",
        "tests/cluster/test_restored.py::test_a_new_life_empties_the_memory_of_every_node_at_once",
    ),
    Seed(
        "a history that reached the same revision another way is not noticed",
        "rbac/snapshot/found.py",
        "if since is not None and self._hash == since.head:",
        "if since is not None and self._hash is not None:",
        "tests/api/test_freshness.py::test_a_restored_history_that_reaches_the_same_revision_another_way_is_noticed",
    ),
    Seed(
        "an actor is read once and never again",
        "rbac/administration/view.py",
        "        return self.found\n",
        "        return globals().update(_kept=self.found or globals().get('_kept')) or globals()['_kept']\n",
        "tests/invariants/test_no_escalation.py::test_an_open_handle_can_change_nothing_more_once_its_role_is_taken[sqlite]",
    ),
    Seed(
        "a change of a block does not count for the next one",
        "rbac/administration/view.py",
        "if self._changes != self._work.changes:",
        "if self._changes > self._work.changes:",
        "tests/api/test_acting.py::test_inside_a_block_authority_follows_from_the_changes_before[sqlite]",
    ),
    Seed(
        "a change reads what it has read already",
        "rbac/snapshot/reader.py",
        "        if self.known_member(user) is UNKNOWN:\n",
        "        if user:\n",
        "tests/api/test_acting.py::test_a_change_reads_nothing_twice",
    ),
    Seed(
        "a key is not looked up",
        "rbac/administration/block.py",
        "self._first = first_use(authority.work, key)",
        "self._first = None",
        "tests/api/test_acting.py::test_a_key_makes_a_retry_harmless[sqlite]",
    ),
    Seed(
        "a key that changed nothing is not kept",
        "rbac/database/unit_of_work.py",
        "            return self._committed_unchanged\n",
        "            return False\n",
        "tests/api/test_keys.py::test_a_key_whose_first_use_changed_nothing_is_kept_so_that_its_retry_undoes_nothing",
    ),
    Seed(
        "a key answers whoever has left",
        "rbac/administration/block.py",
        "            authority.actor_role()  #",
        "            pass  #",
        "tests/api/test_keys.py::test_a_known_key_answers_no_one_who_is_not_an_active_member",
    ),
    Seed(
        "a block is joined from another thread",
        "rbac/acting.py",
        "if self._block is None or not opener.is_running():",
        "if self._block is None:",
        "tests/api/test_blocks.py::test_a_call_of_another_thread_neither_joins_the_block_nor_waits_for_it",
    ),
    Seed(
        "a child of a fork speaks on its parent's connection",
        "rbac/database/postgresql.py",
        "os.dup2(nowhere, connection.fileno(), inheritable=False)",
        "pass",
        "tests/api/test_blocks.py::test_a_child_that_exits_normally_undoes_nothing_of_its_parents_block",
    ),
    Seed(
        "at_least is content with one revision less",
        "rbac/open_store.py",
        "if wanted and revision_of(view) < wanted:",
        "if wanted and revision_of(view) < wanted - 1:",
        "tests/cluster/test_listener.py::test_at_least_is_never_answered_from_before",
    ),
    Seed(
        "at_least is answered from a memory one revision behind",
        "rbac/open_store.py",
        "if at_least and view.revision < at_least:",
        "if at_least and view.revision < at_least - 1:",
        "tests/cluster/test_listener.py::test_at_least_is_never_answered_from_before",
    ),
    Seed(
        "a refusal is not recorded",
        "rbac/database/audit/refusals.py",
        "        if attempt.refusals:\n            _keep(engine, attempt.refusals)",
        "        pass",
        "tests/evidence/test_refusals.py::test_a_refusal_leaves_one_row_and_nothing_else",
    ),
    Seed(
        "an audit row does not hold the hash before it",
        "rbac/database/unit_of_work.py",
        '"previous": self._head,',
        '"previous": GENESIS,',
        "tests/database/test_audit.py::test_a_whole_chain_verifies_and_says_what_it_read",
    ),
    Seed(
        "a hash does not cover the hash before it",
        "rbac/database/chain.py",
        "*made, previous, self.count",
        "*made, self.count",
        "tests/database/test_audit.py::test_the_hash_is_the_same_on_every_database_for_ever",
    ),
    Seed(
        "a stale node answers on",
        "rbac/database/watch/listener.py",
        "if lag > self._max_staleness:",
        "if lag > 1000 * self._max_staleness:",
        "tests/cluster/test_server.py::test_a_stale_node_raises_stale_from_every_question_and_an_outage_is_never_shown_as_a_no",
    ),
    Seed(
        "a condition whose fact is missing is true in an allow line",
        "rbac/policy/conditions.py",
        "    when_missing = eft == Effect.DENY\n",
        "    when_missing = eft == Effect.ALLOW\n",
        "tests/policy_file/test_conditions.py",
    ),
    Seed(
        "foreign keys are off",
        "rbac/database/sqlite.py",
        "PRAGMA foreign_keys = ON",
        "PRAGMA foreign_keys = OFF",
        "tests/database/test_work.py::test_what_the_database_refuses_is_refused_and_undone[sqlite]",
    ),
    Seed(
        "a memory more than 10,000 changes behind is kept",
        "rbac/snapshot/cache.py",
        "if changes is None or len(changes) > FAR_BEHIND:",
        "if changes is None:",
        "tests/cluster/test_listener.py::test_a_node_far_behind_empties_its_cache",
    ),
    Seed(
        "a commit of another process is not seen",
        "rbac/database/watch/data_version.py",
        'return self._generation, self._execute("PRAGMA data_version").fetchall()[0]',
        "return self._generation, 0",
        "tests/api/test_freshness.py::test_a_change_of_another_process_is_seen_at_once",
    ),
    Seed(
        "a connection goes on with a file that is gone",
        "rbac/database/sqlite.py",
        "        raise DisconnectionError from None\n",
        "        pass\n",
        "tests/api/test_freshness.py::test_a_file_moved_over_the_store_is_what_is_read_and_written_by_connections_that_were_open",
    ),
    Seed(
        "an exception in a block commits what came before it",
        "rbac/acting.py",
        "self._opened.__exit__(kind, error, trace)",
        "self._opened.__exit__(None, None, None)",
        "tests/stateful/test_machine.py::test_on_a_file_whatever_happens_in_whatever_order_the_store_is_what_the_oracle_says",
    ),
    Seed(
        "deleting a project leaves the assignments of its tasks",
        "rbac/database/stored_facts.py",
        "and stored.audited and (not kinds",
        "and stored.audited and stored.kind != 'assignment' and (not kinds",
        "tests/oracle/test_program.py::test_random_histories_decide_and_change_as_the_oracle",
    ),
)


def applied(seed: Seed, root: Path) -> str | None:
    """The text of the file with the bug in it; None when the old text does not stand there exactly once."""
    path = root / seed.file
    text = path.read_text() if path.is_file() else ""
    return text.replace(seed.old, seed.new) if text.count(seed.old) == 1 else None


def outcome(seed: Seed, copy: Path) -> str:
    """Put a bug into the copy, run its test, and take the bug out again."""
    bad = applied(seed, copy)
    if bad is None:
        return "no longer applies"
    path = copy / seed.file
    good = path.read_text()
    path.write_text(bad)
    try:
        return {0: "NOT FOUND", 1: "found"}.get(run(copy, seed.test), "NOT FOUND: the test did not run")
    except subprocess.TimeoutExpired:
        return f"NOT FOUND: no end after {LONGEST} s"
    finally:
        path.write_text(good)


def run(copy: Path, *tests: str) -> int:
    """pytest's exit code in the copy: 1 is a test that failed."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "RBAC_SEEDED": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=LONGEST, check=False).returncode


def copied(to: Path) -> Path:
    """The project as it stands, its links as links, in a folder of its own; Python must find that one."""
    copy = Path(shutil.copytree(ROOT, to / "project", symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT)))
    found = subprocess.run(
        [sys.executable, "-c", "import rbac; print(rbac.__file__)"], cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert Path(found) == copy / "rbac" / "__init__.py", f"Python finds {found}"
    return copy


def main(names: list[str]) -> int:
    seeds = [seed for seed in SEEDS if not names or any(name in seed.name for name in names)]
    found = 0
    with tempfile.TemporaryDirectory(prefix="seeds") as folder:
        copy = copied(Path(folder))
        tests = list(dict.fromkeys(seed.test for seed in seeds))
        status = run(copy, *tests)
        if status:
            print(f"the tests do not pass without a bug: pytest says {status}", flush=True)
            return 1
        for seed in seeds:
            started = time.monotonic()
            said = outcome(seed, copy)
            found += said == "found"
            print(f"{said:<10} {time.monotonic() - started:5.1f} s  {seed.name}  ({seed.file})", flush=True)
    print(f"{found} of {len(seeds)} seeded bugs found")
    return 0 if found == len(seeds) > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
