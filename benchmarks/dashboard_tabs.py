"""``python -m benchmarks.dashboard_tabs``: what open pages of the dashboard cost a worker.

While a worker drains, the dashboard and the open tabs are stopped for half a second and let go for half a
second, in turn: machines that are shared become slower and faster from one second to the next, and windows
that stand side by side have the same machine. What the pages ask for while they are stopped they ask for
afterwards, so that one half of the time has all of the load, and the drain as a whole is that of a worker
with so many open tabs. Redis, the dashboard and the tabs share the first core, and the worker has the second
one: what the dashboard takes of Redis's core counts as well as what it asks of Redis.
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
from collections.abc import Iterator
from math import exp, log
from pathlib import Path
from statistics import mean, median, stdev
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
LEFT = 60_000
"""With so few jobs left, no more windows begin: the worker shall not run out of them."""


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
    ratios: list[float] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            ledger = f"sqlite:///{Path(folder) / 'ledger.db'}"
            with shown(DRAINED, server.url, ledger, first) as (url, pid):
                for number in range(1, drains + 1):
                    before = machine.cpu_s(pid)
                    with open_tabs(url, tabs, first) as (seen, tabs_pid):
                        rates = drain(bench, jobs, (pid, tabs_pid))
                    took = machine.cpu_s(pid) - before
                    ratios += [log(watched / alone) for alone, watched in rates]
                    alone, watched = (median(column) for column in zip(*rates, strict=True))
                    print(
                        f"{number}: {len(rates)} pairs of windows, {alone:9,.0f} jobs/s while pages are "
                        f"stopped, {watched:9,.0f} while they go on; {seen}, dashboard {took:.1f} s of CPU",
                        flush=True,
                    )
    finally:
        server.stop()
    # Half of the time the pages are stopped, and all that they ask for falls into the other half.
    cost = (1 - exp(mean(ratios))) / 2
    doubt = stdev(ratios) / len(ratios) ** 0.5 / 2
    held = cost < BAR
    verdict = "PASS" if held else "FAIL"
    print(
        f"{verdict}  {tabs} open tabs cost {cost:.1%} of the throughput, give or take {doubt:.1%} "
        f"(bar: {BAR:.0%}; {len(ratios)} pairs)"
    )
    return 0 if held else 1


def drain(bench: Bench, jobs: int, pids: tuple[int, ...]) -> list[tuple[float, float]]:
    """Have one worker empty a queue; tells jobs per second while these processes are stopped, and while they
    are not, of windows side by side.
    """
    (system,) = select([SYSTEM])
    bench.server.flush()
    bench.fill(system, "noop", jobs)
    rates = []
    with bench.worker(system, jobs) as worker:
        worker.expect("started", STEP_TIMEOUT_S)
        is_watched_first = False
        while system.left(bench.server.wire) > LEFT:
            pair = {
                is_stopped: _rate(bench, pids, is_stopped)
                for is_stopped in (not is_watched_first, is_watched_first)
            }
            rates.append((pair[True], pair[False]))
            is_watched_first = not is_watched_first
        worker.expect("finished", STEP_TIMEOUT_S)
    return rates


def _rate(bench: Bench, pids: tuple[int, ...], is_stopped: bool) -> float:
    """Jobs per second within one window."""
    (system,) = select([SYSTEM])
    for pid in pids if is_stopped else ():
        os.kill(pid, signal.SIGSTOP)
    try:
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
