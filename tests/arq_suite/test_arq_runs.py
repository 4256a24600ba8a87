"""Runs of a worker: how they begin and end, and what `run_check` makes of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from arq import ArqRedis, Worker, create_pool, func, run_worker
from arq.connections import RedisSettings
from arq.jobs import JobResult
from arq.worker import FailedJobs
from arq_toys import Ctx, Diary, add, boom, enqueue


async def test_burst_of_nothing_ends(make_worker: Any) -> None:
    """A burst without jobs is over at once."""
    assert await make_worker(add).run_check() == 0


async def test_run_check_tells_of_one_failure(arq_redis: ArqRedis, make_worker: Any) -> None:
    """One failed job is told by its exception."""
    await enqueue(arq_redis, "boom", "bad")

    with pytest.raises(FailedJobs) as raised:
        await make_worker(boom).run_check()

    assert (raised.value.count, len(raised.value.job_results)) == (1, 1)
    assert isinstance(raised.value.job_results[0], JobResult)
    assert str(raised.value) == "1 job failed ValueError('bad')"
    assert repr(raised.value) == "<1 job failed ValueError('bad')>"


async def test_run_check_tells_of_several_failures(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Several failed jobs are told line by line, by enqueue time."""
    for text in ("bad", "worse"):
        await enqueue(arq_redis, "boom", text)
        await asyncio.sleep(0.002)
    await enqueue(arq_redis, "add")

    with pytest.raises(FailedJobs) as raised:
        await make_worker(boom, add).run_check()

    assert str(raised.value) == "2 jobs failed:\nValueError('bad')\nValueError('worse')"


async def test_run_check_shows_all_failures_that_are_kept(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The number is that of this worker; the results are all that Redis holds."""
    await enqueue(arq_redis, "boom", "earlier")
    await make_worker(boom).async_run()
    await enqueue(arq_redis, "boom", "later")

    with pytest.raises(FailedJobs) as raised:
        await make_worker(boom).run_check()

    assert (raised.value.count, len(raised.value.job_results)) == (1, 2)


@pytest.mark.parametrize(("limit", "ran"), [(0, 0), (1, 1), (3, 3), (-1, 4), (9, 4)])
async def test_max_burst_jobs(arq_redis: ArqRedis, make_worker: Any, limit: int, ran: int) -> None:
    """A burst may be told how many jobs to start; negative is all."""
    for _ in range(4):
        await enqueue(arq_redis, "add")

    assert await make_worker(add, max_burst_jobs=limit).run_check() == ran
    assert len(await arq_redis.queued_jobs()) == 4 - ran


async def test_run_check_may_limit_the_burst(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`run_check` takes a limit of its own."""
    for _ in range(3):
        await enqueue(arq_redis, "add")

    assert await make_worker(add).run_check(max_burst_jobs=2) == 2


async def test_worker_runs_again(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`main` and `async_run` may be called again; the counters go on."""
    worker = make_worker(add)
    for _ in range(2):
        await enqueue(arq_redis, "add")
        await worker.main()
    await enqueue(arq_redis, "add")
    await worker.async_run()

    assert worker.jobs_complete == 3


async def test_workers_share_a_queue(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Each job runs once, on whatever worker."""
    diary = Diary()
    for n in range(20):
        await enqueue(arq_redis, "write", n)
    workers = [make_worker(func(diary.write, name="write"), max_jobs=2) for _ in range(3)]

    await asyncio.gather(*(worker.async_run() for worker in workers))

    assert sorted(diary.args) == list(range(20))
    assert sum(worker.jobs_complete for worker in workers) == 20


async def test_startup_and_shutdown(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`on_startup` comes before the first job, `on_shutdown` when the worker is closed; both get its ctx."""
    seen: list[str] = []

    async def start(ctx: Ctx) -> None:
        seen.append("start")
        ctx["state"] = "warm"
        assert ctx["redis"] is not None

    async def work(ctx: Ctx) -> str:
        seen.append("work")
        state: str = ctx["state"]
        return state

    async def stop(ctx: Ctx) -> None:
        seen.append(f"stop {ctx['state']}")

    job = await enqueue(arq_redis, "work")
    worker = make_worker(func(work, name="work"), on_startup=start, on_shutdown=stop)
    await worker.async_run()
    assert seen == ["start", "work"]
    await worker.close()

    assert seen == ["start", "work", "stop warm"]
    assert await job.result() == "warm"


async def test_startup_that_raises_ends_the_worker(make_worker: Any) -> None:
    """A worker that cannot start up does not start."""

    async def fail(ctx: Ctx) -> None:
        raise ValueError("cold")

    with pytest.raises(ValueError, match=r"^cold$"):
        await make_worker(add, on_startup=fail).async_run()


async def test_worker_that_connects(redis_settings: RedisSettings, make_worker: Any) -> None:
    """A worker without a pool makes one, with its queue and expiry."""
    worker = make_worker(add, redis_settings=redis_settings, queue_name="mine", expires_extra_ms=1_000)

    await worker.run_check()

    assert isinstance(worker.pool, ArqRedis)
    assert (worker.pool.default_queue_name, worker.pool.expires_extra_ms) == ("mine", 1_000)


async def test_closing_twice(redis_settings: RedisSettings) -> None:
    """A worker may be closed twice, and before it has run."""
    worker = Worker([add], redis_settings=redis_settings, burst=True, handle_signals=False)
    await worker.close()

    ran = Worker([add], redis_settings=redis_settings, burst=True, handle_signals=False)
    await ran.async_run()
    await ran.close()
    await ran.close()


def test_run_worker(redis_settings: RedisSettings) -> None:
    """`run_worker` makes a worker, runs and closes it, and hands it back."""
    seen: list[str] = []

    async def fill(ctx: Ctx) -> None:
        await ctx["redis"].enqueue_job("add", 1, 2)

    async def stop(ctx: Ctx) -> None:
        seen.append("stopped")

    settings = {"functions": [add], "on_startup": fill, "on_shutdown": stop, "poll_delay": 0.01}
    worker = run_worker(settings, redis_settings=redis_settings, burst=True)

    assert (worker.jobs_complete, seen) == (1, ["stopped"])


async def test_results_of_two_pools(
    arq_redis: ArqRedis, make_worker: Any, redis_settings: RedisSettings
) -> None:
    """A result may be read from anywhere."""
    await enqueue(arq_redis, "add", 2, 2, _job_id="id")
    await make_worker(add).run_check()

    other = await create_pool(redis_settings)
    [result] = await other.all_job_results()
    await other.aclose(close_connection_pool=True)

    assert (result.job_id, result.result) == ("id", 4)
