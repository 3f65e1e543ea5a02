"""`python -m benchmarks.scale`: how far one file, one database and several nodes go; `--write` keeps the tables in docs/scale.md.

Changes are invitations: one row, one row of audit and one of its changes, committed and synced, each its own transaction.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import rbac
from benchmarks import ours, report
from benchmarks.measure import percentile
from benchmarks.workload import SIZES, Size, questions
from rbac.organization import Organization

Row = tuple[str, ...]

WRITER = """
import sys, time, rbac
url, organization, actor, name, seconds = *sys.argv[1:5], float(sys.argv[5])
with rbac.connect(url) as store:
    acting = store.organization(organization).acting(actor)
    acting.invite(f"{name}-first")
    print("ready", flush=True)
    sys.stdin.readline()
    end, done, worst = time.perf_counter() + seconds, 0, 0.0
    while (start := time.perf_counter()) < end:
        acting.invite(f"{name}-{done}")
        done, worst = done + 1, max(worst, time.perf_counter() - start)
    print(done, worst, flush=True)
"""

NODE = """
import sys, time, rbac
url, changes = sys.argv[1], int(sys.argv[2])
with rbac.connect(url) as store:
    acme = store.organization("acme")
    store._store.listener(timeout=10)
    print("ready", flush=True)
    for wanted in (False, True) * changes:
        while acme.can("u1", "data:export", "project:p1") is not wanted:
            time.sleep(0.002)
        print(time.monotonic_ns(), flush=True)
