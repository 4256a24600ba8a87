"""`Job.abort`, of jobs in every state."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from arq import ArqRedis, func
from arq.jobs import Job, JobStatus
from arq_toys import Gate, add, at_work, end_of, enqueue, nothing, until

PATIENCE = {"timeout": 5, "poll_delay": 0.02}


async def test_running_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A running job is cancelled, fails and is not run again."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")

    async with at_work(make_worker(func(gate.enter, name="gate"), allow_abort_jobs=True)) as worker:
        await gate.started.wait()
        assert await job.abort(**PATIENCE) is True

        assert gate.cancelled == 1
        assert (worker.jobs_failed, worker.jobs_retried) == (1, 0)

    assert await job.status() == JobStatus.complete
    ended = await end_of(job)
    assert (ended.success, ended.function) == (False, "gate")
    assert isinstance(ended.result, asyncio.CancelledError)
    assert len(gate.calls) == 1


async def test_who_waits_sees_the_cancellation(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Who waits for the result of an aborted job gets `CancelledError`."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")

    async with at_work(make_worker(func(gate.enter, name="gate"), allow_abort_jobs=True)):
        await gate.started.wait()
        await job.abort(**PATIENCE)

    with pytest.raises(asyncio.CancelledError):
        await job.result()


@pytest.mark.parametrize("options", [{}, {"_defer_by": 60}], ids=["queued", "deferred"])
async def test_waiting_job(arq_redis: ArqRedis, make_worker: Any, options: Any) -> None:
    """A waiting job is aborted, a deferred one long before its time; it never runs."""
    job = await enqueue(arq_redis, "add", 1, **options)
    with contextlib.suppress(asyncio.TimeoutError):  # nobody is there yet who could tell of its end
        await job.abort(timeout=0.01, poll_delay=0.01)

    async with at_work(make_worker(add, allow_abort_jobs=True)) as worker:
        assert await job.abort(**PATIENCE) is True

    assert worker.jobs_complete == 0
    ended = await end_of(job)
    assert (ended.success, ended.function, ended.args) == (False, "add", (1,))
    assert isinstance(ended.result, asyncio.CancelledError)
    assert await arq_redis.queued_jobs() == []


async def test_ended_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that succeeded is not aborted any more, and stays what it is."""
    job = await enqueue(arq_redis, "add")
    await make_worker(add).run_check()

    assert await job.abort(**PATIENCE) is False
    assert await job.abort(timeout=0) is False
    assert (await end_of(job)).success


async def test_unknown_job(arq_redis: ArqRedis) -> None:
    """An unknown job cannot be aborted."""
    assert await Job("nobody", arq_redis).abort(**PATIENCE) is False


async def test_job_without_a_result(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that ended and left no result cannot be aborted either."""
    job = await enqueue(arq_redis, "nothing")
    await make_worker(func(nothing, keep_result=0)).run_check()

    assert await job.abort(**PATIENCE) is False


async def test_job_that_ends_meanwhile(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Without `allow_abort_jobs` a running job goes on; the caller waits for its end."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")

    async with at_work(make_worker(func(gate.enter, name="gate"))) as worker:
        await gate.started.wait()
        with pytest.raises(asyncio.TimeoutError):
            await job.abort(timeout=0.05, poll_delay=0.02)
        gate.open.set()
        assert await job.abort(**PATIENCE) is False
        await until(lambda: worker.jobs_complete == 1)

    assert await job.result() == "through"


async def test_others_go_on(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Only the job that is named is aborted."""
    one, two = Gate(), Gate()
    first, second = await enqueue(arq_redis, "one"), await enqueue(arq_redis, "two")
    functions = func(one.enter, name="one"), func(two.enter, name="two")

    async with at_work(make_worker(*functions, allow_abort_jobs=True)):
        await one.started.wait()
        await two.started.wait()
        assert await first.abort(**PATIENCE)
        assert await second.status() == JobStatus.in_progress
        two.open.set()
        assert await second.result(**PATIENCE) == "through"
