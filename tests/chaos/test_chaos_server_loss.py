"""A server that dies, forgets its scripts, or forgets everything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from chaos_account import close_books, ended_count, left_in_redis, tell
from chaos_fleet import Fleet
from chaos_server import ChaosServer
from chaos_trace import Trace
from chaos_wait import until

from arqlite.connections import ArqRedis


@pytest.fixture(params=["always", "everysec"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ChaosServer]:
    """A server for each way to sync its file."""
    server = ChaosServer(tmp_path / "server", fsync=request.param)
    server.start()
    yield server
    server.stop()


async def test_killed_server_loses_nothing(
    server: ChaosServer, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """A server is killed twice under load: the same workers and the same client go on, nothing is lost."""
    pids = await fleet.start(2, lease=2.0, max_jobs=10)
    producer = _Producer(pool)
    producing = asyncio.create_task(producer.run())

    for wanted in (300, 900):
        await producer.accepts(wanted)
        server.kill()
        await until(lambda: producer.is_refused, 10, "the producer noticed")
        server.restart()
        await until(lambda: not producer.is_refused, 10, "the producer is back")
    await producer.accepts(1200)
    producer.enough = True
    await producing
    await until(lambda: _all_ended(pool, producer.accepted), 30, "every accepted job has an end")

    account = close_books(producer.accepted, trace, fleet.killed, server.outages)
    tell(f"server killed, appendfsync {server.fsync}: {account}, {producer.errors}")
    assert all(fleet.is_alive(pid) for pid in pids)
    assert account.lost == set()
    assert account.unexplained == []
    assert all(issubclass(error, redis.RedisError) for error in producer.errors)
    assert await left_in_redis(pool, producer.accepted) == {}
    assert all(times == 1 for times in server.accepted_ends().values())


@pytest.mark.parametrize("server", ["everysec"], indirect=True)
async def test_outage_longer_than_the_lease_repeats_nothing(
    server: ChaosServer, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """Workers that outlive an outage of several leases keep their jobs: nobody takes the others for dead."""
    await fleet.start(4, lease=1.0, max_jobs=2)
    jobs = [job for job in await pool.enqueue_many([("nap", (7.0,))] * 8) if job is not None]
    await until(lambda: len(trace.runs()) == len(jobs), 10, "every job runs")

    server.kill()
    await asyncio.sleep(3.0)  # the length of the outage is what is tested
    server.restart()
    await asyncio.gather(*(job.result(timeout=20) for job in jobs))

    ids = [job.job_id for job in jobs]
    assert (close_books(ids, trace, {}).repeats, await left_in_redis(pool, ids)) == (0, {})
    assert "died" not in fleet.logs()


class _Producer:
    """Enqueues without end; what was not confirmed does not count."""

    def __init__(self, pool: ArqRedis) -> None:
        self.pool = pool
        self.accepted: list[str] = []
        self.errors: dict[type[Exception], int] = {}
        self.is_refused = False
        self.enough = False

    async def accepts(self, count: int) -> None:
        """Wait until so many jobs were accepted in all."""
        await until(lambda: len(self.accepted) >= count, 20, f"{count} jobs accepted")

    async def run(self) -> None:
        while not self.enough:
            try:
                job = await self.pool.enqueue_job("nap", 0.01)
            except Exception as error:
                self.errors[type(error)] = self.errors.get(type(error), 0) + 1
                self.is_refused = True
                await asyncio.sleep(0.02)  # a producer that is refused tries again at its leisure
            else:
                assert job is not None
                self.accepted.append(job.job_id)
                self.is_refused = False


async def _all_ended(pool: ArqRedis, job_ids: list[str]) -> bool:
    with suppress(redis.RedisError):
        return await ended_count(pool) >= len(job_ids) and not await left_in_redis(pool, job_ids)
    return False


@pytest.mark.parametrize("server", ["everysec"], indirect=True)
async def test_script_flush_is_not_noticed(
    server: ChaosServer, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """The server forgets the scripts again and again under load: no call fails, every job runs once."""
    pids = await fleet.start(2, lease=2.0)
    jobs = []
    for _ in range(200):
        jobs.append(await pool.enqueue_job("nap"))
        await pool.script_flush()
    ids = [job.job_id for job in jobs if job is not None]

    await until(lambda: _all_ended(pool, ids), 20, "every job has an end")

    account = close_books(ids, trace, fleet.killed)
    assert (len(ids), account.lost, account.repeats) == (200, set(), 0)
    assert all(fleet.is_alive(pid) for pid in pids)
    assert "out of reach" not in fleet.logs()
    assert "Error" not in fleet.logs()


@pytest.mark.parametrize("server", ["everysec"], indirect=True)
async def test_worker_outlives_flushall(pool: ArqRedis, fleet: Fleet, trace: Trace) -> None:
    """Redis is emptied under a worker with all slots busy: it goes on with new jobs, in all its slots."""
    [pid] = await fleet.start(1, lease=1.0, max_jobs=5)
    await pool.enqueue_many([("nap", (60,))] * 5)
    await until(lambda: len(trace.runs()) == 5, 10, "all slots busy")

    await pool.flushall()
    jobs = await pool.enqueue_many([("nap", (0.5,))] * 5)
    await asyncio.gather(*(job.result(timeout=20) for job in jobs if job is not None))

    new = [run for job in jobs if job is not None for run in trace.of(job.job_id)]
    assert fleet.is_alive(pid)
    assert len(new) == 5
    assert max(run.started for run in new) < min(run.ended or 0 for run in new)
    assert {run.reason for run in trace.runs()[:5]} == {"lost_lease"}
