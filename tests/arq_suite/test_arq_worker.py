"""A worker: what it shows of itself, what a job is told, how many run at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from arq import ArqRedis, Worker, cron, func
from arq.connections import RedisSettings
from arq_toys import Ctx, Diary, Gate, add, again, at_work, boom, counts, end_of, enqueue, until


async def test_worker_shows_what_it_is_told(redis_settings: RedisSettings) -> None:
    """The attributes that applications read."""
    zone = timezone(timedelta(hours=3))
    state = {"mine": 1}
    worker = Worker(
        [add, func(boom, name="other")],
        queue_name="mine",
        redis_settings=redis_settings,
        burst=True,
        ctx=state,
        max_burst_jobs=3,
        timezone=zone,
        handle_signals=False,
    )

    assert list(worker.functions) == ["add", "other"]
    assert worker.functions["other"].coroutine is boom
    assert (worker.queue_name, worker.burst, worker.max_burst_jobs) == ("mine", True, 3)
    assert worker.redis_settings == redis_settings
    assert worker.ctx is state
    assert worker.timezone is zone
    assert worker.on_stop is None
    assert counts(worker) == (0, 0, 0)
    assert (dict(worker.tasks), dict(worker.job_tasks)) == ({}, {})
    assert repr(worker) == "<Worker j_complete=0 j_failed=0 j_retried=0 j_ongoing=0>"
    await worker.close()


async def test_defaults_of_a_worker(arq_redis: ArqRedis) -> None:
    """What it has when it is told nothing."""
    worker = Worker([add], redis_pool=arq_redis, handle_signals=False)

    assert worker.queue_name == "arq:queue"
    assert worker.redis_settings is None
    assert worker.pool is arq_redis
    assert (worker.burst, worker.max_burst_jobs) == (False, -1)
    assert worker.timezone is not None
    assert datetime.now(worker.timezone).utcoffset() == datetime.now().astimezone().utcoffset()
    await worker.close()


@pytest.mark.parametrize(("max_jobs", "given", "limit"), [(10, None, 100), (30, None, 150), (10, 7, 7)])
async def test_queue_read_limit(arq_redis: ArqRedis, max_jobs: int, given: int | None, limit: int) -> None:
    """Five times the slots, 100 at least, or what one says."""
    worker = Worker([add], redis_pool=arq_redis, max_jobs=max_jobs, queue_read_limit=given)

    assert worker.queue_read_limit == limit


async def test_worker_needs_something_to_do(arq_redis: ArqRedis) -> None:
    """Functions or cron jobs; one of them is enough."""
    with pytest.raises(RuntimeError, match=r"^at least one function or cron_job must be registered$"):
        Worker(redis_pool=arq_redis)
    assert list(Worker(cron_jobs=[cron(add)], redis_pool=arq_redis).functions) == ["cron:add"]


async def test_cron_jobs_must_be_such(arq_redis: ArqRedis) -> None:
    """A function is no cron job."""
    with pytest.raises(RuntimeError, match=r"^cron_jobs, must be instances of CronJob$"):
        Worker(cron_jobs=[add], redis_pool=arq_redis)


async def test_no_queue_is_that_of_the_pool(arq_redis: ArqRedis) -> None:
    """`queue_name=None` is the pool's default queue; without a pool there is none."""
    arq_redis.default_queue_name = "pools"

    assert Worker([add], queue_name=None, redis_pool=arq_redis).queue_name == "pools"
    with pytest.raises(ValueError, match=r"^If queue_name is absent, redis_pool must be present\.$"):
        Worker([add], queue_name=None)


