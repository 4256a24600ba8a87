"""Workers that are killed: what they had in hand runs again, and nothing else does."""

from __future__ import annotations

import asyncio

from chaos_account import close_books, ended_count, left_in_redis, result_of, tell
from chaos_fleet import Fleet
from chaos_server import ChaosServer
from chaos_trace import Trace
from chaos_wait import until

from arqlite.connections import ArqRedis


async def test_job_of_a_killed_worker_runs_elsewhere_within_lease_and_two_seconds(
    pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """A job whose worker is killed in mid-job starts on another one within the lease and 2 s, as try 2."""
    lease = 2.0
    await fleet.start(2, lease=lease)
    job = await pool.enqueue_job("nap", 1.0)
    assert job is not None
    first = (await until(lambda: trace.of(job.job_id), 10))[0]

    fleet.kill(first.pid)
    await job.result(timeout=lease + 10)

    first, second = trace.of(job.job_id)
    result = await job.result_info()
    assert second.started - fleet.killed[first.pid] <= lease + 2.0
    assert second.pid != first.pid
    assert (first.ended, second.job_try) == (None, 2)
    assert result is not None
    assert (result.success, result.result, result.job_try) == (True, second.run, 2)
    assert await left_in_redis(pool, [job.job_id]) == {}


async def test_kill_storm_loses_nothing(
    server: ChaosServer, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """2,000 jobs while a worker is killed every second: none is lost, and only jobs in flight run again.

    A lease is two of the storm's seconds: what was rescued begins just before the next kill, so that one run
    in a dozen has a job that met three of them and would be given up. That is for `max_rescues`, see below.
    """
    options = {"lease": 2.0, "max_jobs": 4, "max_rescues": 40}
    await fleet.start(4, **options)
    jobs = await pool.enqueue_many([("nap", (0.06,))] * 2000)
    ids = [job.job_id for job in jobs if job is not None]

    kills = 0
    while await ended_count(pool) < len(ids):
        assert kills < 40, f"{await ended_count(pool)} of {len(ids)} ended\n{fleet.logs()}"
        await asyncio.sleep(1.0)  # the storm's own rhythm, not a wait for anything
        at_work = [pid for pid in fleet.processes if await fleet.session_of(pid)]
        if at_work and await ended_count(pool) < len(ids):
            fleet.kill(at_work[0])
            fleet.hire(**options)
            kills += 1

    account = close_books(ids, trace, fleet.killed)
    tell(f"kill storm: {account}, {kills} kills")
    assert kills >= 3
    assert {job_id: await result_of(pool, job_id) for job_id in account.lost} == {}
    assert account.unexplained == []
    assert account.most_at_once == 1
    assert await left_in_redis(pool, ids) == {}
    assert set(server.accepted_ends().items()) == {(job_id, 1) for job_id in ids}
    assert all([(await result_of(pool, job_id)).success for job_id in ids])


async def test_poison_job_is_given_up_after_max_rescues(pool: ArqRedis, fleet: Fleet, trace: Trace) -> None:
    """A job that kills its worker each time runs `max_rescues` times, and its result says so."""
    options = {"lease": 1.0, "max_jobs": 1, "max_rescues": 3}
    fleet.hire(**options)
    poison = await pool.enqueue_job("poison")
    assert poison is not None

    async def has_ended() -> bool:
        _replace_the_dead(fleet, **options)
        return await poison.result_info() is not None

    await until(has_ended, 30, "the poison job has an end")
    innocent = await pool.enqueue_job("nap")
    assert innocent is not None
    await innocent.result(timeout=10)

    result = await poison.result_info()
    assert result is not None
    assert (result.success, str(result.result)) == (False, "worker died 3 times")
    assert len(trace.of(poison.job_id)) == 3
    assert await left_in_redis(pool, [poison.job_id, innocent.job_id]) == {}


async def test_innocents_beside_a_poison_job_complete(pool: ArqRedis, fleet: Fleet, trace: Trace) -> None:
    """Jobs that were in the hands of a worker when a poison job killed it complete all the same."""
    options = {"lease": 1.0, "max_jobs": 10, "max_rescues": 3}
    poison = await pool.enqueue_job("poison")
    jobs = await pool.enqueue_many([("nap", (0.5,))] * 100)
    innocents = [job for job in jobs if job is not None]
    fleet.hire(**options)
    fleet.hire(**options)

    async def all_have_ended() -> bool:
        _replace_the_dead(fleet, **options)
        return await ended_count(pool) == 101

    await until(all_have_ended, 40, "every job has an end")

    failed = [job.job_id for job in innocents if not (await result_of(pool, job.job_id)).success]
    assert poison is not None
    assert failed == []
    assert len(trace.of(poison.job_id)) == 3


def _replace_the_dead(fleet: Fleet, **options: object) -> None:
    for pid in [pid for pid in fleet.processes if not fleet.is_alive(pid)]:
        fleet.processes.pop(pid)
        fleet.hire(**options)
