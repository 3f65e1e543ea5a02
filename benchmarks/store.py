"""What an open store costs beside a warm decision: opening, misses, threads, bulk, and what is left in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from random import Random
from statistics import median

import msgspec
from sqlalchemy import event

import rbac
from benchmarks import ours
from benchmarks.measure import percentile, resident
from benchmarks.workload import Question, Size, questions, user

Row = tuple[str, ...]


def opening(size: Size, folder: Path, times: int = 7) -> list[Row]:
    """Open a store in a warm process, then the first decision of all, then of a thousand users never asked about."""
    ours.store(size, folder).close()
    opened, first = [], []
    for turn in range(times):
        start = time.perf_counter()
        store = ours.store(size, folder)
        opened.append(time.perf_counter() - start)
        start = time.perf_counter()
        store.organization("acme").can(*questions(size, 1, seed=turn)[0])
        first.append(time.perf_counter() - start)
        store.close()
    with ours.store(size, folder) as store:
        can = store.organization("acme").can
        misses = [_timed(lambda: can(*asked)) for asked in _strangers(size, 1000)]
    return [
        ("open", f"{median(opened) * 1e3:.1f} ms", f"{max(opened) * 1e3:.1f} ms"),
        ("first decision of all", f"{median(first) * 1e3:.2f} ms", f"{max(first) * 1e3:.2f} ms"),
        ("first decision of a user, domain new too", f"{median(misses) * 1e3:.3f} ms", f"{percentile(misses, 99) * 1e3:.3f} ms (p99)"),
    ]


def misses(size: Size, folder: Path, count: int) -> list[Row]:
    """Hit rate and cost under users drawn evenly and by Zipf's law (s = 1), with room for a tenth of the memberships."""
    rows: list[Row] = []
    for law in ("even", "Zipf"):
        with rbac.connect(ours.store(size, folder)._store.engine, capacity=size.memberships // 10) as store:
            can, seen = store.organization("acme").can, [0]
            event.listen(store._store.engine, "before_cursor_execute", lambda *_, seen=seen: seen.__setitem__(0, seen[0] + 1))
            hits, missed = list[float](), list[float]()
            for asked in _drawn(size, law, count):
                before = seen[0]
                took = _timed(lambda: can(*asked))
                (hits if seen[0] == before else missed).append(took)
        rate = len(hits) / count
        costs = [f"{median(each) * 1e6:.1f} us" if each else "-" for each in (hits, missed)]
        rows.append((law, f"{rate:.1%}", *costs, f"{(sum(hits) + sum(missed)) / count * 1e6:.1f} us"))
    return rows


def threads(size: Size, folder: Path, seconds: float) -> list[Row]:
    """Warm decisions a second by 1, 2 and 4 threads on one store."""
    with ours.store(size, folder) as store:
        can, asked = store.organization("acme").can, questions(size, 500)
        for question in asked:
            can(*question)
        rows: list[Row] = []
        for many in (1, 2, 4):
            done = [0] * many

            def work(mine: int, done: list[int] = done) -> None:
                end = time.perf_counter() + seconds
                while time.perf_counter() < end:
                    for question in asked:
                        can(*question)
                    done[mine] += len(asked)

            running = [threading.Thread(target=work, args=(each,)) for each in range(many)]
            for each in running:
                each.start()
            for each in running:
                each.join()
            rows.append((str(many), f"{sum(done) / seconds:,.0f}", f"{many * seconds / sum(done) * 1e6:.2f} us"))
    return rows


def batch(size: Size, folder: Path) -> list[Row]:
    """A thousand projects, may one user view them: one by one and with check_many."""
    rows: list[Row] = []
    with ours.store(size, folder) as store:
        acme = store.organization("acme")
        for who in ("u1", "u2", "u6"):
            asked = [rbac.Request(who, "project:view", f"project:p{number}") for number in range(min(1000, size.projects))]
            alone = [acme.check(each.user, each.permission, each.domain) for each in asked]
            assert alone == acme.check_many(asked)
            one = _best(lambda: [acme.check(each.user, each.permission, each.domain) for each in asked])
            just = _best(lambda: [acme.can(each.user, each.permission, each.domain) for each in asked])
            many = _best(lambda: acme.check_many(asked), 15)
            role = user(size, int(who[1:])).role
            rows.append((role, f"{one * 1e3:.2f} ms", f"{just * 1e3:.2f} ms", f"{many * 1e3:.2f} ms", f"{one / many:.0f}x"))
    return rows


def strangers(size: Size, folder: Path, count: int) -> list[Row]:
    """Denied requests with names nobody has: what each costs, and what is left in memory."""
    random = Random(7)
    with ours.store(size, folder) as store:
        can = store.organization("acme").can
        for _ in range(min(count, 20_000)):
            can(f"x{random.getrandbits(64):x}", "project:view", f"project:y{random.getrandbits(64):x}")
        before, start = resident(), time.perf_counter()
        for _ in range(count):
            if can(f"x{random.getrandbits(64):x}", "project:view", f"project:y{random.getrandbits(64):x}"):
                raise AssertionError("a stranger was let in")
        took, left = time.perf_counter() - start, resident() - before
    return [(f"{count:,}", f"{took / count * 1e6:.0f} us", f"{left / 1024:.0f} KiB")]


def imports(size: Size, folder: Path) -> list[Row]:
    """A state file taken in, in a process of its own, with the most memory that process ever held."""
    json, yaml = folder / f"state-{size.name}.json", folder / f"state-{size.name}.yaml"
    if not json.exists():
        json.write_bytes(msgspec.json.encode(ours.state(size)))
    if not yaml.exists():
        yaml.write_bytes(msgspec.yaml.encode(ours.state(size)))
    return [_import(path, size, folder / "import.db") for path in (json, yaml)]


def _import(path: Path, size: Size, base: Path) -> Row:
    for each in ("", "-wal", "-shm"):
        Path(f"{base}{each}").unlink(missing_ok=True)
    took, used, facts, peak = _run(_IMPORT, str(path), f"sqlite:///{base}").split()
    of = f"{path.suffix[1:].upper()}, {path.stat().st_size / 1e6:.0f} MB"
    return of, f"{size.memberships:,}", f"{int(facts):,}", f"{float(took):.1f} s", f"{float(used):.1f} s", f"{peak} MB"


def processes(size: Size, folder: Path, times: int = 9) -> list[Row]:
    """`rbac check` as a whole process beside `import sqlalchemy` alone, in turns."""
    ours.store(size, folder).close()
    check = [
        sys.executable,
        "-m",
        "rbac.cli",
        "--db",
        f"sqlite:///{folder}/bench-{size.name}.db",
        "check",
        "u1",
        "data:export",
        "project:p1",
    ]
    programs = {"import sqlalchemy": [sys.executable, "-c", "import sqlalchemy"], "rbac check": check}
    took: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(times):
        for name, program in programs.items():
            took[name].append(_timed(lambda: subprocess.run(program, capture_output=True, check=True)))
    least = {name: median(each) for name, each in took.items()}
    return [(name, f"{each * 1e3:.0f} ms", f"{each / least['import sqlalchemy']:.2f}x") for name, each in least.items()]


_IMPORT = """
import resource, sys, time, rbac
start = time.perf_counter()
with rbac.connect(sys.argv[2]) as store:
    facts = store.import_state(sys.argv[1])[0].facts
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss counts the parent's
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, facts, int(peak) // 1024)
"""


def _run(program: str, *arguments: str) -> str:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True).stdout


def _strangers(size: Size, count: int) -> list[Question]:
    chosen = (user(size, number) for number in Random(3).sample(range(size.users), min(count, size.users)))
    return [Question(each.id, "project:view", f"project:{each.projects[0]}") for each in chosen]


def _drawn(size: Size, law: str, count: int) -> list[Question]:
    random, everybody = Random(5), range(size.users)
    if law == "even":
        chosen = random.choices(everybody, k=count)
    else:
        chosen = random.choices(everybody, cum_weights=list(accumulate(1 / (rank + 1) for rank in everybody)), k=count)
    return [Question(f"u{each}", "project:view", f"project:{random.choice(user(size, each).projects)}") for each in chosen]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _best(work: Callable[[], object], times: int = 5) -> float:
    work()
    return median(_timed(work) for _ in range(times))
