"""Many jobs due at one instant."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median

from chaos_account import close_books, ended_count, left_in_redis, tell
from chaos_fleet import Fleet
from chaos_trace import Trace
from chaos_wait import until

from arqlite.connections import ArqRedis


async def test_jobs_deferred_to_one_instant_run_once_and_never_early(
    pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """2,000 jobs deferred to one instant all run once, none of them early."""
    await fleet.start(2, max_jobs=100)
    due = datetime.now(UTC) + timedelta(seconds=3)
    due_monotonic = time.monotonic() + (due - datetime.now(UTC)).total_seconds()
    ids = []
    for _ in range(2000):
        job = await pool.enqueue_job("nap", 0, _defer_until=due)
        assert job is not None
        ids.append(job.job_id)
    assert datetime.now(UTC) < due, "this machine took longer to enqueue them than they were deferred"

    async def all_ended() -> bool:
        return await ended_count(pool) == len(ids)

    await until(all_ended, 30, "every job has an end")

    account = close_books(ids, trace, fleet.killed)
    late_ms = [(run.started - due_monotonic) * 1000 for run in trace.runs()]
    tell(f"deferred: {account}, late by {median(late_ms):.0f} ms at the median, {max(late_ms):.0f} at most")
    assert (account.lost, account.repeats) == (set(), 0)
    assert min(late_ms) >= -1.0  # an instant is stored in whole ms
    assert await left_in_redis(pool, ids) == {}