"""


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--size", default="M,L,XL", help="sizes of the files, the smallest first")
    parser.add_argument("--nodes", default="1,4,16", help="how many nodes hear of changes")
    parser.add_argument("--folder", type=Path, help="where the stores are kept; made anew otherwise")
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/scale.md")
    arguments = parser.parse_args()
    sizes = [SIZES[name] for name in arguments.size.split(",")]
    show = report.Report(write=arguments.write, page=report.DOCS / "scale.md")
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"load {os.getloadavg()[0]:.2f}\n")
        head = (
            "memberships",
            "file",
            "open",
            "first decision of a user",
            "a change, median",
            "p99",
            "changes a second, 8 processes",
            "longest",
        )
        show.table("file", head, [_file(size, folder) for size in sizes])
        show.table("history", ("what", "took"), _history(folder))
        _on_postgresql(show, [int(each) for each in arguments.nodes.split(",")], folder)


def _on_postgresql(show: report.Report, nodes: list[int], folder: Path) -> None:
    from tests.cluster.server import Server  # with fsync on, as it comes

    server = Server()
    try:
        state, size = _state(SIZES["M"], folder), SIZES["M"]
        with rbac.connect(server.url) as store:
            start = time.perf_counter()
            store.import_state(state)
            took = time.perf_counter() - start
            for number in range(8):
                store.create(f"org{number}", owner="u0")
            rows = [(f"import of {size.memberships:,} memberships", f"{took:.1f} s"), *_questions(store.organization("acme"), size)]
            rows += _alone(store.organization("acme"))
        rows += [
            ("changes a second, 8 processes, one organization", _together(server.url, ["acme"] * 8)[0]),
            ("changes a second, 8 processes, eight organizations", _together(server.url, [f"org{number}" for number in range(8)])[0]),
        ]
        show.table("database", ("one PostgreSQL server, both on this machine", ""), rows)
        show.table("nodes", ("nodes", "changes seen", "p50", "p99", "last"), [_heard(server.url, many) for many in nodes])
    finally:
        server.remove()


def _file(size: Size, folder: Path) -> Row:
    """A copy, so that other measurements find the store as they made it."""
    ours.store(size, folder).close()
    copy = folder / f"scale-{size.name}.db"
    shutil.copy(folder / f"bench-{size.name}.db", copy)
    opened = []
    for _ in range(5):
        start = time.perf_counter()
        rbac.connect(f"sqlite:///{copy}").close()
        opened.append(time.perf_counter() - start)
    with rbac.connect(f"sqlite:///{copy}") as store:
        acme = store.organization("acme")
        (_, first), (_, change), (_, late) = *_questions(acme, size), *_alone(acme)
    megabytes = f"{copy.stat().st_size / 1e6:,.0f} MB"
    row = (
        f"{size.memberships:,}",
        megabytes,
        f"{median(opened) * 1e3:.0f} ms",
        first,
        change,
        late,
        *_together(f"sqlite:///{copy}", ["acme"] * 8),
    )
    for each in ("", "-wal", "-shm"):
        Path(f"{copy}{each}").unlink(missing_ok=True)
    return row


def _history(folder: Path) -> list[Row]:
    """What looks at all of a history, over one import and 2,000 changes."""
    base = folder / "scale-history.db"
    for each in ("", "-wal", "-shm"):
        Path(f"{base}{each}").unlink(missing_ok=True)
    with rbac.connect(f"sqlite:///{base}") as store:
        facts = store.import_state(_state(SIZES["L"], folder))[0].facts
        acme, before = store.organization("acme"), base.stat().st_size
        for number in range(2000):
            acme.acting("u0").invite(f"z{number}")
        store.close()
    grown = (base.stat().st_size - before) / 2000
    with rbac.connect(f"sqlite:///{base}") as store:
        acme = store.organization("acme")
        start = time.perf_counter()
        assert acme.verify()
        verified = time.perf_counter() - start
        start = time.perf_counter()
        acme.as_of(1000).can("u1", "data:export", "project:p1")
        then = time.perf_counter() - start
    return [
        ("bytes of file a change", f"{grown:,.0f}"),
        (f"`audit --verify` over {facts + 2000:,} changed facts", f"{verified:.1f} s"),
        ("first question of `--as-of`, the same store", f"{then:.1f} s"),
    ]


def _questions(acme: Organization, size: Size) -> list[Row]:
    took = []
    for asked in questions(size, 300, seed=9):
        start = time.perf_counter()
        acme.can(*asked)
        took.append(time.perf_counter() - start)
    return [("first decision of a user, median", f"{median(took) * 1e3:.2f} ms")]


def _alone(acme: Organization, count: int = 300) -> list[Row]:
    took, acting = [], acme.acting("u0")
    for number in range(count):
        start = time.perf_counter()
        acting.invite(f"alone-{number}")
        took.append(time.perf_counter() - start)
    return [("a change, median", f"{median(took) * 1e3:.1f} ms"), ("a change, p99", f"{percentile(took, 99) * 1e3:.1f} ms")]


def _together(url: str, organizations: list[str], seconds: float = 5) -> tuple[str, str]:
    """Changes a second of several processes at once, and the longest that one of them took."""
    command = [sys.executable, "-c", WRITER, url]
    running = [
        subprocess.Popen(
            [*command, name, "u0", f"w{number}-{name}", str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number, name in enumerate(organizations)
    ]
    for each in running:
        assert _line(each) == "ready"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    found = [_line(each).split() for each in running]
    for each in running:
        each.communicate()
    return f"{sum(int(done) for done, _ in found) / seconds:,.0f}", f"{max(float(worst) for _, worst in found) * 1e3:,.0f} ms"


def _heard(url: str, many: int, changes: int = 20) -> Row:
    """How long after the commit each node answers by it."""
    running = [subprocess.Popen([sys.executable, "-c", NODE, url, str(changes)], stdout=subprocess.PIPE, text=True) for _ in range(many)]
    assert [_line(each) for each in running] == ["ready"] * many
    took: list[float] = []
    with rbac.connect(url) as store:
        owner = store.organization("acme").acting("u0")
        for _ in range(changes):
            for role in ("annotator", "administrator"):
                owner.grant("u1", role)
                committed = time.monotonic_ns()
                took += [(int(_line(each)) - committed) / 1e6 for each in running]
    for each in running:
        each.communicate()
    return (str(many), f"{len(took):,}", f"{median(took):.1f} ms", f"{percentile(took, 99):.1f} ms", f"{max(took):.1f} ms")


def _state(size: Size, folder: Path) -> Path:
    import json

    path = folder / f"state-{size.name}.json"
    if not path.exists():
        path.write_text(json.dumps(ours.state(size)))
    return path


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


if __name__ == "__main__":
    main()
