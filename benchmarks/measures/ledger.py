"""Ledger: the drain again, until the last row of the last job is final in SQL."""

from __future__ import annotations

import time

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System
from ..databases import Ask, Database
from ..processes import Child, ChildError
from ..system import Fact, Rows

SLOTS = 100
LONGEST_LAG_S = 60.0
SOUND_WITHIN_S = 10.0


def drain(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Drain no-op jobs with 100 slots; both rates begin with the first job's start.

    `ledger.rate` ends when the queue's server holds nothing any more, `ledger.final` when all rows are final
    and the attempts with them. A system whose queue is its table has one end, and so one rate.

    Raises:
        ChildError: rows are missing or open after a minute, a job ran twice, or an attempt has no row.
    """
    count = bench.count_for(system, "ledger", system.expected_rate, bench.scale.drain_s)
    database = bench.renew(system)
    bench.fill(system, "noop", count)
    if database:
        database.settle()
    with bench.worker(system, count, SLOTS) as worker:
        worker.expect("started", STEP_TIMEOUT_S)
        ours, theirs = worker.cpu_s(), database.cpu_s() if database else 0.0
        done = worker.expect("finished", STEP_TIMEOUT_S)
        empty_ns = max(bench.wait_until_done(system), done["last_ns"])
        final_ns = _final(system.rows, database, count) if system.rows and database else empty_ns
        ours, theirs = worker.cpu_s() - ours, database.cpu_s() - theirs if database else 0.0
        _nothing_twice(worker)
    acknowledged_s = (empty_ns - done["first_ns"]) / 1e9
    final_s = (final_ns - done["first_ns"]) / 1e9
    bench.learn(system, "ledger", count / final_s)
    return {
        "ledger.jobs": count,
        "ledger.rate": count / (final_s if system.installs else acknowledged_s),
        "ledger.final": count / final_s,
        "ledger.lag_ms": (final_s - acknowledged_s) * 1000,
        "ledger.client_cpu_us": ours / count * 1e6,
        "ledger.database_cpu_us": theirs / count * 1e6,
    }


def _final(rows: Rows, database: Database, count: int) -> int:
    """Wait until all rows are final; return that moment, monotonic ns, once they have shown to be sound."""
    with database.asked() as ask:
        wait_for(rows.final, ask, count, LONGEST_LAG_S)
        at_ns = time.monotonic_ns()
        wait_for(rows.sound, ask, count, SOUND_WITHIN_S)
        return at_ns


def wait_for(facts: tuple[Fact, ...], ask: Ask, count: int, patience_s: float) -> None:
    """Ask for one fact after the other, each until it holds.

    Raises:
        ChildError: one does not in time.
    """
    deadline = time.monotonic() + patience_s
    for fact in facts:
        while not fact.holds(told := ask(fact.question), count):
            if time.monotonic() > deadline:
                raise ChildError(f"{fact.text}: {told} after {count} jobs and {patience_s:g} s")
            time.sleep(0.005)


def _nothing_twice(worker: Child) -> None:
    """Look whether the worker told of a run beyond the last.

    Raises:
        ChildError: it did: a job ran twice.
    """
    if again := worker.told("ran again"):
        raise ChildError(f"{again['runs']} runs of {again['jobs']} jobs: one ran twice")
