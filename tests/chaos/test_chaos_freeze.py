"""Workers that stand still: frozen from outside, or blocked by a job."""

from __future__ import annotations

import asyncio
import signal

from chaos_account import left_in_redis, most_at_once
from chaos_fleet import Fleet
from chaos_server import ChaosServer
from chaos_trace import Trace
from chaos_wait import until

from arqlite.connections import ArqRedis


async def test_late_acks_of_a_frozen_worker_are_refused(
    server: ChaosServer, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """A worker frozen past its lease and woken: its jobs' ends are the newer runs', and it works on."""
    slots = 5
    [frozen] = await fleet.start(1, lease=2.0, max_jobs=slots)
    jobs = [job for job in await pool.enqueue_many([("nap", (1.0,))] * slots) if job is not None]
    await until(lambda: len(trace.runs()) == slots, 10, "all slots busy")
    first_session = await fleet.session_of(frozen)

    fleet.signal(frozen, signal.SIGSTOP)
    [other] = await fleet.start(1, lease=2.0, max_jobs=slots)
    await until(lambda: len(trace.runs()) == 2 * slots, 10, "the other worker has taken over")
    fleet.signal(frozen, signal.SIGCONT)
    await asyncio.gather(*(job.result(timeout=10) for job in jobs))
    await until(lambda: _has_new_session(fleet, frozen, first_session), 10, "a new session")
    fleet.kill(other)
    again = [job for job in await pool.enqueue_many([("nap", (1.0,))] * slots) if job is not None]
    await asyncio.gather(*(job.result(timeout=10) for job in again))

    for job in jobs:
        old, new = trace.of(job.job_id)
        result = await job.result_info()
        assert result is not None
        assert (old.pid, new.pid, result.result, result.job_try) == (frozen, other, new.run, 2)
    assert set(server.accepted_ends().values()) == {1}
    runs = [trace.of(job.job_id)[0] for job in again]
    assert {run.pid for run in runs} == {frozen}
    assert max(run.started for run in runs) < min(run.ended or 0 for run in runs)
    assert await left_in_redis(pool, [job.job_id for job in [*jobs, *again]]) == {}


async def test_running_jobs_of_a_frozen_worker_are_cancelled(
    pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """Jobs that still run when a worker wakes past its lease are cancelled there, as `lost_lease`."""
    [frozen] = await fleet.start(1, lease=2.0)
    job = await pool.enqueue_job("nap", 12.0)
    assert job is not None
    await until(lambda: trace.runs(), 10, "it runs")

    fleet.signal(frozen, signal.SIGSTOP)
    await fleet.start(1, lease=2.0)
    await until(lambda: len(trace.runs()) == 2, 10, "another worker has taken over")
    fleet.signal(frozen, signal.SIGCONT)
    result = await job.result(timeout=25)

    old, new = trace.of(job.job_id)
    assert (old.pid, old.ended, old.reason) == (frozen, None, "lost_lease")
    assert result == new.run


async def test_blocked_event_loop_keeps_its_lease(pool: ArqRedis, fleet: Fleet, trace: Trace) -> None:
    """A job that blocks the loop for three leases runs once, and so does its neighbour."""
    await fleet.start(2, lease=1.0, max_jobs=2)
    neighbour = await pool.enqueue_job("nap", 0.5)
    blocking = await pool.enqueue_job("block", 3.0)
    assert neighbour is not None
    assert blocking is not None

    await asyncio.gather(neighbour.result(timeout=15), blocking.result(timeout=15))

    for job in (neighbour, blocking):
        runs = trace.of(job.job_id)
        assert (len(runs), most_at_once(runs, {})) == (1, 1)
    assert "died" not in fleet.logs()


async def _has_new_session(fleet: Fleet, pid: int, old: str | None) -> bool:
    session = await fleet.session_of(pid)
    return session is not None and session != old
