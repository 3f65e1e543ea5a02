"""`python -m benchmarks.distance`: first questions and changes with the database 0, 2 and 10 ms away, and a thousand cold ones at once.

The distance is a proxy in front of PostgreSQL, which counts round trips as well. A ratio is to one bare statement on the same way,
or to the same questions from memory. `--write` keeps the tables in docs/performance.md.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import event

import rbac
from benchmarks import report
from tests.cluster.server import Server
from tests.distance import Distance, at_distance

Row = tuple[str, ...]

QUIET: dict[str, Any] = {"poll": 60.0, "max_staleness": 120.0}
"""The connection that listens says nothing meanwhile: it has its own way to the database and would be counted."""

DISTANCES = (0.0, 0.002, 0.010)
MEMBERS, PROJECTS, TASKS = 2000, 2000, 3000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distance", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/performance.md")
    show = report.Report(write=parser.parse_args().write)
    print(f"load {os.getloadavg()[0]:.2f}\n")
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = f"sqlite:///{Path(folder) / 'rbac.db'}"
            for url in (file, server.url):
                with rbac.connect(url) as store:
                    store.import_state(_state())
            head = (
                "PostgreSQL, distance",
                "a bare statement",
                "first decision",
                "times",
                "round trips",
                "a change",
                "times",
                "round trips",
            )
            show.table("distance", head, [_away(server.url, seconds) for seconds in DISTANCES])
            rows = [row for name, url in (("SQLite", file), ("PostgreSQL", server.url)) for row in _together(name, url)]
            show.table("cold", ("check_many, nothing in memory", "took", "statements", "from memory", "times"), rows)
    finally:
        server.remove()


def _state() -> dict[str, Any]:
    """Members of five workspaces of two thousand projects, one of them with three thousand tasks, two of three assigned to u0."""
    members = {f"u{n}": ("annotator", "reviewer", "manager")[n % 3] for n in range(MEMBERS)}
    projects: list[dict[str, Any]] = [
        {"id": f"p{n}", "created_by": "u2", "published": True, "distribution": ("manual", "automatic")[n % 2]} for n in range(PROJECTS)
    ]
    projects[0]["tasks"] = {f"t{n}": {"annotators": ["u0"]} if n % 3 else None for n in range(TASKS)}
    workspaces = [
        {"id": f"w{n}", "created_by": "u2", "members": [f"u{k}" for k in range(n, MEMBERS, 5)], "projects": projects[n::5]}
        for n in range(5)
    ]
    return {"organizations": [{"id": "acme", "owner": "olga", "members": members, "workspaces": workspaces}]}


def _away(url: str, seconds: float) -> Row:
    with (
        at_distance(url, seconds) as (near, proxy),
        psycopg.connect(near.replace("+psycopg", ""), autocommit=True) as bare,
        rbac.connect(near, **QUIET) as store,
    ):
        acme, numbers = store.organization("acme"), itertools.count()
        store.health()
        for number in range(40):  # so that connections and what they have prepared are there
            acme.can(f"u{number}", "labeling:access", "project:p0")
        acme.acting("olga").grant("u1", "annotator")

        def first() -> None:
            number = next(numbers)
            store._store.abandon()
            acme.can(f"u{number % MEMBERS}", "labeling:access", f"project:p{number % PROJECTS}")

        def change() -> None:
            acme.acting("olga").grant("u1", ("annotator", "reviewer")[next(numbers) % 2])

        one, _ = _spent(proxy, lambda: bare.execute("SELECT 1").fetchone(), 50)
        asked, trips = _spent(proxy, first, 50)
        changed, more = _spent(proxy, change, 50)
    times = (f"{asked / one:.1f}", f"{trips:.0f}", f"{changed * 1000:.1f} ms", f"{changed / one:.1f}", f"{more:.0f}")
    return (f"{seconds * 1000:.0f} ms", f"{one * 1000:.2f} ms", f"{asked * 1000:.2f} ms", *times)


def _spent(proxy: Distance, work: Callable[[], object], count: int) -> tuple[float, float]:
    """The median seconds and round trips of a piece of work."""
    seconds, trips = [], []
    for _ in range(count):
        before, start = proxy.trips, time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
        trips.append(proxy.trips - before)
    return median(seconds), median(trips)


def _together(name: str, url: str) -> Iterator[Row]:
    cases = {
        "1,000 projects of one manager": [rbac.Request("u2", "data:export", f"project:p{n}") for n in range(1000)],
        "1,000 users in one project": [rbac.Request(f"u{n}", "project:view", "project:p0") for n in range(1000)],
        "3,000 tasks of one annotator": [rbac.Request("u0", "labeling:access", "project:p0", None, f"t{n}") for n in range(TASKS)],
    }
    with rbac.connect(url, **QUIET) as store:
        acme = store.organization("acme")
        sent: list[str] = []
        event.listen(store._store.engine, "before_cursor_execute", lambda _, __, text, *___: sent.append(text))
        for case, requests in cases.items():
            cold, warm = [], []
            for _ in range(15):
                store._store.abandon()
                sent.clear()
                start = time.perf_counter()
                acme.check_many(requests)
                cold.append(time.perf_counter() - start)
                many, start = len(sent), time.perf_counter()
                acme.check_many(requests)
                warm.append(time.perf_counter() - start)
            took, again = median(cold), median(warm)
            yield f"{name}: {case}", f"{took * 1000:.1f} ms", str(many), f"{again * 1000:.1f} ms", f"{took / again:.1f}"


if __name__ == "__main__":
    main()
