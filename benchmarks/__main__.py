"""`python -m benchmarks`: checks every engine against the oracle, races them, and prints and keeps the tables.

`--write` puts the tables into docs/performance.md and draws docs/performance.svg; the prose around them is by hand.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import report, store
from benchmarks.engines import Engine, engines
from benchmarks.measure import Cost, race, resident
from benchmarks.oracle import answer
from benchmarks.workload import SIZES, Size, questions

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def main() -> None:
    """Run what was asked for."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.memory_of:
            _print_memory(folder, arguments.memory_of, SIZES[arguments.size])
        else:
            _run(arguments, folder)


def _run(arguments: argparse.Namespace, folder: Path) -> None:
    sizes = [SIZES[name] for name in arguments.size.split(",")]
    quick, largest = arguments.quick, sizes[-1]
    chosen = [each for each in engines(folder) if not arguments.engines or each.name in arguments.engines.split(",")]
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.2f}\n")
    costs = {size.name: _race(chosen, size, rounds=5 if quick else 15, budget=0.02 if quick else 0.1) for size in sizes}
    show = report.Report(write=arguments.write)
    show.table(
        "decision", ("us a decision", *(f"{name} median" for name in costs), *(f"{name} p99" for name in costs)), _costs(chosen, costs)
    )
    show.table("ratios", ("times if/else", *costs, f"stock (workaround) over it, {_last(costs)}"), _ratios(chosen, costs))
    if len(sizes) > 1:
        show.table("growth", ("engine", "us more at the largest", "times if/else"), _growth(chosen, costs))
    middle = min(sizes, key=lambda size: abs(size.users - SIZES["L" if not quick else "M"].users))
    show.table("memory", ("engine", f"bytes a membership held, {middle.name}"), _memory(chosen, middle, folder))
    parts: list[tuple[str, tuple[str, ...], Callable[[], list[tuple[str, ...]]]]] = [
        ("opening", (f"SQLite, {largest.name}", "median", "worst"), lambda: store.opening(largest, folder)),
        ("misses", ("users", "hits", "a hit", "a miss", "on average"), lambda: store.misses(middle, folder, 2000 if quick else 30_000)),
        ("threads", ("threads", "decisions a second", "us each, a thread"), lambda: store.threads(middle, folder, 0.3 if quick else 2)),
        ("batch", ("1000 projects, role", "check", "can", "check_many", "gain"), lambda: store.batch(middle, folder)),
        ("strangers", ("denied, random names", "each", "memory left"), lambda: store.strangers(middle, folder, arguments.strangers)),
        ("processes", ("process", "median", "ratio"), lambda: store.processes(SIZES["S"], folder)),
        ("imports", ("import", "memberships", "facts", "took", "of it computing", "peak memory"), lambda: store.imports(middle, folder)),
    ]  # fmt: skip
    for name, head, measure in parts:
        show.table(name, head, measure())
    lines: dict[str, list[tuple[int, float]]] = {each.name: [] for each in chosen}
    for size in sizes:
        for name, cost in costs[size.name].items():
            lines[name].append((size.memberships, cost.median))
    show.plot(lines)
    print(f"load at the end {os.getloadavg()[0]:.2f}")


def _race(chosen: list[Engine], size: Size, *, rounds: int, budget: float) -> dict[str, Cost]:
    """Every engine that takes the size, checked against the oracle and then raced."""
    asked, made = questions(size, 2000), {}
    right = [answer(size, each) for each in asked]
    for engine in chosen:
        if not engine.takes(size):
            print(f"{engine.name} is not asked at {size.name}: {engine.why}", file=sys.stderr)
            continue
        try:
            decide = made[engine.name] = engine.make(size)
        except ImportError as error:
            print(f"{engine.name} is not here: {error}", file=sys.stderr)
            continue
        few = 200 if "asbin" in engine.name or "stock" in engine.name or "Fast" in engine.name else 2000
        wrong = [each for each, yes in zip(asked[:few], right, strict=False) if decide(*each) != yes]
        if wrong:
            raise SystemExit(f"{engine.name} answers {len(wrong)} of {few} questions wrongly at {size.name}, the first {wrong[0]}")
        print(f"{engine.name}, {size.name}: {few} answers right", file=sys.stderr)
    gc.collect()
    gc.freeze()
    return race(made, asked, rounds=rounds, budget=budget)


def _costs(chosen: list[Engine], costs: dict[str, dict[str, Cost]]) -> list[tuple[str, ...]]:
    def shown(part: str, name: str) -> list[str]:
        return [f"{getattr(cost[name], part):.2f}" if name in cost else "-" for cost in costs.values()]

    return [(each.name, *shown("median", each.name), *shown("p99", each.name)) for each in chosen]


def _ratios(chosen: list[Engine], costs: dict[str, dict[str, Cost]]) -> list[tuple[str, ...]]:
    base, stock = "if/else", "stock with workaround"
    last = next((cost for cost in reversed(costs.values()) if stock in cost), {})
    rows: list[tuple[str, ...]] = []
    for name in (each.name for each in chosen):
        ratios = [f"{cost[name].median / cost[base].median:.2f}" if name in cost and base in cost else "-" for cost in costs.values()]
        rows.append((name, *ratios, f"{last[stock].median / last[name].median:.0f}" if name in last else "-"))
    return rows


def _last(costs: dict[str, dict[str, Cost]]) -> str:
    """The largest size that stock Casbin was asked at."""
    return next((name for name, cost in reversed(costs.items()) if "stock with workaround" in cost), "-")


def _growth(chosen: list[Engine], costs: dict[str, dict[str, Cost]]) -> list[tuple[str, ...]]:
    first, last = next(iter(costs.values())), list(costs.values())[-1]
    more = {each.name: last[each.name].median - first[each.name].median for each in chosen if each.name in first and each.name in last}
    base = more.get("if/else")
    return [(name, f"{each:.2f}", f"{each / base:.2f}" if base else "-") for name, each in more.items()]


def _memory(chosen: list[Engine], size: Size, folder: Path) -> list[tuple[str, ...]]:
    """Each in a process of its own."""
    rows: list[tuple[str, ...]] = []
    for engine in chosen:
        if engine.takes(size):
            program = [sys.executable, "-m", "benchmarks", "--size", size.name, "--folder", str(folder), "--memory-of", engine.name]
            found = subprocess.run(program, capture_output=True, text=True)
            rows.append((engine.name, found.stdout.strip() or "-"))
    return rows


def _print_memory(folder: Path, name: str, size: Size) -> None:
    engine = next(each for each in engines(folder) if each.name == name)
    engine.make(SIZES["S"])(*questions(SIZES["S"], 1)[0])  # what is imported and compiled is not a membership
    before = resident()
    decide = engine.make(size)
    if "SQLite" in name:
        for number in range(size.users):
            decide(f"u{number}", "project:view", f"project:p{number % size.projects}")
    print(f"{(resident() - before) / size.memberships:.0f}")
    del decide


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", default="S,M,L,XL", help="sizes, the smallest first")
    parser.add_argument("--engines", default="", help="names, separated by commas; all by default")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it runs")
    parser.add_argument("--folder", type=Path, help="where the stores are kept; made anew otherwise")
    parser.add_argument("--strangers", type=int, default=1_000_000, help="how many denied requests with random names")
    parser.add_argument("--write", action="store_true", help="keep the tables and the picture in docs/")
    parser.add_argument("--memory-of", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
