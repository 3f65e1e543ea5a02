"""How long a revocation takes to reach other processes, with the push and with nothing but the poll. Prints, asserts little."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from rbac.organization import Organization
from tests.cluster.conftest import within

NODES = 4
REVOCATIONS = int(os.environ.get("RBAC_REVOCATIONS", "20"))
GENEROUS = 5.0
"""Seconds; the figures that count are printed, for whoever runs this on a quiet machine."""

NODE = """
import sys, time, rbac
from rbac.database.watch import listener
url, channel, revocations = sys.argv[1], sys.argv[2], int(sys.argv[3])
listener.CHANNEL = channel
store = rbac.connect(url)
acme = store.organization("acme")
store._store.listener(timeout=10)
print("ready", flush=True)
for wanted in (False, True) * revocations:
    while acme.can("max", "data:export", "project:p1") is not wanted:
        time.sleep(0.0005)
    print(time.monotonic_ns(), flush=True)
store.close()
"""


@pytest.fixture(params=["rbac_revision", "nobody"], ids=["pushed", "polled"])
def nodes(request: pytest.FixtureRequest, url: str, acme: Organization) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that follow one permission of max's."""
    command = [sys.executable, "-c", NODE, url, request.param, str(REVOCATIONS)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(NODES)]
    yield started
    for process in started:
        process.kill()
        process.communicate()


def test_a_revocation_reaches_every_node(nodes: list[subprocess.Popen[str]], acme: Organization, request: pytest.FixtureRequest) -> None:
    latencies: list[float] = []
    assert [_line(node) for node in nodes] == ["ready"] * NODES
    for _ in range(REVOCATIONS):
        acme.acting("ada").grant("max", "annotator")
        committed = time.monotonic_ns()
        latencies += [(int(_line(node)) - committed) / 1e9 for node in nodes]
        acme.acting("ada").grant("max", "manager")
        for node in nodes:
            _line(node)
    within(5, lambda: all(node.poll() == 0 for node in nodes))

    latencies.sort()
    p50, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    figures = ", ".join(f"{name} {value * 1e3:.1f} ms" for name, value in (("p50", p50), ("p99", p99), ("most", latencies[-1])))
    print(f"\n{request.node.callspec.id}: {len(latencies)} revocations seen, {figures}")
    assert len(latencies) == NODES * REVOCATIONS
    assert p99 < GENEROUS


def _line(node: subprocess.Popen[str]) -> str:
    assert node.stdout is not None
    return node.stdout.readline().strip()
