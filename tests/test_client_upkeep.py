"""What a pool does for those who wrote to arq's keys by hand: counting a queue, and freeing an id."""

from __future__ import annotations

from typing import Any

from worker_toys import Ctx, Gate, at_work, enqueue, traces

from arqlite import ArqRedis, func
from arqlite.jobs import Job, JobStatus


async def ok(ctx: Ctx) -> str:
    return "ok"


async def test_forgotten_id_is_free(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A finished job is forgotten by its id; nothing is left of it, and the id can be used again."""
    await enqueue(arq_redis, "ok", _job_id="same")
    await make_worker([ok], keep_result_forever=True).run_check()
    assert await arq_redis.enqueue_job("ok", _job_id="same") is None

    assert await arq_redis.forget("same") is True

    assert await Job("same", arq_redis).status() is JobStatus.not_found
    assert await traces(arq_redis) & {"jobs", "ready", "sched"} == set()
    assert await arq_redis.enqueue_job("ok", _job_id="same") is not None


async def test_what_has_not_ended_is_not_forgotten(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that waits, is deferred or runs is left alone; an unknown one is not missed."""
    gate = Gate()
    await enqueue(arq_redis, "gate", _job_id="running")
    await enqueue(arq_redis, "gate", _job_id="deferred", _defer_by=60)
    async with at_work(make_worker([func(gate, name="gate")], max_jobs=1)):
        await gate.started.wait()
        await enqueue(arq_redis, "gate", _job_id="waiting")

        for name in ("running", "deferred", "waiting", "nobody"):
            assert await arq_redis.forget(name) is False
        assert await arq_redis.queue_depth() == 3
        gate.open.set()


async def test_forgetting_is_per_queue(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The queue is the pool's default, or the one that is named."""
    await enqueue(arq_redis, "ok", _job_id="same", _queue_name="mine")
    await make_worker([ok], queue_name="mine").run_check()

    assert await arq_redis.forget("same") is False
    assert await arq_redis.forget("same", "mine") is True


async def test_depth_counts_what_has_not_ended(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Waiting, deferred and running jobs count, finished ones do not: what arq's zset held."""
    assert await arq_redis.queue_depth() == 0
    gate = Gate()
    await enqueue(arq_redis, "ok")
    await make_worker([ok]).run_check()
    await enqueue(arq_redis, "gate")
    async with at_work(make_worker([func(gate, name="gate")], max_jobs=1)):
        await gate.started.wait()
        await enqueue(arq_redis, "gate")
        await enqueue(arq_redis, "gate", _defer_by=60)

        assert await arq_redis.queue_depth() == 3
        assert await arq_redis.queue_depth("arq:queue") == 3
        assert await arq_redis.queue_depth(queue_name="mine") == 0
        gate.open.set()
