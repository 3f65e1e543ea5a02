"""pycasbin's own test suite with `CompiledEnforcer` in the place of `Enforcer`, beside the same suite with stock Casbin.

    python tests/campaigns/pycasbin_suite.py

For each distribution it makes an environment and a checkout of the release's tests under .cache/pycasbin, and compares
the outcome of every test. PYCASBIN_REPOSITORY names another place to clone from. Exit code 0: every outcome is the
same; 1: some differ; 3: not run, because the suite or a package could not be had. Nothing of pycasbin is kept in git.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "pycasbin"
REPOSITORY = os.environ.get("PYCASBIN_REPOSITORY", "https://github.com/casbin/pycasbin")
DISTRIBUTIONS = {"casbin": "1.43.0", "pycasbin": "2.8.0"}
REPORT = "RBAC_SWAPPED_REPORT"
FEWEST = 250
"""Each suite has more tests than this; fewer means that something was not collected."""


def main() -> int:
    """Run both suites twice; say what differs."""
    differing = 0
    for name, version in DISTRIBUTIONS.items():
        try:
            python, suite = environment(name, version), checkout(version)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"NOT RUN: {name} {version}: {error}")
            return 3
        stock, _ = outcomes(python, suite, swapped=False)
        ours, seen = outcomes(python, suite, swapped=True)
        differing += report(f"{name} {version}", stock, ours, seen)
    return 1 if differing else 0


def report(title: str, stock: Mapping[str, str], ours: Mapping[str, str], seen: Mapping[str, int]) -> int:
    """Print one distribution's result; how many tests came out differently, or were missing."""
    different = sorted(test for test in stock.keys() | ours.keys() if stock.get(test) != ours.get(test))
    compiled = seen["requests"] - seen["answered by stock"]
    print(
        f"{title}: {len(stock)} tests; stock {dict(Counter(stock.values()))}, ours {dict(Counter(ours.values()))}, {len(different)} differ"
    )
    print(f"    {seen['requests']} requests to CompiledEnforcer, {compiled} of them answered by compiled code")
    for test in different:
        print(f"    {test}: stock {stock.get(test)}, ours {ours.get(test)}")
    return len(different) + (len(stock) < FEWEST) + (compiled < seen["requests"] // 2)


def environment(name: str, version: str) -> Path:
    """A Python with this distribution of Casbin and nothing of the other."""
    home = CACHE / f"{name}-{version}"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "-qq", f"{name}=={version}", "pytest"], check=True)
    return python


def checkout(version: str) -> Path:
    """The release's tests and the models they read; the source distribution leaves the models out."""
    target = CACHE / f"suite-{version}"
    if not (target / "examples").exists():
        subprocess.run(["git", "-c", "advice.detachedHead=false", "clone", "-q", "--branch", f"v{version}", REPOSITORY, target], check=True)
    return target


def outcomes(python: Path, suite: Path, *, swapped: bool) -> tuple[dict[str, str], Counter[str]]:
    """Each test's outcome, and how many requests were answered by whom; the installed Casbin is tested, not the checkout's."""
    results, seen = suite / "results.xml", suite / "requests.json"
    results.unlink(missing_ok=True)
    command = [str(python), "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", f"--junitxml={results}"]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]), REPORT: str(seen)}
    if swapped:
        command += ["-p", "swapped_enforcer"]
    subprocess.run([*command, "tests"], cwd=suite, env=surroundings, stdout=subprocess.DEVNULL, check=False)
    return _read(results), Counter(json.loads(seen.read_text())) if swapped else Counter()


def _read(results: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in ElementTree.parse(results).iter("testcase"):
        bad = [kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None]
        found[f"{case.get('classname')}.{case.get('name')}"] = bad[0] if bad else "passed"
    return found


if __name__ == "__main__":
    sys.exit(main())
