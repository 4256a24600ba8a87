"""``python -m benchmarks.dashboard_tabs``: what open pages of the dashboard cost a worker.

While a worker drains, the dashboard and the open tabs are stopped for half a second and go on for half a
second, in pairs of which every other one begins with the tabs: machines that are shared become slower and
faster from one second to the next, and windows that stand side by side have the same machine. What falls due
while they are stopped is asked for afterwards, so that one half of the time has all of the load, and the
drain as a whole is that of a worker with a dashboard and so many open tabs. Redis, the dashboard and the tabs
share the first core, and the worker has the second one: what the dashboard takes of Redis's core counts as
well as what it asks of Redis.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, stdev
from typing import Any

from . import machine
from .bench import STEP_TIMEOUT_S, Bench, Scale
from .catalogue import select
from .processes import ROOT
from .server import open_server
from .watched import DRAINED, shown

BAR = 0.05
SYSTEM = "arqlite"
WINDOW_S = 0.5
PAIRS_LEFT = 3
"""So many more pairs must the jobs suffice for that another one begins: no window runs out of them."""
LEAST_JOBS = 500_000
BLOCK = 5
"""So many pairs last as long as tabs wait between two looks, and have the same share of what these ask."""


def main() -> None:
    """Read the command line, measure, and say whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="auto", help="as for `python -m benchmarks`")
    parser.add_argument("--tabs", type=int, default=50)
    parser.add_argument("--drains", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="of each drain")
    options = parser.parse_args()
    raise SystemExit(measure(options.server, options.tabs, options.drains, options.jobs))


def measure(choice: str, tabs: int, drains: int, jobs: int) -> int:
    """Print the figures; 1 when the bar was missed."""
    server = open_server(choice)
    bench = Bench(server, {SYSTEM: sys.executable}, Scale())
    first = machine.split_cores()[0]
    blocks: list[list[tuple[float, float]]] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            ledger = f"sqlite:///{Path(folder) / 'ledger.db'}"
            with shown(DRAINED, server.url, ledger, first) as (url, pid):
                for number in range(1, drains + 1):
                    before = machine.cpu_s(pid)
                    with open_tabs(url, tabs, first) as (seen, tabs_pid):
                        rates = drain(bench, jobs, (pid, tabs_pid))
                    took = machine.cpu_s(pid) - before
                    blocks += [rates[place : place + BLOCK] for place in range(0, len(rates), BLOCK)]
                    alone, watched = (median(column) for column in zip(*rates, strict=True))
                    print(
                        f"{number}: {len(rates)} pairs of windows, {alone:9,.0f} jobs/s while pages are "
                        f"stopped, {watched:9,.0f} while they go on; {seen}, dashboard {took:.1f} s of CPU",
                        flush=True,
                    )
    finally:
        server.stop()
    whole = [block for block in blocks if len(block) == BLOCK]
    cost = _cost([pair for block in whole for pair in block])
    doubt = stdev(map(_cost, whole)) / len(whole) ** 0.5
    held = cost < BAR
    verdict = "PASS" if held else "FAIL"
    print(
        f"{verdict}  a dashboard with {tabs} open tabs costs {cost:.1%} of the throughput, give or take "
        f"{doubt:.1%} (bar: {BAR:.0%}; {len(whole)} times {BLOCK} pairs)"
    )
    return 0 if held else 1


def _cost(pairs: Sequence[tuple[float, float]]) -> float:
    """Which share of the throughput is lost; the windows with pages have the load of those without."""
    alone, watched = (sum(column) for column in zip(*pairs, strict=True))
    return (1 - watched / alone) / 2


def drain(bench: Bench, jobs: int, pids: tuple[int, ...]) -> list[tuple[float, float]]:
    """Have one worker empty a queue; tells jobs per second while these processes are stopped, and while they
    are not, of windows side by side. The first pair is left out: the worker warms up in it.

    Raises:
        ValueError: these are too few jobs.
    """
    if jobs < LEAST_JOBS:
        raise ValueError(f"a drain of windows needs at least {LEAST_JOBS:,} jobs, got {jobs:,}")
    (system,) = select([SYSTEM])
    bench.server.flush()
    bench.fill(system, "noop", jobs)
    rates = []
    with bench.worker(system, jobs) as worker:
        worker.expect("started", STEP_TIMEOUT_S)
        left, gone, is_watched_first = jobs, 0, False
        while left > PAIRS_LEFT * gone:
            order = (not is_watched_first, is_watched_first)
            pair = {is_stopped: _rate(bench, pids, is_stopped) for is_stopped in order}
            rates.append((pair[True], pair[False]))
            is_watched_first = not is_watched_first
            before, left = left, system.left(bench.server.wire)
            gone = before - left
        worker.expect("finished", STEP_TIMEOUT_S)
    return rates[1:]


def _rate(bench: Bench, pids: tuple[int, ...], is_stopped: bool) -> float:
    """Jobs per second within one window."""
    (system,) = select([SYSTEM])
    try:
        for pid in pids if is_stopped else ():
            os.kill(pid, signal.SIGSTOP)
        left, began = system.left(bench.server.wire), time.monotonic()
        time.sleep(WINDOW_S)
        gone = left - system.left(bench.server.wire)
        return gone / (time.monotonic() - began)
    finally:
        for pid in pids if is_stopped else ():
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def open_tabs(url: str, count: int, cores: list[int]) -> Iterator[tuple[dict[str, Any], int]]:
    """Keep tabs open for a while, in the process that is told; what they saw is told after it.

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
        yield seen, process.pid
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
