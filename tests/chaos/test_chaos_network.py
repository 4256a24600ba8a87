"""Networks that reset, swallow, and forget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis
from chaos_account import close_books, ended_count, left_in_redis, tell
from chaos_fleet import Fleet
from chaos_proxy import Proxy
from chaos_server import ChaosServer
from chaos_trace import Trace
from chaos_wait import until

from arqlite import create_pool
from arqlite.connections import ArqRedis, RedisSettings

SLOTS = 5


@pytest_asyncio.fixture
async def shaky_pool(server: ChaosServer, proxy: Proxy) -> AsyncIterator[ArqRedis]:
    """A client that reaches the server through the proxy."""
    pool = await create_pool(RedisSettings.from_dsn(server.url(proxy.port)))
    yield pool
    await pool.aclose(close_connection_pool=True)


async def test_resets_lose_and_hold_up_nothing(
    server: ChaosServer, pool: ArqRedis, shaky_pool: ArqRedis, proxy: Proxy, fleet: Fleet, trace: Trace
) -> None:
    """5 % of all chunks reset their connection, both ways: every job runs, none stays owned, workers live."""
    fleet.url = server.url(proxy.port)
    pids = await fleet.start(2, lease=2.0, max_jobs=10)
    proxy.reset_share = 0.05
    accepted: list[str] = []
    while len(accepted) < 2000:
        try:
            jobs = await shaky_pool.enqueue_many([("nap", (0.01,))] * 20)
        except redis.RedisError:
            continue
        accepted += [job.job_id for job in jobs if job is not None]

    await until(lambda: _all_ended(pool, accepted), 40, "every job has an end and nothing is owned")

    account = close_books(accepted, trace, fleet.killed)
    tell(f"resets: {account}, {proxy.resets} resets of {proxy.chunks} chunks")
    assert proxy.resets >= 10
    assert account.lost == set()
    assert account.repeats == 0
    assert all(fleet.is_alive(pid) for pid in pids)
    assert all(times == 1 for times in server.accepted_ends().values())
    assert await left_in_redis(pool, accepted) == {}


async def test_half_open_connections_are_found_out(
    server: ChaosServer, pool: ArqRedis, proxy: Proxy, fleet: Fleet, trace: Trace
) -> None:
    """Connections that died without a word are replaced: the same worker fills all its slots again."""
    fleet.url = server.url(proxy.port)
    [pid] = await fleet.start(1, lease=2.0, max_jobs=SLOTS)
    await pool.enqueue_many([("nap", (1.0,))] * SLOTS)
    await until(lambda: len(trace.runs()) == SLOTS, 10, "all slots busy")

    assert proxy.forget_connections() >= 2
    await _all_slots_come_back(pool, fleet, trace, pid, within=10)


async def test_lifeline_survives_half_open_connections(
    server: ChaosServer, pool: ArqRedis, proxy: Proxy, fleet: Fleet, trace: Trace
) -> None:
    """A worker whose connections died without a word still rescues the jobs of another one."""
    fleet.url = server.url(proxy.port)
    await fleet.start(1, lease=2.0)
    proxy.forget_connections()
    fleet.url = server.url()
    [victim] = await fleet.start(1, lease=2.0)
    jobs = await pool.enqueue_many([("nap", (1.0,))] * 20)
    await until(lambda: any(run.pid == victim for run in trace.runs()), 10, "the victim has a job")

    fleet.kill(victim)

    await asyncio.gather(*(job.result(timeout=15) for job in jobs if job is not None))


async def test_blackhole_is_survived(
    server: ChaosServer, pool: ArqRedis, proxy: Proxy, fleet: Fleet, trace: Trace
) -> None:
    """Nothing passes for 6 s, three leases long: the same worker comes back with all its slots."""
    fleet.url = server.url(proxy.port)
    [pid] = await fleet.start(1, lease=2.0, max_jobs=SLOTS)
    jobs = [job for job in await pool.enqueue_many([("nap", (1.0,))] * SLOTS) if job is not None]
    await until(lambda: len(trace.runs()) == SLOTS, 10, "all slots busy")

    proxy.holding = True
    await asyncio.sleep(6.0)  # the length of the blackout is what is tested
    proxy.holding = False
    await _all_slots_come_back(pool, fleet, trace, pid, within=10)

    account = close_books([job.job_id for job in jobs], trace, {})
    tell(f"blackhole: {account}")
    assert account.lost == set()
    assert account.most_at_once == 1
    assert all(times == 1 for times in server.accepted_ends().values())


async def test_enqueue_into_a_blackhole_raises_in_time(
    shaky_pool: ArqRedis, proxy: Proxy, pool: ArqRedis
) -> None:
    """An enqueue that gets no answer raises a redis error within 10 s, and the same client recovers."""
    await shaky_pool.enqueue_job("nap")
    proxy.holding = True

    began = time.monotonic()
    try:
        async with asyncio.timeout(20):
            await shaky_pool.enqueue_job("nap")
        error: Exception | None = None
    except Exception as raised:
        error = raised
    took = time.monotonic() - began
    proxy.holding = False

    assert isinstance(error, redis.RedisError)
    assert took <= 10
    assert await shaky_pool.enqueue_job("nap") is not None


async def test_create_pool_gives_up_on_a_silent_server(server: ChaosServer, proxy: Proxy) -> None:
    """A server that accepts the connection and never answers is an error within seconds, not a hang."""
    proxy.holding = True
    settings = RedisSettings.from_dsn(f"{server.url(proxy.port)}?conn_retries=0")

    began = time.monotonic()
    with pytest.raises((OSError, redis.RedisError)):
        await create_pool(settings)
    proxy.holding = False

    assert time.monotonic() - began <= 10


async def _all_ended(pool: ArqRedis, job_ids: list[str]) -> bool:
    return await ended_count(pool) >= len(job_ids) and not await left_in_redis(pool, job_ids)


async def _all_slots_come_back(pool: ArqRedis, fleet: Fleet, trace: Trace, pid: int, within: float) -> None:
    """Hold all slots of the worker with new jobs at once."""
    jobs = [job for job in await pool.enqueue_many([("nap", (2.0,))] * SLOTS) if job is not None]
    since = time.monotonic()
    await asyncio.gather(*(job.result(timeout=within + 2.0) for job in jobs))
    runs = [trace.of(job.job_id)[-1] for job in jobs]
    tell(f"slots back after {max(run.started for run in runs) - since:.1f}s")
    assert fleet.is_alive(pid)
    assert {run.pid for run in runs} == {pid}
    assert max(run.started for run in runs) < min(run.ended or 0 for run in runs)
    assert max(run.started for run in runs) - since <= within
