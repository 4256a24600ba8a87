"""Workers with a strict ledger are killed at any moment: what is over by its row does not run again."""

from __future__ import annotations

from collections import Counter

from chaos_account import close_books, ended_count, left_in_redis, tell
from chaos_fleet import Fleet
from chaos_trace import Trace
from chaos_wait import until
from sqlalchemy import select
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite.connections import ArqRedis
from arqlite.ledger import AttemptRow, JobRow, Ledger

JOBS, KILLS = 800, 5


async def test_kill_storm_runs_nothing_that_is_over(
    pool: ArqRedis, fleet: Fleet, trace: Trace, database_url: str
) -> None:
    """However often workers are killed, all jobs end well, and none starts again after its commit."""
    ledger = Ledger(database_url)
    await ledger.upgrade()
    # A job that meets the third kill would be given up: what it ends by is not what this is about.
    options = {"lease": 2.0, "max_jobs": 4, "max_rescues": 40, "ledger": database_url, "mode": "strict"}
    await fleet.start(3, **options)
    ids = [job.job_id for job in await pool.enqueue_many([("nap", (0.1,))] * JOBS)]

    kills = 0
    while kills < KILLS:
        pid = await until(lambda: _somebody_at_work(fleet), 60, f"two workers are at work\n{fleet.logs()}")
        fleet.kill(pid)
        fleet.hire(**options)
        kills += 1
        ended = await ended_count(pool)
        await until(lambda ended=ended: _goes_on(pool, ended), 60, f"jobs end\n{fleet.logs()}")
    await until(lambda: _goes_on(pool, JOBS - 1), 60, f"all jobs end\n{fleet.logs()}")

    account = close_books(ids, trace, fleet.killed)
    async with ledger.sessions() as db:
        statuses = Counter((await db.execute(select(JobRow.status))).scalars())
        starts = (await db.execute(select(AttemptRow.job_id, AttemptRow.attempt, AttemptRow.state))).all()
    await ledger.aclose()
    tell(f"strict kill storm: {account}, {kills} kills, {len(starts)} starts")
    assert account.lost == set()
    assert statuses == {"SUCCESS": JOBS}
    last: dict[str, int] = {}
    for job_id, attempt, _ in starts:
        last[job_id] = max(attempt, last.get(job_id, 0))
    ended_before = [one for one, attempt, state in starts if state == "completed" and attempt < last[one]]
    assert ended_before == []
    assert await left_in_redis(pool, ids) == {}


async def _somebody_at_work(fleet: Fleet) -> int | None:
    """A worker that has a session, if it is not the only one."""
    at_work = [pid for pid in fleet.processes if await fleet.session_of(pid)]
    return at_work[0] if len(at_work) > 1 else None


async def _goes_on(pool: ArqRedis, ended: int) -> bool:
    return await ended_count(pool) > ended
