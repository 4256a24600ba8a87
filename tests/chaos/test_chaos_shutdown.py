"""Workers that are told to end: when they end, with which code, and what becomes of their jobs."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from chaos_account import left_in_redis, most_at_once, tell
from chaos_fleet import Fleet
from chaos_trace import Trace
from chaos_wait import until

from arqlite.connections import ArqRedis
from arqlite.jobs import Job


async def test_term_with_patience_lets_jobs_end(pool: ArqRedis, fleet: Fleet, trace: Trace) -> None:
    """With a wait longer than its jobs a worker ends them, starts no other, and exits with 0 right after."""
    [pid] = await fleet.start(1, job_completion_wait=20, max_jobs=3)
    await pool.enqueue_many([("nap", (2.0,))] * 6)
    await until(lambda: len(trace.runs()) == 3, 10, "three run")

    fleet.signal(pid, signal.SIGTERM)
    code = await fleet.exit_code(pid, 10)
    gone = time.monotonic()

    runs = trace.runs()
    assert code == 0
    assert len(runs) == 3
    assert all(run.ended is not None for run in runs)
    assert gone - max(run.ended or 0 for run in runs) <= 1.0
    assert await pool.zcard("aq:{arq:queue}:ready") == 3


@pytest.mark.parametrize("patience", [0, 1])
async def test_term_with_short_patience_gives_jobs_back(
    pool: ArqRedis, fleet: Fleet, trace: Trace, patience: int
) -> None:
    """With a wait shorter than its jobs they run at once on another worker, and lose no try."""
    [first] = await fleet.start(1, job_completion_wait=patience)
    job = await _running_job(pool, trace, "nap", 3.0)
    [second] = await fleet.start(1)

    told = time.monotonic()
    fleet.signal(first, signal.SIGTERM)
    code = await fleet.exit_code(first, 10)
    took = time.monotonic() - told
    await job.result(timeout=10)

    old, new = trace.of(job.job_id)
    result = await job.result_info()
    assert (code, old.pid, new.pid, old.reason) == (0, first, second, "shutdown")
    assert took <= patience + 3
    assert new.started - (old.cancelled or 0) <= 1.0
    assert result is not None
    assert (result.success, result.job_try, new.job_try) == (True, 1, 1)
    assert await left_in_redis(pool, [job.job_id]) == {}


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_second_signal_does_not_wait(
    pool: ArqRedis, fleet: Fleet, trace: Trace, second: signal.Signals
) -> None:
    """A second signal ends the patience: jobs are given back now, and the worker is gone within 2 s."""
    [pid] = await fleet.start(1, job_completion_wait=60)
    job = await _running_job(pool, trace, "nap", 50.0)

    fleet.signal(pid, signal.SIGTERM)
    await until(lambda: "shutdown on SIGTERM" in fleet.logs(), 5, "it heard the first")
    told = time.monotonic()
    fleet.signal(pid, second)
    code = await fleet.exit_code(pid, 10)

    assert code == 0
    assert time.monotonic() - told <= 2.0
    assert await pool.zrange("aq:{arq:queue}:ready", 0, -1) == [job.job_id.encode()]


@pytest.mark.parametrize("function", ["stubborn", "threaded"])
async def test_worker_leaves_a_job_that_cannot_be_cancelled(
    pool: ArqRedis, fleet: Fleet, trace: Trace, function: str
) -> None:
    """A job that ignores its cancellation cannot hold the process, nor run elsewhere while that lives."""
    [first] = await fleet.start(1, lease=2.0)
    job = await _running_job(pool, trace, function, 5.5)
    await fleet.start(1, lease=2.0)

    told = time.monotonic()
    fleet.signal(first, signal.SIGTERM)
    code = await fleet.exit_code(first, 15)
    gone = time.monotonic()
    await job.result(timeout=20)

    old, new = trace.of(job.job_id)
    tell(f"{function}: exit {code} after {gone - told:.1f}s, next run {new.started - gone:+.1f}s after that")
    assert gone - told <= 5.0
    assert code == 1
    assert old.ended is None
    assert new.started >= gone
    assert most_at_once([old, new], {first: gone}) == 1
    assert new.started - gone <= 2.0 + 2.0
    result = await job.result_info()
    assert result is not None
    assert result.job_try == 1


async def _running_job(pool: ArqRedis, trace: Trace, function: str, seconds: float) -> Job:
    job = await pool.enqueue_job(function, seconds)
    assert job is not None
    await until(lambda: trace.of(job.job_id), 10, "it runs")
    await asyncio.sleep(0)
    return job
