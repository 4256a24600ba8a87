"""``python -m benchmarks.dashboard_tabs``: what open pages of the dashboard cost a worker.

Drains without and with so many open tabs, in turn, with one dashboard that runs all the time. Redis, the
dashboard and the tabs share the first core, and the worker has the second one: what the dashboard takes of
Redis's core counts as well as what it asks of Redis.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from . import machine
from .bench import STEP_TIMEOUT_S, Bench, Scale
from .catalogue import select
from .processes import ROOT
from .server import open_server
from .watched import DRAINED, shown

BAR = 0.05
SYSTEM = "arqlite"


def main() -> None:
    """Read the command line, measure, and say whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="auto", help="as for `python -m benchmarks`")
    parser.add_argument("--tabs", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=5, help="of drains, without and with")
    parser.add_argument("--jobs", type=int, default=800_000, help="of each drain")
    options = parser.parse_args()
    raise SystemExit(measure(options.server, options.tabs, options.pairs, options.jobs))


def measure(choice: str, tabs: int, pairs: int, jobs: int) -> int:
    """Print the figures; 1 when the bar was missed."""
    server = open_server(choice)
    bench = Bench(server, {SYSTEM: sys.executable}, Scale())
    first = machine.split_cores()[0]
    costs = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            ledger = f"sqlite:///{Path(folder) / 'ledger.db'}"
            with shown(DRAINED, server.url, ledger, first) as (url, pid):
                for number in range(1, pairs + 1):
                    alone = drain(bench, jobs)
                    before = machine.cpu_s(pid)
                    with open_tabs(url, tabs, first) as seen:
                        watched = drain(bench, jobs)
                    costs.append(1 - watched / alone)
                    took = machine.cpu_s(pid) - before
                    print(
                        f"{number}: {alone:9,.0f} jobs/s alone, {watched:9,.0f} with {tabs} tabs: "
                        f"{costs[-1]:6.1%}; {seen}, dashboard {took:.1f} s of CPU",
                        flush=True,
                    )
    finally:
        server.stop()
    cost = median(costs)
    held = cost < BAR
    verdict = "PASS" if held else "FAIL"
    print(f"{verdict}  {tabs} open tabs cost {cost:.1%} of the throughput (bar: {BAR:.0%})")
    return 0 if held else 1


def drain(bench: Bench, jobs: int) -> float:
    """Jobs per second of one worker that empties the queue."""
    (system,) = select([SYSTEM])
    bench.server.flush()
    bench.fill(system, "noop", jobs)
    with bench.worker(system, jobs) as worker:
        done = worker.expect("finished", STEP_TIMEOUT_S)
        empty_ns = bench.wait_until_done(system)
    last_ns: int = max(empty_ns, done["last_ns"])
    return jobs * 1e9 / (last_ns - int(done["first_ns"]))


@contextlib.contextmanager
def open_tabs(url: str, count: int, cores: list[int]) -> Iterator[dict[str, Any]]:
    """Keep tabs open for a while; what they saw is told after it.

    Raises:
        RuntimeError: they saw less than they asked for.
    """
    with machine.pinned(cores):
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.tabs", url, str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    seen: dict[str, Any] = {}
    try:
        process.stdout.readline()
        yield seen
        process.stdin.close()
        seen |= json.loads(process.stdout.readline())
        process.wait(10)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
    del seen["event"]
    if seen["refused"] or not seen["changes"]:
        raise RuntimeError(f"the tabs did not see what they asked for: {seen}")


if __name__ == "__main__":
    main()