async def test_ctx_of_a_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job is told its id, its try, when it was enqueued and due, and what the worker keeps."""
    diary = Diary()
    shared: list[int] = []
    job = await enqueue(arq_redis, "write", _job_id="id")
    [queued] = await arq_redis.queued_jobs()
    worker = make_worker(func(diary.write, name="write"), ctx={"shared": shared})

    await worker.run_check()

    [ctx] = diary.pages
    assert set(ctx) >= {"shared", "redis", "job_id", "job_try", "enqueue_time", "score"}
    assert (ctx["job_id"], ctx["job_try"], ctx["score"]) == ("id", 1, queued.score)
    assert ctx["enqueue_time"] == queued.enqueue_time
    assert ctx["enqueue_time"].utcoffset() == timedelta(0)
    assert ctx["shared"] is shared
    assert ctx["redis"] is worker.pool is worker.ctx["redis"]
    assert await job.result() == 1


async def test_ctx_is_a_copy(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What a job puts into its ctx no other job sees."""

    async def spoil(ctx: Ctx) -> Any:
        found = ctx.get("mine")
        ctx["mine"] = True
        return found

    jobs = [await enqueue(arq_redis, "spoil") for _ in range(2)]
    worker = make_worker(func(spoil, name="spoil"))
    await worker.run_check()

    assert [await job.result() for job in jobs] == [None, None]
    assert "mine" not in worker.ctx


async def test_jobs_enqueue_jobs(
    arq_redis: ArqRedis, redis_settings: RedisSettings, make_worker: Any
) -> None:
    """`ctx['redis']` enqueues to the worker's queue when the worker made the pool."""

    async def parent(ctx: Ctx) -> None:
        await ctx["redis"].enqueue_job("add", 1, 2, _job_id="child")

    await enqueue(arq_redis, "parent", _queue_name="mine")
    worker = make_worker(func(parent, name="parent"), add, queue_name="mine", redis_settings=redis_settings)

    assert await worker.run_check() == 2
    assert [result.queue_name for result in await arq_redis.all_job_results()] == ["mine", "mine"]


async def test_counters(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Complete, failed and retried jobs are counted, and shown."""
    await enqueue(arq_redis, "add")
    await enqueue(arq_redis, "again", 2)
    await enqueue(arq_redis, "boom")
    worker = make_worker(add, again, boom)
    await worker.async_run()

    assert counts(worker) == (2, 1, 2)
    assert repr(worker) == "<Worker j_complete=2 j_failed=1 j_retried=2 j_ongoing=0>"


async def test_running_jobs_are_shown(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What runs is counted as ongoing and has its task."""
    gate = Gate()
    await enqueue(arq_redis, "gate", _job_id="id")

    async with at_work(make_worker(func(gate.enter, name="gate"))) as worker:
        await gate.started.wait()

        assert repr(worker).endswith("j_ongoing=1>")
        assert list(worker.tasks) == list(worker.job_tasks) == ["id"]
        gate.open.set()
        await until(lambda: worker.jobs_complete == 1)


async def test_no_more_jobs_at_once_than_slots(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`max_jobs` is how many jobs run at once."""
    now, most = 0, 0

    async def work(ctx: Ctx) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1

    for _ in range(12):
        await enqueue(arq_redis, "work")

    assert await make_worker(func(work, name="work"), max_jobs=3).run_check() == 12
    assert most == 3


async def test_first_in_first_out(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Jobs start in the order they were enqueued."""
    diary = Diary()
    for n in range(5):
        await enqueue(arq_redis, "write", n)
        await asyncio.sleep(0.002)

    await make_worker(func(diary.write, name="write"), max_jobs=1).run_check()

    assert diary.args == [0, 1, 2, 3, 4]


async def test_times_of_a_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A result tells when its run began and ended."""

    async def work(ctx: Ctx) -> None:
        await asyncio.sleep(0.05)

    before = datetime.now(UTC)
    job = await enqueue(arq_redis, "work")
    await make_worker(func(work, name="work")).run_check()

    ended = await end_of(job)
    assert timedelta(seconds=0.04) < ended.finish_time - ended.start_time < timedelta(seconds=2)
    assert before - timedelta(milliseconds=2) < ended.start_time
